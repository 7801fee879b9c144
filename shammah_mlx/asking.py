"""Asking one question from the command line: by the service of the home, or here in this process."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx import client
from shammah_mlx.background import start_learning
from shammah_mlx.client import Answered, Away, Unanswered, Wanted
from shammah_mlx.console import PUT_OFF, learning, make_home, one_line, say_waiting
from shammah_mlx.events import Outage

if TYPE_CHECKING:
    from shammah_mlx.config import Config
    from shammah_mlx.teacher import Show

Outcomes = Iterator[Answered | Unanswered]
"""Gives the one outcome, and goes on with what the user need not wait for when asked for more."""


def ask_service(home: Path, wanted: Wanted, show: "Show", here: Callable[[], Outcomes]) -> Outcomes:
    """Have the service answer, which learns by itself; ask `here` if it has no key, or is out of the home.

    Raises:
        ShammahError: it cannot be answered.
    """
    for said in client.ask(home, wanted, show, _say_what_continues):
        if isinstance(said, Away) or (isinstance(said, Unanswered) and said.outage.kind == "no_key"):
            yield from here()
            return
        yield said


def ask_here(
    home: Path, config: "Config", wanted: Wanted, show: "Show", since: float, given: Mapping[str, Any]
) -> Outcomes:
    """Answer in this process, then learn, or have another process learn; `given` are the settings.

    Raises:
        ShammahError: it cannot be answered.
    """
    from shammah_mlx.assistant import Assistant  # brings MLX, which who is served does not pay for
    from shammah_mlx.keys import find_credential
    from shammah_mlx.teacher import Claude
    from shammah_mlx.weights import Weights, weights_folder

    claude = Claude(config.teacher, find_credential(home))
    with Assistant(make_home(home), config, claude, Weights(weights_folder()), on_wait=say_waiting) as assistant:
        asked = wanted.query(assistant)
        if asked.history:
            _say_what_continues(asked.history[-1].question)
        how = wanted.how
        how["since"] = since
        answered = assistant.ask(asked, show, **how)
        if isinstance(answered, Outage):
            yield Unanswered(answered)
            return
        yield Answered(answered, config.preset)
        try:
            if wanted.waits:
                assistant.learn_all(learning, wait=True)
            elif answered.turn.kept:
                _start_learning(home, given)
        except KeyboardInterrupt:  # the answer is out, and journalled
            click.echo(PUT_OFF, err=True)


def _say_what_continues(question: str) -> None:
    """Tell which conversation it is: what was not kept cannot be continued."""
    click.echo(f"Continuing after: {one_line(question)}", err=True)


def _start_learning(home: Path, given: Mapping[str, Any]) -> None:
    try:
        start_learning(home, given)
    except OSError as error:  # no process more, say: that is no reason to call the answer a failure
        click.echo(f"{PUT_OFF} ({error.strerror or error})", err=True)
