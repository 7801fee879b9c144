"""What a home spent and saved, by SQL alone: one narrow line for each interaction, which triggers of `schema` keep.

Months are calendar months by UTC. What is *saved* is an estimate: what Claude would have cost in place of the local
answers that bought no call.
"""

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

_LINES = """
    WITH usual AS (
        SELECT model, avg(usd) AS usd FROM ledger WHERE called AND usd IS NOT NULL AND NOT own_account GROUP BY model
    ), lines AS (
        SELECT at, model, called AS calls, 0 AS verdicts, 0 AS passed_on, coalesce(usd, 0.0) AS spent,
            usd IS NULL AS unpriced, own_account, 0 AS saved_calls, NULL AS saved
        FROM ledger WHERE called
        UNION ALL
        SELECT judged_at, coalesce(judge, ''), 0, verdicts, 0, verdicts_usd, unpriced_verdicts, 0, 0, NULL
        FROM ledger WHERE verdicts
        UNION ALL
        SELECT at, model, 1, 0, 1, coalesce(usd, 0.0), usd IS NULL, own_account, 0, NULL FROM passed_on
        UNION ALL
        SELECT served.at, served.model, 0, 0, 0, 0.0, 0, 0, 1,
            coalesce(given.usd, usual.usd, (SELECT avg(usd) FROM ledger WHERE called AND NOT own_account))
        FROM ledger AS served
        LEFT JOIN ledger AS given ON given.number = served.entry AND given.called
        LEFT JOIN usual ON usual.model = served.model
        WHERE served.local AND NOT served.called AND NOT served.own_account
    )
"""
"""Everything that was paid for, and the local answers that were not."""


class PassedOn(msgspec.Struct, frozen=True):
    """A request that Claude answered and this program passed on unread: what it was charged for, and no text."""

    at: float  # Unix time
    model: str
    read: int | None  # tokens, with those of the cache; None: not known
    written: int | None
    usd: float | None  # None: unpriced
    own_account: bool  # a client's own credential paid


class Money(msgspec.Struct, frozen=True):
    """What was spent on one model in one month, and saved."""

    month: str  # such as 2026-11
    model: str
    calls: int  # whole answers of Claude's, with requests passed on
    verdicts: int
    passed_on: int  # requests, among the calls
    spent_usd: float
    unpriced: int  # calls and verdicts without a known price
    own_account: int  # among these, calls that a client's own credential paid
    saved_calls: int  # local answers that bought no call
    saved_usd: float | None  # what they would have cost, by estimate; None: no call of this home had a price


class Block(msgspec.Struct, frozen=True):
    """A stretch of questions."""

    queries: int
    calls: int  # questions for which Claude gave a whole answer
    local: int  # questions that were answered locally


class Ledger:
    """The tables `ledger` and `passed_on` of a journal."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def add(self, passed: Iterable[PassedOn]) -> None:
        """Record requests that were passed on."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            rows = [msgspec.structs.astuple(one) for one in passed]
            self._db.executemany("INSERT INTO passed_on VALUES (?, ?, ?, ?, ?, ?)", rows)

    def spent_since(self, at: float) -> float:
        """Return what was spent on replies, verdicts and requests passed on since then, as far as it is priced."""
        (spent,) = self._db.execute(
            "SELECT coalesce((SELECT sum(usd) FROM ledger WHERE at >= :at), 0.0)"
            " + coalesce((SELECT sum(verdicts_usd) FROM ledger WHERE verdicts AND judged_at >= :at), 0.0)"
            " + coalesce((SELECT sum(usd) FROM passed_on WHERE at >= :at), 0.0)",
            {"at": at},
        ).fetchone()
        return float(spent)

    def money(self) -> list[Money]:
        """Return what was spent and saved, by month and model.

        A local answer would have cost what Claude's reply to the question it comes from cost; where that is not known,
        the mean of this home's replies of the same model, or of all.
        """
        rows = self._db.execute(
            f"""{_LINES}
            SELECT strftime('%Y-%m', at, 'unixepoch') AS month, model, sum(calls), sum(verdicts), sum(passed_on),
                sum(spent), sum(unpriced), sum(own_account), sum(saved_calls), sum(saved)
            FROM lines GROUP BY month, model ORDER BY month, model
            """
        )
        return [Money(*row) for row in rows]

    def history(self, size: int) -> list[Block]:
        """Return the questions in blocks of this size, oldest first, without archived ones; the last may be short."""
        rows = self._db.execute(
            """
            SELECT count(*), sum(called), sum(local) FROM (
                SELECT called, local, row_number() OVER (ORDER BY number) - 1 AS place
                FROM ledger WHERE asked AND NOT set_aside
            ) GROUP BY place / ? ORDER BY place
            """,
            (size,),
        )
        return [Block(*row) for row in rows]

    def is_recorded(self) -> bool:
        """Say whether the last question came from a recorded stream, so that nobody paid."""
        row = self._db.execute("SELECT recorded FROM ledger ORDER BY number DESC LIMIT 1").fetchone()
        return row is not None and bool(row[0])


def month_start(at: float) -> float:
    """Return when the calendar month of a time began, Unix time, by UTC."""
    now = datetime.fromtimestamp(at, UTC)
    return datetime(now.year, now.month, 1, tzinfo=UTC).timestamp()
