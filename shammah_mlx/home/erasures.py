"""What the user had erased from the journal, and whether the models still hold something that was learnt from it."""

import json
import sqlite3
from collections.abc import Collection
from pathlib import Path

from shammah_mlx.errors import BadStateError

NOTHING_LEARNT = 2**63 - 1  # `first` where everything that was erased had been archived: no model knows it


class Erasures:
    """The table `forgotten`, and the deletions it records."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._db, self._path = database, path

    def erase(self, numbers: Collection[int]) -> None:
        """Delete interactions and feedback, and record that the models must follow.

        With an interaction goes all feedback about it, with each its entry in the memory.
        """
        if not numbers:
            return
        among = "number IN (SELECT value FROM json_each(:numbers))"
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            said = self._db.execute(
                "SELECT number FROM feedback WHERE about IN (SELECT value FROM json_each(?))",
                (json.dumps(sorted(numbers)),),
            ).fetchall()
            chosen = {"numbers": json.dumps(sorted({*numbers, *(number for (number,) in said)}))}
            self._db.execute(
                "INSERT INTO forgotten SELECT max(number),"
                f" coalesce(min(number) FILTER (WHERE NOT set_aside), {NOTHING_LEARNT})"
                " FROM (SELECT number, set_aside FROM interactions UNION ALL SELECT number, set_aside FROM feedback)"
                f" WHERE {among}",
                chosen,
            )
            # Feedback goes first: to leave the index of words it needs its question.
            for table in ("feedback", "interactions", "memory", "memory_before", "missed_audits"):
                self._db.execute(f"DELETE FROM {table} WHERE {among}", chosen)

    def unfinished_from(self) -> int | None:
        """Return the first number whose effect on the models must still go, or None if nothing is left to do."""
        (first,) = self._db.execute("SELECT min(first) FROM forgotten").fetchone()
        return None if first is None else int(first)

    def scrub(self) -> None:
        """Rewrite the file from its contents, so that neither it nor its log holds deleted text.

        Raises:
            BadStateError: another process is reading it.
        """
        self._db.execute("INSERT INTO words (words) VALUES ('rebuild')")  # else it keeps what it was told to delete
        self._db.execute("VACUUM")  # overwriting leaves copies where SQLite moved rows within its pages
        (busy, *_) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise BadStateError(f"another process is reading {self._path}", "end it, then run the same command again")

    def finish(self) -> None:
        """Record that no model holds anything learnt from what was erased."""
        with self._db:
            self._db.execute("UPDATE forgotten SET first = NULL")
