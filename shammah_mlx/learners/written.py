"""The decoder's drafts, and what Router and Validator judge them by.

The Router knows the query: how drafts fared for the questions most like it (the *record*), and the logit of an encoder
that reads it. The Validator also knows the draft: how surprising the decoder found its words, whether they come from
somewhere, and the logit of an encoder that reads query and draft.
"""

import functools
import math
from collections.abc import Callable, Collection, Mapping

import numpy as np
from msgspec import UNSET

from shammah_mlx.config import Config
from shammah_mlx.events import Draft, Exchange, Query, Role, Show, Step
from shammah_mlx.framework.loop import GiveWay
from shammah_mlx.framework.targets import Target
from shammah_mlx.learners.gradient import Learner
from shammah_mlx.learners.neighbours import Entry
from shammah_mlx.learners.past import Lookup, past_exchange
from shammah_mlx.learners.questions import Embedder
from shammah_mlx.learners.student import Student
from shammah_mlx.models.backend import Arrays, mx, prefixed, scalar, unprefixed
from shammah_mlx.models.fine_tuned import FineTuned
from shammah_mlx.text import grounding
from shammah_mlx.text.divergence import Meter

WRITTEN_VERSION = "5"  # of the features made here
RECENT = 64  # cached queries
LIKE = 128  # questions most like a query: they tell which of its words an answer repeats, and which form it has
RECORDED = 32  # of these, whose drafts make its record
SHOWN = 8  # of these, whose answers' words count as known
ALIKE, SHARPNESS = 0.6, 15.0  # of the record: a question less alike than this counts e^-15 times the difference
STALE = 50  # judged drafts after which one counts half in the record: the decoder that wrote it has learnt since
LEAST_SURPRISE, LEAST_WORST_SURPRISE = 1e-3, 1e-2  # nats a token; less makes no difference
READERS: tuple[Role, ...] = ("router", "validator")  # the roles with an encoder
ENCODER = "encoder."  # prefix of its weights
EXPECTED_GOOD, EXPECTED_BAD = 0.12, 0.88  # drafts of which every record begins: p = 0.12, as in the specification

Near = Callable[[Query, int], list[tuple[Entry, float]]]
"""Returns the known questions most like a query, with their similarity."""


class WrittenDrafts:
    """Writes drafts, describes them by features, and learns from what came of them."""

    def __init__(
        self, config: Config, student: Student, embed: Embedder, meter: Meter, near: Near, lookup: Lookup
    ) -> None:
        self._config, self._student, self._embed, self._meter = config, student, embed, meter
        self._lookup = lookup
        self._labels: dict[int, tuple[int, float]] = {}  # of past drafts, by journal number, and how many came before
        self._saved: dict[Role, tuple[Arrays, Arrays]] = {}  # the encoders' states, until they are loaded
        self.router_features = functools.lru_cache(RECENT)(self._make_router_features)
        self._most_like = functools.lru_cache(RECENT)(lambda query: near(query, LIKE))

    def clear(self) -> None:
        """Forget the features of queries; something they depend on has changed."""
        self.router_features.cache_clear()
        self._most_like.cache_clear()

    def write(self, query: Query, known: Exchange | None, show: Show, give_way: GiveWay | None) -> Draft | None:
        """Write a draft, as `Roles.draft` says; None if nothing was written. `known` is what the memory proposes."""
        guess = known.answer if known else None
        written = self._student.write(query, self._neighbour(query), guess, show, give_way)
        if not written.text.strip():
            return None
        near = [(past_exchange(self._lookup, entry.number), alike) for entry, alike in self._most_like(query)]
        past = [exchange for exchange, _ in near]
        foreign = grounding.foreign(written.text, query.text, (shown.answer for shown in past[:SHOWN]))
        same = known is not None and self._config.divergence.is_good(
            self._meter(Exchange(query.text, written.text), known)
        )
        features = {
            **self.router_features(query),
            "surprise": math.log(LEAST_SURPRISE - written.mean_log_p),
            "worst surprise": math.log(LEAST_WORST_SURPRISE - written.least_log_p),
            "same as recalled": float(same),
            "foreign": math.log1p(foreign),
            "omitted": grounding.omitted(written.text, query.text, past),
            "usual form": grounding.usual_form(written.text, query.text, near),
            "draft logit": self._logit("validator", (query.prompt, written.text)),
        }
        return Draft(written.text, "decoder", features=features, is_cut=UNSET if written.written.finished else True)

    def step(self, target: Target, rate: float, give_way: GiveWay) -> Step:
        """Learn a reply, or what came of a draft."""
        self.clear()
        query, draft = target.query, target.response or ""
        if target.role == "generator":
            return self._student.step(target.number, self._neighbour(query), rate, give_way)
        label = target.label or 0.0
        if target.role == "validator":
            place, _ = self._labels.get(target.number, (len(self._labels), 0.0))
            self._labels[target.number] = place, float(np.float32(label))  # as it is saved
        text = query.prompt if target.role == "router" else (query.prompt, draft)
        encoder, learner = self._encoders[target.role]
        return learner.step([(encoder.read(text), label)], rate)

    def withdraw(self, numbers: Collection[int]) -> None:
        """Never rehearse the replies of these interactions again."""
        self.clear()
        self._student.withdraw(numbers)

    def state(self) -> dict[Role, tuple[Arrays, Arrays]]:
        """Return what each role has learnt, and its optimizer's state."""
        saved = self._saved or {
            role: (learner.weights(), learner.optimizer_state()) for role, (_, learner) in self._encoders.items()
        }
        states = {
            role: (prefixed(ENCODER, weights), prefixed(f"{role}.", moments))
            for role, (weights, moments) in saved.items()
        }
        numbers = mx.array([*self._labels], mx.int64)
        labels = mx.array([label for _, label in self._labels.values()], mx.float32)
        weights, moments = states["validator"]
        record = {"record.numbers": numbers, "record.labels": labels}
        return {**states, "generator": self._student.state(), "validator": ({**weights, **record}, moments)}

    def load(self, state: Mapping[str, Arrays], *, is_same: bool) -> None:
        """Continue from the files that the roles' states were saved in; with the decoder alone unless `is_same`.

        `is_same` says that all versions that labels of drafts depend on are as they were.

        Raises:
            ValueError: there is no decoder state in it.
        """
        optimizer = state["optimizer_state"]
        self._student.load(state["generator"], optimizer, is_same=is_same)
        if is_same:
            record = unprefixed("record.", state["validator"])
            numbers, labels = (np.array(record[name]).tolist() for name in ("numbers", "labels"))
            self._labels = dict(zip(numbers, enumerate(labels), strict=True))
            self._saved = {
                role: (unprefixed(ENCODER, state[role]), unprefixed(f"{role}.", optimizer)) for role in READERS
            }

    @functools.cached_property
    def _new_encoders(self) -> dict[Role, tuple[FineTuned, Learner]]:
        """Return an encoder and its learner for each role that reads."""
        config = self._config
        tuned = {role: FineTuned(*self._embed.parts(), config.head, config.seed) for role in READERS}
        return {
            role: (encoder, Learner(role, encoder.network, encoder.loss, config.optimizer))
            for role, encoder in tuned.items()
        }

    @property
    def _encoders(self) -> dict[Role, tuple[FineTuned, Learner]]:
        encoders = self._new_encoders
        for role, saved in self._saved.items():
            encoders[role][1].load(*saved)
        self._saved = {}
        return encoders

    def _make_router_features(self, query: Query) -> dict[str, float]:
        return {"record": self._record(query), "query logit": self._logit("router", query.prompt)}

    def _record(self, query: Query) -> float:
        """Return the log-odds that a draft is good, by the latest ones for the questions most like it."""
        good, bad = EXPECTED_GOOD, EXPECTED_BAD
        for entry, alike in self._most_like(query)[:RECORDED]:
            if entry.number in self._labels:
                place, label = self._labels[entry.number]
                age = len(self._labels) - place
                weight = math.exp(SHARPNESS * min(alike - ALIKE, 0.0)) * 0.5 ** (age / STALE)
                good, bad = good + weight * label, bad + weight * (1.0 - label)
        return math.log(good / bad)

    def _logit(self, role: Role, text: str | tuple[str, str]) -> float:
        """Return the encoder's log-odds that the draft is good."""
        encoder, _ = self._encoders[role]
        return scalar(encoder.network(*encoder.read(text)))

    def _neighbour(self, query: Query) -> int:
        """Return the number of the past question to show in the prompt; 0 for none."""
        nearest = self._most_like(query)[:1] if self._config.lora.show_nearest else []
        return nearest[0][0].number if nearest else 0
