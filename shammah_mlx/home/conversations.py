"""What a home knows of its conversations: their turns, and the question that continues one."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from shammah_mlx.config import Config
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import Exchange, Interaction, Query
from shammah_mlx.home.journal import Journal
from shammah_mlx.teacher.context import is_likely_to_fit

PATIENCE_S = 0.2  # for another process that writes, after Ctrl-C


def find_last_turn(home: Path, conversation: int | None, terminal: int | UnsetType) -> Interaction:
    """Return the last turn of a conversation, or of the terminal's last one.

    Raises:
        BadInputError: there is none.
    """
    path = home / "journal.db"
    if not path.exists():
        raise BadInputError("there is no conversation to continue", "ask something first")
    with closing(Journal(path)) as journal:
        return journal.conversations.last_turn(conversation, terminal)


def note_asked(home: Path, terminal: int | UnsetType) -> None:
    """Note that a question was asked in a terminal, and that nothing of it is stored.

    Raises:
        BadStateError: the journal cannot be used.
        sqlite3.Error: another process writes there, and goes on for longer than a user waits who wants to leave.
    """
    path = home / "journal.db"
    if terminal is not UNSET and path.exists():
        with closing(Journal(path, PATIENCE_S)) as journal:
            journal.conversations.note_asked(terminal, journal.next_number())


def find_turn(home: Path, text: str, since: float) -> Interaction | None:
    """Return the latest question from the command line if it is this text, asked at that Unix time or later."""
    path = home / "journal.db"
    if not path.exists():
        return None
    with closing(Journal(path)) as journal:
        last = journal.conversations.last_asked()
    return last if last and last.request.query.text == text and last.request.query.at >= since else None


class Turn(NamedTuple):
    """A turn of a conversation, and the user's own answer if he gave one in place of the one that he got."""

    asked: Interaction
    own_answer: str | None = None


def read_turns(home: Path, conversation: int) -> list[Turn]:
    """Return the stored turns of a conversation in order."""
    with closing(Journal(home / "journal.db")) as journal:
        turns = journal.conversations.turns_of(conversation)
        return [Turn(turn, journal.feedback.own_answer(turn.request.number)) for turn in turns]


def read_questions(home: Path, count: int) -> list[str]:
    """Return the latest stored questions in order, each once; none for a home without a journal."""
    path = home / "journal.db"
    if not path.exists():
        return []
    with closing(Journal(path)) as journal:
        return journal.conversations.questions(count)


def as_markdown(turns: Sequence[Turn]) -> str:
    """Return the turns of a conversation as a Markdown text: each with who answered, and with the right answer.

    A system prompt stands before the first turn that has it.
    """
    parts: list[str] = []
    before: str | None = None
    for turn in turns:
        system = turn.asked.request.query.system
        if system != before:
            parts.append(f"System prompt: {system.strip() if system else 'none'}")
        before = system
        parts.append(_turn_as_markdown(turn))
    return "\n\n".join(parts) + "\n"


def _turn_as_markdown(turn: Turn) -> str:
    answer = turn.asked.answer if turn.own_answer is None else turn.own_answer
    return f"# {turn.asked.request.query.text.strip()}\n\n## {_by_whom(turn)}\n\n{answer.strip()}"


def _by_whom(turn: Turn) -> str:
    """Name who wrote the answer, in the words of the line after an answer."""
    asked = turn.asked
    if turn.own_answer is not None:
        return "Your own answer"
    if asked.is_by_user:
        return "Your own answer, from memory"
    if asked.source == "claude":
        return asked.reply.model if asked.reply else "Claude"
    return "Written on this machine" if asked.source == "decoder" else "Claude, from memory"


def continued(
    last: Interaction,
    text: str,
    system: str | None,
    model: str | None,
    config: Config,
    *,
    stays_here: bool,
    corrected: str | None = None,
) -> Query:
    """Return a question that continues after the turn `last`, whose system prompt and model are the defaults.

    `stays_here` says that it is not to be sent to Claude. `corrected` is the user's own answer in place of the one that
    he called bad.

    Raises:
        BadInputError: the turn before was to stay here, and this one may be sent; or it had a file.
    """
    if last.request.forced_source == "local" and not stays_here:
        raise BadInputError(
            "the last question was asked with --local, so Claude is not to see it",
            "continue it with -c --local, or ask without -c",
        )
    before = last.request.query
    if before.attachments:
        raise BadInputError(
            f"the last question had the file {before.attachments[0].name}, which is not kept",
            "ask without -c, and give the file again with -f",
        )
    answer = last.answer if corrected is None else corrected
    said = [Exchange(before.text, answer)] if answer.strip() else []  # a refusal has no text
    query = Query(
        text,
        system or before.system,
        model or before.model,
        before.max_tokens,
        history=(*before.history, *said),
        conversation=last.request.conversation,
    )
    return with_latest_turns(query, config)


def with_latest_turns(query: Query, config: Config) -> Query:
    """Return a query without its oldest turns: with as many as the settings allow and as Claude is likely to read."""
    query = msgspec.structs.replace(query, history=query.history[-config.max_history :])
    while len(query.history) > 1 and not is_likely_to_fit(query, config.teacher):
        query = msgspec.structs.replace(query, history=query.history[1:])
    return query
