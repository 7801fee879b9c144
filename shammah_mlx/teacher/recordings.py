"""Read recorded streams of queries and replies; give recorded and scripted teachers that stand in for Claude."""

import random
from codecs import BOM_UTF8
from collections.abc import Iterable
from pathlib import Path
from typing import final

import msgspec

from shammah_mlx.errors import BadInputError
from shammah_mlx.events import Outage, Query, Reply, Show
from shammah_mlx.teacher.outages import outage


class Row(msgspec.Struct, frozen=True):
    """One recorded query and the teacher's reply: all that the program sees."""

    query: str
    reply: str
    id: str = ""


class Truth(msgspec.Struct, frozen=True):
    """The topics whose replies are right for a row: for scoring only, never shown to the program."""

    topic: str | None = None
    also: tuple[str, ...] = ()

    @property
    def accepted(self) -> frozenset[str]:
        """Return the topics whose reply is right."""
        return frozenset(self.also) | ({self.topic} if self.topic is not None else frozenset())


class _Line(msgspec.Struct):
    query: str
    reply: str
    id: str | None = None
    topic: str | None = None
    also: tuple[str, ...] = ()


def read_stream(path: Path, shuffle: int | None, limit: int | None) -> list[tuple[Row, Truth]]:
    """Return the rows of a JSONL file, shuffled by a seed if one is given, then cut to `limit`.

    A row without an id gets its line number as id.

    Raises:
        BadInputError: the file cannot be read, or a line is not a row; the message has the line's number.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", "give a JSONL file of recorded rows") from error
    lines = content.removeprefix(BOM_UTF8).split(b"\n")
    rows = [_parse(line, number, path) for number, line in enumerate(lines, 1) if line.strip()]
    _check_ids(rows, path)
    if not rows:
        raise BadInputError(f"{path} has no rows", "each line is a JSON object with `query` and `reply`")
    if shuffle is not None:
        random.Random(shuffle).shuffle(rows)
    return rows[:limit]


def _check_ids(rows: list[tuple[Row, Truth]], path: Path) -> None:
    """Check that each id stands for one row; the same row may come again."""
    known: dict[str, Row] = {}
    for row, _ in rows:
        if known.setdefault(row.id, row) != row:
            raise BadInputError(
                f"{path}: two different rows have the id {row.id!r}", "give each row its own id; nothing was run"
            )


def _parse(line: bytes, number: int, path: Path) -> tuple[Row, Truth]:
    try:
        read = msgspec.json.decode(line, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInputError(
            f"{path}, line {number}: {error}", "each line is a JSON object with `query` and `reply`; nothing was run"
        ) from error
    if not read.query.strip() or not read.reply.strip():
        raise BadInputError(f"{path}, line {number}: empty query or reply", "mend or remove the line; nothing was run")
    return Row(read.query, read.reply, read.id or f"line:{number}"), Truth(read.topic, read.also)


@final
class Recorded:
    """A teacher that replays recorded replies: free, and the same every time."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._replies: dict[tuple[str, str], str] = {}
        for row in rows:
            self._replies["text", row.query] = row.reply  # the later reply, if recorded twice
            if row.id:
                self._replies["row", row.id] = row.reply

    def ask(self, query: Query, show: Show | None = None) -> Reply | Outage:
        """Return the recorded reply, by the query's row or else its text."""
        text = self._replies.get(("row", query.row or ""), self._replies.get(("text", query.text)))
        if text is None:
            return outage("not_recorded")
        if show:
            show(text)
        return Reply(text=text, model="recorded", stop_reason="end_turn", cost_usd=0.0)


@final
class Scripted:
    """A teacher for tests: returns the given outcomes in order and remembers the queries."""

    def __init__(self, *outcomes: Reply | Outage) -> None:
        self._left = list(outcomes)
        self.asked: list[Query] = []

    def ask(self, query: Query, show: Show | None = None) -> Reply | Outage:
        """Return the next outcome.

        Raises:
            AssertionError: there is none left.
        """
        self.asked.append(query)
        if not self._left:
            raise AssertionError(f"the script ends before query {len(self.asked)}")
        outcome = self._left.pop(0)
        if show and isinstance(outcome, Reply):
            show(outcome.text)
        return outcome
