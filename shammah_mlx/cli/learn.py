"""`shammah learn`: learn everything that is journalled and not learnt yet."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx.cli.options import budget, home_and_config, settings
from shammah_mlx.display.console import LEARNING_POSTPONED, learning, relearning, say_waiting
from shammah_mlx.home.background import LEARNT, LEFT_TO_ANOTHER, start_learning

if TYPE_CHECKING:
    from shammah_mlx.config import Config


@click.command()
@budget
@settings
@click.pass_context
def learn(ctx: click.Context, /, budget: float | None, **options: Any) -> None:
    """Learn from all stored questions that are not learnt yet, and make the audits that are due.

    Every question starts this in the background. Run it yourself if that was interrupted.

    \b
    Examples:
      shammah learn
    """
    home, config = home_and_config(ctx, options, {"budget": {"month": budget}})
    if not (home / "journal.db").exists():
        click.echo("Nothing to learn: no question was asked yet.")
        return
    from shammah_mlx.home.locks import HomeLock

    with HomeLock(home, config.state).learning_if_free() as is_free:
        if not is_free:  # return before anything slow is loaded
            click.echo(LEFT_TO_ANOTHER)
            return
    try:
        learnt = learn_here(home, config, wait=False)
        click.echo(LEFT_TO_ANOTHER if learnt is None else f"{LEARNT}{learnt}.")
    except KeyboardInterrupt:
        click.echo(LEARNING_POSTPONED, err=True)


def learn_here(home: Path, config: "Config", *, wait: bool) -> int | None:
    """Learn what is pending in this process; return how much that was.

    If another process is learning, wait for it, or else return None.
    """
    from shammah_mlx.framework.our_claude import our_claude
    from shammah_mlx.home.assistant import Assistant, AssistantOptions
    from shammah_mlx.models.weights import Weights, weights_folder
    from shammah_mlx.teacher.keys import find_credential

    claude = our_claude(config, find_credential(home))
    opened = AssistantOptions(on_wait=say_waiting, origin=claude.origin, relearning=relearning)
    with Assistant(home, config, claude, Weights(weights_folder()), options=opened) as assistant:
        return assistant.learn_all(learning, wait=wait)


def learn_behind(home: Path, chosen: dict[str, Any]) -> bool:
    """Have the home's service learn what is pending, or a process that outlives this one; else say that it waits.

    `chosen` are the command's settings. Return whether it was taken up.
    """
    from shammah_mlx.server import client

    try:
        if client.is_served(home):
            is_taken_up = client.tell_to_learn(home)
        else:
            start_learning(home, chosen)
            is_taken_up = True
    except (KeyboardInterrupt, OSError):  # it is journalled
        is_taken_up = False
    if not is_taken_up:
        click.echo(LEARNING_POSTPONED, err=True)
    return is_taken_up
