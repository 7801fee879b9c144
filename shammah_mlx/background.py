"""Learning while the user does something else: the command, and what starts it behind a question."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx.console import PUT_OFF, home_and_config, learning, say_waiting, settings

if TYPE_CHECKING:
    from shammah_mlx.assistant import Assistant
    from shammah_mlx.config import Config

LOG = "learning.log"  # what the last one had to say, in the home


def start_learning(home: Path, given: Mapping[str, Any]) -> None:
    """Learn what is pending in a process that outlives this one and its terminal; `given` are the settings."""
    options = {f"--{name.replace('_', '-')}": value for name, value in {**given, "home": home.absolute()}.items()}
    told = [str(part) for option, value in options.items() if value is not None for part in (option, value)]
    command = [sys.executable, "-m", "shammah_mlx", "learn", *told]
    with (home / LOG).open("wb") as log:
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def last_failure(home: Path) -> str | None:
    """Return what stopped the last one, if something did."""
    try:
        said = (home / LOG).read_text("utf-8", "replace")
    except FileNotFoundError:
        return None
    return next((line.removeprefix("Error: ") for line in said.splitlines() if line.startswith("Error: ")), None)


def is_learning(home: Path, config: "Config") -> bool:
    """Say whether a process learns in this home."""
    from shammah_mlx.lock import HomeLock

    return HomeLock(home, config.state).is_learning()


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
    if is_learning(home, config):
        click.echo("Another shammah is learning, and will learn all there is.")
        return
    from shammah_mlx.assistant import Assistant
    from shammah_mlx.teacher import Claude
    from shammah_mlx.weights import Weights, weights_folder

    weights = Weights(weights_folder())
    try:
        with Assistant(home, config, Claude(config.teacher), weights, on_wait=say_waiting) as assistant:
            click.echo(f"Learnt: {learn_all(assistant)}.")
    except KeyboardInterrupt:
        click.echo(PUT_OFF, err=True)


def learn_all(assistant: "Assistant") -> int:
    """Make the audits that are due, learn until nothing is pending, and save; return how much that was."""
    learnt = 0
    assistant.make_late_audits(reached=assistant.has_reached_claude())
    while pending := assistant.pending():  # more may come meanwhile: who asks then starts nobody
        with learning(pending) as advance:
            learnt += len(assistant.learn_pending(advance))
        assistant.save()
    return learnt
