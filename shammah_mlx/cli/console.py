"""Read input, print output, progress and errors: shared by all commands."""

import errno
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import click

from shammah_mlx.errors import BadInputError, ShammahError, as_user_error

INTERRUPTED = 130  # exit code, by the convention of shells
LEARNING_POSTPONED = "Learning is postponed until the next question."
LONGEST = 1000  # characters shown of an error, which may repeat the input


class _Failure(click.ClickException):
    """Print an error on one line and its hint on another, and exit with the error's code."""

    def __init__(self, error: ShammahError) -> None:
        super().__init__(error.message)
        self.hint = error.hint
        self.exit_code = error.exit_code  # type: ignore[misc] # click declares a constant and reads the instance

    def show(self, file: Any = None) -> None:  # noqa: ARG002  click's signature
        message, hint = (one_line(text, LONGEST) for text in (self.message, self.hint))
        click.echo(f"Error: {message}\nHint: {hint}", err=True)


class Group(click.Group):
    """Print errors that a user can act on as one line and a hint; let other exceptions propagate."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and convert its errors."""
        try:
            return super().invoke(ctx)
        except ShammahError as error:
            raise _Failure(error) from error
        except (OSError, sqlite3.DatabaseError) as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            raise _Failure(as_user_error(error)) from error
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)


@contextmanager
def progress(name: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar on standard error; yield a function that advances it by one."""
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
    """Show a progress bar for more than one interaction; yield a function to call after each of them."""
    if pending <= 1:
        yield lambda: None
    else:
        with progress("learning", pending) as advance:
            yield advance


def relearning(replies: int) -> AbstractContextManager[Callable[[], None]]:
    """Show a progress bar while the memory is made again from the journal; yield the function that advances it."""
    return progress("remembering", replies)


def say_waiting() -> None:
    """Print that this process waits for another one."""
    click.echo("Waiting for another shammah process to finish …", err=True)


def check_outputs(stream: Path, *outputs: Path | None) -> None:
    """Check, before a long run, that the output files are writable; leave them unchanged.

    Raises:
        BadInputError: two of the files are the same.
        OSError: a file cannot be written.
    """
    paths = [path for path in outputs if path]
    if len({path.resolve() for path in (stream, *paths)}) <= len(paths):
        raise BadInputError("the stream and the outputs must be different files", "give each of them its own path")
    for path in paths:
        existed = path.exists()
        path.open("ab").close()
        if not existed:
            path.unlink()


def read_query(argument: str | None, limit: int) -> str:
    """Return the question from the argument, or from standard input if the argument is missing or `-`.

    Raises:
        BadInputError: it is empty, too long, or not valid UTF-8.
    """
    if argument in (None, "-"):
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError("Give a QUERY as an argument, or pipe it to standard input.")
        argument = sys.stdin.buffer.read(limit + 1).decode("utf-8", "surrogateescape")
    check_text("the query", argument, limit)
    if not argument.strip():
        raise BadInputError("the query is empty", 'ask something: shammah ask "What is a monad?"')
    return argument.strip()


def check_text(name: str, text: str, limit: int) -> None:
    """Check that `text` is not too long and is valid UTF-8.

    Raises:
        BadInputError: it is too long, or not valid UTF-8.
    """
    if len(text.encode("utf-8", "replace")) > limit:  # an invalid byte counts as one
        hint = "shorten it, or raise max_query_bytes at the top of config.toml"
        raise BadInputError(f"{name} is longer than {limit:,} bytes", hint)
    if not is_valid_unicode(text):
        raise BadInputError(f"{name} is not valid UTF-8", "convert it to UTF-8 first, for example with iconv")


def is_valid_unicode(text: str) -> bool:
    """Say whether the string can be encoded as UTF-8: it contains no lone surrogate."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def write(text: str) -> None:
    """Write to standard output and flush; for a terminal, remove control characters first."""
    if sys.stdout.isatty():
        text = _without_controls(text)
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, for example `head`, closed the pipe; learning goes on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def one_line(text: str, width: int = 70) -> str:
    """Return the beginning of a text, on one line and without control characters."""
    plain = " ".join(_without_controls(text).split())
    return plain if len(plain) <= width else plain[: width - 1] + "…"


def _without_controls(text: str) -> str:
    """Remove what moves the cursor, and what shows text in another order than a shell would read it."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "", text)


class StreamedText:
    """Write an answer as it arrives, and remember what was written."""

    def __init__(self) -> None:
        self.text = ""

    def __call__(self, piece: str) -> None:
        """Write one more piece."""
        self.text += piece
        write(piece)
