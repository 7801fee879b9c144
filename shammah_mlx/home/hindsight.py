"""What the user says of an answer once he has it: that it was good, or bad, in words or by asking again."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import UNSET, UnsetType

from shammah_mlx.config import Config, PolicyConfig
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import AskOptions, ClaudeOnly, Feedback, Interaction, Query, text_hash
from shammah_mlx.framework import policy, screening
from shammah_mlx.home.conversation_rows import NOT_KEPT
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.locks import HomeLock

NOTHING_ASKED = "nothing was asked yet", "ask something first"
ONLY_CLAUDE: dict[ClaudeOnly, str] = {"files": "it had a file", "length": "it is longer than max_query_bytes"}


def with_unhelpful(options: AskOptions, query: Query, journal: Journal, config: PolicyConfig) -> AskOptions:
    """Return the options; if the user asks in person what was just answered to no avail, they say so.

    That is: the newest answer to the same text in the same context came from this machine within `again_minutes`, and
    he has not called it good. An answer that was given without the conversation counts for a turn of a chat too.
    """
    if not options.in_person or options.forced_source is not None or options.unhelpful is not None:
        return options
    if not config.again_minutes:
        return options
    bare = msgspec.structs.replace(query, history=()) if options.in_chat else query
    contexts, text = {query.context, bare.context}, text_hash(query.text)
    for earlier in journal.asked_since(query.at - 60.0 * config.again_minutes):
        asked = earlier.answered_query
        if text_hash(asked.text) != text or asked.context not in contexts:
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
    terminal: int | UnsetType = UNSET,
    on_wait: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.time,
) -> Interaction:
    """Journal what the user says of the answer of interaction `number`, the last one he asked if it is None.

    That is the last one of this terminal, or of any if nothing was asked in this one. Return that interaction. If it is
    bad, and he gives no better answer, Claude is to be asked anew unless `why_kept_from_claude` says why not.

    Raises:
        BadInputError: there is no such interaction, the answer given is not usable, or the good one was replaced.
        BadStateError: the home is in use, or damaged.
    """
    path = home / "journal.db"
    if not path.exists():
        raise BadInputError(*NOTHING_ASKED)
    text = UNSET if answer is None else answer
    with closing(Journal(path)) as journal, HomeLock(home, config.state, on_wait).shared(), journal.writing():
        about = _find(journal, number, terminal, word="good" if good else "bad")
        if answer is not None:
            _check_answer(about, answer, config)
        before = journal.feedback.all_about(about.request.number)
        said = Feedback(journal.next_number(), about.request.number, good, clock(), text)
        if (new := _after(before, said)) is not None:
            journal.feedback.insert(new)
    return about


def _after(before: Sequence[Feedback], said: Feedback) -> Feedback | None:
    """Return what the user says of an answer as it is stored after his earlier words on it; None if it is not new.

    Raises:
        BadInputError: he calls an answer good that his own has replaced.
    """
    if not before:
        return said
    last = before[-1]
    if said.good and last.answer is not UNSET:
        message = f"your own answer has replaced the one to question {said.about}, and is given from then on"
        raise BadInputError(message, f"if yours was wrong, say `shammah bad {said.about}`")
    is_same = said.good == last.good
    if is_same and said.answer == last.answer:
        return None
    return msgspec.structs.replace(
        said,
        own=last.number if last.answer is not UNSET else UNSET,
        repeated=True if is_same else UNSET,
        complained=True if any(not earlier.good for earlier in before) else UNSET,
    )


def _find(journal: Journal, number: int | None, terminal: int | UnsetType, word: str) -> Interaction:
    """Return the interaction to speak of.

    Raises:
        BadInputError: there is none.
    """
    found = journal.find(number) if number is not None else _find_last(journal, terminal, word)
    if found is None or found.late_for is not None:
        raise BadInputError("there is no such question", "without a number, the last answer is meant")
    if journal.is_archived(found.request.number):
        raise BadInputError("a rollback set this question aside", "take the rollback back first, or ask it again")
    return found


def _find_last(journal: Journal, terminal: int | UnsetType, word: str) -> Interaction:
    """Return the last question of this terminal, or of any if nothing was asked in this one.

    Raises:
        BadInputError: nothing was asked, or that question is not stored: an older one is not what the user means.
    """
    asked = journal.conversations
    here, last = asked.last_asked(terminal), asked.last_asked()
    if last is None:
        raise BadInputError(*NOTHING_ASKED)
    which = f"name the question: shammah {word} N; `shammah log` lists them"
    if not asked.is_last_kept(terminal):
        raise BadInputError(NOT_KEPT, which)
    if here is None and not asked.is_latest(last.request.number):
        raise BadInputError("the last question was not kept, or is not answered yet", which)
    return here or last


def _check_answer(about: Interaction, answer: str, config: Config) -> None:
    """Check an answer that the user gives.

    Raises:
        BadInputError: it is empty, the one that was bad, or looks like it holds a secret; the settings do not let it be
            stored; or nothing is learnt of the question.
    """
    if about.request.claude_only:
        message = f"nothing is learnt of this question, since {ONLY_CLAUDE[about.request.claude_only]}"
        raise BadInputError(message, "ask it in words that fit, and correct that answer")
    if not answer.strip():
        raise BadInputError("the answer is empty", "write the right answer; without --answer Claude is asked")
    if answer.strip() == about.answer.strip():
        raise BadInputError("this is the answer that was given", "write another; without --answer Claude is asked")
    if screening.would_reveal(about.request.query, answer):
        raise BadInputError("the answer looks like it holds a secret, so it is not stored", "leave the secret out")
    if screening.is_not_to_be_kept(answer, config.privacy):
        raise BadInputError(
            "the settings in [privacy] do not let this answer be stored", "see `shammah config get privacy`"
        )


def why_kept_from_claude(about: Interaction, config: Config) -> BadInputError | None:
    """Return why Claude can't be asked the question again with our key, or None if he can.

    The user or his settings keep it from him, a client asked with an account of its own, or the question had a file.
    """
    if screening.stays_here(about.request.query.texts, config.privacy):
        message = "the settings in [privacy] keep this question on this machine, so Claude is not to see it"
        return BadInputError(message, "give the right answer yourself with --answer")
    if about.request.query.attachments:
        message = f"the question had the file {about.request.query.attachments[0].name}, which is not kept"
        return BadInputError(message, "ask again with `shammah ask`, and give the file again with -f")
    if about.request.forced_source == "local":
        message = "this question was asked with --local, so Claude is not to see it"
        return BadInputError(message, "give the right answer yourself with --answer")
    if about.request.own_account:
        message = "a client asked this with an account of its own, so it is not asked again with your key"
        return BadInputError(message, "give the right answer yourself with --answer")
    return None
