"""Have one question answered, by the home's service or in this process, and print what comes of it."""

import functools
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from shammah_mlx.cli import provenance
from shammah_mlx.cli.console import (
    LEARNING_POSTPONED,
    LONGEST,
    StreamedText,
    learning,
    one_line,
    relearning,
    say_waiting,
    write,
)
from shammah_mlx.config import Config
from shammah_mlx.errors import TeacherError
from shammah_mlx.events import Interaction, Outage, Show
from shammah_mlx.home.background import start_learning
from shammah_mlx.home.folder import make_home
from shammah_mlx.server import client
from shammah_mlx.server.protocol import Answered, AskRequest, Away, Unanswered
from shammah_mlx.text.destructive import destroys

ANSWERED, UNCOVERED, UNAVAILABLE = 0, 3, 4  # exit codes

Outcomes = Generator[Answered | Unanswered, None, None]
"""Yields one outcome; asked for more, it does the work that the user need not wait for."""


def answer(
    home: Path,
    config: Config,
    wanted: AskRequest,
    settings: Mapping[str, Any],
    *,
    since: float,
    in_process: bool,
    as_json: bool,
) -> int:
    """Have the question answered and print the answer; return the exit code.

    `settings` are the command's options; `since` is the time of `time.perf_counter` at which the command started.

    Raises:
        ShammahError: there is no answer.
    """
    streamed = None if as_json else StreamedText()
    show = streamed or (lambda _: None)
    here = functools.partial(_ask_here, home, config, wanted, show, since, settings)
    exit_code, is_answered = ANSWERED, False
    try:
        asked = here() if in_process or not client.is_served(home) else _ask_service(home, wanted, show, here)
        with closing(asked) as outcomes:  # an error leaves it unfinished, and its lock must be released by this thread
            for outcome in outcomes:
                is_answered = True  # and journalled
                exit_code = _print_outcome(outcome, wanted, streamed)
    except KeyboardInterrupt:
        if not is_answered:
            raise
        click.echo(LEARNING_POSTPONED, err=True)
    return exit_code


def _ask_service(home: Path, wanted: AskRequest, show: Show, here: Callable[[], Outcomes]) -> Outcomes:
    """Ask the service, which also learns; ask `here` if it has no key or another command has it out of the home.

    Raises:
        ShammahError: the question cannot be answered.
    """
    for outcome in client.ask(home, wanted, show, _print_continuing):
        if isinstance(outcome, Away) or (isinstance(outcome, Unanswered) and outcome.outage.kind == "no_key"):
            yield from here()
            return
        yield outcome


def _ask_here(
    home: Path, config: Config, wanted: AskRequest, show: Show, since: float, settings: Mapping[str, Any]
) -> Outcomes:
    """Answer in this process, then learn, or start a process that learns with the same `settings`.

    Raises:
        ShammahError: the question cannot be answered.
    """
    from shammah_mlx.home.assistant import Assistant, AssistantOptions  # loads MLX: needless where a service answers
    from shammah_mlx.models.weights import Weights, weights_folder
    from shammah_mlx.teacher.claude import Claude
    from shammah_mlx.teacher.keys import find_credential

    claude = Claude(config.teacher, find_credential(home), judge=config.judge)
    opened = AssistantOptions(on_wait=say_waiting, secret_audits=True, origin=claude.origin, relearning=relearning)
    with Assistant(make_home(home), config, claude, Weights(weights_folder()), options=opened) as assistant:
        asked = wanted.query(assistant.continued, assistant.asked)
        if asked.history:
            _print_continuing(asked.history[-1].question)
        answered = assistant.ask(asked, show, wanted.options, since)
        if isinstance(answered, Outage):
            yield Unanswered(answered)
            return
        yield Answered(answered, config.preset)
        try:
            if wanted.waits:
                assistant.learn_all(learning, wait=True)
            elif answered.request.stored:
                _start_learning(home, settings)
        except KeyboardInterrupt:  # the answer is out, and journalled
            click.echo(LEARNING_POSTPONED, err=True)


def _print_continuing(question: str) -> None:
    """Print which conversation goes on: it may not be the last one, which was perhaps not stored."""
    click.echo(f"Continuing after: {one_line(question)}", err=True)


def _start_learning(home: Path, settings: Mapping[str, Any]) -> None:
    try:
        start_learning(home, settings)
    except OSError as error:  # too many processes, for example; the answer is good all the same
        click.echo(f"{LEARNING_POSTPONED} ({error.strerror or error})", err=True)


def _print_outcome(outcome: Answered | Unanswered, wanted: AskRequest, streamed: StreamedText | None) -> int:
    """Print the answer; return the exit code.

    Raises:
        TeacherError: there is no answer.
    """
    if isinstance(outcome, Answered):
        return _print_answer(outcome.interaction, outcome.preset, streamed)
    local = "" if wanted.forced_source or wanted.strict else "; --local answers from this machine, unchecked"
    raise TeacherError(outcome.outage.message, outcome.outage.hint + local)


def _print_answer(answered: Interaction, preset: str, streamed: StreamedText | None) -> int:
    """Print the part of the answer that is not shown yet, its provenance and any warning; return the exit code."""
    shown = provenance.provenance(answered, preset)
    if streamed is None:
        write(provenance.as_json(shown) + "\n")
    else:
        write(answered.answer[len(streamed.text) :] + ("" if answered.answer.endswith("\n") else "\n"))
        click.echo(one_line(provenance.line(shown), LONGEST), err=True)  # the server chose the model's name
    if answered.served_local and destroys(answered.answer):
        warning = "Careful: this answer has a command that deletes or overwrites. Read it before you run it."
        click.secho(warning, fg="red", err=True)
    if answered.request.secret:
        click.echo("The question looks like it holds a secret, so it is neither stored nor learnt.", err=True)
    if answered.reply is not None and answered.reply.secret is True:
        click.echo("Claude's reply looks like it holds a secret, so it is neither stored nor learnt.", err=True)
    return _print_shortcomings(answered)


def _print_shortcomings(answered: Interaction) -> int:
    """Print, on standard error, why an answer is incomplete or not covered; return the exit code."""
    reply = answered.reply
    if answered.uncovered:
        why = "an earlier local answer is unchecked; the next question that goes to Claude (try --claude) checks it"
        if not answered.accepted:
            is_early = answered.route.threshold is None
            score = "the score of this local answer is not above the threshold that lets answers be served"
            why = "nothing is promised for the first questions" if is_early else score
        elif answered.audit:
            why = "Claude could not be asked to check this local answer"
        click.echo(f"Not covered: {why}.", err=True)
        return UNCOVERED
    if answered.served_local or reply is None:
        return ANSWERED
    if reply.complete:
        if not reply.teaches:
            told = f"Nothing was learnt: {reply.model or 'no model'} replied, not the model that was asked."
            click.echo(one_line(told, LONGEST), err=True)
        return ANSWERED
    why = {
        None: "Incomplete: the connection was cut",
        "max_tokens": "Incomplete: it reached the limit teacher.max_tokens in config.toml",
        "refusal": "Claude declined to answer",
        "end_turn": "Claude's reply was empty",
    }.get(reply.stop_reason, f"Incomplete: Claude stopped because of {reply.stop_reason}")
    click.echo(one_line(f"{why}. Nothing was learnt from it.", LONGEST), err=True)  # the server chose the reason
    return UNAVAILABLE
