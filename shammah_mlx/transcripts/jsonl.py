"""JSON Lines with a question and its reply on each line: what `shammah export` writes, and recorded streams."""

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from shammah_mlx.events import Exchange
from shammah_mlx.transcripts.found import ARCHIVED, BAD, LOCAL, Finds, Found, Skipped, unix_time


class Turn(msgspec.Struct, frozen=True):
    """An earlier turn of the conversation."""

    query: str
    reply: str


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line. A recorded stream has `query` and `reply` alone; fields that are not listed are ignored."""

    query: str
    reply: str | None = None  # Claude's; None: he was not asked, or did not answer
    answer: str | None = None  # what the user got, if that is not the reply
    number: int | None = None  # of the question in its home
    at: str | None = None  # when it was asked, ISO 8601
    source: str | None = None  # who answered: claude, repeat, recall or decoder
    model: str | None = None  # that replied
    asked_model: str | None = None  # that was asked
    system: str | None = None
    history: tuple[Turn, ...] = ()  # oldest first
    max_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()
    stop_reason: str | None = None
    scope: int | None = None
    origin: int | None = None  # hash of the host that replied; None: Anthropic's own
    other_host: bool = False  # earlier exports have it in place of `origin`: another host than Anthropic's replied
    cost_usd: float | None = None  # of reply and verdicts; None: unpriced, or nothing was bought
    imported_from: str | None = None
    archived: bool = False  # a rollback went back to before it
    feedback: Literal["good", "bad"] | None = None  # what the user said of the answer
    withdrawn: bool = False  # the reply, given then or another time, was called bad
    own_answer: str | None = None  # that the user gave in place of a bad one


NO_JSON, NO_OBJECT = "not valid JSON", "no JSON object"
_MISSING = re.compile(r"missing required field `(\w+)`")
_AT = re.compile(r" - at `\$\.(\w+)")


def read(lines: Iterable[bytes]) -> Finds:
    """Yield what is found in the lines."""
    for number, content in enumerate(lines, 1):
        if content.strip():
            line = parse(content)
            yield Skipped(line, f"line {number}") if isinstance(line, str) else _found(line, number)


def parse(content: bytes) -> Line | str:
    """Return a line, or what is wrong with it: which field, but never what stands there."""
    try:
        return msgspec.json.decode(content, type=Line)
    except msgspec.ValidationError as error:
        return _fault(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NO_JSON


def _fault(error: str) -> str:
    missing, at = _MISSING.search(error), _AT.search(error)
    if at is not None:
        inside = f" inside `{at[1]}`" if missing else ""
        return f"field `{missing[1]}` is missing{inside}" if missing else f"field `{at[1]}` is of another type"
    return f"field `{missing[1]}` is missing" if missing else NO_OBJECT


def _found(line: Line, number: int) -> Found | Skipped:
    if line.archived:
        return Skipped(ARCHIVED)
    if line.reply is None:
        is_of_export = line.source is not None
        return Skipped(LOCAL) if is_of_export else Skipped("field `reply` is missing", f"line {number}")
    if line.withdrawn or (line.feedback == "bad" and line.answer is None):
        return Skipped(BAD)
    return Found(
        question=line.query,
        answer=line.reply,
        at=unix_time(line.at),
        model=line.model,
        system=line.system,
        history=tuple(Exchange(turn.query, turn.reply) for turn in line.history),
        stop_reason=line.stop_reason,
        max_tokens=line.max_tokens,
        stop_sequences=line.stop_sequences,
        scope=line.scope,
        host=_host(line),
        other_host=line.other_host,
    )


def _host(line: Line) -> int | None:
    """Return who replied, as in `Found`: an export says so of every line, a recorded stream of none."""
    if line.origin is not None:
        return line.origin
    return None if line.source is None or line.other_host else 0
