"""Score the runs of the benchmark, sum them over shuffles and print tables."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from rich.table import Table

from benchmarks.arms import MOST_BAD, Run
from benchmarks.caches import Served, Stream
from shammah_mlx.config import Price
from shammah_mlx.home.prequential import Band, score
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Truth
from shammah_mlx.text.divergence import Meter

CHARACTERS_A_TOKEN = 4  # in English, by Anthropic's rule of thumb; recordings have no token counts
CAPTION = (
    "no call: share of queries without a call to Claude, mean ± sd over shuffles; local: share answered locally; bad: "
    "share of these that are wrong, by the stream's truth and by the fitted meter, pooled; over: runs with more than "
    "5 % bad by truth; p50, p95: ms of the local decision (recorded replies take no time), median over shuffles; $: "
    "cost of the calls, estimated at 4 characters a token and the list price"
)


class Where(msgspec.Struct, frozen=True):
    """The machine and commit that a cell was measured on."""

    machine: str
    commit: str


class Measured(Band, frozen=True, rename={"start": "from"}):
    """A band of one run, with counts that only this benchmark needs."""

    bad_meter: int  # locally served answers that the fitted meter calls divergent from the recorded reply
    p50_ms: float  # until the user has the answer; recorded replies take no time
    p95_ms: float
    usd: float  # estimated cost of the calls


class Cell(msgspec.Struct, frozen=True):
    """One run of an arm on a stream in one order."""

    where: Where
    stream: str
    arm: str
    shuffle: int
    limit: int | None
    seconds: float
    threshold: float | None  # chosen in hindsight
    bands: list[Measured]
    total: Measured


class Sum(msgspec.Struct, frozen=True, rename={"start": "from"}):
    """A band, or a whole stream, over all shuffles. Shares are None if nothing was served locally."""

    start: int
    to: int
    queries: int  # of one run
    no_call: float  # share of queries without any call to Claude, mean of the runs
    no_call_sd: float
    calls_per_100: float
    local: int  # of all runs together
    local_share: float
    bad: float | None  # share of the local answers that are bad by truth, pooled
    bad_meter: float | None
    over: int  # runs with a larger share of bad answers than allowed
    p50_ms: float  # median of the runs
    p95_ms: float
    usd: float  # estimated cost of one run


class Summary(msgspec.Struct, frozen=True):
    """The results of one arm on one stream."""

    stream: str
    limit: int | None
    arm: str
    shuffles: list[int]
    thresholds: list[float | None]  # chosen in hindsight, by shuffle
    seconds: float  # of all runs
    bands: list[Sum]
    total: Sum


class Judge(NamedTuple):
    """The meter and threshold that answers are measured with, the same for all arms."""

    meter: Meter
    threshold: float


def measure(stream: Stream, run: Run, judge: Judge) -> tuple[list[Measured], Measured]:
    """Return the bands of a run and its total."""
    traces = [served.trace for served in run.served]
    bands, total = score(stream, traces, *judge)
    blind = [(row, Truth()) for row, _ in stream]  # without topics, so that the meter decides
    by_meter, all_by_meter = score(blind, traces, *judge)
    measured = [_measured(band, metered, stream, run.served) for band, metered in zip(bands, by_meter, strict=True)]
    return measured, _measured(total, all_by_meter, stream, run.served)


def _measured(band: Band, metered: Band, stream: Stream, served: Sequence[Served]) -> Measured:
    inside = slice(band.start, band.to)
    ms = sorted(each.ms for each in served[inside])
    return Measured(
        **msgspec.structs.asdict(band),
        bad_meter=metered.bad_local,
        p50_ms=quantile(ms, 0.5),
        p95_ms=quantile(ms, 0.95),
        usd=cost(stream[inside], served[inside]),
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of the ordered numbers such that this share of them does not exceed it."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def cost(stream: Stream, served: Sequence[Served]) -> float:
    """Estimate the cost of the calls in dollars, at the default model's list price.

    The estimate is too low, since thinking and system prompts are not counted, but fair between arms.
    """
    config = PRESETS["default"].teacher
    price: Price = config.prices[config.model]
    called = [row for (row, _), each in zip(stream, served, strict=True) if each.trace.called_claude]
    read, written = sum(len(row.query) for row in called), sum(len(row.reply) for row in called)
    return (read * price.input + written * price.output) / CHARACTERS_A_TOKEN / 1e6


def sum_up(cells: Sequence[Cell]) -> Summary:
    """Sum the cells of one arm on one stream over their shuffles."""
    first = cells[0]
    return Summary(
        stream=first.stream,
        limit=first.limit,
        arm=first.arm,
        shuffles=[cell.shuffle for cell in cells],
        thresholds=[cell.threshold for cell in cells],
        seconds=sum(cell.seconds for cell in cells),
        bands=[_sum([cell.bands[i] for cell in cells]) for i in range(len(first.bands))],
        total=_sum([cell.total for cell in cells]),
    )


def _sum(runs: Sequence[Measured]) -> Sum:
    no_call = [1.0 - run.calls / run.queries for run in runs]
    queries, local = sum(run.queries for run in runs), sum(run.local for run in runs)
    return Sum(
        start=runs[0].start,
        to=runs[0].to,
        queries=runs[0].queries,
        no_call=statistics.mean(no_call),
        no_call_sd=statistics.stdev(no_call) if len(no_call) > 1 else 0.0,
        calls_per_100=100.0 * sum(run.calls for run in runs) / queries,
        local=local,
        local_share=local / queries,
        bad=sum(run.bad_local for run in runs) / local if local else None,
        bad_meter=sum(run.bad_meter for run in runs) / local if local else None,
        over=sum(run.bad_local > MOST_BAD * run.local for run in runs),
        p50_ms=statistics.median(run.p50_ms for run in runs),
        p95_ms=statistics.median(run.p95_ms for run in runs),
        usd=statistics.mean(run.usd for run in runs),
    )


def totals_table(title: str, summaries: Sequence[Summary]) -> Table:
    """Return a table of one stream, with a line for each arm."""
    table = Table(title=title, title_justify="left")
    table.add_column("arm", no_wrap=True)
    for name in ("no call", "local", "bad: truth", "meter", "over", "p50", "p95", "$"):
        table.add_column(name, justify="right", no_wrap=True)
    for summary in summaries:
        total = summary.total
        table.add_row(
            _name(summary),
            f"{total.no_call:.3f} ± {total.no_call_sd:.3f}",
            f"{total.local_share:.3f}",
            _share(total.bad),
            _share(total.bad_meter),
            f"{total.over} of {len(summary.shuffles)}",
            f"{total.p50_ms:.1f}",
            f"{total.p95_ms:.1f}",
            f"{total.usd:.3f}",
        )
    return table


def bands_table(summaries: Sequence[Summary], expected: Mapping[int, str]) -> Table:
    """Return a table by query bands: calls per 100 queries and, where any answers were local, the % of bad ones."""
    table = Table(title="calls per 100 queries (% bad by truth)", title_justify="left")
    table.add_column("arm", no_wrap=True)
    for band in summaries[0].bands:
        table.add_column(f"{band.start}-{band.to}", justify="right", no_wrap=True)
    table.add_row("specified, to Claude", *(expected[band.start] for band in summaries[0].bands), end_section=True)
    for summary in summaries:
        table.add_row(_name(summary), *map(_band_cell, summary.bands))
    return table


def _band_cell(band: Sum) -> str:
    return f"{band.calls_per_100:.0f}" + ("" if band.bad is None else f" ({100.0 * band.bad:.0f})")


def _name(summary: Summary) -> str:
    chosen = sorted({f"{threshold:.2f}" for threshold in summary.thresholds if threshold is not None})
    return summary.arm + (f" ({chosen[0]}-{chosen[-1]})" if len(chosen) > 1 else f" ({chosen[0]})" if chosen else "")


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"


def by_stream(summaries: Sequence[Summary]) -> dict[str, list[Summary]]:
    """Group summaries by stream and length, in their order. The key names both."""
    groups: dict[str, list[Summary]] = {}
    for summary in summaries:
        cut = f", first {summary.limit}" if summary.limit else ""
        groups.setdefault(summary.stream + cut, []).append(summary)
    return groups


def slug(name: str) -> str:
    """Replace characters that do not belong in a file name."""
    return "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in name)
