"""Find the contexts that a question may borrow answers from, and learn for each pair of contexts what these are worth.

Two contexts are *kin* if they differ in the Claude model alone, or in the system prompt alone. Whether one answers like
the other is a matter of the two: a translator's prompt says nothing about a summarizer's. So each pair has a Router and
a Validator of its own, which start at the same prior, as each pair has a threshold of its own (`risk.threshold`).
"""

from collections.abc import Mapping

import msgspec
import numpy as np

from shammah_mlx.config import LogisticConfig
from shammah_mlx.events import DraftSource, Query, counted_as
from shammah_mlx.learners.features import NO_PROPOSAL, UNCHANGED
from shammah_mlx.learners.logistic import LogisticModel
from shammah_mlx.learners.memory import Memory
from shammah_mlx.learners.neighbours import Entry
from shammah_mlx.learners.past import Lookup
from shammah_mlx.teacher.identity import is_claude

MOST_KIN = 3  # contexts asked for one question: each is held in memory, and takes a millisecond


OTHER_TEXT = {"same text": 0.0, "days": 0.0, "agreed": 0.0, "disagreed": 0.0}
"""Features of an answer to a question in other words: its age is part of the trust in it."""
SAME_TEXT = {**NO_PROPOSAL, "trust": 0.0, "changed": UNCHANGED, "same text": 1.0}
"""Features of an answer to the same text, beside those of a repeat: no memory has to be trusted that it fits."""


class Borrowed(msgspec.Struct, frozen=True):
    """An answer that a context proposes for a question asked in another one."""

    entry: Entry
    features: dict[str, float]
    pair: str  # of the contexts: see `Draft.pair`


class KinContexts:
    """Knows by one of its questions what each context of a memory is made of."""

    def __init__(self, memory: Memory, lookup: Lookup) -> None:
        self._memory, self._lookup = memory, lookup
        self._asked: dict[int, Query] = {}  # one question of each context that may propose something

    def of(self, query: Query, source: DraftSource) -> list[int]:
        """Return the contexts from which this source borrows for a query, the largest first."""
        own, kin = query.context, query.kin(source)
        found = [
            context
            for context, number in self._memory.proposing().items()
            if context != own and self._may_lend(self._question_in(context, number), query, kin, source)
        ]
        return found[:MOST_KIN]

    def _may_lend(self, known: Query, query: Query, kin: int, source: DraftSource) -> bool:
        is_kin = known.kin(source) == kin
        return is_kin and (source != "other_model" or all(is_claude(each.model or "") for each in (known, query)))

    def _question_in(self, context: int, number: int) -> Query:
        if context not in self._asked:
            self._asked[context] = msgspec.structs.replace(self._lookup(number).request.query, text="")
        return self._asked[context]


class PairModels:
    """One logistic model for each pair of contexts, for one role; a function of its examples."""

    def __init__(self, priors: Mapping[DraftSource, LogisticConfig]) -> None:
        self._priors = priors
        self._models: dict[str, LogisticModel] = {}

    def probability(self, source: DraftSource, pair: str, features: Mapping[str, float]) -> float:
        """Return the probability that a borrowed draft is good."""
        model = self._models.get(counted_as(source, pair)) or LogisticModel(self._priors[source])
        return model.probability(features)

    def step(self, source: DraftSource, pair: str, features: Mapping[str, float], label: float) -> float:
        """Add one example to the model of a pair; return the loss on it before, in nats."""
        model = self._models.setdefault(counted_as(source, pair), LogisticModel(self._priors[source]))
        return model.step(features, label)

    def state(self) -> dict[str, np.ndarray]:
        """Return the examples of all pairs, and for information their weights; nothing where nothing was borrowed."""
        return {
            f"{name}.{part}": array for name, model in self._models.items() for part, array in model.state().items()
        }

    def load(self, source: DraftSource, state: Mapping[str, np.ndarray]) -> None:
        """Continue with the pairs of one source from what `state` returned.

        Raises:
            ValueError: its examples have a different number of features.
        """
        names = {name.rpartition(".")[0] for name in state if name.startswith(f"{source} ")}
        for name in sorted(names):
            model = self._models[name] = LogisticModel(self._priors[source])
            model.load({part: state[f"{name}.{part}"] for part in ("examples", "labels")})
