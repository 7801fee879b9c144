"""What commands share and none of what they do: settings, standard input and output, how failures look there."""

import errno
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from shammah_mlx.errors import BadInputError, ShammahError, as_told

INTERRUPTED = 130  # exit code, as shells have it
PUT_OFF = "Learning was put off; the next question does it."
LONGEST = 1000  # characters of an error: it may repeat what was given


class _Failure(click.ClickException):
    """Print one line and a hint, and leave with the error's exit code."""

    def __init__(self, error: ShammahError) -> None:
        super().__init__(error.message)
        self.hint = error.hint
        self.exit_code = error.exit_code  # type: ignore[misc] # click declares a constant and reads the instance

    def show(self, file: Any = None) -> None:  # noqa: ARG002  click's signature
        message, hint = (one_line(text, LONGEST) for text in (self.message, self.hint))
        click.echo(f"Error: {message}\nHint: {hint}", err=True)


class Group(click.Group):
    """Turn what a user can act on into one clear line; let everything else be the bug it is."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ShammahError as error:
            raise _Failure(error) from error
        except (OSError, sqlite3.DatabaseError) as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            raise _Failure(as_told(error)) from error
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)


@contextmanager
def progress(name: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar on standard error; yield what moves it by one."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=total)
        yield lambda: bar.advance(task)


@contextmanager
def learning(pending: int) -> Iterator[Callable[[], None]]:
    """Yield what is to be called after each interaction that is learnt; show how far it is if those are many."""
    if pending <= 1:
        yield lambda: None
    else:
        with progress("learning", pending) as advance:
            yield advance


def say_waiting() -> None:
    """Say why nothing happens."""
    click.echo("Waiting for another shammah to finish …", err=True)


def check_outputs(stream: Path, *outputs: Path | None) -> None:
    """Find out before a long run, and without touching what they hold, that the outputs can be written.

    Raises:
        BadInputError: two of the files are one.
    """
    paths = [path for path in outputs if path]
    if len({path.resolve() for path in (stream, *paths)}) <= len(paths):
        raise BadInputError("the stream and the outputs must be different files", "name each once")
    for path in paths:
        existed = path.exists()
        path.open("ab").close()
        if not existed:
            path.unlink()


def read_query(argument: str | None, limit: int) -> str:
    """Return the question, from the argument or standard input.

    Raises:
        BadInputError: it is empty, too long, or no text.
    """
    if argument in (None, "-"):
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError("Give a QUERY, or pipe one in.")
        argument = sys.stdin.buffer.read(limit + 1).decode("utf-8", "surrogateescape")
    check_text("the query", argument, limit)
    if not argument.strip():
        raise BadInputError("the query is empty", 'ask something: shammah ask "What is a monad?"')
    return argument.strip()


def check_text(name: str, text: str, limit: int) -> None:
    """Pass if `text` is of a size and kind that can be asked.

    Raises:
        BadInputError: it is too long, or no text.
    """
    if len(text.encode("utf-8", "replace")) > limit:  # a byte that is no text counts as one
        hint = "ask about a part of it, or set max_query_bytes at the top of config.toml"
        raise BadInputError(f"{name} is longer than {limit:,} bytes", hint)
    if not is_text(text):
        raise BadInputError(f"{name} is not valid UTF-8", "convert it first, with iconv for example")


def is_text(given: str) -> bool:
    """Say whether what was given holds whole characters only."""
    try:
        given.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def write(text: str) -> None:
    """Write to standard output at once: as it is, but to a terminal without the control characters that steer it."""
    if sys.stdout.isatty():
        text = _steerless(text)
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` say, has had enough; what was answered is learnt all the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def one_line(text: str, width: int = 70) -> str:
    """Return the beginning of a text as it may be shown in a list."""
    plain = " ".join(_steerless(text).split())
    return plain if len(plain) <= width else plain[: width - 1] + "…"


def _steerless(text: str) -> str:
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", text)


class Shown:
    """What of an answer was written as it came."""

    def __init__(self) -> None:
        self.text = ""

    def __call__(self, piece: str) -> None:
        """Write one more piece."""
        self.text += piece
        write(piece)
