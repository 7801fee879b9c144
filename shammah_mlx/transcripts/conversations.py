"""Take conversations apart: messages that name the message before them become questions with their answers.

A conversation may branch, since a user can go back and ask something else. Of each message it is kept what was said up
to it, so a branch sees its own past only.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from shammah_mlx.events import Exchange
from shammah_mlx.transcripts.found import AFTER_UNANSWERED, UNANSWERED, Finds, Found, Skipped


class Message(msgspec.Struct, frozen=True):
    """One message, or one piece of it: pieces of an answer follow each other."""

    id: str
    parent: str | None  # the message before it
    role: Literal["user", "assistant", "other"]  # other: it says nothing, but a message may follow it
    text: str = ""
    at: float | None = None
    model: str | None = None
    stop_reason: str | None = None
    problem: str | None = None  # why nothing can be learnt from here on
    answer_key: str | None = None  # the record's name of the answer that this is a piece of


class _Past(msgspec.Struct, frozen=True):
    """What was said up to one message."""

    history: tuple[Exchange, ...] = ()
    question: Message | None = None  # the one that is open
    pieces: tuple[Message, ...] = ()  # of its answer
    problem: str | None = None

    @property
    def answer(self) -> str:
        return "".join(piece.text for piece in self.pieces)


def exchanges(messages: Iterable[Message]) -> Finds:
    """Yield what is found in the messages, which come in the order of their time."""
    pasts: dict[str, _Past] = {}
    continued: set[str] = set()  # messages that another one follows
    for message in messages:
        before = pasts.get(message.parent or "", _Past())
        if message.parent in pasts and message.parent not in continued:
            continued.add(message.parent)
            if message.role == "user" and before.question:  # another one may follow the same answer later
                yield _found(before)
        pasts[message.id] = _after(before, message)
    yield from (_found(past) for name, past in pasts.items() if name not in continued and past.question)


def _after(past: _Past, message: Message) -> _Past:
    problem = past.problem or message.problem
    if message.role == "other":
        return msgspec.structs.replace(past, problem=problem)
    if message.role == "assistant":
        return msgspec.structs.replace(past, pieces=(*past.pieces, message), problem=problem)
    if past.question is None:
        return _Past(past.history, message, (), problem)
    if not past.answer.strip():
        return _Past(past.history, message, (), problem or AFTER_UNANSWERED)
    said = Exchange(past.question.text.strip(), past.answer)
    return _Past((*past.history, said), message, (), problem)


def _found(past: _Past) -> Found | Skipped:
    question = past.question
    if past.problem or question is None:
        return Skipped(past.problem or UNANSWERED)
    if not past.answer.strip():
        return Skipped(UNANSWERED)
    last = past.pieces[-1]
    return Found(
        question=question.text,
        answer=past.answer,
        at=question.at if last.at is None else last.at,  # an answer that was asked for again comes later
        model=last.model,
        history=past.history,
        stop_reason=last.stop_reason,
        key=last.answer_key,
    )
