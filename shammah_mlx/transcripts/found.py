"""What is found in a record: an exchange, or the reason why a part of it is none that can be learnt."""

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from shammah_mlx.events import Exchange

TOOLS = "tools were used, or an earlier turn used them"
FILES = "it has files or images, or follows such a turn"
UNANSWERED = "there is no answer"
AFTER_UNANSWERED = "an earlier question of the conversation has no answer"
CUT = "the answer is not whole"
LOCAL = "Claude did not answer it"
INJECTED = "a program wrote the question, or an earlier one"
ARCHIVED = "a rollback set it aside"
BAD = "the user called it bad"
SPECIAL = "it was asked with special options"
UNREADABLE = "the entry cannot be read"


class Found(msgspec.Struct, frozen=True):
    """A question, and the answer that the record holds; whether it is Claude's is not checked yet."""

    question: str
    answer: str
    at: float | None = None  # when it was asked or answered, Unix time; None: not recorded
    model: str | None = None  # as the record names it; None: not recorded
    system: str | None = None
    history: tuple[Exchange, ...] = ()  # earlier turns of the conversation, oldest first
    stop_reason: str | None = None  # in Claude's words; None: not recorded
    max_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()
    scope: int | None = None  # as in `Query`
    host: int | None = None  # hash of who answered, 0 for Anthropic; None: not recorded
    other_host: bool = False  # if `host` is not recorded: it was another than Anthropic's
    key: str | None = None  # the record's own name for the answer: two with the same are one, in whatever files


class Skipped(msgspec.Struct, frozen=True):
    """A question that cannot be learnt, and why."""

    reason: str
    place: str | None = None  # in the record, where an entry is to be mended


Finds = Iterator[Found | Skipped]


def unix_time(text: object) -> float | None:
    """Return the Unix time of an ISO 8601 date, taken for UTC if it names no zone; None if it is none."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def text_of(value: object) -> str:
    """Return the value if it is text, else nothing."""
    return value if isinstance(value, str) else ""
