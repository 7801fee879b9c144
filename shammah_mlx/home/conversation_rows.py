"""The journal's conversations: which questions belong to one, and which one a terminal had last.

A conversation is known by the number of its first question. Every later turn names that number, and holds what was
said before it. Questions of clients of the Messages API are no part of it: they may have been asked with keys of their
own.
"""

import sqlite3
from collections.abc import Callable, Iterator

from msgspec import UNSET, UnsetType

from shammah_mlx.errors import BadInputError
from shammah_mlx.events import Interaction

NOT_KEPT = "the last question in this terminal was not kept"
_ASKED = """
    FROM interactions
    WHERE NOT set_aside AND record ->> '$.late_for' IS NULL AND record ->> '$.turn.by_client' IS NULL
"""
_HERE = "AND json_extract(record, '$.turn.terminal') = ?"
_LAST = "AND number = (SELECT max(number) FROM ledger WHERE asked AND NOT by_client AND NOT set_aside)"
_LAST_STORED_HERE = """
    SELECT coalesce(max(number), 0) FROM interactions
    WHERE json_extract(record, '$.turn.terminal') = ?1 AND record ->> '$.late_for' IS NULL
"""
MOST_BEHIND = 10_000  # events: a terminal that asked nothing for so long is forgotten
_IN_CONVERSATION = "AND (number = ?1 OR json_extract(record, '$.turn.query.conversation') = ?1)"


class ConversationRows:
    """What the user asked from the command line, as the journal at this connection holds it."""

    def __init__(self, database: sqlite3.Connection, decode: Callable[[int, str], Interaction]) -> None:
        self._db, self._decode = database, decode

    def note_asked(self, terminal: int, next_number: int) -> None:
        """Note that a question is asked in a terminal, when the next event has this number.

        So it is known afterwards that a question was asked there which is not stored; nothing of its text is.
        """
        self._db.execute("PRAGMA synchronous = NORMAL")  # no wait for the disk: no terminal outlives a power failure
        try:
            self._db.execute("INSERT OR REPLACE INTO last_asked VALUES (?, ?)", (terminal, next_number))
            self._db.execute("DELETE FROM last_asked WHERE next < ?", (next_number - MOST_BEHIND,))
        finally:
            self._db.execute("PRAGMA synchronous = FULL")

    def is_last_kept(self, terminal: int | UnsetType) -> bool:
        """Say whether the last question of this terminal, or of any, is stored; a rollback may have archived it."""
        if terminal is UNSET:
            last = self.last_asked()
            return last is None or self.is_latest(last.request.number)
        row = self._db.execute(
            f"SELECT next > ({_LAST_STORED_HERE}) FROM last_asked WHERE terminal = ?1", (terminal,)
        ).fetchone()
        return row is None or not row[0]

    def is_latest(self, number: int) -> bool:
        """Say whether nothing was asked in any terminal after this question: neither kept nor still to be answered."""
        row = self._db.execute("SELECT max(next) > ? FROM last_asked", (number,)).fetchone()
        return not row[0]

    def last_asked(self, terminal: int | UnsetType = UNSET) -> Interaction | None:
        """Return the latest question of this terminal, or of any."""
        if terminal is UNSET:
            return next(self._latest(_LAST, (), 1), None)
        return next(self._latest(_HERE, (terminal,), 1), None)

    def turns_of(self, conversation: int, count: int = -1) -> list[Interaction]:
        """Return the last `count` turns of a conversation in order; all of them for -1."""
        return [*self._latest(_IN_CONVERSATION, (conversation,), count)][::-1]

    def questions(self, count: int) -> list[str]:
        """Return the latest questions in order, each once: where it was asked last."""
        rows = self._db.execute(
            f"SELECT record ->> '$.turn.query.text' {_ASKED} ORDER BY number DESC LIMIT ?", (count,)
        ).fetchall()
        return [*dict.fromkeys(text for (text,) in rows)][::-1]

    def last_turn(self, conversation: int | None, terminal: int | UnsetType, *, is_noted: bool = False) -> Interaction:
        """Return the last turn of a conversation, named by any of its questions, or of this terminal's last one.

        `is_noted` says that what was noted last in the terminal is the question that continues it.

        Raises:
            BadInputError: there is none, or the terminal's last question is not stored.
        """
        last = self._named(conversation) if conversation is not None else self.last_asked(terminal)
        is_kept = conversation is not None or is_noted or self.is_last_kept(terminal)
        if not is_kept and (older := last or self.last_asked()):
            hint = f"continue an older conversation with --conversation {older.request.conversation}, or ask without -c"
            raise BadInputError(NOT_KEPT, hint)
        if last is not None:
            return self.turns_of(last.request.conversation, 1)[0]
        elsewhere = self.last_asked()
        if conversation is not None:
            raise BadInputError(
                f"there is no conversation {conversation} to continue",
                "give the number of a question that was asked from the command line; --json prints it as query_id",
            )
        if elsewhere is None:
            raise BadInputError("there is no conversation to continue", "ask without -c first")
        raise BadInputError(
            "there is no conversation to continue in this terminal",
            f"ask without -c first, or continue the last one anywhere: --conversation {elsewhere.request.conversation}",
        )

    def _named(self, number: int) -> Interaction | None:
        """Return a question, or if it was erased the last turn of the conversation that it began."""
        found = next(self._latest("AND number = ?", (number,), 1), None)
        return found or next(self._latest(_IN_CONVERSATION, (number,), 1), None)

    def _latest(self, condition: str, values: tuple[object, ...], count: int) -> Iterator[Interaction]:
        """Yield the latest questions that fit an SQL condition, the last one first."""
        rows = self._db.execute(
            f"SELECT number, record {_ASKED} {condition} ORDER BY number DESC LIMIT {count}", values
        ).fetchall()
        return (self._decode(*row) for row in rows)
