"""`shammah replay`: run the loop over a recorded stream."""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from shammah_mlx.cli.console import check_outputs, progress
from shammah_mlx.cli.options import given_settings, home_and_config, settings
from shammah_mlx.errors import BadInputError
from shammah_mlx.home.folder import make_home


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--shuffle", type=int, metavar="SEED", help="Shuffle the rows by this seed.")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after so many rows.")
@click.option(
    "--generator", type=click.Choice(["recall", "recall+decoder"]), help="Who drafts; without the decoder it is fast."
)
@click.option("--json", "json_out", type=click.Path(path_type=Path), metavar="OUT", help="Write the table as JSON.")
@click.option("--trace", "trace_out", type=click.Path(path_type=Path), metavar="OUT", help="Write a JSON line a query.")
@settings
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    file: Path,
    shuffle: int | None,
    limit: int | None,
    generator: str | None,
    json_out: Path | None,
    trace_out: Path | None,
    **given: Any,
) -> None:
    """Run the loop over a recorded stream.

    FILE has a JSON object a line, with `query` and `reply`. The run has a home of its own: a temporary one, gone at the
    end, unless --home names a new or empty folder.
    """
    from rich.console import Console

    from shammah_mlx.cli import report
    from shammah_mlx.home.assistant import Assistant, AssistantOptions
    from shammah_mlx.home.prequential import run
    from shammah_mlx.models.weights import Weights, weights_folder
    from shammah_mlx.teacher.recordings import Recorded, read_stream

    given_home = given_settings(ctx, given)["home"]
    stream = read_stream(file, shuffle, limit)
    weights = Weights(weights_folder())
    check_outputs(file, json_out, trace_out)
    with ExitStack() as opened:
        given = {**given, "home": _replay_home(given_home, opened)}
        home, config = home_and_config(ctx, given, {"generator": generator})
        teacher = Recorded(row for row, _ in stream)
        now = time.time()  # a recorded stream has no clock: it is one moment
        assistant = opened.enter_context(
            Assistant(
                home,
                config,
                teacher,
                weights,
                options=AssistantOptions(saves=given_home is not None, clock=lambda: now),
            )
        )
        trace = opened.enter_context(trace_out.open("wb")) if trace_out else None
        with progress("replay", len(stream)) as advance:
            result = run(stream, assistant, trace, advance)
        if json_out:
            json_out.write_bytes(report.replay_json(file.name, config.preset, shuffle, result))
    Console().print(report.band_table(result))


def _replay_home(given: Path | None, opened: ExitStack) -> Path:
    if given is None:
        return Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="shammah-replay-")))
    if (given / "journal.db").exists():
        raise BadInputError(f"{given} has a journal of its own", "give replay another --home, or none")
    return make_home(given)
