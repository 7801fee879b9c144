"""Run the command line in this process; commands learn before they return, not in another process."""

from collections.abc import Callable

from click.testing import CliRunner, Result

from shammah_mlx.cli.main import main

WAIT = ("ask", "good", "bad")
Shammah = Callable[..., Result]


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    """Run `shammah` with these arguments; add `--wait` to a command that learns."""
    waiting = list(arguments)
    if name := next((argument for argument in arguments if argument in WAIT), None):
        waiting.insert(waiting.index(name) + 1, "--wait")
    return CliRunner().invoke(main, waiting, input=stdin)
