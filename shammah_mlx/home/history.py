"""Read back what was asked: one question, the latest ones, those that hold some words, or all of them to take along."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import UNSET

from shammah_mlx.errors import BadInputError
from shammah_mlx.events import Feedback, Interaction
from shammah_mlx.home.bad_texts import BadTexts
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.search_index import Found
from shammah_mlx.transcripts.jsonl import Line, Turn


class Listed(msgspec.Struct, frozen=True):
    """The latest questions."""

    lines: list[Line]  # the latest one first
    total: int  # questions that there are, or that hold the words


def read_log(home: Path, count: int, words: str | None = None) -> Listed:
    """Read the latest `count` questions, all for 0; with `words` those whose question or answer holds all of them.

    Raises:
        BadStateError: the journal is damaged.
    """
    if not (home / "journal.db").exists():
        return Listed([], 0)
    with closing(Journal(home / "journal.db")) as journal, journal.reading():
        found, bad_texts = journal.index.latest(count, words), BadTexts(journal)
        lines = [_read_line(journal, journal.read(each.number), bad_texts, each) for each in found]
        return Listed(lines, journal.index.count(words))


def read_one(home: Path, number: int) -> Line:
    """Read one question.

    Raises:
        BadInputError: there is no such question.
        BadStateError: the journal is damaged.
    """
    if (home / "journal.db").exists():
        with closing(Journal(home / "journal.db")) as journal:
            found = journal.find(number)
            if found is not None:
                listed = Found(number, journal.is_archived(number))
                return _read_line(journal, found, BadTexts(journal), listed)
    raise BadInputError("there is no such question", "`shammah log -n 0` lists all of them")


def read_all(
    home: Path, *, with_reply: bool, begin: Callable[[int], Callable[[], None]] = lambda _: lambda: None
) -> Iterator[Line]:
    """Yield all questions in the order in which they were asked or imported; or only those with Claude's full reply.

    `begin` receives how many questions there are, and returns what is called after each.

    Raises:
        BadStateError: the journal is damaged.
    """
    if not (home / "journal.db").exists():
        return
    with closing(Journal(home / "journal.db")) as journal:
        found, bad_texts = journal.index.latest(0), BadTexts(journal)
        advance = begin(len(found))
        for each in reversed(found):
            read = journal.find(each.number)
            if read is not None:  # else it was erased meanwhile
                shown = _read_line(journal, read, bad_texts, each)
                if shown.reply is not None or not with_reply:
                    yield shown
            advance()


def _read_line(journal: Journal, read: Interaction, bad_texts: BadTexts, listed: Found) -> Line:
    shown = line(read, journal.feedback.about(listed.number), is_archived=listed.is_archived)
    is_bad = shown.reply is not None and bad_texts.hold(read.request.query, listed.number)
    return msgspec.structs.replace(shown, withdrawn=is_bad)


def line(interaction: Interaction, said: Feedback | None = None, *, is_archived: bool = False) -> Line:
    """Return a question with its answer and what the user said of that, in the form of `shammah export`."""
    query, reply = interaction.request.query, interaction.reply
    replied = reply.text if reply is not None and reply.teaches else None
    return Line(
        query=query.text,
        reply=replied,
        answer=interaction.answer if interaction.answer != replied else None,
        number=interaction.request.number,
        at=iso_date(query.at),
        source=interaction.source,
        model=reply.model if reply else None,
        asked_model=query.model,
        system=query.system,
        history=tuple(Turn(turn.question, turn.answer) for turn in query.history),
        max_tokens=query.max_tokens,
        stop_sequences=query.stop_sequences,
        stop_reason=reply.stop_reason if reply else None,
        scope=None if query.scope is UNSET else query.scope,
        origin=None if query.origin is UNSET else query.origin,
        cost_usd=interaction.cost_usd,
        imported_from=interaction.request.imported_from or None,
        archived=is_archived,
        feedback=None if said is None else said.word,
        own_answer=None if said is None else said.answer or None,
    )


def iso_date(at: float) -> str | None:
    """Return a Unix time as an ISO 8601 date in UTC, in milliseconds and never later; None for times not recorded."""
    if not at:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
