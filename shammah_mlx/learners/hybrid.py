"""The three roles of the `default` preset: drafts are Claude's own past answers, or are written in their manner.

The same roles as `ensemble`, for the same loop. The Generator is a memory and a pretrained decoder; Router and
Validator weigh what speaks for their drafts. Nothing here is trained on anything but Claude's complete replies and
measured divergences.
"""

import functools
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

import numpy as np

from shammah_mlx.config import Config
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import DecisionContext, Draft, DraftSource, Nearest, Query, Role, Show, Step
from shammah_mlx.framework.targets import Target
from shammah_mlx.learners.logistic import LogisticModel
from shammah_mlx.learners.memory import Memory
from shammah_mlx.learners.neighbours import FEATURES, Entry, Proposal, Question, word_set
from shammah_mlx.learners.roles import PersistentRoles
from shammah_mlx.learners.student import Lookup, Student
from shammah_mlx.learners.trust import Trust
from shammah_mlx.models.backend import Arrays, mx, scalar
from shammah_mlx.text.divergence import Meter
from shammah_mlx.text.followups import leans_back
from shammah_mlx.text.freshness import is_fleeting

Classifiers = dict[Role, dict[DraftSource, LogisticModel]]

A_DAY = 86_400.0  # seconds
RECENT = 64  # questions whose vectors are kept: routing, drafting, judging and learning ask for the same
UNKNOWN = {"constant": 1.0, "trust": -5.0, "sure": 0.0, "concord": 0.0, "sure concord": 0.0}  # nothing is proposed
UNLIKE = -1.0  # log-odds at most, of a question unlike all that are known
SUREST = 4.0  # log-odds: a memory of a few dozen questions fits itself too well
NEAREST = 5  # past questions that explain a decision
MADE_BY = ("embedder", "meter")  # what the memory, and evidence of it, holds for
WEIGHED = "2"  # version of what Router and Validator weigh
CONCERNS: dict[DraftSource, set[str]] = {
    "recall": {*MADE_BY, "evidence"},
    "decoder": {*MADE_BY, "evidence", "prompt", "decoder"},
}  # whose change makes evidence void


class Embedder(Protocol):
    """What turns texts into vectors."""

    def __call__(self, texts: list[str]) -> np.ndarray:
        """Return (texts, width)."""

    def reads_all(self, text: str) -> bool:
        """Say whether no part of the text is too far back to be seen."""


class MemoryRows(Protocol):
    """Where the memory's entries are stored."""

    def add(self, entry: Entry, made_by: str) -> None:
        """Store an entry; `made_by` names the versions of the parts that made it."""

    def made_by(self, versions: str) -> Iterable[Entry]:
        """Return the entries that these versions made, in order."""

    def delete(self, first: int, last: int | None = None) -> None:
        """Delete the entries from number `first` to `last`, or to the end."""


class HybridRoles(PersistentRoles):
    """The roles of one home; `decoder` is None where only recall drafts."""

    def __init__(
        self,
        config: Config,
        versions: Mapping[str, str],
        embed: Embedder,
        meter: Meter,
        lookup: Lookup,
        rows: MemoryRows,
        decoder: Student | None,
    ) -> None:
        @functools.lru_cache(RECENT)
        def question(query: Query) -> Question | None:
            if not embed.reads_all(meaning(query)):
                return None  # two questions that differ only where nobody looks are not one
            return Question(embed([meaning(query)])[0], word_set(meaning(query)), query.context)

        if unknown := sorted(config.recall.trust_prior.keys() - set(FEATURES)):
            raise BadInputError(f"there is no evidence {unknown[0]!r} for recall.trust_prior", "mend it in config.toml")
        self._config, self._question, self._meter = config, question, meter
        self._lookup, self._rows = lookup, rows
        self._versions = versions
        self._made_by = "; ".join(versions[name] for name in MADE_BY)
        self._memory, self._trust = Memory(config.recall), Trust(config.recall)
        self._decoder = decoder
        self._classifiers = _new_classifiers(config, ("recall",) if decoder is None else ("recall", "decoder"))
        self._weighed = functools.lru_cache(RECENT)(self._weigh)  # until the memory changes

    def p_local(self, query: Query) -> dict[DraftSource, float]:
        """Return the Router's probability that a local answer will do, for each source."""
        proposal, features = self._weighed(query)
        p_locals = {
            source: classifier.probability(features) for source, classifier in self._classifiers["router"].items()
        }
        if proposal is None:
            p_locals["recall"] = 0.0
        if "decoder" in p_locals and (not query.is_plain or is_fleeting(meaning(query))):
            p_locals["decoder"] = 0.0  # it knows neither what was said before nor what is so now
        return p_locals

    def draft(self, query: Query, source: DraftSource, show: Show | None = None) -> Draft | None:
        """Return what Claude answered to the most telling past question, or what the decoder makes of it."""
        proposal, features = self._weighed(query)
        if source == "decoder":
            return self._write(query, proposal, features, show)
        if proposal is None:
            return None
        number = proposal.entry.number
        original = self._lookup(number)
        text, stop = (original.reply.text, original.reply.stop_sequence) if original.reply else ("", None)
        return Draft(text, "recall", original.request.query.row or str(number), number, features, stop)

    def p_accept(self, query: Query, draft: Draft) -> float:  # noqa: ARG002  the draft's evidence is about the query
        """Return the Validator's probability that the draft is good."""
        return self._classifiers["validator"][draft.source].probability(draft.features)

    def decision_context(self, query: Query) -> DecisionContext:
        """Return what the Router weighs."""
        question = self._question(query)
        nearest = self._memory.nearest(question, NEAREST) if question else []
        return DecisionContext(tuple(Nearest(entry.number, alike) for entry, alike in nearest), self._weighed(query)[1])

    def step(self, target: Target, rate: float) -> Step:
        """Learn one example: a reply by heart and by a step of the decoder, a label by weighing evidence anew."""
        if target.role == "generator":
            return self._learn_reply(target, rate)
        source = target.source or "recall"
        classifier = self._classifiers[target.role].get(source)
        voided = any(target.versions.get(name) != self._versions[name] for name in CONCERNS[source])
        if classifier is None or target.label is None or not target.features or voided:
            return Step(target.role, None, applied=False)  # from a time with other parts
        return Step(target.role, classifier.step(target.features, target.label), applied=True)

    def state(self) -> dict[str, Arrays]:
        """Return everything learnt, by file; the memory's entries are in the records."""
        judges = {
            role: {
                f"{source}.{name}": mx.array(array)
                for source, classifier in by_source.items()
                for name, array in classifier.state().items()
            }
            for role, by_source in self._classifiers.items()
        }
        remembered = {"remembered": mx.array(len(self._memory)), "refuted": mx.array(self._memory.refuted, mx.int64)}
        adapters, optimizer = self._decoder.state() if self._decoder else (remembered, {})
        trust = {f"trust.{name}": mx.array(array) for name, array in self._trust.state().items()}
        return {
            "router": {**judges["router"], **trust},
            "validator": judges["validator"],
            "generator": adapters,
            "optimizer_state": {**optimizer, **remembered},
        }

    def load(
        self, state: Mapping[str, Arrays], changed: Collection[str], replies: Callable[[], Iterable[Target]]
    ) -> None:
        """Continue from what `state` returned; learn `replies` by heart again if the memory's rows are not whole.

        Raises:
            ValueError: the arrays do not fit these models.
        """
        for role, by_source in self._classifiers.items():
            for source, classifier in by_source.items():
                if not CONCERNS[source] & set(changed):
                    classifier.load(_under(f"{source}.", state[role]))
        if self._decoder and "decoder" not in changed:
            self._decoder.load(state["generator"], state["optimizer_state"])
        refuted = np.array(state["optimizer_state"].get("refuted", mx.array([], mx.int64))).reshape(-1, 2)
        self._memory.load(self._rows.made_by(self._made_by), ((int(a), int(n)) for a, n in refuted))
        if len(self._memory) != int(scalar(state["optimizer_state"]["remembered"])):
            self._relearn(replies())
        else:
            self._trust.load(_under("trust.", state["router"]))

    def _relearn(self, replies: Iterable[Target]) -> None:
        self._memory, self._trust = Memory(self._config.recall), Trust(self._config.recall)
        self._rows.delete(0)
        for reply in replies:
            self._remember(reply)

    def distance_from(self, earlier: Mapping[str, Arrays]) -> dict[str, float]:
        """Return how far the weights moved, in L2; where only recall drafts, how many answers were remembered."""

        def distance(now: Arrays, before: Mapping[str, mx.array]) -> float:
            kinds = ("weights", "lora_a", "lora_b", "remembered")  # the rest grows, or counts
            pairs = [(array, before[name]) for name, array in now.items() if name.endswith(kinds)]
            return math.sqrt(sum(scalar(mx.square(a - b).sum()) for a, b in pairs))

        now = self.state()
        return {role: distance(now[role], earlier[role]) for role in ("router", "generator", "validator")}

    def _weigh(self, query: Query) -> tuple[Proposal | None, dict[str, float]]:
        """Return what memory proposes, and the evidence for it."""
        question = self._question(query)
        proposal = self._memory.propose(question) if question else None
        if proposal is None or not self._is_fresh(proposal.entry, query):
            return None, UNKNOWN
        named = dict(zip(FEATURES, proposal.features.tolist(), strict=True))
        days = self._memory.since_given(proposal.entry, query.at) // A_DAY  # whole ones: a replay takes its own time
        trust = self._trust.log_odds(proposal.features) - self._config.recall.ageing * days
        if named["similarity"] < self._config.recall.least_alike:
            trust = min(trust, UNLIKE)
        return proposal, {**named, **agreement_features(named, trust)}

    def _write(
        self, query: Query, proposal: Proposal | None, features: dict[str, float], show: Show | None
    ) -> Draft | None:
        if self._decoder is None or not query.is_plain:  # its prompt has no place for a conversation
            return None
        recalled = self._reply(proposal.entry.number) if proposal else None
        written = self._decoder.write(query, self._neighbour(query), recalled, show)
        if not written.text.strip():
            return None
        same = recalled is not None and self._config.divergence.is_good(self._meter(written.text, recalled))
        told = {**features, "log p": written.mean_log_p, "same as recalled": float(same)}
        return Draft(written.text, "decoder", features=told)

    def _learn_reply(self, target: Target, rate: float) -> Step:
        query, step = target.query, Step("generator", None, applied=True)
        if self._decoder and query.is_plain and not is_fleeting(meaning(query)):
            step = self._decoder.step(target.number, self._neighbour(query), rate)
        self._remember(target)
        return step

    def _neighbour(self, query: Query) -> int:
        """Return the number of the most similar past question; 0 for none."""
        question = self._question(query)
        nearest = self._memory.nearest(question, 1) if question else []
        return nearest[0][0].number if nearest else 0

    def _remember(self, target: Target) -> None:
        question, reply = self._question(target.query), target.response or ""
        for gone in self._memory.expire(target.query.at):
            self._rows.delete(gone, gone)
        if question is not None:
            same = (
                answer
                for answer in self._memory.known_answers(question, self._config.recall.compared)
                if self._config.divergence.is_good(self._meter(self._reply(answer), reply))
            )
            at = target.query.at
            until = at + self._config.recall.fleeting_s if is_fleeting(meaning(target.query)) else math.inf
            entry = Entry(question, target.number, next(same, target.number), at, until)
            if target.refuted is not None:
                self._memory.refute(target.refuted, stood=target.stood)
            self._rows.add(entry, self._made_by)
            self._memory.add(entry)
            self._trust.fit_if_due(self._memory)
        self._weighed.cache_clear()

    def _is_fresh(self, entry: Entry, query: Query) -> bool:
        """Say whether the answer has not run out; to a question about this moment it must be one of this moment."""
        if is_fleeting(meaning(query)) or entry.until < math.inf:
            return 0.0 <= query.at - entry.at <= self._config.recall.fleeting_s  # a clock may have been set back
        return True

    def _reply(self, number: int) -> str:
        reply = self._lookup(number).reply
        return reply.text if reply else ""


def meaning(query: Query) -> str:
    """Return the question as it is understood: with the one before it, where it leans on that."""
    leans = bool(query.history) and leans_back(query.text)
    return f"{query.history[-1].question} {query.text}" if leans else query.text


def agreement_features(named: Mapping[str, float], trust: float) -> dict[str, float]:
    """Return trust, and how far the two views agree: summed evidence lets a sure view cover for a doubtful one.

    Where only one of them is sure, one answer in ten was wrong however great the trust.
    """
    trust = min(trust, SUREST)
    sure, both = max(trust, 0.0), named["agreement"] * min(max(named["fit"], 0.0), 1.0)
    return {"trust": trust, "sure": sure, "concord": both, "sure concord": sure * both}


def _new_classifiers(config: Config, sources: Iterable[DraftSource]) -> Classifiers:
    return {
        "router": {source: LogisticModel(config.classifiers.router[source]) for source in sources},
        "validator": {source: LogisticModel(config.classifiers.validator[source]) for source in sources},
    }


def _under(prefix: str, arrays: Mapping[str, mx.array]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): np.array(array) for name, array in arrays.items() if name.startswith(prefix)}
