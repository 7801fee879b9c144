"""`shammah rollback`, `rebuild` and `forget`. Slow packages are imported inside the commands."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx.cli.console import LEARNING_POSTPONED, check_text, learning, one_line, say_waiting
from shammah_mlx.cli.options import home_and_config, merge_options, settings
from shammah_mlx.errors import BadInputError
from shammah_mlx.home.background import start_learning

if TYPE_CHECKING:
    from shammah_mlx.config import Config
    from shammah_mlx.events import Interaction

MOST_SHOWN = 20  # questions: few enough for a user to read


@click.command()
@click.argument("queries", metavar="N", type=click.IntRange(min=0))
@settings
@click.pass_context
def rollback(ctx: click.Context, /, queries: int, **options: Any) -> None:
    """Restore the models from the checkpoint made after N queries, and archive all later interactions."""
    home, config = home_and_config(ctx, options)
    from shammah_mlx.home.recovery import roll_back
    from shammah_mlx.home.snapshots import Snapshots
    from shammah_mlx.server import client

    Snapshots(home, config.state).check_is_checkpoint(queries)  # before the service leaves the home
    with client.alone(home, config.state.lock_wait_s):
        archived = roll_back(home, config, queries, say_waiting)
    click.echo(f"The models are restored to their state after query {queries}.")
    later = f"{len(archived)} (from number {archived[0]} on)" if archived else "none"
    click.echo(f"Later interactions archived: {later}.")


@click.command()
@settings
@click.pass_context
def rebuild(ctx: click.Context, /, **options: Any) -> None:
    """Learn all models again from the journal, and replace the current ones."""
    home, config = home_and_config(ctx, options)
    if not (home / "journal.db").exists():
        raise BadInputError(f"there is no journal in {home}", "ask a question first, or name another --home")
    from shammah_mlx.home import recovery
    from shammah_mlx.models.weights import Weights, weights_folder

    rebuilt = recovery.rebuild(home, config, Weights(weights_folder()), learning, say_waiting)
    click.echo(f"Interactions learnt again: {rebuilt.interactions}.")
    if rebuilt.pending:  # asked during the rebuild, which held the learner's lock
        start_learning(home, merge_options(ctx, options))
    if rebuilt.before == rebuilt.after:
        click.echo(f"The models are unchanged, bit for bit ({rebuilt.after}).")
    else:
        why = "settings changed since the first question, or some questions were not learnt yet"
        click.echo(f"The models changed from {rebuilt.before or 'none'} to {rebuilt.after}: {why}.")


@click.command()
@click.argument("pattern")
@click.option("-y", "--yes", is_flag=True, help="Erase at once, without showing the matches and asking.")
@settings
@click.pass_context
def forget(ctx: click.Context, /, pattern: str, yes: bool, **options: Any) -> None:
    """Erase every interaction that contains PATTERN, and everything learnt from it.

    PATTERN is plain text; upper and lower case are the same. It is searched for in questions, system prompts, earlier
    messages of a conversation, answers and drafts. The matching questions are shown before anything is erased.
    """
    home, config = home_and_config(ctx, options)
    check_text("PATTERN", pattern, config.max_query_bytes)
    from shammah_mlx.home import forgetting
    from shammah_mlx.server import client

    alone = client.alone(home, config.state.lock_wait_s)
    forgotten = forgetting.forget(home, config, pattern, lambda found: yes or _confirm(found), say_waiting, alone)
    if forgotten is None:
        click.echo("Nothing was erased.")
    elif not forgotten.interactions and not forgotten.resumed:
        click.echo("No interaction contains this text. Nothing was erased.")
    else:
        deleted = ", ".join(map(str, forgotten.checkpoints)) or "none"
        if forgotten.resumed:
            click.echo("An earlier `forget` was interrupted; it is complete now.")
        click.echo(f"Interactions erased: {forgotten.interactions}. Checkpoints deleted: {deleted}.")
        _learn_again(home, config)


def _confirm(found: "Sequence[Interaction]") -> bool:
    """Show the interactions to erase, and ask for confirmation."""
    click.echo(f"Matching interactions: {len(found)}")
    for interaction in found[:MOST_SHOWN]:
        click.echo(f"  {interaction.request.number}: {one_line(interaction.request.query.text)}")
    if len(found) > MOST_SHOWN:
        click.echo(f"  and {len(found) - MOST_SHOWN} more")
    return click.confirm("Erase them permanently, and learn everything after the first of them again?")


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
        click.echo(LEARNING_POSTPONED, err=True)
