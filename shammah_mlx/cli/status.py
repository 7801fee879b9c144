"""The commands that explain: a home, and one answer. Slow packages are imported inside them."""

import json
from contextlib import closing
from typing import Any

import click

from shammah_mlx.cli.console import one_line
from shammah_mlx.cli.options import home_and_config, settings
from shammah_mlx.errors import BadInputError
from shammah_mlx.home.background import is_learning, last_failure


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@settings
@click.pass_context
def status(ctx: click.Context, /, as_json: bool, **given: Any) -> None:
    """Say how much was asked, learnt and spent, and how much of what was served here was bad."""
    home, config = home_and_config(ctx, given)
    from rich.console import Console

    from shammah_mlx.cli import report
    from shammah_mlx.home.journal import Journal, Totals
    from shammah_mlx.home.snapshots import Snapshots
    from shammah_mlx.risk.accounts import summarise

    snapshots, path = Snapshots(home, config.state), home / "journal.db"
    if home.exists() and not home.is_dir():
        raise BadInputError(f"{home} is not a folder", "give --home a folder")
    if path.exists():
        with closing(Journal(path)) as journal:
            manifest = journal.of_current(lambda learnt: snapshots.manifest(learnt.state))
            totals = journal.totals(manifest.cursor if manifest else 0)
            accounts = summarise(journal.after(0), config)
    else:
        manifest, totals, accounts = snapshots.manifest(None), Totals(), summarise([], config)
    fields = report.status_fields(config, manifest, totals, accounts)
    fields["learning"] = bool(totals.pending) and is_learning(home, config)
    fields["learning_failed"] = last_failure(home) if totals.pending and not fields["learning"] else None
    if as_json:
        click.echo(json.dumps(fields))
    else:
        Console(markup=False, emoji=False).print(report.status_table(home, fields, snapshots.checkpoints()))


@click.command()
@click.argument("number", type=click.IntRange(min=1), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@settings
@click.pass_context
def why(ctx: click.Context, /, number: int | None, as_json: bool, **given: Any) -> None:
    """Explain the last answer, or that of question NUMBER: where it came from and what spoke for it."""
    home, config = home_and_config(ctx, given)
    from rich.console import Console

    from shammah_mlx.cli import report
    from shammah_mlx.home.journal import Journal

    path = home / "journal.db"
    if not path.exists():
        raise BadInputError("nothing was asked yet", "ask something first")
    with closing(Journal(path)) as journal:
        interaction = journal.last() if number is None else journal.find(number)
        if interaction is None:
            raise BadInputError("there is no such question", "`shammah why` without a number explains the last one")
        nearest = journal.questions(near.number for near in interaction.decision_context.nearest)
        archived = journal.is_archived(interaction.request.number)
        is_learnt = interaction.request.number <= journal.progress().cursor
    learnt = "yes"
    if not is_learnt:
        by = "being learnt now" if is_learning(home, config) else "`shammah learn` does it, or the next question"
        learnt = f"not yet: {by}"
    if interaction.reply is not None and not interaction.reply.complete:
        learnt = "nothing: Claude's reply was not whole"
    if archived:
        learnt = "no: set aside by a rollback"
    if as_json:
        click.echo(json.dumps(report.why_fields(interaction, nearest, learnt, config.policy)))
    else:
        short = {near: one_line(text) for near, text in nearest.items()}
        told = report.why_fields(interaction, short, learnt, config.policy)
        Console(markup=False, emoji=False).print(report.why_table(one_line(interaction.request.query.text), told))
