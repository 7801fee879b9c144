"""Vary a question and its answer together: exchange what the answer takes from the question. Pure text.

Where an answer is a JSON object all of whose values are copied from the question, another value of the same key fits in
both places just as well ("play Hello by Adele" to "play Jolene by Adele"), so a known exchange becomes a new one with a
right answer. A model that replays varied exchanges learns to copy, and does not learn them by heart. Slot substitution
is an old means where examples are few (Louvan and Magnini 2020).

An answer of which a part may follow from what is copied (a translation, a code, a count) is never varied, and neither
is a value that may be a choice which the question lists ("positive or negative").
"""

import itertools
import json
import random
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

import msgspec

from shammah_mlx.events import Exchange

SHARE = 0.6  # of the values that are exchanged, where another one is known
_DECIMAL = re.compile(r"\d[.,]\d")


class _Task(msgspec.Struct, frozen=True):
    """An exchange whose answer is a JSON object of values of the question, and at most a first field of its own."""

    question: str
    kind: Any  # what sort of answer it is: the first field, if it is not copied; else all keys
    copied: dict[str, str]


def varied(exchange: Exchange, others: Iterable[Exchange], draw: random.Random) -> Exchange:
    """Return an exchange with values replaced by those of others of its kind; the same one where that may be wrong.

    `others` is read only if the exchange can be varied.
    """
    task = _read(exchange)
    if task is None:
        return exchange
    alike = [other for other in map(_read, others) if other is not None and other.kind == task.kind]
    question, answer = exchange.question, exchange.answer
    for key, value in task.copied.items():
        theirs = [(other.question, other.copied[key]) for other in alike if key in other.copied]
        is_listed = any(value != new and _places(value, asked) for asked, new in theirs)
        known = sorted({new for _, new in theirs if not _places(new, question)})
        places = _places(value, question)
        if known and not is_listed and len(places) == 1 and draw.random() < SHARE:
            new, (start, end) = draw.choice(known), places[0]
            question = question[:start] + new + question[end:]
            answer = answer.replace(_field(key, value), _field(key, new))
    return Exchange(question, answer)


def _read(exchange: Exchange) -> _Task | None:
    """Return the exchange as a task; None if it is none that can be varied."""
    try:
        fields = json.loads(exchange.answer)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    copied: dict[str, str] = {}
    spans: list[tuple[int, int]] = []
    for place, (key, value) in enumerate(fields.items()):
        found = _places(value, exchange.question) if isinstance(value, str) else []
        if len(found) == 1 and exchange.answer.count(_field(key, value)) == 1:
            copied[key] = value
            spans += found
        elif place:
            return None
    overlap = any(start < end for (_, end), (start, _) in itertools.pairwise(sorted(spans)))
    if not copied or overlap:
        return None
    first = next(iter(fields))
    return _Task(exchange.question, tuple(fields) if first in copied else (first, fields[first]), copied)


def _field(key: str, value: str) -> str:
    """Return a field as most programs write it, and Claude too."""
    return f"{json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"


def _places(value: str, question: str) -> list[tuple[int, int]]:
    """Return where a value stands in a question, as whole words and numbers."""
    spans = (found.span() for found in re.finditer(re.escape(value), question)) if value.strip() else ()
    return [(start, end) for start, end in spans if not (_joined(question, start) or _joined(question, end))]


def _joined(text: str, at: int) -> bool:
    """Say whether the characters on both sides of a place belong to one word or number."""
    if not 0 < at < len(text):
        return False
    in_number = (_DECIMAL.fullmatch(text[max(start, 0) : start + 3]) for start in (at - 2, at - 1))
    return (_of_word(text[at - 1]) and _of_word(text[at])) or any(in_number)


def _of_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character).startswith("M")
