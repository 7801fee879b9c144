"""The memory's entries in the journal's file: which question had which answer, with their vectors and its words.

An entry that is removed stays in the file, marked with what removed it: a rollback to an earlier time brings it back.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator

import numpy as np

from shammah_mlx.learners.neighbours import Entry, EntryKey, Question

Statement = tuple[str, tuple[object, ...]]
"""SQL, and the values of its parameters."""


class MemoryRows:
    """The table `memory`. Changes are staged: `Journal.commit` makes them durable together with the models."""

    def __init__(self, database: sqlite3.Connection, staged: list[Statement]) -> None:
        self._db, self._staged = database, staged

    def add(self, entry: Entry, made_by: str) -> None:
        """Stage an entry; `made_by` names the embedder and the meter that made it."""
        question = entry.question
        row = (entry.number, entry.answer, question.context, entry.at, entry.until, made_by)
        vectors = [vector.astype(np.float32).tobytes() for vector in (question.vector, entry.reply)]
        unlike = json.dumps(list(entry.unlike), separators=(",", ":")) if entry.unlike else None
        content = (vectors[0], question.words.tobytes(), question.text, vectors[1], unlike)
        self._staged.append(
            ("INSERT OR REPLACE INTO memory VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", (*row, *content))
        )

    def made_by(self, versions: str) -> Iterator[EntryKey]:
        """Yield the keys of the entries that this embedder and this meter made, in order."""
        rows = self._db.execute(
            "SELECT number, answer, context, until FROM memory WHERE made_by = ? AND gone IS NULL ORDER BY number",
            (versions,),
        )
        return (EntryKey(*row) for row in rows)

    def read(self, versions: str, numbers: Collection[int]) -> Iterator[Entry]:
        """Yield those entries with these numbers that this embedder and this meter made, in order.

        Staged entries are not among them.
        """
        rows = self._db.execute(
            "SELECT number, answer, context, at, until, vector, words, text, reply FROM memory "
            "WHERE made_by = ? AND gone IS NULL AND number IN (SELECT value FROM json_each(?)) ORDER BY number",
            (versions, json.dumps(list(numbers))),
        )
        return (_entry(*row) for row in rows)

    def holds(self, number: int) -> bool:
        """Say whether there is an entry of this interaction, or was one, whatever made it."""
        return self._db.execute("SELECT 1 FROM memory WHERE number = ?", (number,)).fetchone() is not None

    def first_in(self, context: int) -> int | None:
        """Return the number of the first entry of a context, whatever made it."""
        row = self._db.execute("SELECT min(number) FROM memory WHERE context = ?", (context,)).fetchone()
        return None if row is None else row[0]

    def made_before(self, versions: str, number: int) -> Entry | None:
        """Return the entry as it was before a rollback or `forget` took it back, with what it was compared with.

        Its vectors are those of its own texts, and the comparisons are of texts that do not change.
        """
        row = self._db.execute(
            "SELECT number, answer, context, at, until, vector, words, text, reply, unlike FROM memory_before "
            "WHERE made_by = ? AND number = ?",
            (versions, number),
        ).fetchone()
        return None if row is None else _entry(*row)

    def remove(self, numbers: Collection[int], by: int) -> None:
        """Stage that entries are removed, because of what interaction or feedback number `by` showed."""
        these = json.dumps(list(numbers))
        self._staged.append(
            ("UPDATE memory SET gone = ? WHERE number IN (SELECT value FROM json_each(?))", (by, these))
        )

    def clear(self) -> None:
        """Stage the deletion of all entries."""
        self._staged.append(("DELETE FROM memory", ()))

    def go_back(self, cursor: int) -> None:
        """Make the entries those of the time when `cursor` was the last number learnt; the caller has a transaction."""
        self._db.execute("DELETE FROM memory WHERE number > ?", (cursor,))
        self._db.execute("UPDATE memory SET gone = NULL WHERE gone > ?", (cursor,))

    def keep(self, cursor: int) -> None:
        """Keep a copy of the entries that `go_back` will change; the caller has a transaction.

        `bring_back` puts them back, and `made_before` saves making them again.
        """
        self.drop_kept()
        self._db.execute("INSERT INTO memory_before SELECT * FROM memory WHERE number > ?1 OR gone > ?1", (cursor,))

    def bring_back(self, cursor: int) -> None:
        """Undo `go_back`: put back the entries that were kept; those made since go. The caller has a transaction."""
        self.go_back(cursor)
        self._db.execute("INSERT OR REPLACE INTO memory SELECT * FROM memory_before")
        self.drop_kept()

    def has_kept(self) -> bool:
        """Say whether there is such a copy."""
        return self._db.execute("SELECT 1 FROM memory_before LIMIT 1").fetchone() is not None

    def drop_kept(self) -> None:
        """Delete that copy."""
        self._db.execute("DELETE FROM memory_before")


def _entry(
    number: int,
    answer: int,
    context: int,
    at: float,
    until: float,
    vector: bytes,
    words: bytes,
    text: int,
    reply: bytes,
    unlike: str | None = None,
) -> Entry:
    question = Question(np.frombuffer(vector, np.float32), np.frombuffer(words, np.uint8), context, text)
    compared = tuple(json.loads(unlike)) if unlike else ()
    return Entry(question, number, answer, at, until, np.frombuffer(reply, np.float32), compared)
