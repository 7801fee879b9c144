"""`shammah status`, `shammah why` and `shammah report`: explain a home, one answer, and how the home came this far."""

import time
from pathlib import Path
from typing import Any

import click

from shammah_mlx.cli.options import home_and_config, settings
from shammah_mlx.display.console import say
from shammah_mlx.errors import BadInputError


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@settings
@click.pass_context
def status(ctx: click.Context, /, as_json: bool, **options: Any) -> None:
    """Show what was learnt, spent and saved so far.

    The list also has what is still missing, how much was asked, and how many local answers were bad.

    \b
    Examples:
      shammah status
      shammah status --json
    """
    home, config = home_and_config(ctx, options)
    from rich.console import Console

    from shammah_mlx.display import report, standing
    from shammah_mlx.home.overview import read_overview
    from shammah_mlx.home.snapshots import Snapshots
    from shammah_mlx.server.client import is_served
    from shammah_mlx.teacher.identity import base_url_here, origin

    overview = read_overview(home, config, origin=origin(base_url_here()), is_served=is_served(home))
    if as_json:
        click.echo(report.as_json(overview))
    else:
        console = Console(markup=False, emoji=False)
        checkpoints = Snapshots(home, config.state).checkpoints()
        console.print(standing.status_table(home, overview, checkpoints, console.encoding))


@click.command()
@click.argument("number", type=click.IntRange(min=1), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@settings
@click.pass_context
def why(ctx: click.Context, /, number: int | None, as_json: bool, **options: Any) -> None:
    """Explain where the last answer came from, and why.

    The last answer is this terminal's. With NUMBER the answer to that question is explained.

    \b
    Examples:
      shammah why
      shammah why 17
    """
    home, config = home_and_config(ctx, options)
    from rich.console import Console

    from shammah_mlx.cli.terminal import this_terminal
    from shammah_mlx.display import report
    from shammah_mlx.home.explanation import explain

    question, explanation = explain(home, config, number, this_terminal())
    if as_json:
        click.echo(report.as_json(explanation))
    else:
        Console(markup=False, emoji=False).print(report.why_table(question, explanation))


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write the page to this file; - writes it to standard output.  [report.html in the home]",
)
@click.option("--open", "opens", is_flag=True, help="Show the page in the browser.")
@settings
@click.pass_context
def report(ctx: click.Context, /, output: Path | None, opens: bool, **options: Any) -> None:
    """Write a page with curves.

    They show who answered, bad answers, learning and money. The page is one HTML file. It loads nothing from the
    network and holds no question and no answer.

    \b
    Examples:
      shammah report --open
      shammah report --output report.html
    """
    home, config = home_and_config(ctx, options)
    if not (home / "journal.db").exists():
        raise BadInputError("nothing was asked yet", "ask something first")
    from shammah_mlx.display.page import page
    from shammah_mlx.files import replacing
    from shammah_mlx.home.curves import read_curves
    from shammah_mlx.home.overview import read_overview
    from shammah_mlx.teacher.identity import base_url_here, origin

    overview = read_overview(home, config, origin=origin(base_url_here()))
    written = page(overview, read_curves(home, config), config, time.time())
    path = home / "report.html" if output is None else output
    if str(path) == "-":
        click.echo(written, nl=False)
        return
    with replacing(path) as file:
        file.write(written.encode())
    click.echo(f"Written: {path}")
    if opens and not _is_opened(path.absolute()):
        say("No program to open it was found: open the file yourself.")


def _is_opened(path: Path) -> bool:
    """Have the system show a file; say whether there is a program for it."""
    try:
        return click.launch(str(path)) == 0
    except OSError:
        return False
