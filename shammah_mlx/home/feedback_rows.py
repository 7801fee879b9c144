"""What the user said of answers, in the journal's file. Learnt in one order with the interactions."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from shammah_mlx.events import Feedback
from shammah_mlx.home.stored import decoded


class FeedbackRows:
    """The table `feedback`."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._db, self._path = database, path

    def insert(self, feedback: Feedback) -> None:
        """Store new feedback; the caller has a transaction."""
        row = (feedback.number, feedback.about, msgspec.json.encode(feedback).decode())
        self._db.execute("INSERT INTO feedback (number, about, record) VALUES (?, ?, ?)", row)

    def after(self, number: int) -> Iterator[Feedback]:
        """Yield the feedback after `number` in order, without what was archived."""
        rows = self._db.execute(
            "SELECT record FROM feedback WHERE number > ? AND NOT set_aside ORDER BY number", (number,)
        ).fetchall()
        return (self.decoded(record) for (record,) in rows)

    def about(self, number: int) -> Feedback | None:
        """Return what the user said last of the answer of an interaction."""
        return next(reversed(self.all_about(number)), None)

    def all_about(self, number: int) -> list[Feedback]:
        """Return all that the user said of the answer of an interaction, in order, without what was archived."""
        rows = self._db.execute(
            "SELECT record FROM feedback WHERE about = ? AND NOT set_aside ORDER BY number", (number,)
        ).fetchall()
        return [self.decoded(record) for (record,) in rows]

    def version(self) -> tuple[int, int]:
        """Return what changes whenever feedback is said, archived, brought back or erased."""
        row: tuple[int, int] = self._db.execute(
            "SELECT count(*), coalesce(max(number), 0) FROM feedback WHERE NOT set_aside"
        ).fetchone()
        return row

    def own_answer(self, number: int) -> str | None:
        """Return the answer that the user gave in place of an interaction's, if that is his last word on it."""
        said = self.about(number)
        return None if said is None else said.answer or None

    def find(self, number: int) -> Feedback | None:
        """Return the feedback of this number, archived or not, if there is any."""
        row = self._db.execute("SELECT record FROM feedback WHERE number = ?", (number,)).fetchone()
        return None if row is None else self.decoded(row[0])

    def every(self) -> Iterator[Feedback]:
        """Yield all feedback in order, archived or not."""
        rows = self._db.execute("SELECT record FROM feedback ORDER BY number").fetchall()
        return (self.decoded(record) for (record,) in rows)

    def count_after(self, number: int) -> int:
        """Return how much feedback comes after `number`, without what was archived."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM feedback WHERE number > ? AND NOT set_aside", (number,)
        ).fetchone()
        return int(count)

    def decoded(self, record: str) -> Feedback:
        """Return feedback from its row.

        Raises:
            BadStateError: it is damaged.
        """
        return decoded(record, Feedback, "what was said of an answer", self._path)
