"""`shammah rollback`, `rebuild` and `forget`. Slow packages are imported inside the commands."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx.cli.checks import check_text
from shammah_mlx.cli.learn import catch_up
from shammah_mlx.cli.options import home_and_config, merge_options, settings
from shammah_mlx.cli.words import how_to_ask
from shammah_mlx.display.console import learning, one_line, say_waiting, tell
from shammah_mlx.display.dates import about
from shammah_mlx.errors import BadInputError
from shammah_mlx.home.background import start_learning

if TYPE_CHECKING:
    from shammah_mlx.config import Config
    from shammah_mlx.events import Interaction

MOST_SHOWN = 20  # questions: few enough for a user to read


@click.command()
@click.argument("queries", metavar="[N]", type=click.IntRange(min=0), required=False)
@click.option("-y", "--yes", is_flag=True, help="Do it at once, without asking.")
@click.option("--undo", is_flag=True, help="Take the last rollback back. Possible until the next checkpoint.")
@settings
@click.pass_context
def rollback(ctx: click.Context, /, queries: int | None, yes: bool, undo: bool, **options: Any) -> None:
    """Restore the models from an earlier checkpoint.

    N is the number of queries after which it was made. All later interactions are archived. Archived interactions stay
    in the journal and are not used. `shammah status` lists the checkpoints.

    \b
    Examples:
      shammah rollback 100
      shammah rollback --undo
    """
    home, config = home_and_config(ctx, options)
    if undo == (queries is not None):
        raise click.UsageError("Give the N of a checkpoint, or --undo.")
    from shammah_mlx.home import recovery
    from shammah_mlx.server import client

    if queries is None:
        with client.alone(home, config.state.lock_wait_s):
            back = recovery.undo_rollback(home, config, say_waiting)
        tell(f"The rollback is taken back. Interactions in use again: {back}.")
        catch_up(home, config, merge_options(ctx, options))
        return
    later = recovery.count_later(home, config, queries)  # before the service leaves the home
    if not yes:
        tell(f"The models go back to their state after query {queries}.")
        tell(f"Later interactions are kept and no longer used: {later}.")
        if not click.confirm("Go back?"):
            tell("Nothing was changed.")
            return
    with client.alone(home, config.state.lock_wait_s):
        archived = recovery.roll_back(home, config, queries, say_waiting)
    tell(f"The models are restored to their state after query {queries}.")
    numbers = f"{len(archived)} (from number {archived[0]} on)" if archived else "none"
    tell(f"Later interactions archived: {numbers}.")
    catch_up(home, config, merge_options(ctx, options))
    tell("Until the next checkpoint, `shammah rollback --undo` takes this back.")


@click.command()
@settings
@click.pass_context
def rebuild(ctx: click.Context, /, **options: Any) -> None:
    """Learn all models again from the journal.

    They replace the current ones.

    \b
    Examples:
      shammah rebuild
    """
    home, config = home_and_config(ctx, options)
    if not (home / "journal.db").exists():
        raise BadInputError(f"there is no journal in {home}", "ask a question first, or name another --home")
    from shammah_mlx.home import recovery
    from shammah_mlx.models.weights import Weights, weights_folder

    rebuilt = recovery.rebuild(home, config, Weights(weights_folder()), learning, say_waiting)
    tell(f"Interactions learnt again: {rebuilt.interactions}.")
    if rebuilt.pending:  # asked during the rebuild, which held the learner's lock
        start_learning(home, merge_options(ctx, options))
    if rebuilt.before == rebuilt.after:
        tell(f"The models are unchanged, bit for bit ({rebuilt.after}).")
    else:
        why = "settings changed, questions were not learnt yet, or the decoder had learnt an answer that was bad"
        tell(f"The models changed from {rebuilt.before or 'none'} to {rebuilt.after}: {why}.")


@click.command()
@click.argument("pattern")
@click.option("-y", "--yes", is_flag=True, help="Erase at once, without showing the matches and asking.")
@settings
@click.pass_context
def forget(ctx: click.Context, /, pattern: str, yes: bool, **options: Any) -> None:
    """Erase every exchange that contains PATTERN.

    Question, answer and everything learnt from them are erased. PATTERN is plain text, also inside longer words; upper
    and lower case are the same. It is searched for in questions, system prompts, earlier messages of a conversation,
    answers and drafts. The matching questions are shown before anything is erased.

    \b
    Examples:
      shammah forget "Project Quetzal"
    """
    home, config = home_and_config(ctx, options)
    check_text("PATTERN", pattern, config.max_query_bytes)
    from shammah_mlx.home import forgetting
    from shammah_mlx.server import client

    alone = client.alone(home, config.state.lock_wait_s)
    forgotten = forgetting.forget(
        home, config, pattern, lambda found: yes or _confirm(home, config, found, pattern), say_waiting, alone
    )
    if forgotten is None:
        tell("Nothing was erased.")
    elif not forgotten.interactions and not forgotten.resumed:
        hint = "" if yes else f"\n{how_to_ask(['forget', '…'])}"  # what was to be forgotten is not shown again
        tell(f"No interaction contains this text. Nothing was erased.{hint}")
    else:
        deleted = ", ".join(map(str, forgotten.checkpoints)) or "none"
        if forgotten.resumed:
            tell("An earlier `forget` was interrupted; it is complete now.")
        tell(f"Interactions erased: {forgotten.interactions}. Checkpoints deleted: {deleted}.")
        catch_up(home, config, merge_options(ctx, options))


def _confirm(home: Path, config: "Config", found: "Sequence[Interaction]", pattern: str) -> bool:
    """Show the interactions to erase, why, and how long it will take, and ask for confirmation."""
    from shammah_mlx.home.forgetting import expected_relearning, place_in

    tell(f"Matching interactions: {len(found)}")
    for interaction in found[:MOST_SHOWN]:
        place = place_in(interaction, pattern)
        where = "" if place == "question" else f"  (in its {place})"
        click.echo(f"  {interaction.request.number}: {one_line(interaction.request.query.text)}{where}")
    if len(found) > MOST_SHOWN:
        click.echo(f"  and {len(found) - MOST_SHOWN} more")
    ahead = expected_relearning(home, config, found)
    if ahead.interactions:
        tell(f"To learn afterwards: {ahead.interactions:,}, which takes {about(ahead.seconds)} here.")
    return click.confirm("Erase them permanently?")
