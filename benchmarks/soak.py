"""Ask thousands of questions in one process, and watch memory, latency and the cost of writing to disk.

    python -m benchmarks.soak STREAM [--limit N] [--generator recall+decoder]

Prints a line for each tenth of the run. The home is on disk and saved as usual. "Durable" is the time for commits of
the journal and saves of the models; it is compared with the time for the models' steps.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from copy import copy
from pathlib import Path
from statistics import median

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.literal import machine
from shammah_mlx.events import Interaction, Query
from shammah_mlx.home.assistant import Assistant
from shammah_mlx.models.backend import mx
from shammah_mlx.models.weights import Weights, weights_folder
from shammah_mlx.presets import load_config
from shammah_mlx.teacher.recordings import Recorded, Row, read_stream

PARTS = 10
MB = 1e6


class Part(msgspec.Struct, frozen=True):
    """Times of one part of the run, and sizes at its end."""

    queries: int
    local: int
    ask_ms: float  # median; recorded replies take no time
    ask_p95_ms: float
    learn_ms: float  # mean a query, without saves
    step_ms: float  # mean a query, for the steps of all models
    durable_ms: float  # mean a query, for commits and saves
    written_kb: float | None  # a query; None if the system does not report it
    active_mb: float  # memory of MLX
    cache_mb: float
    rss_mb: float
    journal_mb: float
    models_mb: float  # current snapshot and checkpoints; linked files count once
    metrics_mb: float


def soak(rows: list[Row], generator: str) -> list[Part]:
    """Ask and learn every row in a temporary home; return the parts of the run."""
    with tempfile.TemporaryDirectory(prefix="shammah-soak-") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        config = load_config(home / "config.toml", {"generator": generator})
        with Assistant(home, config, Recorded(rows), Weights(weights_folder())) as assistant:
            size = -(-len(rows) // PARTS)
            return [_part(rows[at : at + size], assistant, home) for at in range(0, len(rows), size)]


def _part(rows: list[Row], assistant: Assistant, home: Path) -> Part:
    asked, learnt, local = [], 0.0, 0
    before, spent = _written(), copy(assistant.spent)
    for row in rows:
        started = time.perf_counter()
        interaction = assistant.ask(Query(row.query, row=row.id))
        asked.append(1000.0 * (time.perf_counter() - started))
        local += isinstance(interaction, Interaction) and interaction.served_local
        started = time.perf_counter()
        assistant.learn_pending()
        learnt += time.perf_counter() - started
    written = None if before is None else (_written() or 0) - before
    saves = assistant.spent.saves_s - spent.saves_s
    durable = saves + assistant.spent.journal_s - spent.journal_s
    steps = assistant.spent.steps_s - spent.steps_s
    return Part(
        queries=len(rows),
        local=local,
        ask_ms=median(asked),
        ask_p95_ms=sorted(asked)[int(0.95 * len(asked))],
        learn_ms=1000.0 * (learnt - saves) / len(rows),
        step_ms=1000.0 * steps / len(rows),
        durable_ms=1000.0 * durable / len(rows),
        written_kb=None if written is None else written / 1e3 / len(rows),
        active_mb=mx.get_active_memory() / MB,
        cache_mb=mx.get_cache_memory() / MB,
        rss_mb=_rss_mb(),
        journal_mb=_size_mb(*home.glob("journal.db*")),
        models_mb=_size_mb(*(home / "states").rglob("*"), *(home / "checkpoints").rglob("*")),
        metrics_mb=_size_mb(home / "metrics" / "training.jsonl"),
    )


def _written() -> int | None:
    """Return the bytes that this process has written to disks; None if the system is not Linux."""
    path = Path("/proc/self/io")
    if not path.exists():
        return None
    counters = dict(line.split(": ") for line in path.read_text().splitlines())
    return int(counters["write_bytes"])


def _rss_mb() -> float:
    done = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024 / MB


def _size_mb(*paths: Path) -> float:
    sizes = {}
    for path in paths:
        if path.is_file():
            stat = path.stat()
            sizes[stat.st_ino] = stat.st_size
    return sum(sizes.values()) / MB


def table(parts: list[Part]) -> Table:
    """Return a table with a row for each part."""
    shown = Table(caption=_verdict(parts))
    names = [
        *("queries", "local", "ask ms: p50", "p95", "learn ms", "steps ms", "durable ms", "of steps", "kB"),
        *("MLX MB", "cache", "RSS", "journal MB", "models", "metrics"),
    ]
    for name in names:
        shown.add_column(name, justify="right")
    for part in parts:
        shown.add_row(
            str(part.queries),
            str(part.local),
            f"{part.ask_ms:.1f}",
            f"{part.ask_p95_ms:.1f}",
            f"{part.learn_ms:.1f}",
            f"{part.step_ms:.1f}",
            f"{part.durable_ms:.2f}",
            f"{part.durable_ms / part.step_ms:.1%}" if part.step_ms else "-",
            "-" if part.written_kb is None else f"{part.written_kb:.0f}",
            *(f"{mb:.1f}" for mb in (part.active_mb, part.cache_mb, part.rss_mb)),
            *(f"{mb:.1f}" for mb in (part.journal_mb, part.models_mb, part.metrics_mb)),
        )
    return shown


def _verdict(parts: list[Part]) -> str:
    """Compare the last part with the second; the first one warms up."""
    second, last = parts[1], parts[-1]
    share = sum(part.durable_ms * part.queries for part in parts) / sum(part.step_ms * part.queries for part in parts)
    return (
        f"last part to second: RSS {last.rss_mb / second.rss_mb:.3f}, ask p50 {last.ask_ms / second.ask_ms:.2f}, "
        f"learn {last.learn_ms / second.learn_ms:.2f}, durable {last.durable_ms / second.durable_ms:.2f}; "
        f"durable of steps, whole run: {share:.1%}; peak RSS {_peak_mb():.0f} MB"
    )


def _peak_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def main() -> None:
    """Run the soak test and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("stream", type=Path)
    parser.add_argument("--limit", type=int, help="number of rows; the stream is repeated if it has fewer")
    parser.add_argument("--shuffle", type=int, default=1)
    parser.add_argument("--generator", choices=["recall", "recall+decoder", "scratch"], default="recall")
    given = parser.parse_args()
    rows = [row for row, _ in read_stream(given.stream, given.shuffle, None)]
    limit = given.limit or len(rows)
    rows = [rows[n % len(rows)] for n in range(limit)]
    print(f"# {machine()}; {given.stream.name}, shuffle {given.shuffle}, {limit} queries, {given.generator}")
    Console(width=170).print(table(soak(rows, given.generator)))


if __name__ == "__main__":
    main()
