"""The command line in this process; what it asks is learnt when it returns, not in a process of its own."""

from collections.abc import Callable

from click.testing import CliRunner, Result

from shammah_mlx.cli.main import main

Shammah = Callable[..., Result]


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    """Run `shammah` with these arguments; `ask` waits until it has learnt."""
    waiting = [part for argument in arguments for part in ((argument, "--wait") if argument == "ask" else (argument,))]
    return CliRunner().invoke(main, waiting, input=stdin)
