"""What the last rollback took back, in the journal's file: which events it archived, and the entries that it changed.

An archived event has `set_aside` = 2 while the rollback can be undone, and 1 from then on.
"""

import sqlite3

from shammah_mlx.home.memory_rows import MemoryRows

EVENTS = ("interactions", "feedback")  # tables


class Rollbacks:
    """The table `rolled_back`, and these marks. The caller of each change has a transaction."""

    def __init__(self, database: sqlite3.Connection, memory: MemoryRows) -> None:
        self._db, self._memory = database, memory

    def begin(self) -> None:
        """Note what was learnt until now, before training goes back."""
        self._db.execute("INSERT INTO rolled_back SELECT cursor, state FROM learnt")

    def archive(self, cursor: int) -> list[int]:
        """Archive all events after `cursor`; return the numbers of the interactions."""
        later = "SET set_aside = 2 WHERE number > ? AND NOT set_aside"
        self._db.execute(f"UPDATE feedback {later}", (cursor,))
        return [n for (n,) in self._db.execute(f"UPDATE interactions {later} RETURNING number", (cursor,)).fetchall()]

    def before(self) -> tuple[int, str] | None:
        """Return the cursor and the state before the last rollback; None if it can't be undone."""
        row: tuple[int, str] | None = self._db.execute("SELECT cursor, state FROM rolled_back").fetchone()
        return row

    def undo(self, cursor: int) -> int:
        """Bring back events and entries from before the rollback, which had come to `cursor`.

        Return how many interactions are back.
        """
        self._memory.bring_back(cursor)
        self._db.execute("UPDATE feedback SET set_aside = 0 WHERE set_aside = 2")
        back = self._db.execute("UPDATE interactions SET set_aside = 0 WHERE set_aside = 2").rowcount
        self.drop()
        return back

    def is_kept(self) -> bool:
        """Say whether there is anything that `drop` would drop."""
        return self.before() is not None or self._memory.has_kept()

    def drop(self) -> None:
        """Let the last rollback be final, and drop what it or `forget` took back."""
        self._db.execute("DELETE FROM rolled_back")
        self._memory.drop_kept()
        for table in EVENTS:
            self._db.execute(f"UPDATE {table} SET set_aside = 1 WHERE set_aside = 2")
