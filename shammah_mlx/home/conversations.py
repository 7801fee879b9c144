"""What a home knows of its conversations: their turns, and the question that continues one."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import UnsetType

from shammah_mlx.config import Config
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import Exchange, Interaction, Query
from shammah_mlx.home.journal import Journal
from shammah_mlx.teacher.context import is_likely_to_fit


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


def read_turns(home: Path, conversation: int) -> list[Interaction]:
    """Return the stored turns of a conversation in order."""
    with closing(Journal(home / "journal.db")) as journal:
        return journal.conversations.turns_of(conversation)


def read_questions(home: Path, count: int) -> list[str]:
    """Return the latest stored questions in order, each once; none for a home without a journal."""
    path = home / "journal.db"
    if not path.exists():
        return []
    with closing(Journal(path)) as journal:
        return journal.conversations.questions(count)


def as_markdown(turns: Sequence[Interaction]) -> str:
    """Return the turns of a conversation as a Markdown text."""
    parts = [f"## {_by_whom(turn)}\n\n{turn.answer.strip()}" for turn in turns]
    asked = [f"# {turn.request.query.text.strip()}" for turn in turns]
    return "\n\n".join(f"{question}\n\n{answer}" for question, answer in zip(asked, parts, strict=True)) + "\n"


def _by_whom(turn: Interaction) -> str:
    return turn.reply.model if turn.reply and turn.source == "claude" else f"Claude, from memory ({turn.source})"


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
