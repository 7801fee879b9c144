"""Find what the memory has for a query, and describe it by features.

It has a *repeat* if the same question was asked before, and a *proposal* if the answer to a similar one may fit.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec
import numpy as np

from shammah_mlx.config import RecallConfig
from shammah_mlx.events import BORROWED, DraftSource, Interaction, Query, pair_of
from shammah_mlx.learners.borrowing import OTHER_TEXT, SAME_TEXT, Borrowed, KinContexts
from shammah_mlx.learners.features import MAX_TRUST_IF_UNLIKE, NO_PROPOSAL, agreement_features, change_features
from shammah_mlx.learners.memory import Memory
from shammah_mlx.learners.neighbours import FEATURES, Entry, Proposal, Question
from shammah_mlx.learners.past import Lookup, past_exchange
from shammah_mlx.learners.questions import standalone_question, wants_another_answer
from shammah_mlx.learners.trust import Trust
from shammah_mlx.text.freshness import is_fleeting
from shammah_mlx.text.languages import is_read

A_DAY = 86_400.0  # seconds
RECENT = 64  # cached proposals: routing, drafting, scoring and learning use the same one
RECALLED_REPEATS = 5  # latest times that a question was asked, for how often Claude disagreed with himself
WORDINGS = 16  # questions nearest to the known one, among which other wordings of it are found

NO_VECTOR = np.zeros(0, np.float32)

Features = dict[str, float]


class Proposals:
    """Looks into one memory; tell it by `clear` when the memory or the trust in it has changed."""

    def __init__(
        self,
        config: RecallConfig,
        memory: Memory,
        trust: Trust,
        question: Callable[[Query], Question | None],
        lookup: Lookup,
    ) -> None:
        self._config, self._memory, self._trust = config, memory, trust
        self._question, self._lookup = question, lookup
        self._kin = KinContexts(memory, lookup)
        self.proposal = functools.lru_cache(RECENT)(self._make_proposal)
        self.borrowed = functools.lru_cache(len(BORROWED) * RECENT)(self._borrow)

    def clear(self) -> None:
        """Forget what was proposed before the memory changed."""
        self.proposal.cache_clear()
        self.borrowed.cache_clear()

    def repeat(self, query: Query) -> tuple[Entry, Features] | None:
        """Return the latest entry with the same text, and features of a repeat; None if its answer may have changed."""
        return self.repeat_of(query, self.same(query))

    def same(self, query: Query) -> list[Entry]:
        """Return the entries with the same text, in the order they were added."""
        question = self._question(query)
        return self._memory.same(question) if question else []

    def repeat_after(self, query: Query, known: Sequence[Entry], newest: Interaction) -> tuple[Entry, Features] | None:
        """Return what `repeat` would if `newest` were learnt too, after the known entries."""
        question, number = self._question(query), newest.request.number
        if question is None or newest.reply is None:
            return None
        is_same = bool(known) and past_exchange(self._lookup, known[-1].number).answer == newest.reply.text
        answer = known[-1].answer if is_same else number
        entry = Entry(question, number, answer, newest.request.query.at, math.inf, NO_VECTOR)
        return self.repeat_of(query, [*known, entry])

    def repeat_of(self, query: Query, same: Sequence[Entry]) -> tuple[Entry, Features] | None:
        """Return the last of these entries, which have the query's text, as `repeat` does."""
        if not same or not is_fresh(same[-1], query, self._config) or wants_another_answer(query):
            return None
        return same[-1], {**repeat_features(same, query.at), "unread": float(not is_read(standalone_question(query)))}

    def _make_proposal(self, query: Query) -> tuple[Proposal | None, Features]:
        """Return the memory's proposal and its features; none of an answer that was drawn or made up."""
        question = self._question(query)  # first: of a text that is too long nothing more needs to be known
        if question is None or wants_another_answer(query):
            return None, NO_PROPOSAL
        return self._propose(query, question)

    def _borrow(self, query: Query, source: DraftSource) -> Borrowed | None:
        """Return the best answer that a kin context has: one to the same text, or else the one that is trusted most."""
        question = self._question(query)
        if question is None or wants_another_answer(query):
            return None
        found = []
        for context in self._kin.of(query, source):
            lent = self._lent(query, msgspec.structs.replace(question, context=context))
            if lent is not None and self._is_claudes(lent[0]):
                found.append(Borrowed(*lent, pair_of(context, question.context)))
        return max(found, key=lambda one: (one.features["same text"], one.features["trust"]), default=None)

    def _lent(self, query: Query, question: Question) -> tuple[Entry, Features] | None:
        """Return what a kin context, that of `question`, has for the query: the answer to the same text before others.

        Trust is learnt by leaving questions out, so it knows nothing of one that is asked again.
        """
        repeated = self.repeat_of(query, self._memory.same(question))
        if repeated is not None and not self._memory.is_refuted(repeated[0].answer):
            return repeated[0], {**SAME_TEXT, **repeated[1]}
        proposal, features = self._propose(query, question)
        return None if proposal is None else (proposal.entry, {**OTHER_TEXT, **features})

    def _is_claudes(self, entry: Entry) -> bool:
        """Say whether Claude gave an answer: the user's own stands for his question in its own context."""
        known = self._lookup(entry.number)
        is_by_user = known.reply is None or known.reply.by_user is True
        return not is_by_user and known.request.forced_source != "local"

    def _propose(self, query: Query, question: Question) -> tuple[Proposal | None, Features]:
        """Return what the question's context, the query's own or a kin one, proposes for the query."""
        proposal = self._memory.propose(question)
        if proposal is None or not is_fresh(proposal.entry, query, self._config):
            return None, NO_PROPOSAL
        known = self._lookup(proposal.entry.number).request
        is_kept_from_claude = known.forced_source == "local"  # the user's own answer, which the judge is not to see
        if is_kept_from_claude or wants_another_answer(known.query):
            return None, NO_PROPOSAL
        named = dict(zip(FEATURES, proposal.features.tolist(), strict=True))
        days = whole_days(self._memory.seconds_since_given(proposal.entry, query.at))
        trust = self._trust.log_odds(proposal.features) - self._config.ageing * days
        if named["similarity"] < self._config.least_alike:
            trust = min(trust, MAX_TRUST_IF_UNLIKE)
        named |= self._changes(query, proposal.entry, looks_same=named["identical"] > 0.0)
        return proposal, {**named, **agreement_features(named, trust)}

    def _changes(self, query: Query, known: Entry, *, looks_same: bool) -> Features:
        """Return what changed from a known question to the query, by name."""
        near = (entry for entry, _ in self._memory.nearest(known.question, WORDINGS))
        wordings = [
            self._asked(entry) for entry in near if entry.answer == known.answer and entry.number != known.number
        ]
        answer = past_exchange(self._lookup, known.number).answer
        asked = standalone_question(query)
        return change_features(asked, self._asked(known), wordings, answer, looks_same=looks_same)

    def _asked(self, entry: Entry) -> str:
        return standalone_question(self._lookup(entry.number).request.query)


def repeat_features(same: Sequence[Entry], now: float) -> Features:
    """Return how old the latest answer is, how often Claude gave it again, and how often he had changed his mind.

    His newest answer stands at once, so the first change costs no trust: what was so before has changed, or was wrong.
    """
    answers = [entry.answer for entry in same[-RECALLED_REPEATS:]]
    changes = [one != other for one, other in pairwise(answers)]
    given_again = sum(1 for _ in itertools.takewhile(lambda changed: not changed, reversed(changes)))
    agreed, disagreed = math.log1p(given_again), math.log1p(max(0, sum(changes) - 1))
    return {"constant": 1.0, "days": whole_days(now - same[-1].at), "agreed": agreed, "disagreed": disagreed}


def whole_days(seconds: float) -> float:
    """Return whole days, so that the time a replay takes does not matter; 0 if a clock was set back."""
    return max(0.0, seconds) // A_DAY


def is_fresh(entry: Entry, query: Query, config: RecallConfig) -> bool:
    """Return whether the answer is recent enough; questions and answers about the present expire soon."""
    if is_fleeting(standalone_question(query)) or entry.until < math.inf:
        return 0.0 <= query.at - entry.at <= config.fleeting_s  # a clock may have been set back
    return True
