"""Find what another host answered than the one that is asked: it is another teacher, so its answers are not given."""

import sqlite3
from collections.abc import Callable

import msgspec
from msgspec import UnsetType

from shammah_mlx.events import Interaction, Query
from shammah_mlx.home.search_index import begins_like

_HOST = "coalesce(record ->> '$.turn.query.origin', 0)"  # 0 stands for Anthropic's own
_TEXT = "record ->> '$.turn.query.text'"
_ASKED = f"({_TEXT} || char(0) || coalesce(record ->> '$.turn.query.system', ''))"
_WITH_WORDS = " AND number IN (SELECT rowid FROM words WHERE words MATCH :words)"  # else all of the journal is read


class OtherHosts:
    """Reads a journal's interactions by who was asked."""

    def __init__(self, database: sqlite3.Connection, decoded: Callable[[int, str], Interaction]) -> None:
        self._db, self._decoded = database, decoded

    def count_imported(self, asked: int | UnsetType) -> int:
        """Return how many imported answers are of another host than the one `asked`, without archived ones.

        Those whose question the host asked has answered too, under the same system prompt, do not count.
        """
        (count,) = self._db.execute(
            f"SELECT count(*) FROM interactions JOIN ledger USING (number)"
            f" WHERE imported AND NOT interactions.set_aside AND {_HOST} != :asked AND {_ASKED} NOT IN"
            f" (SELECT {_ASKED} FROM interactions WHERE NOT set_aside AND {_HOST} = :asked"
            " AND record ->> '$.reply' IS NOT NULL AND NOT record ->> '$.served_local')",
            {"asked": asked or 0},
        ).fetchone()
        return int(count)

    def knows(self, query: Query) -> int | None:
        """Return the number of the newest answer to this question that another host than the one asked gave."""
        words = begins_like(query.text)
        rows = self._db.execute(
            f"SELECT number, record FROM interactions WHERE NOT set_aside AND {_TEXT} = :text"
            f" AND {_HOST} != :host{_WITH_WORDS if words else ''} ORDER BY number DESC",
            {"text": query.text, "host": query.origin or 0, "words": words},
        )
        found = (self._decoded(*row) for row in rows)
        return next((each.request.number for each in found if _answers(each, query)), None)


def _answers(other: Interaction, query: Query) -> bool:
    """Say whether an interaction would be an answer to this question if its host were the one asked."""
    same = msgspec.structs.replace(other.request.query, origin=query.origin)
    return same.context == query.context and other.reply is not None and other.reply.teaches
