"""The private record of every interaction, in SQLite, in the order of training.

An interaction is written before anything is trained on it. What training adds (the interaction as observed, entries of
the memory) is staged and committed in one transaction with the name of the state that training made: readers see all
of it or none.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import UNSET

from shammah_mlx.errors import BadStateError
from shammah_mlx.events import Event, Interaction
from shammah_mlx.home.conversation_rows import ConversationRows
from shammah_mlx.home.erasures import Erasures
from shammah_mlx.home.feedback_rows import FeedbackRows
from shammah_mlx.home.ledger import Ledger
from shammah_mlx.home.memory_rows import MemoryRows
from shammah_mlx.home.other_hosts import OtherHosts
from shammah_mlx.home.rollbacks import Rollbacks
from shammah_mlx.home.schema import BUSY_S, open_database
from shammah_mlx.home.search_index import SearchIndex
from shammah_mlx.home.stored import RESTORE, decoded

_ASKED_HERE = "FROM ledger WHERE asked AND NOT set_aside"  # the ledger is narrow: finding rows there reads no JSON
_OPEN_AUDITS = """
    FROM missed_audits JOIN interactions AS served USING (number)
    WHERE NOT served.set_aside AND NOT EXISTS (
        SELECT 1 FROM interactions AS late
        WHERE json_extract(late.record, '$.late_for') = missed_audits.number AND NOT late.set_aside
    )
"""
_WITH_OWN_ANSWERS = """
    SELECT number, record, record ->> '$.turn.query.at' AS at FROM interactions UNION ALL
    SELECT said.number, about.record, said.record ->> '$.at' FROM feedback AS said
    JOIN interactions AS about ON about.number = said.about
"""  # the question of an answer that the user gave is the one that it is about
Read = TypeVar("Read")


class Progress(msgspec.Struct, frozen=True):
    """How far training has come."""

    cursor: int = 0  # number of the last interaction trained on
    state: str | None = None  # name of the state that this made; None: nothing was trained yet


class Totals(msgspec.Struct, frozen=True):
    """Sums over the whole journal; archived rows count for money only, and imported ones as such only."""

    journalled: int = 0
    pending: int = 0  # not trained on yet, imported ones too
    forwarded: int = 0
    calls: int = 0
    spent_usd: float = 0.0  # on replies, verdicts and requests passed on
    unpriced_calls: int = 0  # of these, those without a known price
    open_audits: int = 0  # audits that are due
    imported: int = 0
    imported_pending: int = 0  # among these, not trained on yet


class Journal:
    """The journal at `path`, created or migrated when it is opened.

    `patience_s` is how long it waits while another process writes.

    Raises:
        BadStateError: the file is not a journal, is damaged, or was written by a newer version.
    """

    def __init__(self, path: Path, patience_s: float = BUSY_S) -> None:
        self._path = path
        self._staged: list[tuple[str, tuple[object, ...]]] = []  # SQL with its parameters
        self._db = open_database(path, patience_s)
        self._inode = path.stat().st_ino
        self.memory = MemoryRows(self._db, self._staged)
        self.conversations = ConversationRows(self._db, self._decoded)
        self.feedback = FeedbackRows(self._db, path)
        self.rollbacks = Rollbacks(self._db, self.memory)
        self.erasures = Erasures(self._db, path)
        self.index = SearchIndex(self._db)
        self.ledger = Ledger(self._db)
        self.other_hosts = OtherHosts(self._db, self._decoded)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def is_in_place(self) -> bool:
        """Say whether the opened file is still in the home: the home may have been deleted."""
        return self._path.exists() and self._path.stat().st_ino == self._inode

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read from one moment of the journal, whatever other processes write meanwhile."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("COMMIT")

    def check(self) -> None:
        """Check that the file is intact.

        Raises:
            BadStateError: it is damaged.
        """
        (verdict,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise BadStateError(f"{self._path} is damaged", "restore it from a backup, or use another --home")

    def progress(self) -> Progress:
        """Return how far training has come."""
        row = self._db.execute("SELECT cursor, state FROM learnt").fetchone()
        return Progress(*row) if row else Progress()

    def of_current(self, read: Callable[[Progress], Read]) -> Read:
        """Read something that belongs to the current state; read again if another process replaces the state meanwhile.

        Raises:
            BadStateError: it cannot be read.
        """
        while True:
            with self.reading():
                progress = self.progress()
                try:
                    return read(progress)
                except BadStateError as error:
                    damage = error
            if self.progress() == progress:
                raise damage

    def audit_seed(self) -> str:
        """Return what decides this home's audits: drawn once, by chance, so that nobody can compute them."""
        (seed,) = self._db.execute("SELECT seed FROM audit_seed").fetchone()
        return str(seed)

    def next_number(self) -> int:
        """Return the number that the next event gets, unless another process writes one first."""
        tables = ("number) FROM interactions", "number) FROM feedback", "last) FROM forgotten", "cursor) FROM learnt")
        last = ", ".join(f"coalesce((SELECT max({table}), 0)" for table in tables)
        (taken,) = self._db.execute(f"SELECT max({last})").fetchone()
        return int(taken) + 1

    def count_after(self, number: int) -> int:
        """Return how many events come after `number`, without archived ones."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM interactions WHERE number > ? AND NOT set_aside", (number,)
        ).fetchone()
        return int(count) + self.feedback.count_after(number)

    def queries_after(self, number: int) -> int:
        """Return how many queries come after `number`, without archived ones, late audits and imported ones."""
        (count,) = self._db.execute(f"SELECT count(*) {_ASKED_HERE} AND number > ?", (number,)).fetchone()
        return int(count)

    def open_audits(self) -> list[tuple[int, float]]:
        """Return the numbers of the interactions whose audits are due, oldest first, each with the time it waits from.

        That is when it was asked; infinity if the month's budget was spent, since such an audit waits for money.
        """
        since = "CASE WHEN unpaid THEN 9e999 ELSE at END"
        return self._db.execute(f"SELECT number, {since} {_OPEN_AUDITS} ORDER BY number").fetchall()

    def write(self, interaction: Interaction) -> Interaction:
        """Store a new interaction durably, and record an audit that it missed; return the interaction as stored.

        It gets another number if another process took its own meanwhile.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            return self._insert(interaction)

    def write_all(self, choose: Callable[[], Iterable[Interaction]]) -> int:
        """Store new interactions durably, all of them or none; return how many.

        What `choose` reads of this journal to choose them stays true until they are written.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            return sum(1 for _ in map(self._insert, choose()))

    def write_late(self, late: Interaction) -> bool:
        """Store the late audit of an interaction unless another process has; say whether it was stored."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            is_open = any(number == late.late_for for number, _ in self.open_audits())
            if is_open:
                self._insert(late)
        return is_open

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Read and write in one transaction, durably, while no other process writes."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield

    def _insert(self, interaction: Interaction) -> Interaction:
        number = self.next_number()
        request = msgspec.structs.replace(interaction.request, number=number)
        stored = msgspec.structs.replace(interaction, request=request)
        if stored.audit_open:
            missed = (number, request.query.at, stored.unpaid is True)
            self._db.execute("INSERT INTO missed_audits (number, at, unpaid) VALUES (?, ?, ?)", missed)
        self._db.execute("INSERT INTO interactions (number, record) VALUES (?, ?)", (number, _encoded(stored)))
        return stored

    def complete(self, interaction: Interaction) -> None:
        """Stage an interaction as observed, to replace the one that was written."""
        row = (_encoded(interaction), interaction.request.number)
        self._staged.append(("UPDATE interactions SET record = ? WHERE number = ?", row))

    def note_pace(self, learnt: int, seconds: float) -> None:
        """Stage how long it took to learn some more interactions."""
        add = "ON CONFLICT DO UPDATE SET learnt = learnt + excluded.learnt, seconds = seconds + excluded.seconds"
        self._staged.append((f"INSERT INTO pace VALUES (1, ?, ?) {add}", (learnt, seconds)))

    def pace(self) -> float | None:
        """Return how many seconds learning an interaction has taken in this home; None if nothing was learnt."""
        row = self._db.execute("SELECT seconds / learnt FROM pace WHERE learnt > 0").fetchone()
        return float(row[0]) if row else None

    def commit(self, progress: Progress) -> None:
        """Store everything that was staged, and the progress that it belongs to, in one transaction."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for statement, row in self._staged:
                self._db.execute(statement, row)
            self._set_progress(progress)
        self._staged.clear()

    def unstage(self) -> None:
        """Drop everything that was staged."""
        self._staged.clear()

    def go_back(self, progress: Progress, *, archive: bool) -> list[int]:
        """Return training to an earlier state; `archive` the later interactions if wanted, and return their numbers."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self.rollbacks.drop()
            self.memory.keep(progress.cursor)
            if archive:
                self.rollbacks.begin()
            self.memory.go_back(progress.cursor)
            self._set_progress(progress)
            return sorted(self.rollbacks.archive(progress.cursor)) if archive else []

    def undo_rollback(self, before: Progress) -> int:
        """Return training to where it was before the last rollback; return how many interactions are back.

        What was asked since is pending: it is learnt after them.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._set_progress(before)
            return self.rollbacks.undo(before.cursor)

    def drop_undo(self) -> None:
        """Let the last rollback be final, and drop what it or `forget` took back."""
        if self.rollbacks.is_kept():
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self.rollbacks.drop()

    def _set_progress(self, progress: Progress) -> None:
        self._db.execute("DELETE FROM learnt")
        if progress.state is not None:
            self._db.execute("INSERT INTO learnt VALUES (?, ?)", (progress.cursor, progress.state))

    def after(self, number: int) -> Iterator[Interaction]:
        """Yield the interactions after `number` in order, without archived ones.

        Raises:
            BadStateError: one is damaged.
        """
        rows = self._db.execute(
            "SELECT number, record FROM interactions WHERE number > ? AND NOT set_aside ORDER BY number", (number,)
        ).fetchall()
        return (self._decoded(*row) for row in rows)

    def events_after(self, number: int) -> Iterator[Event]:
        """Yield interactions and feedback after `number` in the order in which they are learnt, without archived ones.

        Raises:
            BadStateError: one is damaged.
        """
        rows = self._db.execute(  # in one statement: between two, others may write what the first would have to yield
            "SELECT number, record, 0 FROM interactions WHERE number > ?1 AND NOT set_aside UNION ALL"
            " SELECT number, record, 1 FROM feedback WHERE number > ?1 AND NOT set_aside ORDER BY number",
            (number,),
        ).fetchall()
        return (self.feedback.decoded(record) if said else self._decoded(n, record) for n, record, said in rows)

    def _decoded(self, number: int, record: str) -> Interaction:
        return decoded(record, Interaction, f"interaction {number}", self._path)

    def read(self, number: int) -> Interaction:
        """Return one interaction, or the user's own answer with this number as one.

        Raises:
            BadStateError: it is not there, or damaged.
        """
        found = self.find(number)
        if found is None and (said := self.feedback.find(number)) is not None and said.answer is not UNSET:
            return said.corrected(self.read(said.about))
        if found is None:
            raise BadStateError(f"{self._path} lacks interaction {number}", RESTORE)
        return found

    def find(self, number: int) -> Interaction | None:
        """Return one interaction, if it is there.

        Raises:
            BadStateError: it is damaged.
        """
        row = self._db.execute("SELECT number, record FROM interactions WHERE number = ?", (number,)).fetchone()
        return None if row is None else self._decoded(*row)

    def is_archived(self, number: int) -> bool:
        """Say whether a rollback archived this interaction."""
        row = self._db.execute("SELECT set_aside FROM interactions WHERE number = ?", (number,)).fetchone()
        return row is not None and bool(row[0])

    def questions(self, numbers: Iterable[int]) -> dict[int, str]:
        """Return the questions of those interactions that still exist, by number."""
        rows = self._db.execute(
            f"SELECT number, record ->> '$.turn.query.text' FROM ({_WITH_OWN_ANSWERS})"
            " WHERE number IN (SELECT value FROM json_each(?))",
            (json.dumps(list(numbers)),),
        )
        return dict(rows.fetchall())

    def dates(self, numbers: Iterable[int]) -> dict[int, float]:
        """Return when those interactions that still exist were asked, by number, Unix time."""
        rows = self._db.execute(
            f"SELECT number, at FROM ({_WITH_OWN_ANSWERS}) WHERE number IN (SELECT value FROM json_each(?))",
            (json.dumps(list(numbers)),),
        )
        return dict(rows.fetchall())

    def last(self) -> Interaction | None:
        """Return the latest query asked here, without archived ones and late audits."""
        return next(self.latest(1), None)

    def latest(self, count: int) -> Iterator[Interaction]:
        """Yield the latest queries asked here, the last one first, without archived ones and late audits."""
        rows = self._db.execute(
            f"SELECT number, record FROM interactions WHERE number IN (SELECT number {_ASKED_HERE}"
            " ORDER BY number DESC LIMIT ?) ORDER BY number DESC",
            (count,),
        ).fetchall()
        return (self._decoded(*row) for row in rows)

    def asked_since(self, at: float) -> Iterator[Interaction]:
        """Yield the queries since this Unix time that no client asked, the last one first, without archived ones."""
        rows = self._db.execute(
            "SELECT number, record FROM interactions"
            f" WHERE number IN (SELECT number {_ASKED_HERE} AND NOT by_client AND at >= ?) ORDER BY number DESC",
            (at,),
        ).fetchall()
        return (self._decoded(*row) for row in rows)

    def every(self) -> Iterator[Interaction]:
        """Yield all interactions in order, archived ones too.

        Raises:
            BadStateError: one is damaged.
        """
        rows = self._db.execute("SELECT number, record FROM interactions ORDER BY number")
        return (self._decoded(*row) for row in rows)

    def totals(self, cursor: int) -> Totals:
        """Return sums over the journal; `cursor` is the number of the last interaction trained on."""
        row = self._db.execute(
            f"""
            SELECT
                count(*) FILTER (WHERE NOT set_aside AND asked),
                count(*) FILTER (WHERE NOT set_aside AND (asked OR imported) AND number > :cursor),
                count(*) FILTER (WHERE NOT set_aside AND asked AND NOT local),
                count(*) FILTER (WHERE NOT set_aside AND called),
                coalesce(sum(usd), 0.0) + total(verdicts_usd) + (SELECT total(usd) FROM passed_on),
                count(*) FILTER (WHERE called AND usd IS NULL) + coalesce(sum(unpriced_verdicts), 0)
                    + (SELECT count(*) FROM passed_on WHERE usd IS NULL),
                (SELECT count(*) {_OPEN_AUDITS}),
                count(*) FILTER (WHERE NOT set_aside AND imported),
                count(*) FILTER (WHERE NOT set_aside AND imported AND number > :cursor)
            FROM ledger
            """,
            {"cursor": cursor},
        ).fetchone()
        return Totals(*row)


def _encoded(interaction: Interaction) -> str:
    return msgspec.json.encode(interaction).decode()
