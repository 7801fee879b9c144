"""`shammah learn`: learn everything that is journalled and not learnt yet."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx.cli.options import budget, home_and_config, settings
from shammah_mlx.display.console import LEARNING_POSTPONED, learning, relearning, say, say_waiting, tell
from shammah_mlx.display.dates import about
from shammah_mlx.home.background import LEARNT, LEFT_TO_ANOTHER, start_learning

if TYPE_CHECKING:
    from shammah_mlx.config import Config


@click.command()
@budget
@settings
@click.pass_context
def learn(ctx: click.Context, /, budget: float | None, **options: Any) -> None:
    """Learn now what is not learnt yet.

    The command learns from all stored questions, and makes the audits that are due. Every question starts this in the
    background. Run it yourself if that was interrupted.

    \b
    Examples:
      shammah learn
    """
    home, config = home_and_config(ctx, options, {"budget": {"month": budget}})
    if not (home / "journal.db").exists():
        tell("Nothing to learn: no question was asked yet.")
        return
    from shammah_mlx.home.locks import HomeLock

    with HomeLock(home, config.state).learning_if_free() as is_free:
        if not is_free:  # return before anything slow is loaded
            tell(LEFT_TO_ANOTHER)
            return
    try:
        learnt = learn_here(home, config, wait=False)
        tell(LEFT_TO_ANOTHER if learnt is None else f"{LEARNT}{learnt}.")
    except KeyboardInterrupt:
        say(LEARNING_POSTPONED)


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


def catch_up(home: Path, config: "Config", chosen: dict[str, Any], *, wait: bool = False) -> None:
    """Learn what is pending: behind the command if it takes long, unless the user wants to `wait`.

    In front nobody is asked; behind, audits that are due are made. `chosen` are the command's settings.
    """
    from shammah_mlx.home import pace
    from shammah_mlx.home.assistant import Assistant, AssistantOptions
    from shammah_mlx.models.weights import Weights, weights_folder
    from shammah_mlx.teacher.recordings import Recorded

    ahead = pace.expect_pending(home, config)
    if not ahead.interactions:
        return
    told = f"To learn: {ahead.interactions:,}, which takes {about(ahead.seconds)} here"
    if ahead.seconds > pace.PATIENCE_S and not wait:
        if learn_behind(home, chosen):
            tell(f"{told}. It goes on in the background; `shammah status` shows how far it is.")
        return
    tell(f"{told}; Ctrl-C puts off the rest.")
    opened = AssistantOptions(on_wait=say_waiting, relearning=relearning)
    try:
        with Assistant(home, config, Recorded(()), Weights(weights_folder()), options=opened) as assistant:
            assistant.learn_rest(learning, wait=True)
    except KeyboardInterrupt:  # it is journalled
        say(LEARNING_POSTPONED)


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
        say(LEARNING_POSTPONED)
    return is_taken_up
