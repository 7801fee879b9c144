"""Find questions by number or by words of question and answer: SQLite's FTS5 on the journal's own file.

The index stands beside the journal's rows, and triggers keep it as they are. It holds what they hold, so no secrets.
"""

import sqlite3
from typing import NamedTuple

_ALL = "ledger WHERE asked OR imported"  # it is narrow: counting there reads no JSON
_QUERIES = "interactions WHERE record ->> '$.late_for' IS NULL"
_MATCHING = f"""{_QUERIES} AND number IN (
    SELECT coalesce((SELECT about FROM feedback WHERE number = words.rowid), words.rowid)
    FROM words WHERE words MATCH :words
)"""  # an answer that the user gave is found as one to the question that it is about
_PHRASE = 32  # words that tell most questions from others: each more is looked up, too


class Found(NamedTuple):
    """A question that was found."""

    number: int
    is_archived: bool  # a rollback went back to before it


class SearchIndex:
    """The table `words`, and the questions of the journal in the order of their numbers."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def latest(self, count: int, words: str | None = None) -> list[Found]:
        """Return the latest questions, the last one first; those that hold all the `words` if there are any.

        `count` 0 returns all. A word also finds longer ones that begin with it. Late audits are no questions.
        """
        chosen = {"count": count or -1, "words": match(words or "")}
        rows = self._db.execute(
            f"SELECT number, set_aside FROM {_MATCHING if chosen['words'] else _QUERIES}"
            " ORDER BY number DESC LIMIT :count",
            chosen,
        )
        return [Found(number, bool(archived)) for number, archived in rows]

    def count(self, words: str | None = None) -> int:
        """Return how many questions there are, or hold all the `words`."""
        sought = match(words or "")
        (count,) = self._db.execute(
            f"SELECT count(*) FROM {_MATCHING if sought else _ALL}", {"words": sought}
        ).fetchone()
        return int(count)


def match(words: str) -> str:
    """Return an FTS5 expression for all these words, each in quotes: none of their signs is an operator."""
    return " ".join(f'"{word}"*' for word in _without_operators(words).split())


def begins_like(text: str) -> str:
    """Return an FTS5 expression that holds for this question and for few others; nothing if it begins with no word."""
    phrase = " ".join(_without_operators(text).split()[:_PHRASE])
    return f'question : "{phrase}"' if any(sign.isalnum() for sign in phrase) else ""


def _without_operators(text: str) -> str:
    return text.replace('"', " ").replace("\0", " ")
