"""Learning while the user does something else: the command, and what starts it behind a question."""

from typing import Any

import click

from shammah_mlx.cli.console import PUT_OFF, learning, say_waiting
from shammah_mlx.cli.options import home_and_config, settings
from shammah_mlx.home.background import LEARNT, LEFT_TO_ANOTHER


@click.command()
@settings
@click.pass_context
def learn(ctx: click.Context, /, **given: Any) -> None:
    """Learn what is journalled and not learnt yet, and make the audits that are due.

    Every question starts this in the background; it is for those that were interrupted.
    """
    home, config = home_and_config(ctx, given)
    if not (home / "journal.db").exists():
        click.echo("Nothing was asked yet.")
        return
    from shammah_mlx.home.locks import HomeLock

    with HomeLock(home, config.state).learning_if_free() as is_free:
        if not is_free:  # no need to load anything
            click.echo(LEFT_TO_ANOTHER)
            return
    from shammah_mlx.home.assistant import Assistant, AssistantOptions
    from shammah_mlx.models.weights import Weights, weights_folder
    from shammah_mlx.teacher.claude import Claude
    from shammah_mlx.teacher.keys import find_credential

    weights = Weights(weights_folder())
    try:
        with Assistant(
            home,
            config,
            Claude(config.teacher, find_credential(home)),
            weights,
            options=AssistantOptions(on_wait=say_waiting),
        ) as assistant:
            learnt = assistant.learn_all(learning, wait=False)
        click.echo(LEFT_TO_ANOTHER if learnt is None else f"{LEARNT}{learnt}.")
    except KeyboardInterrupt:
        click.echo(PUT_OFF, err=True)
