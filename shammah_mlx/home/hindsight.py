"""What the user says of an answer once he has it: that it was good, or bad, in words or by asking again."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import UNSET

from shammah_mlx.config import Config, PolicyConfig
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import AskOptions, Interaction, Query
from shammah_mlx.framework import policy, screening
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.locks import HomeLock
from shammah_mlx.learners.questions import text_hash

NOTHING_ASKED = "nothing was asked yet", "ask something first"


def with_unhelpful(options: AskOptions, query: Query, journal: Journal, config: PolicyConfig) -> AskOptions:
    """Return the options; if the user asks in person what was just answered to no avail, they say so.

    That is: the newest answer to the same text in the same context came from this machine within `again_minutes`, and
    he has not called it good.
    """
    if not options.in_person or options.forced_source is not None or options.unhelpful is not None:
        return options
    if not config.again_minutes:
        return options
    context, text = query.context, text_hash(query.text)
    for earlier in journal.asked_since(query.at - 60.0 * config.again_minutes):
        asked = earlier.request.query
        if text_hash(asked.text) != text or asked.context != context:
            continue
        said = journal.feedback.about(earlier.request.number)
        did_not_help = policy.did_not_help(earlier, query.at, config) and not (said and said.good)
        return msgspec.structs.replace(options, unhelpful=earlier.request.number) if did_not_help else options
    return options


def give_feedback(
    home: Path,
    config: Config,
    number: int | None,
    *,
    good: bool,
    answer: str | None = None,
    on_wait: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.time,
) -> Interaction:
    """Journal what the user says of the answer of interaction `number`, the last one he asked if it is None.

    Return that interaction. An answer that is bad, and for which he gives no better one, is to be asked of Claude anew.

    Raises:
        BadInputError: there is no such interaction, it may not be sent to Claude, or the answer given is not usable.
        BadStateError: the home is in use, or damaged.
    """
    path = home / "journal.db"
    if not path.exists():
        raise BadInputError(*NOTHING_ASKED)
    with closing(Journal(path)) as journal, HomeLock(home, config.state, on_wait).shared():
        about = _find(journal, number)
        if answer is not None:
            _check_answer(about, answer)
        elif not good:
            _check_may_be_sent(about)
        said = journal.feedback.about(about.request.number)
        if answer is not None or said is None or said.good != good:
            text = UNSET if answer is None else answer
            journal.write_feedback(about.request.number, good=good, at=clock(), answer=text)
    return about


def _find(journal: Journal, number: int | None) -> Interaction:
    """Return the interaction to speak of.

    Raises:
        BadInputError: there is none.
    """
    found = journal.last_asked() if number is None else journal.find(number)
    if found is None and number is None:
        raise BadInputError(*NOTHING_ASKED)
    if found is None or found.late_for is not None:
        raise BadInputError("there is no such question", "without a number, the last answer is meant")
    if journal.is_archived(found.request.number):
        raise BadInputError("a rollback set this question aside", "take the rollback back first, or ask it again")
    return found


def _check_answer(about: Interaction, answer: str) -> None:
    """Check an answer that the user gives.

    Raises:
        BadInputError: it is empty, the one that was bad, or looks like it holds a secret.
    """
    if not answer.strip():
        raise BadInputError("the answer is empty", "write the right answer; without --answer Claude is asked")
    if answer.strip() == about.answer.strip():
        raise BadInputError("this is the answer that was given", "write another; without --answer Claude is asked")
    if screening.would_reveal(about.request.query, answer):
        raise BadInputError("the answer looks like it holds a secret, so it is not stored", "leave the secret out")


def _check_may_be_sent(about: Interaction) -> None:
    """Check that Claude may be asked the question again, with our key.

    Raises:
        BadInputError: the user kept it from him, or a client asked with its own account.
    """
    if about.request.forced_source == "local":
        message = "this question was asked with --local, so Claude is not to see it"
        raise BadInputError(message, "give the right answer yourself with --answer")
    if about.request.own_account:
        message = "a client asked this with an account of its own, so it is not asked again with your key"
        raise BadInputError(message, "give the right answer yourself with --answer")
