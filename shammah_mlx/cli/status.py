"""`shammah status` and `shammah why`: explain a home, and one answer."""

from typing import Any

import click

from shammah_mlx.cli.options import home_and_config, settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@settings
@click.pass_context
def status(ctx: click.Context, /, as_json: bool, **options: Any) -> None:
    """Show what is still missing, how much was asked, learnt, spent and saved, and how many local answers were bad."""
    home, config = home_and_config(ctx, options)
    from rich.console import Console

    from shammah_mlx.cli import report, standing
    from shammah_mlx.home.overview import read_overview
    from shammah_mlx.home.snapshots import Snapshots
    from shammah_mlx.server.client import is_served

    overview = read_overview(home, config, is_served=is_served(home))
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
    """Explain the last answer, or the answer to question NUMBER: where it came from, and why."""
    home, config = home_and_config(ctx, options)
    from rich.console import Console

    from shammah_mlx.cli import report
    from shammah_mlx.home.overview import explain

    question, explanation = explain(home, config, number)
    if as_json:
        click.echo(report.as_json(explanation))
    else:
        Console(markup=False, emoji=False).print(report.why_table(question, explanation))
