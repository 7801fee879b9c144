"""Read recorded streams of queries and replies; give recorded and scripted teachers that stand in for Claude."""

import hashlib
import json
import random
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import final

import msgspec

from shammah_mlx.config import LIST_PRICES, JudgeConfig, Price, TeacherConfig
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import Outage, Query, Reply, Show, Verdict
from shammah_mlx.teacher.judge import RUBRIC, asked_tokens, price_of, verdict_tokens
from shammah_mlx.teacher.outages import outage
from shammah_mlx.teacher.reply import about_tokens


class Row(msgspec.Struct, frozen=True):
    """One recorded query and the teacher's reply: all that the program sees."""

    query: str
    reply: str
    id: str = ""
    asked: Query | None = None  # the query with its context, where the row is one of a home's own


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
class SimulatedJudge:
    """A stand-in for Claude as judge: it knows a stream's truth, and errs with a given probability, both ways.

    It is the one part that sees the truth and answers the program. What it tells is the verdict.
    """

    def __init__(
        self,
        truths: Iterable[tuple[Row, Truth]],
        error: float,
        seed: int,
        model: str = JudgeConfig().model,
        prices: Mapping[str, Price] = LIST_PRICES,
    ) -> None:
        """Take the stream's rows with their truth; verdicts are priced as those of `model`."""
        self._error, self._seed, self._model, self._prices = error, seed, model, prices
        self._rows: dict[tuple[str, str], tuple[Row, Truth]] = {}
        self._topics: dict[str, set[str]] = {}  # by the text of a reply
        for row, truth in truths:
            self._rows["text", row.query] = self._rows["row", row.id] = (row, truth)
            if truth.topic is not None:
                self._topics.setdefault(row.reply, set()).add(truth.topic)

    def judge(self, query: Query, answer: str, reply: str | None) -> Verdict | Outage:
        """Return the verdict: always the same one on the same answer to the same row."""
        found = self._rows.get(("row", query.row or ""), self._rows.get(("text", query.text)))
        if found is None:
            return outage("not_recorded")
        row, truth = found
        errs = _coin(self._seed, row.id, answer) < self._error
        read, written = verdict_tokens(query, answer, reply)
        return Verdict(
            good=self._is_right(answer, row, truth) != errs,
            model="simulated",
            rubric=RUBRIC,
            with_reply=reply is not None,
            input_tokens=read,
            output_tokens=written,
            cost_usd=price_of(self._model, read, written, self._prices),
        )

    def _is_right(self, answer: str, row: Row, truth: Truth) -> bool:
        """Say whether the answer is the row's own reply, or one that its truth accepts."""
        if answer == row.reply:
            return True
        topics = self._topics.get(answer, set())
        return truth.topic is not None and bool(topics) and topics <= truth.accepted


def _coin(*parts: object) -> float:
    """Return a number in [0, 1) that depends on `parts` alone."""
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


@final
class Recorded:
    """A teacher that replays recorded replies, the same every time: free, or at list prices with counted tokens."""

    def __init__(
        self,
        rows: Iterable[Row],
        judge: SimulatedJudge | None = None,
        prices: Mapping[str, Price] | None = None,
        model: str = TeacherConfig().model,
    ) -> None:
        """Take the rows; with `prices`, a reply costs what `model` would take, or the query's own model."""
        self._judge, self._prices, self._model = judge, prices, model
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
        if self._prices is None:
            return Reply(text=text, model="recorded", stop_reason="end_turn", cost_usd=0.0)
        read, written = asked_tokens(query), about_tokens(text)
        return Reply(
            text=text,
            model="recorded",
            stop_reason="end_turn",
            input_tokens=read,
            output_tokens=written,
            cost_usd=price_of(query.model or self._model, read, written, self._prices),
        )

    def judge(self, query: Query, answer: str, reply: str | None) -> Verdict | Outage:
        """Return the stand-in's verdict, or an outage if there is no stand-in."""
        return self._judge.judge(query, answer, reply) if self._judge else outage("no_judge")


@final
class Scripted:
    """A teacher for tests: returns the given outcomes and verdicts in order, and remembers what it was asked."""

    def __init__(self, *outcomes: Reply | Outage, verdicts: Iterable[Verdict | Outage] = ()) -> None:
        self._left = list(outcomes)
        self._verdicts_left = list(verdicts)
        self.asked: list[Query] = []
        self.judged: list[tuple[Query, str, str | None]] = []  # query, answer, and Claude's reply if shown

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

    def judge(self, query: Query, answer: str, reply: str | None) -> Verdict | Outage:
        """Return the next verdict.

        Raises:
            AssertionError: there is none left.
        """
        self.judged.append((query, answer, reply))
        if not self._verdicts_left:
            raise AssertionError(f"the script ends before verdict {len(self.judged)}")
        return self._verdicts_left.pop(0)
