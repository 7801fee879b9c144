"""Print text, lines and progress: shared by all commands."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import click

from shammah_mlx.display.streams import at_words

LEARNING_POSTPONED = "Learning is postponed until the next question."
WAITS = "Waiting for another shammah process to finish …"
LONGEST = 1000  # characters shown of an error, which may repeat the input


@contextmanager
def progress(name: str, total: int | None) -> Iterator[Callable[[], None]]:
    """Show a progress bar on standard error; yield a function that advances it by one.

    Without a `total` it shows how far things are, and that they go on.
    """
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


def say(text: str, color: str | None = None) -> None:
    """Print a text on standard error, if anybody reads there; on a terminal no line breaks in a word."""
    with suppress(OSError, ValueError):  # it is closed, or its reader has gone; what was asked for is done all the same
        shown = at_words(text, sys.stderr)
        click.echo(click.style(shown, fg=color) if color else shown, err=True)


def tell(text: str, indent: int = 0) -> None:
    """Print a text on standard output; on a terminal no line breaks in a word, and goes on behind the indent."""
    click.echo(at_words(text, sys.stdout, indent))


def say_waiting() -> None:
    """Print that this process waits for another one."""
    say(WAITS)


def write(text: str) -> None:
    """Write to standard output and flush; for a terminal, remove control characters first."""
    put(without_controls(text) if sys.stdout is not None and sys.stdout.isatty() else text)


def put(text: str) -> None:
    """Write to standard output as it is, and flush."""
    if sys.stdout is None:  # it is closed
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, for example `head`, closed the pipe; learning goes on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def one_line(text: str, width: int = 70) -> str:
    """Return the beginning of a text, on one line and without control characters."""
    plain = " ".join(without_controls(text).split())
    return plain if len(plain) <= width else plain[: width - 1] + "…"


def without_controls(text: str) -> str:
    """Remove what moves the cursor, and what shows text in another order than a shell would read it."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "", text)
