"""Run the loop over a recorded stream, then score the answers by the stream's truth.

The loop sees rows without their truth; truth and trace meet only here, after the run.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import BinaryIO

import msgspec

from shammah_mlx.config import TeacherConfig
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import Exchange, Interaction, Outage, Query, Source
from shammah_mlx.home.assistant import Assistant
from shammah_mlx.teacher.judge import answer_price
from shammah_mlx.teacher.recordings import Row, Truth
from shammah_mlx.text.divergence import Meter

BANDS = (0, 50, 200, 500, 1000, 2000, 5000)
"""Query counts at which the bands of the specification's Expected Performance begin."""


class Trace(msgspec.Struct, frozen=True, rename={"audit_probability": "pi"}):
    """What the program did with one row; other programs read it, so its JSON names are fixed."""

    id: str
    source: Source
    answer: str
    from_id: str | None  # the row a recalled answer came from
    p_local: float
    p_accept: float | None
    threshold: float | None
    audit_probability: float | None  # of the draft that stood
    audit: bool
    called_claude: bool  # a whole answer was bought
    checked: bool  # a verdict was bought
    divergence: float | None
    cost_usd: float  # of the answer and of the verdicts, at list prices
    cost_all_usd: float  # of the answer if every query were forwarded


class Band(msgspec.Struct, frozen=True, rename={"start": "from"}):
    """Counts over the queries [start, to)."""

    start: int
    to: int
    queries: int
    calls: int  # queries that bought a whole answer from Claude, for any reason
    checks: int  # queries with a verdict
    local: int  # queries that were answered locally
    bad_local: int  # local answers that were wrong by the stream's truth
    mean_divergence: float | None  # of the drafts that were measured
    cost_usd: float  # at list prices, with counted tokens
    cost_all_usd: float  # of forwarding everything


class Result(msgspec.Struct, frozen=True):
    """A finished run."""

    bands: list[Band]
    total: Band
    moved: dict[str, float]  # L2 distance of each model's weights from where they started


class Calendar:
    """A clock that shows the date of the row that is asked."""

    def __init__(self, now: float) -> None:
        """Take what it shows for rows without a date, Unix time."""
        self.now = now

    def turn(self, row: Row) -> None:
        """Go to the date of a row, if it has one."""
        self.now = row.asked.at if row.asked else self.now

    def read(self) -> float:
        """Return what the clock shows."""
        return self.now


def run(
    stream: Sequence[tuple[Row, Truth]],
    assistant: Assistant,
    trace_out: BinaryIO | None,
    advance: Callable[[], None],
    turn: Callable[[Row], None] = lambda _: None,
    past: Mapping[str, Interaction] = {},
    past_bad: Collection[str] = (),
) -> Result:
    """Ask every row in turn and learn after each, then score; write one trace line a row, and call `advance`.

    `turn` is called with each row before it is asked. The rows in `past` are not asked: they count as they happened,
    and are bad if they are in `past_bad`. Both name rows by their id.
    """
    initial = assistant.roles.state()
    played = play([pair for pair in stream if pair[0].id not in past], assistant, turn)
    traces = []
    for row, _ in stream:
        line = trace(row, past[row.id] if row.id in past else next(played), assistant.config.teacher)
        traces.append(line)
        if trace_out:
            trace_out.write(msgspec.json.encode(line) + b"\n")
        advance()
    moved = assistant.roles.distance_from(initial)
    bands, total = score(stream, traces, assistant.meter, assistant.config.divergence.threshold, past_bad)
    return Result(bands, total, moved)


def play(
    stream: Sequence[tuple[Row, Truth]], assistant: Assistant, turn: Callable[[Row], None] = lambda _: None
) -> Iterator[Interaction]:
    """Ask every row in turn and learn after each; yield each interaction as observed."""
    for row, _ in stream:
        turn(row)
        asked = assistant.ask(row.asked or Query(row.query, row=row.id))
        if isinstance(asked, Outage):
            raise BadInputError(f"row {row.id}: {asked.message}", asked.hint)
        learnt = assistant.learn_pending()
        yield learnt[-1] if learnt else asked  # what looks like a secret is answered and never learnt


def trace(row: Row, interaction: Interaction, teacher: TeacherConfig) -> Trace:
    """Return the trace line of one interaction."""
    draft = interaction.draft
    return Trace(
        id=row.id,
        source=interaction.source,
        answer=interaction.answer,
        from_id=draft.from_id if draft else None,
        p_local=interaction.route.p_local,
        p_accept=interaction.p_accept,
        threshold=interaction.route.threshold,
        audit_probability=interaction.audit_probability,
        audit=interaction.audit,
        called_claude=interaction.called_claude,
        checked=interaction.is_judged,
        divergence=interaction.divergence,
        cost_usd=interaction.cost_usd or 0.0,
        cost_all_usd=answer_price(interaction.request.query, row.reply, teacher) or 0.0,
    )


def score(
    stream: Sequence[tuple[Row, Truth]],
    traces: Sequence[Trace],
    meter: Meter,
    threshold: float,
    known_bad: Collection[str] = (),
) -> tuple[list[Band], Band]:
    """Return the bands of a run and its total; the answers to the rows `known_bad` are bad, whatever the truth says."""
    topics = {row.id: truth.topic for row, truth in stream}

    def is_bad(line: Trace, row: Row, truth: Truth) -> bool:
        """Decide by the recorded reply, then by the accepted topics; by the meter if there are none."""
        if row.id in known_bad:
            return True
        if line.source == "claude" or line.answer == row.reply:
            return False
        topic = topics.get(line.from_id) if line.from_id else None
        if topic is not None and truth.topic is not None:
            return topic not in truth.accepted
        return meter(Exchange(row.query, line.answer), Exchange(row.query, row.reply)) >= threshold

    bad = [is_bad(line, row, truth) for line, (row, truth) in zip(traces, stream, strict=True)]
    starts = [start for start in BANDS if start < len(traces)]
    ends = [*starts[1:], len(traces)]
    bands = [_band(start, end, traces, bad) for start, end in zip(starts, ends, strict=True)]
    return bands, _band(0, len(traces), traces, bad)


def _band(start: int, end: int, traces: Sequence[Trace], bad: Sequence[bool]) -> Band:
    inside = traces[start:end]
    measured = [line.divergence for line in inside if line.divergence is not None]
    return Band(
        start=start,
        to=end,
        queries=len(inside),
        calls=sum(line.called_claude for line in inside),
        checks=sum(line.checked for line in inside),
        local=sum(line.source != "claude" for line in inside),
        bad_local=sum(bad[start:end]),
        mean_divergence=sum(measured) / len(measured) if measured else None,
        cost_usd=sum(line.cost_usd for line in inside),
        cost_all_usd=sum(line.cost_all_usd for line in inside),
    )
