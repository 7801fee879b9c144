"""The private record of every interaction, in SQLite: written before anything is trained, in the order of training."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np

from shammah_mlx.errors import BadStateError
from shammah_mlx.events import Interaction
from shammah_mlx.recall import Entry, Question

_MIGRATIONS = (
    """
    CREATE TABLE interactions (
        number INTEGER PRIMARY KEY,
        record TEXT NOT NULL,                   -- an Interaction as JSON
        set_aside INTEGER NOT NULL DEFAULT 0    -- 1: a rollback went back to before it
    )
    """,
    """
    CREATE TABLE memory (
        number INTEGER PRIMARY KEY,             -- of the interaction
        answer INTEGER NOT NULL,                -- number of the first one that had this answer
        context INTEGER NOT NULL,
        at REAL NOT NULL,                       -- when it was asked, Unix time
        until REAL NOT NULL,                    -- when its answer runs out
        made_by TEXT NOT NULL,                  -- versions of embedder and meter
        vector BLOB NOT NULL,                   -- fp32
        words BLOB NOT NULL
    )
    """,
    """
    CREATE TABLE forgotten (
        last INTEGER NOT NULL,                  -- the highest number that was erased: it stays taken
        first INTEGER                           -- what was learnt from this one on is to go; NULL once it is gone
    )
    """,
    """
    CREATE TABLE missed_audits (
        number INTEGER PRIMARY KEY,             -- of an interaction whose audit was due and could not be had
        at REAL NOT NULL                        -- when it was asked, Unix time
    )
    """,
    """
    CREATE INDEX late ON interactions (json_extract(record, '$.late_for'))
        WHERE json_extract(record, '$.late_for') IS NOT NULL
    """,
)
_OPEN_AUDITS = """
    FROM missed_audits JOIN interactions AS served USING (number)
    WHERE NOT served.set_aside AND NOT EXISTS (
        SELECT 1 FROM interactions AS late
        WHERE json_extract(late.record, '$.late_for') = missed_audits.number AND NOT late.set_aside
    )
"""
NOTHING_LEARNT = 2**63 - 1  # `first` where all that was erased had been set aside: no model knows it


class Totals(msgspec.Struct, frozen=True):
    """What the whole journal adds up to; rows set aside count for money only."""

    journalled: int
    pending: int  # after the last one trained on
    forwarded: int
    calls: int
    spent_usd: float
    unpriced_calls: int
    open_audits: int  # due, and not made yet


class Journal:
    """Open the journal at `path`, creating or migrating it.

    Raises:
        BadStateError: the file is no journal, is damaged, or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # a committed interaction survives power loss,
            self._db.execute("PRAGMA fullfsync = 1")  # on macOS too
            self._db.execute("PRAGMA secure_delete = ON")  # what is deleted or replaced is overwritten
            self._migrate()
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise _unusable(path, error) from error
        except BadStateError:
            self._db.close()
            raise

    def _migrate(self) -> None:
        if self._version() == len(_MIGRATIONS):
            return
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            version = self._version()  # again: another process may have migrated it meanwhile
            if version > len(_MIGRATIONS):
                raise BadStateError(
                    f"{self._path} was written by a newer shammah-mlx", "upgrade, or use another --home"
                )
            for script in _MIGRATIONS[version:]:
                self._db.execute(script)
            self._db.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    def _version(self) -> int:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        return int(version)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def last_number(self) -> int:
        """Return the highest number ever used; 0 if there is none."""
        (last,) = self._db.execute(
            "SELECT coalesce(max(number), 0) FROM (SELECT number FROM interactions UNION SELECT last FROM forgotten)"
        ).fetchone()
        return int(last)

    def count_after(self, number: int) -> int:
        """Return how many interactions come after `number`, but for those set aside."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM interactions WHERE number > ? AND NOT set_aside", (number,)
        ).fetchone()
        return int(count)

    def queries_after(self, number: int) -> int:
        """Return how many of these are queries, not audits of earlier ones."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM interactions WHERE number > ? AND NOT set_aside AND record ->> '$.late_for' IS NULL",
            (number,),
        ).fetchone()
        return int(count)

    def open_audits(self) -> list[tuple[int, float]]:
        """Return the interactions whose audits are due, and when they were asked, Unix time; the oldest first."""
        return self._db.execute(f"SELECT number, at {_OPEN_AUDITS} ORDER BY number").fetchall()

    def write(self, interaction: Interaction) -> None:
        """Store an interaction, or its completed form in place of the first; note an audit that was missed."""
        record = msgspec.json.encode(interaction).decode()
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            if interaction.audit_open:
                at = interaction.turn.query.at
                self._db.execute("INSERT OR REPLACE INTO missed_audits VALUES (?, ?)", (interaction.turn.number, at))
            self._db.execute(
                "INSERT INTO interactions (number, record) VALUES (?, ?)"
                " ON CONFLICT (number) DO UPDATE SET record = excluded.record",
                (interaction.turn.number, record),
            )

    def after(self, number: int) -> Iterator[Interaction]:
        """Yield the interactions that count and come after `number`, in order.

        Raises:
            BadStateError: one is damaged.
        """
        rows = self._db.execute(
            "SELECT number, record FROM interactions WHERE number > ? AND NOT set_aside ORDER BY number", (number,)
        ).fetchall()
        return (self._decoded(*row) for row in rows)

    def _decoded(self, number: int, record: str) -> Interaction:
        try:
            return msgspec.json.decode(record, type=Interaction)
        except msgspec.DecodeError as error:
            raise BadStateError(
                f"{self._path}: interaction {number} cannot be read", "restore the file, or use another --home"
            ) from error

    def read(self, number: int) -> Interaction:
        """Return one interaction.

        Raises:
            BadStateError: it is not there, or damaged.
        """
        found = self.find(number)
        if found is None:
            raise BadStateError(
                f"{self._path}: interaction {number} is missing", "restore the file, or use another --home"
            )
        return found

    def find(self, number: int) -> Interaction | None:
        """Return one interaction, if it is there.

        Raises:
            BadStateError: it is damaged.
        """
        row = self._db.execute("SELECT number, record FROM interactions WHERE number = ?", (number,)).fetchone()
        return None if row is None else self._decoded(*row)

    def remember(self, entry: Entry, made_by: str) -> None:
        """Keep an entry of the memory, and by which embedder and meter it was made."""
        question = entry.question
        row = (entry.number, entry.answer, question.context, entry.at, entry.until, made_by)
        with self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO memory VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, question.vector.astype(np.float32).tobytes(), question.words.tobytes()),
            )

    def remembered(self, made_by: str) -> Iterator[Entry]:
        """Yield the entries of the memory that were made so, in order."""
        rows = self._db.execute(
            "SELECT number, answer, context, at, until, vector, words FROM memory WHERE made_by = ? ORDER BY number",
            (made_by,),
        )
        for number, answer, context, at, until, vector, words in rows:
            question = Question(np.frombuffer(vector, np.float32), np.frombuffer(words, np.uint8), context)
            yield Entry(question, number, answer, at, until)

    def unremember(self, first: int, last: int | None = None) -> None:
        """Drop the entries of the memory from `first` to `last`, or to the end."""
        with self._db:
            self._db.execute("DELETE FROM memory WHERE number BETWEEN ? AND coalesce(?, number)", (first, last))

    def is_set_aside(self, number: int) -> bool:
        """Say whether a rollback went back to before this interaction."""
        row = self._db.execute("SELECT set_aside FROM interactions WHERE number = ?", (number,)).fetchone()
        return row is not None and bool(row[0])

    def questions(self, numbers: Iterable[int]) -> dict[int, str]:
        """Return what was asked in those interactions that are still there, by number."""
        rows = self._db.execute(
            "SELECT number, record ->> '$.turn.query.text' FROM interactions"
            " WHERE number IN (SELECT value FROM json_each(?))",
            (json.dumps(list(numbers)),),
        )
        return dict(rows.fetchall())

    def last(self) -> Interaction | None:
        """Return the latest query that counts."""
        row = self._db.execute(
            "SELECT number, record FROM interactions WHERE NOT set_aside AND record ->> '$.late_for' IS NULL"
            " ORDER BY number DESC LIMIT 1"
        ).fetchone()
        return None if row is None else self._decoded(*row)

    def set_aside_after(self, number: int) -> int:
        """Leave out every interaction after `number` from now on; return how many those are."""
        with self._db:
            done = self._db.execute(
                "UPDATE interactions SET set_aside = 1 WHERE number > ? AND NOT set_aside", (number,)
            )
        return done.rowcount

    def every(self) -> Iterator[Interaction]:
        """Yield all interactions, those set aside too, in order.

        Raises:
            BadStateError: one is damaged.
        """
        rows = self._db.execute("SELECT number, record FROM interactions ORDER BY number")
        return (self._decoded(*row) for row in rows)

    def erase(self, numbers: Collection[int]) -> None:
        """Delete interactions and their entries of the memory, and note that what was learnt from them is to go too."""
        if not numbers:
            return
        chosen = {"numbers": json.dumps(sorted(numbers))}
        among = "number IN (SELECT value FROM json_each(:numbers))"
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(
                "INSERT INTO forgotten SELECT max(number),"
                f" coalesce(min(number) FILTER (WHERE NOT set_aside), {NOTHING_LEARNT})"
                f" FROM interactions WHERE {among}",
                chosen,
            )
            self._db.execute(f"DELETE FROM interactions WHERE {among}", chosen)
            self._db.execute(f"DELETE FROM memory WHERE {among}", chosen)
            self._db.execute(f"DELETE FROM missed_audits WHERE {among}", chosen)

    def erased_from(self) -> int | None:
        """Return from which number on what was learnt is to go; None if there is no such thing, or it is gone."""
        (first,) = self._db.execute("SELECT min(first) FROM forgotten").fetchone()
        return None if first is None else int(first)

    def scrub(self) -> None:
        """Write the file anew from what is in it, so that neither it nor its log holds what was deleted.

        Raises:
            BadStateError: another process is reading it.
        """
        self._db.execute("VACUUM")  # overwriting leaves copies where SQLite moved rows within its pages
        (busy, *_) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise BadStateError(f"another process is reading {self._path}", "end it, then run the same command again")

    def note_all_gone(self) -> None:
        """Note that nothing learnt from what was erased is left."""
        with self._db:
            self._db.execute("UPDATE forgotten SET first = NULL")

    def totals(self, cursor: int) -> Totals:
        """Add up the journal; `cursor` is the number of the last interaction trained on."""
        row = self._db.execute(
            f"""
            SELECT
                count(*) FILTER (WHERE NOT set_aside AND asked),
                count(*) FILTER (WHERE NOT set_aside AND asked AND number > ?),
                count(*) FILTER (WHERE NOT set_aside AND asked AND NOT record ->> '$.served_local'),
                count(*) FILTER (WHERE NOT set_aside AND record ->> '$.reply' IS NOT NULL),
                coalesce(sum(record ->> '$.reply.cost_usd'), 0.0),
                count(*) FILTER (WHERE record ->> '$.reply' IS NOT NULL AND record ->> '$.reply.cost_usd' IS NULL),
                (SELECT count(*) {_OPEN_AUDITS})
            FROM (SELECT *, record ->> '$.late_for' IS NULL AS asked FROM interactions)
            """,
            (cursor,),
        ).fetchone()
        return Totals(*row)


def read_totals(path: Path, cursor: int) -> Totals:
    """Add up the journal at `path`; an absent one is empty, and stays absent."""
    if not path.exists():
        return Totals(0, 0, 0, 0, 0.0, 0, 0)
    with closing(Journal(path)) as journal:
        return journal.totals(cursor)


def _unusable(path: Path, error: sqlite3.DatabaseError) -> BadStateError:
    return BadStateError(f"{path} cannot be used: {error}", "check the disk's space and rights, or use another --home")
