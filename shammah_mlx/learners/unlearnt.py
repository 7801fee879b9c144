"""What is journalled about a query and not learnt yet, but has to count at once: Claude's newest reply, and "bad"."""

from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from shammah_mlx.events import DraftSource, Event, Interaction, Query, text_hash
from shammah_mlx.framework import screening
from shammah_mlx.framework.targets import make_withdrawal
from shammah_mlx.learners.borrowing import Borrowed
from shammah_mlx.learners.features import NO_PROPOSAL
from shammah_mlx.learners.neighbours import Entry, Proposal
from shammah_mlx.learners.past import Lookup
from shammah_mlx.learners.proposals import Features, Proposals


class Unlearnt(msgspec.Struct, frozen=True):
    """What the memory does not know yet about one query."""

    newest: Interaction | None = None  # the newest answer to its text in its context, by Claude or by the user
    last_bad: int = 0  # answers to it up to this number are not given any more
    bad: frozenset[int] = frozenset()  # interactions whose answers the user called bad

    @property
    def changes_answer(self) -> bool:
        """Say whether the memory's own answer to this text is out of date."""
        return self.newest is not None or self.last_bad > 0


NOTHING_UNLEARNT = Unlearnt()


def find_unlearnt(query: Query, pending: Iterable[Event], lookup: Lookup) -> Unlearnt:
    """Return what the pending events say about a query; `lookup` reads the interactions that feedback is about."""
    newest: Interaction | None = None
    last_bad, bad = 0, set()
    context, text = query.context, text_hash(query.text)

    def is_same(other: Query) -> bool:
        return text_hash(other.text) == text and other.context == context

    for event in pending:
        if isinstance(event, Interaction):
            asked, reply = event.request.query, event.reply
            teaches = reply is not None and reply.teaches and not event.request.claude_only
            if teaches and reply is not None and is_same(asked) and not screening.is_secret(asked, reply):
                newest = event
            continue
        about = lookup(event.about)
        if (withdrawal := make_withdrawal(event, about)) is None:
            continue
        bad |= {withdrawal.number, withdrawal.refuted}
        if is_same(withdrawal.query):
            last_bad = max(last_bad, withdrawal.number)
            if newest is not None and newest.request.number <= withdrawal.number:
                newest = None
        if event.answer is not UNSET and is_same(about.request.query) and not about.request.claude_only:
            newest = event.corrected(about)
    return Unlearnt(newest, last_bad, frozenset(bad)) if newest or bad else NOTHING_UNLEARNT


class ProposalsAhead:
    """What the memory has for a query, with what it does not know yet; the memory itself is as it was."""

    def __init__(self, learnt: Proposals, unlearnt: Unlearnt) -> None:
        self._learnt, self._unlearnt = learnt, unlearnt

    def clear(self) -> None:
        """Forget what was proposed before the memory changed."""
        self._learnt.clear()

    def proposal(self, query: Query) -> tuple[Proposal | None, Features]:
        """Return the memory's proposal: none that the user called bad, and none beside a newer answer to this text."""
        proposal, features = self._learnt.proposal(query)
        is_bad = proposal is not None and proposal.entry.number in self._unlearnt.bad
        return (None, NO_PROPOSAL) if is_bad or self._unlearnt.changes_answer else (proposal, features)

    def borrowed(self, query: Query, source: DraftSource) -> Borrowed | None:
        """Return what kin contexts propose, by the same rule."""
        borrowed = self._learnt.borrowed(query, source)
        is_bad = borrowed is not None and borrowed.entry.number in self._unlearnt.bad
        return None if is_bad or self._unlearnt.changes_answer else borrowed

    def repeat(self, query: Query) -> tuple[Entry, Features] | None:
        """Return the newest answer to the same text."""
        known = [entry for entry in self._learnt.same(query) if entry.number > self._unlearnt.last_bad]
        if self._unlearnt.newest is None:
            return self._learnt.repeat_of(query, known)
        return self._learnt.repeat_after(query, known, self._unlearnt.newest)
