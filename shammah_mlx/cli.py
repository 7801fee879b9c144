"""The command line: parse, call, print. Slow packages are imported inside the commands, so that --help is instant."""

import functools
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx import __version__
from shammah_mlx.background import learn
from shammah_mlx.console import (
    LONGEST,
    PUT_OFF,
    Group,
    Shown,
    check_outputs,
    check_text,
    given_settings,
    home_and_config,
    make_home,
    one_line,
    progress,
    read_query,
    settings,
    write,
)
from shammah_mlx.diagnosis import doctor
from shammah_mlx.errors import BadInputError, TeacherError
from shammah_mlx.explaining import status, why
from shammah_mlx.serving import serve
from shammah_mlx.supervising import service
from shammah_mlx.undoing import forget, rebuild, rollback
from shammah_mlx.unlocking import key

if TYPE_CHECKING:
    from shammah_mlx.client import Answered, Unanswered, Wanted
    from shammah_mlx.events import Interaction, Wish

ANSWERED, UNCOVERED, UNAVAILABLE = 0, 3, 4  # exit codes


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="shammah")
@settings
@click.pass_context
def main(ctx: click.Context, /, **given: Any) -> None:
    """Answer on this machine when it can be trusted to, ask Claude when it cannot, and learn from every answer.

    Exit codes: 0 answered, 1 bad input or state, 2 usage, 3 answered by a draft that nothing covers, 4 Claude
    unavailable or its reply cut, 130 interrupted.
    """
    os.umask(0o077)  # whatever is written may hold the user's questions
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # what its encoding lacks, as standard error does
    ctx.obj = given


@main.command()
@click.argument("query", required=False)
@click.option("-c", "--continue", "continues", is_flag=True, help="Continue the last conversation.")
@click.option("--claude", is_flag=True, help="Ask Claude whatever the Router says.")
@click.option("--local", is_flag=True, help="Never call Claude: take what this machine has.")
@click.option("--strict", is_flag=True, help="No answer rather than one that nothing covers.")
@click.option("--no-store", "unkept", is_flag=True, help="Answer, and keep nothing of it.")
@click.option("--wait", is_flag=True, help="Stay until it is learnt.")
@click.option("--model", help="Claude model to ask.")
@click.option("--system", help="System prompt; part of the question.")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds of silence until a try (of three) fails."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@settings
@click.pass_context
def ask(
    ctx: click.Context,
    /,
    query: str | None,
    continues: bool,
    claude: bool,
    local: bool,
    strict: bool,
    unkept: bool,
    wait: bool,
    model: str | None,
    system: str | None,
    timeout: float | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Answer QUERY, or standard input.

    The answer alone goes to standard output; a line about where it came from goes to standard error.
    """
    since = time.perf_counter()
    wish = _wish(claude=claude, local=local, strict=strict)
    home, config = home_and_config(ctx, given, {"teacher": {"timeout_s": timeout}})
    text = read_query(query, config.max_query_bytes)
    for name, value in (("--system", system), ("--model", model)):
        check_text(name, value or "", config.max_query_bytes)
    from shammah_mlx.asking import ask_here, ask_service
    from shammah_mlx.client import Wanted, is_served

    wanted = Wanted(text, system, model, continues, wish, strict, kept=not unkept, waits=wait)
    chosen = given_settings(ctx, given)
    has_settings = any(value is not None for name, value in {**chosen, "timeout": timeout}.items() if name != "home")
    show = None if as_json else Shown()
    shown = show or (lambda _: None)
    here = functools.partial(ask_here, home, config, wanted, shown, since, chosen)
    exit_code, is_out = ANSWERED, False
    try:
        for said in here() if has_settings or not is_served(home) else ask_service(home, wanted, shown, here):
            is_out = True  # and journalled
            exit_code = _say(said, wanted, show)
    except KeyboardInterrupt:
        if not is_out:
            raise
        click.echo(PUT_OFF, err=True)
    ctx.exit(exit_code)


def _wish(*, claude: bool, local: bool, strict: bool) -> "Wish | None":
    """Return who the user asked for."""
    if claude and local:
        raise click.UsageError("--claude and --local exclude each other.")
    if strict and local:
        raise click.UsageError("--strict and --local exclude each other: nothing covers what --local gives.")
    return "claude" if claude else "local" if local else None


def _say(said: "Answered | Unanswered", wanted: "Wanted", show: Shown | None) -> int:
    """Print the answer; return the exit code.

    Raises:
        TeacherError: there is none.
    """
    from shammah_mlx.client import Answered

    if isinstance(said, Answered):
        return _say_answer(said.interaction, said.preset, show)
    own = "" if wanted.wish or wanted.strict else "; --local gives what this machine has, unchecked"
    raise TeacherError(said.outage.message, said.outage.hint + own)


def _say_answer(answered: "Interaction", preset: str, show: Shown | None) -> int:
    """Print the answer, or what of it is not shown yet, and what is to be known about it; return the exit code."""
    from shammah_mlx import provenance

    if show is None:
        write(json.dumps(provenance.fields(answered, preset), ensure_ascii=False) + "\n")
    else:
        write(answered.answer[len(show.text) :] + ("" if answered.answer.endswith("\n") else "\n"))
        click.echo(one_line(provenance.line(answered, preset), LONGEST), err=True)  # the model is a server's word
    if answered.destroys:
        warning = "Careful: this has a command that deletes or overwrites. Read it before you run it."
        click.secho(warning, fg="red", err=True)
    if answered.turn.secret:
        click.echo("It looks like it holds a secret: nothing of it is kept or learnt.", err=True)
    return _say_what_lacks(answered)


def _say_what_lacks(answered: "Interaction") -> int:
    """Tell the user, on standard error, that an answer is not whole or not covered; return the exit code."""
    reply = answered.reply
    if answered.uncovered:
        why = "an earlier local answer waits for a check; the next question that goes to Claude (--claude) brings it"
        if answered.route.threshold is None:
            why = "of the first questions nothing is promised"
        elif not answered.accepted:
            why = "this local answer is doubtful"
        elif answered.audit:
            why = "Claude could not be asked to check this local answer"
        click.echo(f"Not covered: {why}.", err=True)
        return UNCOVERED
    if answered.served_local or reply is None or reply.complete:
        return ANSWERED
    why = {
        None: "Incomplete: the connection was cut",
        "max_tokens": "Incomplete: it reached teacher.max_tokens (config.toml)",
        "refusal": "Claude declined to answer",
        "end_turn": "Claude's reply was empty",
    }.get(reply.stop_reason, f"Incomplete: Claude stopped for {reply.stop_reason}")
    click.echo(f"{why}. Nothing was learnt from it.", err=True)
    return UNAVAILABLE


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--shuffle", type=int, metavar="SEED", help="Shuffle the rows by this seed.")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after so many rows.")
@click.option(
    "--generator", type=click.Choice(["recall", "recall+decoder"]), help="Who drafts; without the decoder it is fast."
)
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
    generator: str | None,
    json_out: Path | None,
    trace_out: Path | None,
    **given: Any,
) -> None:
    """Run the loop over a recorded stream.

    FILE has a JSON object a line, with `query` and `reply`. The run has a home of its own: a temporary one, gone at the
    end, unless --home names a new or empty folder.
    """
    from rich.console import Console

    from shammah_mlx import report
    from shammah_mlx.assistant import Assistant
    from shammah_mlx.replay import run
    from shammah_mlx.stream import read_stream
    from shammah_mlx.teacher import Recorded
    from shammah_mlx.weights import Weights, weights_folder

    given_home = given_settings(ctx, given)["home"]
    stream = read_stream(file, shuffle, limit)
    weights = Weights(weights_folder())
    check_outputs(file, json_out, trace_out)
    with ExitStack() as opened:
        given = {**given, "home": _replay_home(given_home, opened)}
        home, config = home_and_config(ctx, given, {"generator": generator})
        teacher = Recorded(row for row, _ in stream)
        now = time.time()  # a recorded stream has no clock: it is one moment
        assistant = opened.enter_context(
            Assistant(home, config, teacher, weights, saves=given_home is not None, clock=lambda: now)
        )
        trace = opened.enter_context(trace_out.open("wb")) if trace_out else None
        with progress("replay", len(stream)) as advance:
            result = run(stream, assistant, trace, advance)
        if json_out:
            json_out.write_bytes(report.replay_json(file.name, config.preset, shuffle, result))
    Console().print(report.band_table(result))


def _replay_home(given: Path | None, opened: ExitStack) -> Path:
    if given is None:
        return Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="shammah-replay-")))
    if (given / "journal.db").exists():
        raise BadInputError(f"{given} has a journal of its own", "give replay another --home, or none")
    return make_home(given)


@main.command()
def setup() -> None:
    """Fetch and check the pretrained weights.

    They are kept in the platform's cache folder, or the one SHAMMAH_WEIGHTS names.
    """
    from shammah_mlx.weights import fetch_weights, weights_folder

    folder = weights_folder()
    click.echo(f"Weights folder: {folder}")
    fetch_weights(folder, click.echo)
    click.echo("Ready.")


main.add_command(status)
main.add_command(why)
main.add_command(learn)
main.add_command(serve)
main.add_command(doctor)
main.add_command(key)
main.add_command(service)
main.add_command(rollback)
main.add_command(rebuild)
main.add_command(forget)
