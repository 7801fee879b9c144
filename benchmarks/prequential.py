"""Compare policies on recorded streams; each query is answered before its reply is learnt.

    python -m benchmarks.prequential --streams ../shared/data/streams --out DIR

This runs the whole PLAN, which takes hours on two cores. --only, --arms, --shuffles and --limit narrow it; --smoke runs
a small plan on the sample stream. Each cell (stream, arm, shuffle) is written to its own file under DIR/cells and is
skipped if the file exists for this machine and commit, so a stopped run can be continued. Cells of other commits, or of
uncommitted changes, are used only with --keep. At the end the tables are printed, and DIR has prequential.json and
prequential.png.

The arms are in `arms`. Answers are judged by the stream's truth and, separately, by the fitted meter.
"""

import argparse
import importlib.util
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from rich.console import Console

from benchmarks.arms import ABLATIONS, ARMS, AT_OTHER_RATES, BASELINES, RECALL, Arm, make_arms
from benchmarks.literal import commit, machine
from benchmarks.scores import (
    CAPTION,
    Cell,
    Judge,
    Summary,
    Where,
    bands_table,
    by_stream,
    measure,
    slug,
    sum_up,
    totals_table,
)
from shammah_mlx.display.report import EXPECTED_FORWARD
from shammah_mlx.files import replacing
from shammah_mlx.models.embedder import LazyEmbedder
from shammah_mlx.models.weights import Weights, weights_folder
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import read_stream
from shammah_mlx.text.divergence import fitted


class Part(NamedTuple):
    """Arms to run on streams, shuffled with the seeds 1 to `shuffles`."""

    streams: tuple[str, ...]
    arms: tuple[str, ...]
    shuffles: int
    limit: int | None = None


SAMPLE = Path("examples")
SHORT = ("covid_faq", "commands", "number_trap", "claude_chat", "claude_math", "intents")
PLAN = (
    Part(SHORT, (*BASELINES, RECALL), 5),
    Part(("covid_faq", "intents"), tuple(AT_OTHER_RATES), 5),
    Part(("covid_faq", "commands", "number_trap"), tuple(ABLATIONS), 5),
    Part(("covid_faq",), (*BASELINES, RECALL, "default", "literal"), 1, 150),  # the last two take seconds a query
    Part(("claude_chat",), (*BASELINES, RECALL, "default", "literal"), 1, 60),
    Part(("task_slots",), ("always Claude", "exact cache", RECALL, "default"), 2, 1500),  # the input never recurs
    Part(("commands_long", "intents_long"), (*BASELINES, RECALL), 1),  # only intents_long has more than 5,000 queries
)
SMOKE = (Part(("questions",), (*BASELINES, RECALL, "without words"), 1, 120),)


class Task(NamedTuple):
    """A cell to run."""

    stream: str
    arm: str
    shuffle: int
    limit: int | None

    @property
    def file(self) -> str:
        """Return the name of the cell's file."""
        return f"{self.stream}-{slug(self.arm)}-{self.shuffle}-{self.limit or 'all'}.json"


def tasks(
    plan: tuple[Part, ...], only: list[str] | None, arms: list[str] | None, shuffles: int | None, limit: int | None
) -> list[Task]:
    """Return the cells of a plan, each once, after narrowing it; None does not narrow."""

    def smaller(planned: int | None, given: int | None) -> int | None:
        return min((number for number in (planned, given) if number is not None), default=None)

    def planned() -> Iterator[Task]:
        for part in plan:
            for stream in part.streams:
                for arm in part.arms:
                    for shuffle in range(1, (smaller(part.shuffles, shuffles) or 1) + 1):
                        yield Task(stream, arm, shuffle, smaller(part.limit, limit))

    wanted = dict.fromkeys(
        task for task in planned() if (not only or task.stream in only) and (not arms or task.arm in arms)
    )
    return list(wanted)


class Bench:
    """Runs cells and stores them in a folder."""

    def __init__(self, streams: Path, out: Path, arms: dict[str, Arm], judge: Judge, where: Where, *, keep: bool):
        self._streams, self._cells, self._arms = streams, out / "cells", arms
        self._judge, self._where, self._keep = judge, where, keep
        self._cells.mkdir(parents=True, exist_ok=True)

    def known(self, task: Task) -> Cell | None:
        """Return the stored cell if it is from this machine and, unless `keep` is set, from this commit; else None."""
        path = self._cells / task.file
        if not path.exists():
            return None
        cell = msgspec.json.decode(path.read_bytes(), type=Cell)
        same = cell.where == self._where and not cell.where.commit.endswith("-dirty")
        return cell if same or (self._keep and cell.where.machine == self._where.machine) else None

    def run(self, task: Task) -> Cell:
        """Run a cell and store it."""
        stream = read_stream(self._streams / f"{task.stream}.jsonl", task.shuffle, task.limit)
        started = time.perf_counter()
        done = self._arms[task.arm](stream)
        seconds = time.perf_counter() - started
        bands, total = measure(stream, done, self._judge)
        cell = Cell(self._where, *task, seconds, done.threshold, bands, total)
        path = self._cells / task.file
        with replacing(path) as file:
            file.write(msgspec.json.format(msgspec.json.encode(cell)) + b"\n")
        return cell


def summaries(cells: list[Cell]) -> list[Summary]:
    """Sum the cells over shuffles; the arms of each stream are in the order of the tables."""
    groups: dict[tuple[str, int | None, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.stream, cell.limit, cell.arm), []).append(cell)
    found = [sum_up(group) for group in groups.values()]
    streams = list(by_stream(found))
    return sorted(found, key=lambda one: (streams.index(next(iter(by_stream([one])))), ARMS.index(one.arm)))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--streams", type=Path, help="folder of the recorded streams")
    parser.add_argument("--out", type=Path, required=True, help="folder for cells, summary and picture")
    parser.add_argument("--only", nargs="+", metavar="STREAM")
    parser.add_argument("--arms", nargs="+", metavar="ARM", choices=ARMS, help=", ".join(ARMS).replace("%", "%%"))
    parser.add_argument("--shuffles", type=int, help="most shuffles of each stream")
    parser.add_argument("--limit", type=int, help="most rows of each stream")
    parser.add_argument(
        "--smoke", action="store_true", help="run a small plan on the sample stream, in less than a minute"
    )
    parser.add_argument("--keep", action="store_true", help="use stored cells of other commits")
    given = parser.parse_args()
    if given.streams is None:
        given.streams = SAMPLE
        if not given.smoke:
            parser.error("--streams is missing; or use --smoke, which needs none")
    if importlib.util.find_spec("matplotlib") is None:
        parser.error("the picture needs matplotlib: .venv/bin/python -m pip install --group bench")
    return given


def main() -> None:
    """Run the missing cells, then sum up, print and draw."""
    given = arguments()
    todo = tasks(SMOKE if given.smoke else PLAN, given.only, given.arms, given.shuffles, given.limit)
    if not todo:
        sys.exit("no cell of the plan matches these options; see PLAN in benchmarks/prequential.py")
    weights = Weights(weights_folder())
    judge = Judge(fitted(LazyEmbedder(weights.embedder)), PRESETS["default"].divergence.threshold)
    where = Where(machine().partition(", commit")[0], commit())
    bench = Bench(given.streams, given.out, make_arms(weights, judge.meter), judge, where, keep=given.keep)
    cells = []
    for number, task in enumerate(todo, 1):
        cell = bench.known(task)
        if cell is None:
            cell = bench.run(task)
            print(f"{number}/{len(todo)} {task.file}: {cell.seconds:.0f} s", file=sys.stderr, flush=True)
        cells.append(cell)
    show(summaries(cells), where, given.out)


def show(found: list[Summary], where: Where, out: Path) -> None:
    """Write the summary and the picture; print the tables."""
    from benchmarks.picture import draw  # imported late: matplotlib is needed only here

    seed = PRESETS["default"].seed
    summary = {"where": where, "seed": seed, "arms": found}
    (out / "prequential.json").write_bytes(msgspec.json.format(msgspec.json.encode(summary)) + b"\n")
    console = Console(width=None if sys.stdout.isatty() else 130)
    console.print(f"# {where.machine}, commit {where.commit}, seed {seed}")
    for title, group in by_stream(found).items():
        console.print(totals_table(f"{title}: {group[0].total.queries} queries", group))
        console.print(bands_table(group, EXPECTED_FORWARD))
    console.print(CAPTION)
    draw(found, out / "prequential.png")


if __name__ == "__main__":
    main()
