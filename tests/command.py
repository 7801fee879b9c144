"""Run the command line in this process; `ask` learns before it returns, not in a background process."""

from collections.abc import Callable

from click.testing import CliRunner, Result

from shammah_mlx.cli.main import main

Shammah = Callable[..., Result]


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    """Run `shammah` with these arguments; add `--wait` to `ask`."""
    waiting = [part for argument in arguments for part in ((argument, "--wait") if argument == "ask" else (argument,))]
    return CliRunner().invoke(main, waiting, input=stdin)
