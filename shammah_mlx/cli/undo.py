"""The commands that take something back: a time, a text, or damage. Slow packages are imported inside them."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx.cli.console import PUT_OFF, check_text, learning, one_line, say_waiting
from shammah_mlx.cli.options import given_settings, home_and_config, settings
from shammah_mlx.errors import BadInputError
from shammah_mlx.home.background import start_learning

if TYPE_CHECKING:
    from shammah_mlx.config import Config
    from shammah_mlx.events import Interaction

MOST_SHOWN = 20  # questions: as many as a user will read


@click.command()
@click.argument("queries", metavar="N", type=click.IntRange(min=0))
@settings
@click.pass_context
def rollback(ctx: click.Context, /, queries: int, **given: Any) -> None:
    """Return to the checkpoint made after N queries."""
    home, config = home_and_config(ctx, given)
    from shammah_mlx.home.recovery import roll_back
    from shammah_mlx.home.snapshots import Snapshots
    from shammah_mlx.server import client

    Snapshots(home, config.state).check_is_checkpoint(queries)  # before anybody is sent away for it
    with client.alone(home, config.state.lock_wait_s):
        archived = roll_back(home, config, queries, say_waiting)
    told = f"Models are as they were after query {queries}. Later interactions set aside: {len(archived)}"
    click.echo(f"{told} (number {archived[0]} and after)." if archived else f"{told}.")


@click.command()
@settings
@click.pass_context
def rebuild(ctx: click.Context, /, **given: Any) -> None:
    """Make all models again from the journal, and put them in place of what is there."""
    home, config = home_and_config(ctx, given)
    if not (home / "journal.db").exists():
        raise BadInputError(f"there is no journal in {home}", "ask something first")
    from shammah_mlx.home import recovery
    from shammah_mlx.models.weights import Weights, weights_folder

    with ExitStack() as shown:
        rebuilt = recovery.rebuild(
            home, config, Weights(weights_folder()), lambda count: shown.enter_context(learning(count)), say_waiting
        )
    click.echo(f"Interactions learnt again: {rebuilt.interactions}.")
    if rebuilt.pending:  # asked meanwhile, when this was the one to learn
        start_learning(home, given_settings(ctx, given))
    if rebuilt.before == rebuilt.after:
        click.echo(f"The models are what they were, bit for bit ({rebuilt.after}).")
    else:
        why = "settings have changed since the first question, or questions were pending"
        click.echo(f"The models were {rebuilt.before or 'none'}, and are now {rebuilt.after}: {why}.")


@click.command()
@click.argument("pattern")
@click.option("-y", "--yes", is_flag=True, help="Erase without asking first.")
@settings
@click.pass_context
def forget(ctx: click.Context, /, pattern: str, yes: bool, **given: Any) -> None:
    """Erase every interaction that holds PATTERN, and all that was learnt from it.

    PATTERN is plain text, in capitals or not. It is looked for in questions, system prompts and what was said before
    them, in answers and in drafts. What it is found in is shown first.
    """
    home, config = home_and_config(ctx, given)
    check_text("PATTERN", pattern, config.max_query_bytes)
    from shammah_mlx.home import forgetting
    from shammah_mlx.server import client

    alone = client.alone(home, config.state.lock_wait_s)
    forgotten = forgetting.forget(home, config, pattern, lambda found: yes or _is_sure(found), say_waiting, alone)
    if forgotten is None:
        click.echo("Nothing was erased.")
    elif not forgotten.interactions and not forgotten.resumed:
        click.echo("Nothing matches.")
    else:
        dropped = ", ".join(map(str, forgotten.checkpoints)) or "none"
        if forgotten.resumed:
            click.echo("What was being forgotten when an earlier process ended is erased now.")
        click.echo(f"Interactions erased: {forgotten.interactions}. Checkpoints dropped: {dropped}.")
        _learn_again(home, config)


def _is_sure(found: "Sequence[Interaction]") -> bool:
    """Show what would be erased, and ask."""
    click.echo(f"Interactions that match: {len(found)}")
    for interaction in found[:MOST_SHOWN]:
        click.echo(f"  {interaction.request.number}: {one_line(interaction.request.query.text)}")
    if len(found) > MOST_SHOWN:
        click.echo(f"  and {len(found) - MOST_SHOWN} more")
    return click.confirm("Erase them for good, with all that was learnt since the first of them?")


def _learn_again(home: Path, config: "Config") -> None:
    from shammah_mlx.home.assistant import Assistant, AssistantOptions
    from shammah_mlx.models.weights import Weights, weights_folder
    from shammah_mlx.teacher.recordings import Recorded

    weights = Weights(weights_folder())
    try:
        with Assistant(home, config, Recorded(()), weights, options=AssistantOptions(on_wait=say_waiting)) as assistant:
            click.echo(f"Interactions to learn again: {assistant.pending()}.")
            assistant.learn_all(learning, wait=True)
    except KeyboardInterrupt:
        click.echo(PUT_OFF, err=True)
