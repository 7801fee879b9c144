"""`shammah replay`: run the loop over a recorded stream."""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from shammah_mlx.cli.checks import check_outputs
from shammah_mlx.cli.options import home_and_config, home_of, merge_options, settings
from shammah_mlx.display.console import progress
from shammah_mlx.errors import BadInputError
from shammah_mlx.files import replacing
from shammah_mlx.home.folder import make_home

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shammah_mlx.config import Config
    from shammah_mlx.home.own_stream import OwnStream
    from shammah_mlx.home.prequential import Result
    from shammah_mlx.teacher.recordings import Row, SimulatedJudge, Truth


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--mine", is_flag=True, help="Run over this home's own questions, and say what would have been saved.")
@click.option("--shuffle", type=int, metavar="SEED", help="Shuffle the rows with this seed.")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after this many rows.")
@click.option(
    "--generator",
    type=click.Choice(["recall", "recall+decoder"]),
    help="Source of drafts; recall alone is much faster.",
)
@click.option(
    "--judge",
    type=click.Choice(["simulated"]),
    help="Add a stand-in for Claude as judge: it knows the stream's truth, and errs now and then.",
)
@click.option(
    "--judge-error",
    type=click.FloatRange(0.0, 0.5),
    default=0.03,
    show_default=True,
    help="Share of the stand-in's verdicts that are wrong, both ways.",
)
@click.option("--json", "json_out", type=click.Path(path_type=Path), metavar="OUT", help="Write the results as JSON.")
@click.option(
    "--trace", "trace_out", type=click.Path(path_type=Path), metavar="OUT", help="Write one JSON line per query."
)
@settings
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    file: Path | None,
    mine: bool,
    shuffle: int | None,
    limit: int | None,
    generator: str | None,
    judge: str | None,
    judge_error: float,
    json_out: Path | None,
    trace_out: Path | None,
    **options: Any,
) -> None:
    """Run the loop over recorded or your own questions.

    FILE has one JSON object per line, with `query` and `reply`. The run uses a temporary home and deletes it at the
    end, unless --home names a new or empty folder. With --mine, --home names the home whose questions are replayed; it
    is only read.

    \b
    Examples:
      shammah replay examples/questions.jsonl --generator recall
      shammah replay --mine --generator recall
    """
    if mine == (file is not None):
        raise click.UsageError("Give either FILE or --mine.")
    if mine and (judge or shuffle is not None):
        raise click.UsageError("--mine excludes --judge, which needs a stream's truth, and --shuffle.")
    from shammah_mlx.display.report import replay_json
    from shammah_mlx.home.own_stream import read_own
    from shammah_mlx.teacher.recordings import SimulatedJudge, read_stream

    own = read_own(home_of(ctx, options), limit) if file is None else None
    stream = own.rows if own else read_stream(file, shuffle, limit) if file else []
    check_outputs(file, json_out, trace_out)
    with ExitStack() as stack:
        overrides = {"generator": generator, "judge": None if judge else {"share": 0.0}}
        home, config = _home_and_config(ctx, options, overrides, stack, mine=mine)
        stand_in = SimulatedJudge(stream, judge_error, config.seed) if judge else None
        trace = stack.enter_context(trace_out.open("wb")) if trace_out else None
        saves = not mine and merge_options(ctx, options)["home"] is not None
        result = _run(stream, own, home, config, stand_in, trace, saves=saves)
        if json_out:
            with replacing(json_out) as out:
                out.write(replay_json(file.name if file else "mine", config.preset, shuffle, result))
    _show(result, own)


def _run(
    stream: "Sequence[tuple[Row, Truth]]",
    own: "OwnStream | None",
    home: Path,
    config: "Config",
    judge: "SimulatedJudge | None",
    trace: BinaryIO | None,
    *,
    saves: bool,
) -> "Result":
    """Run the loop over a stream, in a home that nobody else uses; `own` says more of it if it is the user's own."""
    from msgspec import UNSET

    from shammah_mlx.home.assistant import Assistant, AssistantOptions
    from shammah_mlx.home.prequential import Calendar, run
    from shammah_mlx.models.weights import Weights, weights_folder
    from shammah_mlx.teacher.recordings import Recorded

    weights = Weights(weights_folder())
    teacher = Recorded((row for row, _ in stream), judge, config.teacher.prices)
    calendar = Calendar(time.time())  # a recorded stream has no times: everything in it happens at once
    opened = AssistantOptions(saves=saves, clock=calendar.read, origin=own.origin if own else UNSET)
    past, refuted = (own.served, own.refuted) if own else ({}, frozenset[str]())
    with (
        Assistant(home, config, teacher, weights, options=opened) as assistant,
        progress("replay", len(stream)) as advance,
    ):
        return run(stream, assistant, trace, advance, calendar.turn, past, refuted)


def _show(result: "Result", own: "OwnStream | None") -> None:
    """Print the table of a run, and of the user's own questions what would have been saved."""
    from rich.console import Console

    from shammah_mlx.display import bands, listing, report

    bands.print_table(report.band_table(result), Console())
    for line in listing.savings(result, own) if own else ():
        click.echo(line)


def _home_and_config(
    ctx: click.Context, options: dict[str, Any], overrides: dict[str, Any], stack: ExitStack, *, mine: bool
) -> "tuple[Path, Config]":
    """Return the home of the run, and its settings; those of the user's home if its own questions are replayed."""
    if mine:
        return _replay_home(None, stack), home_and_config(ctx, options, overrides)[1]
    options = {**options, "home": _replay_home(merge_options(ctx, options)["home"], stack)}
    return home_and_config(ctx, options, overrides)


def _replay_home(home: Path | None, stack: ExitStack) -> Path:
    if home is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shammah-replay-")))
    if (home / "journal.db").exists():
        raise BadInputError(f"{home} already has a journal", "name a new or empty folder with --home, or leave it out")
    return make_home(home)
