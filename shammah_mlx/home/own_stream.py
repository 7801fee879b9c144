"""A home's own questions as a stream, to replay what would have been saved.

Those that Claude answered in full are asked again. Those that were answered here count as they happened: what Claude
would have said is not known, and the answer that was given must not be taken for his, since a replay would measure its
drafts by it and find itself right.
"""

from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import UnsetType

from shammah_mlx.errors import BadInputError
from shammah_mlx.events import Interaction
from shammah_mlx.framework import screening
from shammah_mlx.home.journal import Journal
from shammah_mlx.teacher.recordings import Row, Truth

NOTHING = "ask something first, or `shammah import` what you asked elsewhere"


class OwnStream(msgspec.Struct, frozen=True):
    """The questions of a home, in the order of their dates."""

    rows: list[tuple[Row, Truth]]
    served: dict[str, Interaction]  # rows that were answered here when they were asked, and Claude never answered
    refuted: frozenset[str]  # of these rows, those whose answer the user called bad, by word or by asking again
    left_out: int  # questions that nobody answered in full, or the user kept from Claude
    of_other_hosts: int  # questions that were put to another host than the last one that was asked here
    origin: int | UnsetType  # whom all of these were put to


def read_own(home: Path, limit: int | None) -> OwnStream:
    """Read a home's own stream; the latest `limit` questions if there is a limit.

    Raises:
        BadInputError: there is nothing to replay.
        BadStateError: the journal is damaged.
    """
    if not (home / "journal.db").exists():
        raise BadInputError(f"{home} has no questions to replay", NOTHING)
    with closing(Journal(home / "journal.db")) as journal:
        every = list(journal.after(0))
        last_words = {each.about: each.good for each in journal.feedback.every()}
    asked = [each for each in every if each.late_for is None]
    replied = sorted(filter(_teaches, every), key=_by_date)
    if not replied:
        raise BadInputError(f"{home} has no questions that Claude answered in full", NOTHING)
    measured_late = {each.late_for for each in replied}
    served = [each for each in asked if _was_served(each) and each.request.number not in measured_late]
    asked_here = [each for each in replied if not each.is_imported]
    origin = (asked_here or replied)[-1].request.query.origin  # a replay has one teacher
    answered = sorted((*replied, *served), key=_by_date)
    of_one = [each for each in answered if each.request.query.origin == origin]
    chosen = of_one[-limit:] if limit else of_one
    did_not_help = {number for number, is_good in last_words.items() if not is_good}
    did_not_help |= {each.request.unhelpful for each in asked if each.request.unhelpful}
    here = {_name(each): each for each in chosen if not _teaches(each)}
    return OwnStream(
        rows=[(_row(each), Truth()) for each in chosen],
        served=here,
        refuted=frozenset(name for name, each in here.items() if each.request.number in did_not_help),
        left_out=len(asked) - len(answered),
        of_other_hosts=len(answered) - len(of_one),
        origin=origin,
    )


def _teaches(interaction: Interaction) -> bool:
    reply = interaction.reply
    return reply is not None and reply.teaches and not screening.is_secret(interaction.request.query, reply)


def _was_served(interaction: Interaction) -> bool:
    """Say whether the program chose to answer here, and Claude did not answer beside it."""
    return interaction.served_local and not _teaches(interaction) and interaction.request.forced_source != "local"


def _by_date(interaction: Interaction) -> tuple[float, int]:
    return interaction.request.query.at, interaction.request.number


def _name(interaction: Interaction) -> str:
    return str(interaction.request.number)


def _row(interaction: Interaction) -> Row:
    query, name = interaction.request.query, _name(interaction)
    reply = interaction.reply.text if interaction.reply and _teaches(interaction) else interaction.answer
    return Row(query.text, reply, name, asked=msgspec.structs.replace(query, row=name))
