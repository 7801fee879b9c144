"""Which answers the user has called bad, by his last word: nothing is trained towards them, and none is exported."""

import unicodedata

from shammah_mlx.events import Feedback, Query
from shammah_mlx.framework.targets import make_withdrawal
from shammah_mlx.home.journal import Journal

_Question = tuple[int, str]
"""Hash of the context, and the text: two with the same are the same question."""


class BadTexts:
    """The answers in a journal that were called bad, also by words that are not learnt yet."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._version = (0, 0)  # of the feedback that was read
        self._last: dict[_Question, int] = {}  # number up to which a question's answers are bad

    def hold(self, query: Query, number: int) -> bool:
        """Say whether the answer of that number to a query is bad, as all up to one that was called bad are."""
        if (version := self._journal.feedback.version()) != self._version:
            self._last, self._version = self._read(), version
        return bool(self._last) and number <= self._last.get(_question(query), 0)

    def _read(self) -> dict[_Question, int]:
        said: dict[int, list[Feedback]] = {}
        for feedback in self._journal.feedback.after(0):
            said.setdefault(feedback.about, []).append(feedback)
        last: dict[_Question, int] = {}
        for number, words in said.items():
            if words[-1].good:
                continue
            about = self._journal.find(number)  # None: it was erased meanwhile
            withdrawals = [] if about is None else [make_withdrawal(feedback, about) for feedback in words]
            for withdrawal in filter(None, withdrawals):
                question = _question(withdrawal.query)
                last[question] = max(last.get(question, 0), withdrawal.number)
        return last


def _question(query: Query) -> _Question:
    return query.context, unicodedata.normalize("NFC", query.text)
