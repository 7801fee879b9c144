"""What commands share and none of what they do: settings, standard input and output, how failures look there."""

import errno
import math
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from shammah_mlx.errors import BadInputError, ShammahError

if TYPE_CHECKING:
    from shammah_mlx.config import Config

INTERRUPTED = 130  # exit code, as shells have it
PUT_OFF = "Learning was put off; the next question does it."
LONGEST = 1000  # characters of an error: it may repeat what was given
RIGHTS_HINT = "check that the path exists and that you may write there"

Command = TypeVar("Command", bound=Callable[..., Any])


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


def as_told(error: OSError | sqlite3.Error) -> ShammahError:
    """Return what the system or the journal's file said as what a user can act on."""
    if isinstance(error, sqlite3.Error):
        hint = "make room on the disk if it is full; if journal.db is damaged, restore it or use another --home"
        return ShammahError(f"the journal cannot be used: {error}", hint)
    where = f" ({error.filename})" if error.filename else ""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    hint = "make room on the disk; what is journalled is learnt by the next question" if full else RIGHTS_HINT
    return ShammahError(f"{error.strerror or error}{where}", hint)


def _home_option(ctx: click.Context, option: click.Parameter, given: str | None) -> Path | None:
    try:
        return None if given is None else _folder(given)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, option) from error


def _folder(given: str) -> Path:
    """Return the path a user gave.

    Raises:
        ValueError: it is none, and why.
    """
    if not given.strip():
        raise ValueError("it is empty")
    if not is_text(given):  # MLX could not open it
        raise ValueError("it is not valid UTF-8")
    try:
        return Path(given).expanduser()
    except RuntimeError as error:
        raise ValueError(f"there is no such user: {given}") from error


def _number(ctx: click.Context, option: click.Parameter, given: float | None) -> float | None:
    if given is not None and math.isnan(given):
        raise click.BadParameter("it is no number", ctx, option)
    return given


def settings(command: Command) -> Command:
    """Add the options every command takes; each replaces what config.toml says."""
    for option in (
        click.option(
            "--max-bad-rate",
            type=click.FloatRange(0.0, 1.0, min_open=True),
            callback=_number,
            metavar="SHARE",
            help="Of local answers, how many may be bad in the long run.  [0.05; 1 promises nothing]",
        ),
        click.option(
            "--seed", type=click.IntRange(min=0, max=2**63 - 1), help="Seed of initial weights and of all chance."
        ),
        click.option("--preset", help="Which set of models and rules: default, literal."),
        click.option("--home", callback=_home_option, help="State folder.  [$SHAMMAH_HOME, ~/.shammah]"),
    ):
        command = option(command)
    return command


def given_settings(ctx: click.Context, given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings, whether they stood before or after the command's name."""
    return {name: value if value is not None else ctx.obj[name] for name, value in given.items()}


def home_of(ctx: click.Context, given: dict[str, Any]) -> Path:
    """Return the home alone, whatever its settings are."""
    try:
        return given_settings(ctx, given)["home"] or _folder(os.environ.get("SHAMMAH_HOME") or "~/.shammah")
    except ValueError as error:
        raise BadInputError(f"SHAMMAH_HOME is no folder: {error}", "give it or --home a folder") from error


def flags_of(ctx: click.Context, given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings without the home, in the shape config.toml has."""
    flags = given_settings(ctx, given)
    del flags["home"]
    risk = {"max_bad_rate": flags.pop("max_bad_rate")}
    return {**flags, "risk": risk}


def home_and_config(
    ctx: click.Context, given: dict[str, Any], flags: dict[str, Any] | None = None
) -> "tuple[Path, Config]":
    """Return the home, and its config with the given settings and flags; presets are loaded here, not for --help."""
    from shammah_mlx.presets import load_config

    home = home_of(ctx, given)
    return home, load_config(home / "config.toml", {**flags_of(ctx, given), **(flags or {})})


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


def make_home(path: Path) -> Path:
    """Return the folder, made if need be, private, and holding nothing but a home.

    Raises:
        BadInputError: it is no folder, or holds other things: who deletes a home must not delete those.
    """
    if path.exists() and not path.is_dir():
        raise BadInputError(f"{path} is not a folder", "give --home a folder")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    of_home = ("journal.db", "config.toml", "models", "lock", "key", "serving")
    is_home = any((path / name).exists() for name in of_home)
    if any(path.iterdir()) and not is_home:
        raise BadInputError(f"{path} holds other files", "give --home a new or empty folder")
    path.chmod(0o700)
    return path


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
