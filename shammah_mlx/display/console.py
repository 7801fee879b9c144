"""Read input, print output, progress and errors: shared by all commands."""

import errno
import io
import json
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from shammah_mlx import INTERRUPTED
from shammah_mlx.display.streams import at_words
from shammah_mlx.errors import BadInputError, ShammahError, as_user_error

JSON = "shammah.json"  # in the context's `meta`: the command is to print JSON, errors too
LEARNING_POSTPONED = "Learning is postponed until the next question."
WAITS = "Waiting for another shammah process to finish …"
LONGEST = 1000  # characters shown of an error, which may repeat the input


class _Failure(click.ClickException):
    """Print an error on one line and its hint on another, and exit with the error's code."""

    def __init__(self, error: ShammahError) -> None:
        super().__init__(error.message)
        self.hint = error.hint
        self.exit_code = error.exit_code  # type: ignore[misc] # click declares a constant and reads the instance

    def show(self, file: Any = None) -> None:  # noqa: ARG002  click's signature
        message, hint = (one_line(text, LONGEST) for text in (self.message, self.hint))
        say(f"Error: {message}\nHint: {hint}")


class _WrongUsage(click.ClickException):
    """Print wrong usage as Click does, with its lines broken between words."""

    def __init__(self, error: click.UsageError) -> None:
        super().__init__(error.format_message())
        self._error, self.exit_code = error, error.exit_code  # type: ignore[misc] # as above

    def show(self, file: Any = None) -> None:  # noqa: ARG002  click's signature
        shown = io.StringIO()
        self._error.show(shown)
        say(shown.getvalue().rstrip("\n"))


class _JsonFailure(click.ClickException):
    """Print an error as one JSON object on standard output, and exit with the error's code."""

    def __init__(self, message: str, hint: str, exit_code: int) -> None:
        super().__init__(one_line(message, LONGEST))
        self.hint = one_line(hint, LONGEST)
        self.exit_code = exit_code  # type: ignore[misc] # as above

    def show(self, file: Any = None) -> None:  # noqa: ARG002  click's signature
        shown = {"error": self.message, "hint": self.hint, "exit_code": self.exit_code}
        write(json.dumps(shown, ensure_ascii=False) + "\n")


def print_error(error: ShammahError) -> None:
    """Print an error and its hint, as a command that fails does."""
    _Failure(error).show()


class Group(click.Group):
    """Print errors that a user can act on as one line and a hint; let other exceptions propagate.

    A command with `--json` prints them as an object.
    """

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and note whether it is to print JSON: an error may come before its options are read."""
        ctx.meta[JSON] = self._may_want_json(args)  # while there is no command
        name, command, rest = super().resolve_command(ctx, args)
        ctx.meta[JSON] = command is not None and _wants_json(command, rest)
        return name, command, rest

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the arguments before the command's name; an error in them is JSON too if that was wanted."""
        given = list(args)
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.ClickException as error:
            if parent is not None:
                raise
            raise (_as_json(error) if self._may_want_json(given) else _as_text(error)) from error

    def _may_want_json(self, arguments: list[str]) -> bool:
        """Say whether JSON is wanted where no command was found yet: its `--json` may stand before a file's name."""
        named = next((self.commands[argument] for argument in arguments if argument in self.commands), None)
        return _wants_json(named, arguments) if named else "--json" in _options(arguments)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and convert its errors."""
        try:
            return self.run_command(ctx)
        except click.ClickException as error:
            raise (_as_json(error) if ctx.meta.get(JSON) else _as_text(error)) from error

    def run_command(self, ctx: click.Context) -> Any:
        """Run the command, and convert errors that are not Click's."""
        try:
            return super().invoke(ctx)
        except ShammahError as error:
            raise _Failure(error) from error
        except (OSError, sqlite3.DatabaseError) as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            raise _Failure(as_user_error(error)) from error
        except KeyboardInterrupt as error:
            told = str(error) or "Interrupted."
            if ctx.meta.get(JSON):
                raise _JsonFailure(told, "ask again", INTERRUPTED) from error
            say(told)
            ctx.exit(INTERRUPTED)


def _as_text(error: click.ClickException) -> click.ClickException:
    return _WrongUsage(error) if isinstance(error, click.UsageError) else error


def _as_json(error: click.ClickException) -> _JsonFailure:
    where = getattr(getattr(error, "ctx", None), "command_path", "shammah")
    hint = getattr(error, "hint", f"see {where} --help")
    return _JsonFailure(error.format_message(), hint, error.exit_code)


def _options(arguments: list[str]) -> list[str]:
    """Return the arguments among which options may be."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _wants_json(command: click.Command, arguments: list[str]) -> bool:
    """Say whether the command has a flag `--json`, and is given it."""
    if isinstance(command, click.Group):
        named = (command.commands[name] for name in arguments if name in command.commands)
        command = next(named, command)
    has_flag = any("--json" in option.opts and getattr(option, "is_flag", False) for option in command.params)
    return has_flag and "--json" in _options(arguments)


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


def say_waiting() -> None:
    """Print that this process waits for another one."""
    say(WAITS)


def check_outputs(stream: Path | None, *outputs: Path | None) -> None:
    """Check, before a long run, that the output files are writable; leave them unchanged.

    Raises:
        BadInputError: two of the files are the same.
        OSError: a file cannot be written.
    """
    paths = [path for path in outputs if path]
    files = [path for path in (stream, *paths) if path]
    if len({path.resolve() for path in files}) < len(files):
        raise BadInputError("the stream and the outputs must be different files", "give each of them its own path")
    for path in paths:
        existed = path.exists()
        path.open("ab").close()
        if not existed:
            path.unlink()


def check_text(name: str, text: str, limit: int) -> None:
    """Check that `text` is not too long and is valid UTF-8.

    Raises:
        BadInputError: it is too long, or not valid UTF-8.
    """
    if len(text.encode("utf-8", "replace")) > limit:  # an invalid byte counts as one
        hint = "shorten it, or raise max_query_bytes at the top of config.toml"
        raise BadInputError(f"{name} is longer than {limit:,} bytes", hint)
    check_unicode(name, text)


def check_unicode(name: str, text: str) -> None:
    """Check that `text` is valid UTF-8.

    Raises:
        BadInputError: it is not.
    """
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
