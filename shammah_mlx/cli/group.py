"""A group of commands: what an error looks like, as text or JSON, and the exit code."""

import errno
import io
import json
import sqlite3
from typing import Any

import click

from shammah_mlx import INTERRUPTED
from shammah_mlx.display.console import LONGEST, one_line, say, write
from shammah_mlx.errors import ShammahError, as_user_error

JSON = "shammah.json"  # in the context's `meta`: the command is to print JSON, errors too


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
