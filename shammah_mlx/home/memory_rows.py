"""The memory's entries in the journal's file: which question had which answer, with their vectors and its words."""

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
        content = (vectors[0], question.words.tobytes(), question.text, vectors[1])
        self._staged.append(("INSERT OR REPLACE INTO memory VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, *content)))

    def made_by(self, versions: str) -> Iterator[EntryKey]:
        """Yield the keys of the entries that this embedder and this meter made, in order."""
        rows = self._db.execute(
            "SELECT number, answer, context, until FROM memory WHERE made_by = ? ORDER BY number", (versions,)
        )
        return (EntryKey(*row) for row in rows)

    def read(self, versions: str, numbers: Collection[int]) -> Iterator[Entry]:
        """Yield those entries with these numbers that this embedder and this meter made, in order.

        Staged entries are not among them.
        """
        rows = self._db.execute(
            "SELECT number, answer, context, at, until, vector, words, text, reply FROM memory "
            "WHERE made_by = ? AND number IN (SELECT value FROM json_each(?)) ORDER BY number",
            (versions, json.dumps(list(numbers))),
        )
        for number, answer, context, at, until, vector, words, text, reply in rows:
            question = Question(np.frombuffer(vector, np.float32), np.frombuffer(words, np.uint8), context, text)
            yield Entry(question, number, answer, at, until, np.frombuffer(reply, np.float32))

    def holds(self, number: int) -> bool:
        """Say whether there is an entry of this interaction, whatever made it."""
        return self._db.execute("SELECT 1 FROM memory WHERE number = ?", (number,)).fetchone() is not None

    def delete(self, first: int, last: int | None = None) -> None:
        """Stage the deletion of the entries from number `first` to `last`, or to the end."""
        self._staged.append(("DELETE FROM memory WHERE number BETWEEN ? AND coalesce(?, number)", (first, last)))
