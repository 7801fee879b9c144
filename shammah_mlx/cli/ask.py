"""`shammah ask`: one question, answered by the home's service if one runs, or else in this process."""

import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx.cli import provenance
from shammah_mlx.cli.console import (
    LONGEST,
    PUT_OFF,
    Shown,
    check_text,
    learning,
    one_line,
    read_query,
    say_waiting,
    write,
)
from shammah_mlx.cli.options import given_settings, home_and_config, settings
from shammah_mlx.errors import TeacherError
from shammah_mlx.events import ForcedSource, Interaction, Outage, Show
from shammah_mlx.home.background import start_learning
from shammah_mlx.home.folder import make_home
from shammah_mlx.server import client
from shammah_mlx.server.protocol import Answered, AskRequest, Away, Unanswered
from shammah_mlx.text.destructive import destroys

if TYPE_CHECKING:
    from shammah_mlx.config import Config

ANSWERED, UNCOVERED, UNAVAILABLE = 0, 3, 4  # exit codes

Outcomes = Iterator[Answered | Unanswered]
"""Gives the one outcome, and goes on with what the user need not wait for when asked for more."""


@click.command()
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
    forced_source = _forced_source(claude=claude, local=local, strict=strict)
    home, config = home_and_config(ctx, given, {"teacher": {"timeout_s": timeout}})
    text = read_query(query, config.max_query_bytes)
    for name, value in (("--system", system), ("--model", model)):
        check_text(name, value or "", config.max_query_bytes)

    wanted = AskRequest(text, system, model, continues, forced_source, strict, stored=not unkept, waits=wait)
    chosen = given_settings(ctx, given)
    has_settings = any(value is not None for name, value in {**chosen, "timeout": timeout}.items() if name != "home")
    show = None if as_json else Shown()
    shown = show or (lambda _: None)
    here = functools.partial(_ask_here, home, config, wanted, shown, since, chosen)
    exit_code, is_out = ANSWERED, False
    try:
        for said in here() if has_settings or not client.is_served(home) else _ask_service(home, wanted, shown, here):
            is_out = True  # and journalled
            exit_code = _say(said, wanted, show)
    except KeyboardInterrupt:
        if not is_out:
            raise
        click.echo(PUT_OFF, err=True)
    ctx.exit(exit_code)


def _ask_service(home: Path, wanted: AskRequest, show: Show, here: Callable[[], Outcomes]) -> Outcomes:
    """Have the service answer, which learns by itself; ask `here` if it has no key, or is out of the home.

    Raises:
        ShammahError: it cannot be answered.
    """
    for said in client.ask(home, wanted, show, _say_what_continues):
        if isinstance(said, Away) or (isinstance(said, Unanswered) and said.outage.kind == "no_key"):
            yield from here()
            return
        yield said


def _ask_here(
    home: Path, config: "Config", wanted: AskRequest, show: Show, since: float, given: Mapping[str, Any]
) -> Outcomes:
    """Answer in this process, then learn, or have another process learn; `given` are the settings.

    Raises:
        ShammahError: it cannot be answered.
    """
    from shammah_mlx.home.assistant import Assistant, AssistantOptions  # loads MLX: needless where a service answers
    from shammah_mlx.models.weights import Weights, weights_folder
    from shammah_mlx.teacher.claude import Claude
    from shammah_mlx.teacher.keys import find_credential

    claude = Claude(config.teacher, find_credential(home))
    with Assistant(
        make_home(home), config, claude, Weights(weights_folder()), options=AssistantOptions(on_wait=say_waiting)
    ) as assistant:
        asked = assistant.make_query(wanted.text, wanted.system, wanted.model, continues=wanted.continues)
        if asked.history:
            _say_what_continues(asked.history[-1].question)
        answered = assistant.ask(asked, show, wanted.options, since)
        if isinstance(answered, Outage):
            yield Unanswered(answered)
            return
        yield Answered(answered, config.preset)
        try:
            if wanted.waits:
                assistant.learn_all(learning, wait=True)
            elif answered.request.stored:
                _start_learning(home, given)
        except KeyboardInterrupt:  # the answer is out, and journalled
            click.echo(PUT_OFF, err=True)


def _say_what_continues(question: str) -> None:
    """Tell which conversation it is: what was not kept cannot be continued."""
    click.echo(f"Continuing after: {one_line(question)}", err=True)


def _start_learning(home: Path, given: Mapping[str, Any]) -> None:
    try:
        start_learning(home, given)
    except OSError as error:  # no process more, say: that is no reason to call the answer a failure
        click.echo(f"{PUT_OFF} ({error.strerror or error})", err=True)


def _forced_source(*, claude: bool, local: bool, strict: bool) -> ForcedSource | None:
    """Return who the user asked for."""
    if claude and local:
        raise click.UsageError("--claude and --local exclude each other.")
    if strict and local:
        raise click.UsageError("--strict and --local exclude each other: nothing covers what --local gives.")
    return "claude" if claude else "local" if local else None


def _say(said: Answered | Unanswered, wanted: AskRequest, show: Shown | None) -> int:
    """Print the answer; return the exit code.

    Raises:
        TeacherError: there is none.
    """
    if isinstance(said, Answered):
        return _say_answer(said.interaction, said.preset, show)
    own = "" if wanted.forced_source or wanted.strict else "; --local gives what this machine has, unchecked"
    raise TeacherError(said.outage.message, said.outage.hint + own)


def _say_answer(answered: Interaction, preset: str, show: Shown | None) -> int:
    """Print the answer, or what of it is not shown yet, and what is to be known about it; return the exit code."""
    if show is None:
        write(json.dumps(provenance.fields(answered, preset), ensure_ascii=False) + "\n")
    else:
        write(answered.answer[len(show.text) :] + ("" if answered.answer.endswith("\n") else "\n"))
        click.echo(one_line(provenance.line(answered, preset), LONGEST), err=True)  # the model is a server's word
    if answered.served_local and destroys(answered.answer):
        warning = "Careful: this has a command that deletes or overwrites. Read it before you run it."
        click.secho(warning, fg="red", err=True)
    if answered.request.secret:
        click.echo("It looks like it holds a secret: nothing of it is kept or learnt.", err=True)
    return _say_what_lacks(answered)


def _say_what_lacks(answered: Interaction) -> int:
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
