"""The three roles of the `default` preset.

The Generator is a memory of Claude's past answers (`recall`) and a pretrained decoder. Router and Validator are
logistic models of features that describe how well a past answer fits. All learn from
Claude's complete replies and from measured divergences, and from nothing else.
"""

import copy
import functools
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Self

import msgspec
import numpy as np
from msgspec import UNSET

from shammah_mlx.config import Config
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import (
    BORROWED,
    OTHER_ANSWER,
    ROLES,
    DecisionContext,
    Draft,
    DraftSource,
    Exchange,
    Nearest,
    Query,
    Role,
    Show,
    Step,
)
from shammah_mlx.framework.loop import GiveWay, do_nothing, show_nobody
from shammah_mlx.framework.targets import Target, Withdrawal
from shammah_mlx.learners.borrowing import PairModels
from shammah_mlx.learners.changed_questions import ChangedQuestions
from shammah_mlx.learners.logistic import LogisticModel
from shammah_mlx.learners.memory import EntryStore, Memory
from shammah_mlx.learners.neighbours import FEATURES, Entry, Question
from shammah_mlx.learners.past import Lookup, past_exchange
from shammah_mlx.learners.proposals import Proposals
from shammah_mlx.learners.questions import Embedder, make_question, standalone_question, wants_another_answer
from shammah_mlx.learners.roles import PersistentRoles
from shammah_mlx.learners.saved_fits import arrays_of, fits_of
from shammah_mlx.learners.second_opinion import Reader, opinion, read_draft, validator_models
from shammah_mlx.learners.student import Student
from shammah_mlx.learners.trust import Trust
from shammah_mlx.learners.unlearnt import ProposalsAhead, Unlearnt
from shammah_mlx.learners.written import WrittenDrafts
from shammah_mlx.models.backend import Arrays, mx, scalar
from shammah_mlx.risk.threshold import SOURCES
from shammah_mlx.text.divergence import Meter
from shammah_mlx.text.freshness import is_fleeting

LogisticModels = dict[Role, dict[DraftSource, LogisticModel]]

NO_DECODER: Mapping[Role, tuple[Arrays, Arrays]] = dict.fromkeys(ROLES, ({}, {}))
RECENT = 64  # cached questions: routing, drafting, scoring and learning use the same vector
NEAREST = 5  # past questions stored to explain a decision
ENTRIES_VERSION = "2"  # of what the memory stores of a question and its answer
MEMORY_DEPENDS_ON = ("embedder", "meter")  # versions whose change makes the memory void, and labels with it
MADE_BY = (*MEMORY_DEPENDS_ON, "questions")  # versions whose change has the memory made again
DEPENDS_ON: dict[DraftSource, set[str]] = {  # versions whose change makes a source's labels void
    "repeat": {*MEMORY_DEPENDS_ON, "evidence"},
    "recall": {*MEMORY_DEPENDS_ON, "evidence", "reader"},
    "other_model": {*MEMORY_DEPENDS_ON, "evidence"},
    "other_prompt": {*MEMORY_DEPENDS_ON, "evidence"},
    "decoder": {*MEMORY_DEPENDS_ON, "evidence", "prompt", "decoder", "written"},
}


class HybridRoles(PersistentRoles):
    """The roles of one home; `decoder` is None if drafts are only recalled, `reader` if no local model reads them.

    With `afresh` nothing is taken from entries that were made before.
    """

    def __init__(
        self,
        config: Config,
        versions: Mapping[str, str],
        embed: Embedder,
        meter: Meter,
        lookup: Lookup,
        rows: EntryStore,
        decoder: Student | None,
        reader: Reader | None = None,
        afresh: bool = False,
    ) -> None:
        if unknown := sorted(config.recall.trust_prior.keys() - set(FEATURES)):
            raise BadInputError(
                f"recall.trust_prior has the unknown feature {unknown[0]!r}", "correct it in config.toml"
            )
        self._config, self._meter, self._embed = config, meter, embed
        self._question: Callable[[Query], Question | None] = functools.lru_cache(RECENT)(
            functools.partial(make_question, embed)
        )
        self._lookup, self._rows, self._afresh = lookup, rows, afresh
        self._versions = versions
        self._made_by = made_by(versions)
        self._begin_memory()
        self._written = WrittenDrafts(config, decoder, embed, meter, self._near, lookup) if decoder else None
        self._read = functools.lru_cache(RECENT)(functools.partial(read_draft, reader)) if reader else None
        self._logistic_models = _new_logistic_models(config, SOURCES[config.generator])
        self._pair_models: dict[Role, PairModels] = {
            "router": PairModels(config.logistic_models.router),
            "validator": PairModels(config.logistic_models.validator),
        }
        self._changed_questions = ChangedQuestions()

    def _begin_memory(self) -> None:
        read_again = functools.partial(self._rows.read, self._made_by)
        self._memory, self._trust = Memory(self._config.recall, read_again), Trust(self._config.recall)
        self._learnt = Proposals(self._config.recall, self._memory, self._trust, self._question, self._lookup)
        self._proposals: Proposals | ProposalsAhead = self._learnt

    def ahead(self, unlearnt: Unlearnt) -> Self:
        """Return these roles as they answer a query of which more is journalled than they have learnt."""
        ahead = copy.copy(self)
        ahead._proposals = ProposalsAhead(self._learnt, unlearnt)
        return ahead

    def p_local(self, query: Query) -> dict[DraftSource, float]:
        """Return the Router's probability that a local answer will do, for each source."""
        proposal, features = self._proposals.proposal(query)
        p_locals: dict[DraftSource, float] = {
            source: classifier.probability(features)
            for source, classifier in self._logistic_models["router"].items()
            if source == "recall"
        }
        if proposal is None:
            p_locals["recall"] = 0.0
        if (repeated := self._proposals.repeat(query)) is not None:
            del p_locals["recall"]
            p_locals = {"repeat": self._logistic_models["router"]["repeat"].probability(repeated[1]), **p_locals}
        else:
            for source in BORROWED:
                if (borrowed := self._proposals.borrowed(query, source)) is not None:
                    p_locals[source] = self._pair_models["router"].probability(source, borrowed.pair, borrowed.features)
        if self._written:
            classifier = self._logistic_models["router"]["decoder"]
            p_locals["decoder"] = (
                classifier.probability({**features, **self._written.router_features(query)}) if writes(query) else 0.0
            )
        return p_locals

    def draft(
        self, query: Query, source: DraftSource, show: Show = show_nobody, give_way: GiveWay | None = None
    ) -> Draft | None:
        """Return a past answer of Claude's, or a text of the decoder's; None if there is none."""
        proposal, features = self._proposals.proposal(query)
        if source == "decoder":
            if self._written is None or not query.is_plain:  # its prompt has no place for a conversation
                return None
            known = past_exchange(self._lookup, proposal.entry.number) if proposal else None
            draft = self._written.write(query, known, show, give_way)
            return draft and msgspec.structs.replace(draft, features={**features, **draft.features})
        if source == "repeat":
            repeated = self._proposals.repeat(query)
            return None if repeated is None else self._recalled(repeated[0], "repeat", repeated[1])
        if source in BORROWED:
            borrowed = self._proposals.borrowed(query, source)
            if borrowed is None:
                return None
            draft = self._recalled(borrowed.entry, source, self._with_other_answer(borrowed.features))
            return msgspec.structs.replace(draft, pair=borrowed.pair)
        if proposal is None:
            return None
        return self._with_opinion(query, self._recalled(proposal.entry, "recall", self._with_other_answer(features)))

    def _with_other_answer(self, features: dict[str, float]) -> dict[str, float]:
        return {**features, OTHER_ANSWER: self._changed_questions.p_other_answer(features)}

    def _recalled(self, entry: Entry, source: DraftSource, features: dict[str, float]) -> Draft:
        number = entry.number
        original = self._lookup(number)
        text, stop = (original.reply.text, original.reply.stop_sequence) if original.reply else ("", None)
        by_user = source == "repeat" and original.reply is not None and original.reply.by_user is True
        from_id = original.request.query.row or str(number)
        return Draft(text, source, from_id, number, features, stop, by_user=by_user or UNSET)

    def _with_opinion(self, query: Query, draft: Draft) -> Draft:
        """Return the draft with the reader's features, if there is a reader."""
        if self._read is None:
            return draft
        p_accept = self._logistic_models["validator"]["recall"].probability
        read = functools.partial(self._read, query, draft.text)
        return msgspec.structs.replace(draft, features=opinion(draft.features, p_accept, read))

    def answered(self, query: Query, draft: Draft) -> Exchange:
        """Return the draft's text with the question that it was an answer to."""
        asked = query.text if draft.entry is None else self._lookup(draft.entry).request.query.text
        return Exchange(asked, draft.text)

    def p_accept(self, query: Query, draft: Draft) -> float:  # noqa: ARG002  the draft has the query's features
        """Return the Validator's probability that the draft is good."""
        if draft.pair:
            return self._pair_models["validator"].probability(draft.source, draft.pair, draft.features)
        return self._logistic_models["validator"][draft.source].probability(draft.features)

    def decision_context(self, query: Query) -> DecisionContext:
        """Return the nearest past questions, and the features that the Router uses."""
        repeated = self._proposals.repeat(query)
        features = {
            **self._proposals.proposal(query)[1],
            **(repeated[1] if repeated else {}),
            **(self._written.router_features(query) if self._written and query.is_plain else {}),
        }
        nearest = self._near(query, NEAREST)
        return DecisionContext(tuple(Nearest(entry.number, alike) for entry, alike in nearest), features)

    def step(self, target: Target, rate: float, give_way: GiveWay = do_nothing) -> Step:
        """Learn one example: add a reply to the memory and train the decoder on it, or give a label to a classifier."""
        if target.role == "generator":
            return self._learn_reply(target, rate, give_way)
        source = target.source or "recall"
        classifier = self._logistic_models[target.role].get(source)
        is_void = any(target.versions.get(name) != self._versions.get(name) for name in DEPENDS_ON[source])
        if target.pair and target.label is not None and target.features and not is_void:
            loss = self._pair_models[target.role].step(source, target.pair, target.features, target.label)
            return Step(target.role, loss, applied=True)
        if classifier is None or target.label is None or not target.features or is_void:
            return Step(target.role, None, applied=False)  # made by other versions
        if (target.role, source) == ("validator", "recall") and not target.by_user:
            self._changed_questions.step(target.features, target.label)
        loss = classifier.step(target.features, target.label)
        if self._written and source == "decoder":
            return msgspec.structs.replace(self._written.step(target, rate, give_way), loss=loss)
        return Step(target.role, loss, applied=True)

    def state(self) -> dict[str, Arrays]:
        """Return everything learnt, by file; the memory's entries are stored in the journal."""
        classifiers = {
            role: {
                f"{source}.{name}": mx.array(array)
                for source, classifier in by_source.items()
                for name, array in classifier.state().items()
            }
            for role, by_source in self._logistic_models.items()
        }
        for role, models in self._pair_models.items():
            classifiers[role] |= {name: mx.array(array) for name, array in models.state().items()}
        remembered = {"remembered": mx.array(len(self._memory)), "refuted": mx.array(self._memory.refuted, mx.int64)}
        fits = {
            f"regression.{name}": mx.array(array)
            for name, array in arrays_of(self._memory.fits(), self._config.recall).items()
        }
        written = self._written.state() if self._written else NO_DECODER
        optimizer = {name: array for _, arrays in written.values() for name, array in arrays.items()}
        trust = {f"trust.{name}": mx.array(array) for name, array in self._trust.state().items()}
        changed = {f"changed.{name}": mx.array(array) for name, array in self._changed_questions.state().items()}
        return {
            "router": {**classifiers["router"], **trust, **written["router"][0]},
            "validator": {**classifiers["validator"], **changed, **written["validator"][0]},
            "generator": written["generator"][0] or remembered,
            "optimizer_state": {**optimizer, **remembered, **fits},
        }

    def saved(self) -> None:
        """Note that all entries of the memory are in the journal now."""
        self._memory.saved()

    def load(
        self,
        state: Mapping[str, Arrays],
        changed: Collection[str],
        replies: Callable[[], Iterable[Target | Withdrawal]],
    ) -> None:
        """Continue from what `state` returned; add `replies` to the memory again if its stored entries are incomplete.

        Raises:
            ValueError: the arrays do not fit these models.
        """
        for role, by_source in self._logistic_models.items():
            for source, classifier in by_source.items():
                if not DEPENDS_ON[source] & set(changed):
                    classifier.load(_under(f"{source}.", state[role]))
        for role, models in self._pair_models.items():
            for source in BORROWED:
                if not DEPENDS_ON[source] & set(changed):
                    models.load(source, _under("", state[role]))
        if not DEPENDS_ON["recall"] & set(changed):
            self._changed_questions.load(_under("changed.", state["validator"]))
        if self._written and "decoder" not in changed:
            self._written.load(state, is_same=not DEPENDS_ON["decoder"] & set(changed))
        refuted = np.array(state["optimizer_state"].get("refuted", mx.array([], mx.int64))).reshape(-1, 2)
        fits = fits_of(_under("regression.", state["optimizer_state"]), self._config.recall)
        self._memory.load(self._rows.made_by(self._made_by), ((int(a), int(n)) for a, n in refuted), fits)
        if len(self._memory) != int(scalar(state["optimizer_state"]["remembered"])):
            self._relearn(replies())
        else:
            self._trust.load(_under("trust.", state["router"]))

    def _relearn(self, replies: Iterable[Target | Withdrawal]) -> None:
        self._begin_memory()
        self._rows.clear()
        for reply in replies:
            if isinstance(reply, Withdrawal):
                self._forget_answer(reply)
            else:
                self._remember(reply)

    def distance_from(self, earlier: Mapping[str, Arrays]) -> dict[str, float]:
        """Return how far the weights moved, in L2; without a decoder, the generator's is the number of new entries."""

        def distance(now: Arrays, before: Mapping[str, mx.array]) -> float:
            kinds = ("weights", "lora_a", "lora_b", "head.weight", "remembered")  # other arrays grow, or hold counts
            pairs = [(array, before[name]) for name, array in now.items() if name.endswith(kinds) and name in before]
            return math.sqrt(sum(scalar(mx.square(a - b).sum()) for a, b in pairs))

        now = self.state()
        return {role: distance(now[role], earlier[role]) for role in ("router", "generator", "validator")}

    def withdraw(self, withdrawal: Withdrawal) -> None:
        """Never propose an answer again that the user called bad, until Claude gives it again, nor rehearse it."""
        numbers = self._forget_answer(withdrawal)
        if self._written:
            self._written.withdraw({withdrawal.number, *numbers})

    def _forget_answer(self, withdrawal: Withdrawal) -> list[int]:
        """Remove the answers to a question from the memory, up to the one that was bad; return their numbers."""
        self._memory.refute(withdrawal.refuted, accepted=True)
        question = self._question(withdrawal.query)
        numbers = self._memory.withdraw(question, withdrawal.number) if question else []
        if numbers:
            self._rows.remove(numbers, withdrawal.by)
        self._proposals.clear()
        return numbers

    def _learn_reply(self, target: Target, rate: float, give_way: GiveWay) -> Step:
        query, step = target.query, Step("generator", None, applied=True)
        if self._written and writes(query) and not target.withdrawn:
            step = self._written.step(target, rate, give_way)
        self._remember(target, give_way)
        return step

    def _near(self, query: Query, count: int) -> list[tuple[Entry, float]]:
        """Return the most similar past questions, the nearest first."""
        question = self._question(query)
        return self._memory.nearest(question, count) if question else []

    def _remember(self, target: Target, give_way: GiveWay = do_nothing) -> None:
        question, reply = self._question(target.query), target.response or ""
        if expired := self._memory.expire(target.query.at):
            self._rows.remove(expired, target.number)
        if question is not None:
            answer, unlike = self._known_answer(target, question)
            at = target.query.at
            until = at + self._config.recall.fleeting_s if is_fleeting(standalone_question(target.query)) else math.inf
            entry = Entry(question, target.number, answer, at, until, self._embed([reply])[0], unlike)
            if target.refuted is not None:
                self._memory.refute(target.refuted, accepted=target.refuted_was_accepted)
            self._rows.add(entry, self._made_by)
            self._proposals.clear()
            self._memory.add(entry, give_way)
            self._trust.fit_if_due(self._memory, give_way)
        self._proposals.clear()
        if self._written:
            self._written.clear()

    def _known_answer(self, target: Target, question: Question) -> tuple[int, tuple[int, ...]]:
        """Return the known answer that a reply gives again, or its own number; and those compared before, in vain.

        The user's own answer is an answer of its own, however much it reads like one that he called bad.
        """
        if target.by_user:
            return target.number, ()
        replied = Exchange(target.query.text, target.response or "")
        before = None if self._afresh else self._rows.made_before(self._made_by, target.number)
        unlike: list[int] = []
        for known in self._memory.known_answers(question, self._config.recall.compared):
            if before is not None and known in (before.answer, *before.unlike):  # the same texts were compared then
                is_same = known == before.answer
            else:
                divergence = self._meter(past_exchange(self._lookup, known), replied)
                is_same = self._config.divergence.is_good(divergence)
            if is_same:
                return known, tuple(unlike)
            unlike.append(known)
        return target.number, tuple(unlike)


def writes(query: Query) -> bool:
    """Say whether the decoder answers a query: it sees no conversation, knows nothing of the present, draws nothing."""
    return query.is_plain and not is_fleeting(standalone_question(query)) and not wants_another_answer(query)


def made_by(versions: Mapping[str, str]) -> str:
    """Return the versions of all that makes an entry of the memory, as they are stored with it."""
    return "; ".join([*(versions[name] for name in MADE_BY), ENTRIES_VERSION])


def _new_logistic_models(config: Config, sources: Iterable[DraftSource]) -> LogisticModels:
    of_validator = validator_models(config)
    return {
        "router": {source: LogisticModel(config.logistic_models.router[source]) for source in sources},
        "validator": {source: LogisticModel(of_validator[source]) for source in sources},
    }


def _under(prefix: str, arrays: Mapping[str, mx.array]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): np.array(array) for name, array in arrays.items() if name.startswith(prefix)}
