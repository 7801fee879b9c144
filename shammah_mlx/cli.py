"""The command line: parse, call, print. Slow packages are imported inside the commands, so that --help is instant."""

import errno
import json
import os
import re
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from shammah_mlx import __version__
from shammah_mlx.errors import BadInputError, ShammahError, TeacherError

if TYPE_CHECKING:
    from shammah_mlx.config import Config
    from shammah_mlx.events import Interaction

ANSWERED, UNCOVERED, UNAVAILABLE = 0, 3, 4  # exit codes: a draft nothing covers; Claude unavailable or its reply cut

Command = TypeVar("Command", bound=Callable[..., Any])


class _Failure(click.ClickException):
    """Print one line and a hint, and leave with the error's exit code."""

    def __init__(self, error: ShammahError) -> None:
        super().__init__(error.message)
        self.hint = error.hint
        self.exit_code = error.exit_code  # type: ignore[misc] # click declares a constant and reads the instance

    def show(self, file: Any = None) -> None:  # noqa: ARG002  click's signature
        click.echo(f"Error: {self.message}\nHint: {self.hint}", err=True)


class _Group(click.Group):
    """Turn what a user can act on into one clear line; let everything else be the bug it is."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ShammahError as error:
            raise _Failure(error) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            where = f" ({error.filename})" if error.filename else ""
            raise _Failure(ShammahError(f"{error.strerror or error}{where}", _disk_hint(error.errno))) from error
        except sqlite3.OperationalError as error:
            raise _Failure(ShammahError(f"the journal cannot be written: {error}", _disk_hint(None))) from error


def _disk_hint(code: int | None) -> str:
    if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "make room on the disk and ask again; what was journalled is learnt then"
    return "check the disk's space and rights, or use another --home"


def settings(command: Command) -> Command:
    """Add the options every command takes; each replaces what config.toml says."""
    for option in (
        click.option("--seed", type=int, help="Seed of initial weights and of all chance."),
        click.option("--preset", help="Which set of models and rules (literal)."),
        click.option("--home", type=click.Path(path_type=Path), help="State folder.  [$SHAMMAH_HOME, ~/.shammah]"),
    ):
        command = option(command)
    return command


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="shammah")
@settings
@click.pass_context
def main(ctx: click.Context, /, **given: Any) -> None:
    """Answer on this machine when it can be trusted to, ask Claude when it cannot, and learn from every answer.

    Exit codes: 0 answered, 1 bad input or state, 2 usage, 3 answered by a draft that nothing covers, 4 Claude
    unavailable or its reply cut.
    """
    os.umask(0o077)  # whatever is written may hold the user's questions
    ctx.obj = given


def _open_home(path: Path) -> Path:
    if not path.exists():
        path.mkdir(mode=0o700, parents=True)
    if not path.is_dir():
        raise BadInputError(f"{path} is not a folder", "give --home a folder")
    return path


def _resolve(ctx: click.Context, **given: Any) -> tuple[Path | None, dict[str, Any]]:
    """Return --home, if given before or after the command's name, and the other settings."""
    merged = {name: given[name] if given[name] is not None else ctx.obj[name] for name in ("home", "preset", "seed")}
    return merged.pop("home"), merged


def _usual_home() -> Path:
    return Path(os.environ.get("SHAMMAH_HOME") or "~/.shammah").expanduser()


def _load(home: Path, flags: dict[str, Any]) -> "Config":
    from shammah_mlx.config import load_config

    return load_config(home / "config.toml", flags)


@main.command()
@click.argument("query", required=False)
@click.option("--claude", is_flag=True, help="Ask Claude whatever the Router says.")
@click.option("--model", help="Claude model to ask.")
@click.option("--system", help="System prompt; part of the question.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds of silence until a try fails.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@settings
@click.pass_context
def ask(
    ctx: click.Context,
    /,
    query: str | None,
    claude: bool,
    model: str | None,
    system: str | None,
    timeout: float | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Answer QUERY, or standard input; the answer alone goes to standard output."""
    home, config = _home_and_config(ctx, given, {"teacher": {"timeout_s": timeout}})
    text = _read_query(query, config.max_query_bytes)
    for name, value in (("--system", system), ("--model", model)):
        _check_text(name, value or "", config.max_query_bytes)
    from shammah_mlx import report
    from shammah_mlx.assistant import Assistant
    from shammah_mlx.events import Outage, Query
    from shammah_mlx.teacher import Claude
    from shammah_mlx.weights import Weights, weights_folder

    weights = Weights(weights_folder())
    shown: list[str] = []

    def show(piece: str) -> None:
        shown.append(piece)
        _write(piece)

    with Assistant(_make_home(home), config, Claude(config.teacher), weights) as assistant:
        answered = assistant.ask(Query(text, system, model), None if as_json else show, forced=claude)
        if isinstance(answered, Outage):
            raise TeacherError(answered.message, answered.hint)
        if as_json:
            _write(json.dumps(report.answer_fields(answered, config.preset), ensure_ascii=False) + "\n")
        else:
            _write(answered.answer[len("".join(shown)) :] + "\n")
            click.echo(report.provenance(answered, config.preset), err=True)
        exit_code = _say_what_lacks(answered)
        assistant.learn_pending()
    ctx.exit(exit_code)


def _say_what_lacks(answered: "Interaction") -> int:
    """Tell the user, on standard error, that an answer is not whole or not covered; return the exit code."""
    reply = answered.reply
    if answered.uncovered:
        click.echo("Not covered: Claude could not be asked to check this local answer.", err=True)
        return UNCOVERED
    if answered.served_local or reply is None or reply.complete:
        return ANSWERED
    why = {
        None: "the connection was cut",
        "max_tokens": "it reached teacher.max_tokens (config.toml)",
        "refusal": "Claude declined to answer",
    }.get(reply.stop_reason, f"it stopped for {reply.stop_reason}")
    click.echo(f"Incomplete: {why}. Nothing was learnt from it.", err=True)
    return UNAVAILABLE


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--shuffle", type=int, metavar="SEED", help="Shuffle the rows by this seed.")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after so many rows.")
@click.option("--json", "json_out", type=click.Path(path_type=Path), metavar="OUT", help="Write the table as JSON.")
@click.option("--trace", "trace_out", type=click.Path(path_type=Path), metavar="OUT", help="Write a JSON line a query.")
@settings
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    file: Path,
    shuffle: int | None,
    limit: int | None,
    json_out: Path | None,
    trace_out: Path | None,
    **given: Any,
) -> None:
    """Run the loop over a recorded stream, FILE, in a home of its own.

    That home is a temporary one, gone at the end, unless --home names a folder nothing was asked in yet.
    """
    from rich.console import Console

    from shammah_mlx import report
    from shammah_mlx.assistant import Assistant
    from shammah_mlx.replay import run
    from shammah_mlx.stream import read_stream
    from shammah_mlx.teacher import Recorded
    from shammah_mlx.weights import Weights, weights_folder

    stream = read_stream(file, shuffle, limit)
    with ExitStack() as opened:
        home, config = _home_and_config(ctx, {**given, "home": _replay_home(_given(ctx, given)["home"], opened)})
        outs = [opened.enter_context(path.open("wb")) if path else None for path in (json_out, trace_out)]
        teacher = Recorded(row for row, _ in stream)
        weights = Weights(weights_folder())
        assistant = opened.enter_context(
            Assistant(home, config, teacher, weights, save_every=config.state.checkpoint_every)
        )
        with report.progress(len(stream)) as advance:
            result = run(stream, assistant, outs[1], advance)
        if outs[0]:
            outs[0].write(report.replay_json(file.name, config.preset, shuffle, result))
    Console().print(report.band_table(result))


def _replay_home(given: Path | None, opened: ExitStack) -> Path:
    if given is None:
        return Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="shammah-replay-")))
    if (given / "journal.db").exists():
        raise BadInputError(f"{given} has a journal of its own", "give replay another --home, or none")
    return _make_home(given)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@settings
@click.pass_context
def status(ctx: click.Context, /, as_json: bool, **given: Any) -> None:
    """Say how much was asked, learnt and spent."""
    home, config = _home_and_config(ctx, given)
    from rich.console import Console

    from shammah_mlx import report
    from shammah_mlx.journal import read_totals
    from shammah_mlx.states import States

    states = States(home, config.state)
    fields = report.status_fields(config, states.manifest(), read_totals(home / "journal.db"))
    if as_json:
        click.echo(json.dumps(fields))
    else:
        Console().print(report.status_table(fields, states.checkpoints()))


@main.command()
@click.argument("queries", metavar="N", type=click.IntRange(min=0))
@settings
@click.pass_context
def rollback(ctx: click.Context, /, queries: int, **given: Any) -> None:
    """Return to the checkpoint made after N queries."""
    home, config = _home_and_config(ctx, given)
    from shammah_mlx.assistant import roll_back

    set_aside = roll_back(home, config, queries)
    click.echo(f"Models are as they were after query {queries}; {set_aside} later interactions were set aside.")


@main.command()
def setup() -> None:
    """Fetch the pretrained weights once, check them, and keep them in the platform's cache folder.

    SHAMMAH_WEIGHTS names another folder.
    """
    from shammah_mlx.weights import fetch_weights, weights_folder

    folder = weights_folder()
    click.echo(f"Weights folder: {folder}")
    fetch_weights(folder, click.echo)
    click.echo("Ready.")


def _given(ctx: click.Context, given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings, whether they stood before or after the command's name."""
    return {name: value if value is not None else ctx.obj[name] for name, value in given.items()}


def _home_and_config(
    ctx: click.Context, given: dict[str, Any], flags: dict[str, Any] | None = None
) -> "tuple[Path, Config]":
    from shammah_mlx.config import load_config

    merged = _given(ctx, given)
    home = merged.pop("home") or Path(os.environ.get("SHAMMAH_HOME") or "~/.shammah").expanduser()
    return home, load_config(home / "config.toml", {**merged, **(flags or {})})


def _make_home(path: Path) -> Path:
    if not path.exists():
        path.mkdir(mode=0o700, parents=True)
    if not path.is_dir():
        raise BadInputError(f"{path} is not a folder", "give --home a folder")
    return path


def _read_query(argument: str | None, limit: int) -> str:
    """Return the question, from the argument or standard input.

    Raises:
        BadInputError: it is empty, too long, or no text.
    """
    if argument is None:
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError("Give a QUERY, or pipe one in.")
        argument = sys.stdin.buffer.read(limit + 1).decode("utf-8", "surrogateescape")
    _check_text("the query", argument, limit)
    if not argument.strip():
        raise BadInputError("the query is empty", 'ask something: shammah ask "What is a monad?"')
    return argument.strip()


def _check_text(name: str, text: str, limit: int) -> None:
    if len(text.encode("utf-8", "surrogateescape")) > limit:
        raise BadInputError(
            f"{name} is longer than {limit:,} bytes", "ask about a part of it, or raise max_query_bytes"
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInputError(f"{name} is not valid UTF-8", "convert it first, with iconv for example") from error


def _write(text: str) -> None:
    """Write to standard output at once; on a terminal without control characters, which could do anything to it."""
    if sys.stdout.isatty():
        text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", text)
    try:
        click.echo(text, nl=False)
    except BrokenPipeError:  # the reader, `head` say, has had enough; what was answered is learnt all the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
