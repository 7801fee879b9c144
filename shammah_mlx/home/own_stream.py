"""A home's own questions as a stream, to replay what would have been saved: those that Claude answered in full."""

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
    left_out: int  # questions without a full reply of Claude's: nobody knows what he would have said
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
    asked = sum(each.late_for is None for each in every)
    replied = sorted(filter(_teaches, every), key=lambda each: (each.request.query.at, each.request.number))
    if not replied:
        raise BadInputError(f"{home} has no questions that Claude answered in full", NOTHING)
    origin = replied[-1].request.query.origin  # a replay has one teacher
    of_one = [each for each in replied if each.request.query.origin == origin]
    rows = [(_row(each), Truth()) for each in of_one]
    return OwnStream(rows[-limit:] if limit else rows, asked - len(of_one), origin)


def _teaches(interaction: Interaction) -> bool:
    reply = interaction.reply
    return reply is not None and reply.teaches and not screening.is_secret(interaction.request.query, reply)


def _row(interaction: Interaction) -> Row:
    assert interaction.reply is not None
    query, name = interaction.request.query, str(interaction.request.number)
    return Row(query.text, interaction.reply.text, name, asked=msgspec.structs.replace(query, row=name))
