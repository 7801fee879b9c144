"""Have one question answered, by the home's service or in this process, and show what comes of it."""

import functools
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import UNSET

from shammah_mlx.cli.interrupts import KEPT, ReplyInterrupts, whole_imports
from shammah_mlx.config import Config
from shammah_mlx.display import provenance
from shammah_mlx.display.console import LEARNING_POSTPONED, WAITS, learning, one_line, relearning
from shammah_mlx.display.screen import AWAITED, Screen
from shammah_mlx.display.spinner import can_spin
from shammah_mlx.errors import ShammahError, TeacherError
from shammah_mlx.events import Interaction, Outage
from shammah_mlx.framework.redaction import hides_secret
from shammah_mlx.home.background import is_learning, start_learning
from shammah_mlx.home.folder import make_home
from shammah_mlx.home.locks import progress_of_another
from shammah_mlx.home.recollection import recollect
from shammah_mlx.server import client
from shammah_mlx.server.protocol import Answered, AskRequest, Awaiting, Away, Unanswered
from shammah_mlx.teacher.outages import NO_KEY, outage
from shammah_mlx.text.destructive import destroys

if TYPE_CHECKING:
    from shammah_mlx.home.assistant import Assistant
    from shammah_mlx.home.training import Begin  # loads MLX

ANSWERED, UNCOVERED, UNAVAILABLE = 0, 3, 4  # exit codes
MUCH = 20  # interactions: with fewer left to learn, a user hardly notices
UNLIKELY = 0.5  # p_accept below which a draft that was asked for is more likely bad than good

Outcomes = Generator[Answered | Unanswered, None, None]
"""Yields one outcome; asked for more, it does the work that the user need not wait for."""


class OpenHome(NamedTuple):
    """A home, open in this process."""

    assistant: "Assistant"
    hang_up: Callable[[], bool]  # ends what Claude is saying; False: he says nothing


Opening = Callable[[], AbstractContextManager[OpenHome]]
"""Opens a home in this process; leaving the context may close it."""


def answer(
    home: Path,
    config: Config,
    wanted: AskRequest,
    settings: Mapping[str, Any],
    screen: Screen,
    *,
    since: float,
    in_process: bool,
    opening: Opening | None = None,
    on_answered: Callable[[Interaction], None] = lambda _: None,
) -> int:
    """Have the question answered and show the answer; return the exit code.

    `settings` are the command's options; `since` is the time of `time.perf_counter` at which the command started.
    `opening` opens the home if no service answers; `on_answered` receives the answer before it is shown.

    Raises:
        ShammahError: there is no answer.
        KeyboardInterrupt: Ctrl-C came before the answer was whole; what it says is for the user.
    """
    if not config.terminal.markdown:
        screen.show_plainly()
    screen.announce("memory")
    opening = opening or functools.partial(
        open_home,
        home,
        config,
        functools.partial(await_another, home, screen),
        functools.partial(relearning_on, screen),
    )
    here = functools.partial(_ask_here, opening, home, config, screen=screen, since=since, settings=settings)
    exit_code, is_answered = ANSWERED, False
    try:
        asked = here(wanted) if in_process or not client.is_served(home) else _ask_service(home, wanted, screen, here)
        with closing(asked) as outcomes:  # an error leaves it unfinished, and its lock must be released by this thread
            for outcome in outcomes:
                is_answered = True  # and journalled
                if isinstance(outcome, Answered):
                    on_answered(outcome.interaction)
                exit_code = _show_outcome(outcome, wanted, screen, home, config)
    except KeyboardInterrupt as stopped:
        if not is_answered:
            if str(stopped) != KEPT and wanted.unhelpful is None:
                _note_asked(home, wanted)
            raise
        screen.note(LEARNING_POSTPONED)
    return exit_code


def _note_asked(home: Path, wanted: AskRequest) -> None:
    """Note that the question was asked, if that is done at once: the user leaves."""
    from shammah_mlx.home.conversations import note_asked  # loads numpy, which a service's answer needs not

    with suppress(ShammahError, OSError, sqlite3.Error):
        note_asked(home, wanted.terminal)


def _ask_service(home: Path, wanted: AskRequest, screen: Screen, here: Callable[[AskRequest], Outcomes]) -> Outcomes:
    """Ask the service, which also learns; ask `here` if it has no key, asks another host, or is out of the home.

    Raises:
        ShammahError: the question cannot be answered.
        KeyboardInterrupt: likewise; the service keeps what Claude has begun to say.
    """

    def await_(awaiting: Awaiting) -> None:
        progress = f": {awaiting.learnt} of {awaiting.count} learnt" if awaiting.count else ""
        screen.await_(AWAITED[awaiting.what] + progress)

    try:
        for outcome in client.ask(
            home, wanted, screen.show, functools.partial(_note_continuing, screen, wanted), await_
        ):
            if isinstance(outcome, Away):
                yield from here(wanted)
                return
            if isinstance(outcome, Unanswered) and outcome.outage.kind == NO_KEY:
                yield from here(msgspec.structs.replace(wanted, handed_back=True))
                return
            yield outcome
    except KeyboardInterrupt as interrupt:
        is_claudes = screen.has_begun and wanted.forced_source != "local"
        if is_claudes and wanted.stored and not interrupt.args:
            raise KeyboardInterrupt(KEPT) from interrupt
        raise


@contextmanager
def open_home(home: Path, config: Config, on_wait: Callable[[], None], relearning: "Begin") -> Iterator[OpenHome]:
    """Open the home in this process; `relearning` shows that the memory has to be made again.

    Raises:
        ShammahError: it cannot be opened.
    """
    with whole_imports():
        from shammah_mlx.framework.our_claude import our_claude
        from shammah_mlx.home.assistant import Assistant, AssistantOptions  # MLX: needless where a service answers
        from shammah_mlx.models.weights import Weights, weights_folder
        from shammah_mlx.teacher.keys import find_credential

    claude = our_claude(config, find_credential(home))
    opened = AssistantOptions(on_wait=on_wait, secret_audits=True, origin=claude.origin, relearning=relearning)
    with Assistant(make_home(home), config, claude, Weights(weights_folder()), options=opened) as assistant:
        yield OpenHome(assistant, claude.hang_up)


def _ask_here(
    opening: Opening,
    home: Path,
    config: Config,
    wanted: AskRequest,
    screen: Screen,
    since: float,
    settings: Mapping[str, Any],
) -> Outcomes:
    """Answer in this process, then learn, or start a process that learns with the same `settings`.

    Raises:
        ShammahError: the question cannot be answered.
        KeyboardInterrupt: likewise; what Claude had begun to say is journalled.
    """
    with opening() as (assistant, hang_up):
        asked = wanted.query(assistant.continued, assistant.asked)
        if asked.history:
            _note_continuing(screen, wanted, asked.history[-1].question)
        with ReplyInterrupts(hang_up) as interrupts:
            answered = assistant.ask(asked, screen.show, wanted.options, since, screen.announce)
        if interrupts.has_come and not (isinstance(answered, Interaction) and answered.served_local):
            is_kept = isinstance(answered, Interaction) and answered.request.stored
            raise KeyboardInterrupt(*([KEPT] if is_kept else []))
        if isinstance(answered, Outage):
            yield Unanswered(answered)
            return
        yield Answered(answered, config.preset)
        try:
            if wanted.waits:
                assistant.learn_all(functools.partial(_learning, screen), wait=True)
            elif answered.request.stored:
                _start_learning(home, settings, screen)
        except KeyboardInterrupt:  # the answer is out, and journalled
            screen.note(LEARNING_POSTPONED)


def await_another(home: Path, screen: Screen) -> None:
    """Show that another process makes this one wait, and how far it is if it says so."""

    def awaited() -> str:
        progress = progress_of_another(home)
        return "waiting for another shammah" + (f": {progress[0]} of {progress[1]} learnt" if progress else "")

    if can_spin():
        screen.await_(awaited)
    else:
        screen.note(WAITS)


def relearning_on(screen: Screen, replies: int) -> AbstractContextManager[Callable[[], None]]:
    """Show by a progress bar that the memory is made again, unless the user wants the answer alone."""
    if screen.is_quiet:
        return nullcontext(lambda: None)
    screen.rest()
    return relearning(replies)


def _learning(screen: Screen, pending: int) -> AbstractContextManager[Callable[[], None]]:
    """Show that this process learns: by a progress bar if there is more than one interaction."""
    if pending > 1:
        screen.rest()
    else:
        screen.announce("learning")
    return learning(pending)


def _note_continuing(screen: Screen, wanted: AskRequest, question: str) -> None:
    """Say which conversation goes on, since its last question may be old; a chat just goes on.

    So does a question that is asked again.
    """
    if not wanted.in_chat and wanted.unhelpful is None:
        screen.note(f"Continuing after: {one_line(question)}")


def _start_learning(home: Path, settings: Mapping[str, Any], screen: Screen) -> None:
    try:
        start_learning(home, settings)
    except OSError as error:  # too many processes, for example; the answer is good all the same
        screen.note(f"{LEARNING_POSTPONED} ({error.strerror or error})")


def _show_outcome(
    outcome: Answered | Unanswered, wanted: AskRequest, screen: Screen, home: Path, config: Config
) -> int:
    """Show the answer; return the exit code.

    Raises:
        TeacherError: there is no answer.
    """
    if isinstance(outcome, Answered):
        exit_code = _show_answer(outcome.interaction, outcome.preset, screen, home)
        if not wanted.in_chat:
            _note_what_is_learnt(outcome.interaction, home, screen, config)
        if wanted.stored and outcome.interaction.request.private is True:
            screen.note("By the settings in [privacy] the question is neither stored nor learnt.")
        if hides_secret(outcome.interaction, config.privacy):
            screen.note("Claude was sent a stand-in for what looks like one, and not the secret.")
        return exit_code
    has_way = not (wanted.forced_source or wanted.strict or wanted.attachments)
    local = "; --local answers from this machine, unchecked" if has_way else ""
    raise as_error(outcome.outage, local)


def as_error(outage: Outage, hint: str = "") -> TeacherError:
    """Return an outage as an error, with the server's own words if it said any, and more at the end of the hint."""
    said = f" Anthropic says: {outage.said}" if outage.said else ""
    return TeacherError(outage.message + said, outage.hint + hint)


def _show_answer(answered: Interaction, preset: str, screen: Screen, home: Path) -> int:
    """Show the part of the answer that is not shown yet, what happened, and any warning; return the exit code."""
    if screen.as_json:
        screen.print_json(provenance.as_json(provenance.provenance(answered, preset)))
    else:
        screen.finish(answered.answer)
        screen.note(_what_happened(answered, home))
        if answered.request.not_asked is not UNSET:
            kept = "By the settings in [privacy] Claude is not to see it."
            why = kept if answered.request.stays is True else outage(answered.request.not_asked).message
            screen.note(f"You asked the same again, and this is the answer you had before. {why}")
    if answered.served_local and destroys(answered.answer):
        warning = "Careful: this answer has a command that deletes or overwrites. Read it before you run it."
        screen.warn(warning, is_danger=True)
    if answered.request.secret:
        screen.note("The question looks like it holds a secret, so it is neither stored nor learnt.")
    if answered.reply is not None and answered.reply.private is True:
        screen.note("By the settings in [privacy] Claude's reply is neither stored nor learnt.")
    elif answered.reply is not None and answered.reply.secret is True:
        screen.note("Claude's reply looks like it holds a secret, so it is neither stored nor learnt.")
    return _show_shortcomings(answered, screen)


def _what_happened(answered: Interaction, home: Path) -> str:
    try:
        recollection = recollect(home, answered)
    except (ShammahError, OSError, sqlite3.Error):  # the answer is out; without this the line says less
        recollection = None
    return provenance.line(answered, recollection, time.time())


def _note_what_is_learnt(answered: Interaction, home: Path, screen: Screen, config: Config) -> None:
    """Say that much is being learnt, where that may be why Claude answered: what is not learnt is not known."""
    request = answered.request
    is_by_rule = request.forced_source or request.unhelpful is not UNSET or request.claude_only
    learnt, count = progress_of_another(home) or (0, 0)
    if answered.outcome != "forwarded" or is_by_rule or count - learnt < MUCH:
        return
    if is_learning(home, config):
        screen.note(f"{count - learnt:,} earlier questions are still being learnt; until then more goes to Claude.")


def _show_shortcomings(answered: Interaction, screen: Screen) -> int:
    """Say why an answer is incomplete or not covered; return the exit code."""
    reply = answered.reply
    if answered.uncovered:
        why = "an earlier local answer is unchecked; the next question that goes to Claude (try --claude) checks it"
        if not answered.accepted:
            is_early = answered.route.threshold is None
            score = "the score of this local answer is not above the threshold that lets answers be served"
            why = "nothing is promised for the first questions" if is_early else score
        elif answered.audit:
            why = "Claude could not be asked to check this local answer"
            if answered.unpaid is True:
                budget = "the month's budget is spent, or cannot count what a check costs"
                why = f"{budget}, so Claude was not asked to check this local answer"
        screen.warn(f"Not covered: {why}.")
        if answered.p_accept is not None and answered.p_accept < UNLIKELY:
            screen.warn(f"Probably wrong: this machine is {answered.p_accept:.0%} sure of it.")
        return UNCOVERED
    if answered.served_local or reply is None:
        return ANSWERED
    if reply.complete:
        if not reply.teaches:
            screen.warn(f"Nothing was learnt: {reply.model or 'no model'} replied, not the model that was asked.")
        return ANSWERED
    why = {
        None: "Incomplete: the connection was cut",
        "max_tokens": "Incomplete: it reached the limit teacher.max_tokens in config.toml",
        "refusal": "Claude declined to answer",
        "end_turn": "Claude's reply was empty",
    }.get(reply.stop_reason, f"Incomplete: Claude stopped because of {reply.stop_reason}")
    screen.warn(f"{why}. Nothing was learnt from it.")
    return UNAVAILABLE
