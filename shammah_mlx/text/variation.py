"""Vary a question and its answer together: exchange what the answer takes from the question. Pure text.

Where answers are JSON objects, many of their values are copied from the question. Another value of the same key fits in
both places just as well ("play Hello by Adele" to "play Jolene by Adele"), so a known exchange becomes a new one with a
right answer. A model that replays varied exchanges learns to copy, and does not learn them by heart; slot substitution
is an old means where examples are few (Louvan and Magnini 2020).
"""

import json
import random
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from shammah_mlx.events import Exchange

SHARE = 0.6  # of the values that are exchanged, where another one is known


class _Task(msgspec.Struct, frozen=True):
    """An answer that is a JSON object."""

    kind: Any  # its first field, if that is not copied: what sort of answer it is
    copied: dict[str, str]  # the values that stand in the question


def varied(exchange: Exchange, others: Sequence[Exchange], draw: random.Random) -> Exchange:
    """Return an exchange with values replaced by those of others of its kind; the same one where there is none."""
    task = _read(exchange)
    if task is None or not task.copied:
        return exchange
    alike = [other.copied for other in map(_read, others) if other is not None and other.kind == task.kind]
    question, answer = exchange.question, exchange.answer
    for key, value in task.copied.items():
        known = sorted({copied[key] for copied in alike if key in copied})
        if known and draw.random() < SHARE and _count(value, question) == 1:  # not doubled by an exchange before
            new = draw.choice(known)
            question = new.join(_whole(value).split(question))
            answer = answer.replace(_field(key, value), _field(key, new))
    return Exchange(question, answer)


def _read(exchange: Exchange) -> _Task | None:
    try:
        fields = json.loads(exchange.answer)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not fields:
        return None
    copied = {
        key: value
        for key, value in fields.items()
        if isinstance(value, str)
        and value.strip()
        and _count(value, exchange.question) == 1
        and exchange.answer.count(_field(key, value)) == 1
    }
    first, of_first = next(iter(fields.items()))
    return _Task(None if first in copied else (first, of_first), copied)


def _field(key: str, value: str) -> str:
    """Return a field as most programs write it, and Claude too."""
    return f"{json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"


def _whole(value: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(value)}(?!\w)")


def _count(value: str, question: str) -> int:
    """Return how often a value stands in a question, as whole words."""
    return len(_whole(value).findall(question))
