"""Translate between Claude's Messages API and our types: requests to queries, answers to messages, bytes to replies.

No I/O. The loop covers only requests that a Query can express; the others go to Claude unchanged.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from shammah_mlx.config import Count, Price
from shammah_mlx.events import Interaction, Outage, Query, Reply, hash_63
from shammah_mlx.teacher.outages import BUDGET_SPENT, UNPRICED, kind_of_status, outage
from shammah_mlx.teacher.reply import BYTES_A_TOKEN, ReplyBuilder, about_tokens
from shammah_mlx.text.snippets import unique_keys

USUAL_TEMPERATURE = 1.0  # Claude's default
LARGEST = 8  # times `max_query_bytes`; JSON takes up to six bytes for one of a text, and there are other fields
LONGEST_EVENT = 2_000_000  # bytes read at once, while others wait; Claude's longest replies have a few hundred kB
SCOPE = "shammah-scope"  # request header: questions with another value have other answers
VERSION = "anthropic-version"  # likewise
MOST_OF_IMAGE = 1_600 * BYTES_A_TOKEN  # characters of an image that count: Claude reads about 1,600 tokens of any
CONTEXT_HEADERS = (SCOPE, VERSION)  # who reads one of two values may read another one than Claude
ERROR_STATUS = {  # of Claude's error types
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_ERROR_OF_OUTAGE = {
    "no_key": "authentication_error",
    "stays_here": "permission_error",
    "key_refused": "authentication_error",
    "billing": "permission_error",
    BUDGET_SPENT: "billing_error",  # clients do not try that again by themselves
    UNPRICED: "billing_error",
    "rate_limited": "rate_limit_error",
    "overloaded": "overloaded_error",
    "unknown_model": "not_found_error",
    "bad_request": "invalid_request_error",
    "timeout": "timeout_error",
}
_ON_THE_WAY = {"unreachable", "cut"}  # outages that are no fault of this service
BAD_GATEWAY = 502


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class _Text(_Strict, frozen=True):
    type: Literal["text"]
    text: str
    cache_control: Any = None  # changes the cost, not the answer


class _Message(_Strict, frozen=True):
    role: Literal["user"]
    content: str | list[_Text]


class _RequestBody(_Strict, frozen=True):
    """The fields that a covered request may have: one question in text."""

    model: Annotated[str, msgspec.Meta(min_length=1)]
    max_tokens: Count
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1, max_length=1)]
    system: str | list[_Text] | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    temperature: float | None = None
    metadata: Any = None  # says who asks: nobody gets another one's answer


class _Model(msgspec.Struct, frozen=True):
    """The part of any request's body that names the model."""

    model: str = ""


class _ErrorDetail(msgspec.Struct, frozen=True):
    type: str | None = None
    message: str | None = None


class _ErrorBody(msgspec.Struct, frozen=True):
    error: _ErrorDetail


class CoveredRequest(msgspec.Struct, frozen=True):
    """A request that the loop covers."""

    query: Query
    streams: bool


def read_request(
    body: bytes,
    headers: Mapping[str, str],
    max_query_bytes: int,
    usual_version: str,
    signed_in: Sequence[tuple[bytes, bytes]] = (),
) -> CoveredRequest | None:
    """Parse a request; return None if the loop does not cover it.

    `usual_version` is the version of the API that questions without a scope are asked in; `signed_in` has the client's
    own credential for Claude, if it has one.
    """
    if len(body) > LARGEST * max_query_bytes:
        return None  # reading it takes seconds, in which nobody else is answered
    try:
        request = msgspec.json.decode(body, type=_RequestBody)
        json.loads(body, object_pairs_hook=unique_keys)  # readers differ in which of two values they take
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None  # another kind of request, or not valid: Claude will say
    text, system = _one_text(request.messages[0].content), _one_text(request.system or "")
    if text is None or system is None or not text.strip():
        return None
    stops = tuple(request.stop_sequences or ())
    if sum(len(part.encode()) for part in (text, system, request.model, *stops)) > max_query_bytes:
        return None
    if request.temperature not in (None, USUAL_TEMPERATURE):
        return None
    query = Query(
        text.strip(),
        system.strip() or None,
        request.model,
        request.max_tokens,
        stop_sequences=stops,
        scope=_scope(request.metadata, headers, usual_version, signed_in),
    )
    return CoveredRequest(query, streams=bool(request.stream))


def _scope(
    metadata: Any, headers: Mapping[str, str], usual_version: str, signed_in: Sequence[tuple[bytes, bytes]]
) -> int | UnsetType:
    """Return a hash of what sets a request apart from the usual ones; UNSET if nothing does."""
    version = headers.get(VERSION, usual_version)
    parts = [metadata, None if version == usual_version else version, headers.get(SCOPE)]
    if signed_in:  # another account; only then, so that hashes made before stay valid
        parts.append(sorted((name.lower(), value.strip()) for name, value in signed_in))
    return UNSET if parts == [None] * len(parts) else hash_63(msgspec.json.encode(parts))


def texts_of(body: bytes) -> Iterator[str]:
    """Yield every text in a body, whatever its form: the strings of its JSON, or else all of it."""
    try:
        waiting = [json.loads(body)]
    except (ValueError, RecursionError):
        waiting = [body.decode("utf-8", "replace")]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            waiting += [*part, *part.values()]
        elif isinstance(part, list):
            waiting += part


def model_of(body: bytes) -> str:
    """Return the model that a body names; nothing if it names none."""
    try:
        return msgspec.json.decode(body, type=_Model).model
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def read_tokens(body: bytes) -> int:
    """Return about how many tokens Claude reads of a body: its names count too, and of an image only a part."""
    try:
        read = json.loads(body, object_hook=_with_less_of_image)
        return about_tokens(json.dumps(read, ensure_ascii=False, separators=(",", ":")))
    except (ValueError, RecursionError):
        return math.ceil(len(body) / BYTES_A_TOKEN)


def _with_less_of_image(part: dict[str, Any]) -> dict[str, Any]:
    kind, data = part.get("media_type"), part.get("data")
    if isinstance(kind, str) and kind.startswith("image/") and isinstance(data, str):
        return {**part, "data": data[:MOST_OF_IMAGE]}
    return part


def _one_text(content: str | list[_Text]) -> str | None:
    """Return the text; None unless there is exactly one block."""
    if isinstance(content, str):
        return content
    return content[0].text if len(content) == 1 else None


def message(answered: Interaction, model: str) -> bytes:
    """Return a local answer as one message."""
    return msgspec.json.encode(_message(answered, model))


def _message(answered: Interaction, model: str) -> dict[str, Any]:
    draft = answered.draft
    return {
        "id": f"msg_{model}_{answered.request.number}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": answered.answer}],
        "stop_reason": draft.stop_reason if draft else "end_turn",
        "stop_sequence": draft.stop_sequence if draft else None,
        "usage": {"input_tokens": 0, "output_tokens": 0},  # nothing was charged
    }


def message_events(answered: Interaction, model: str) -> bytes:
    """Return a local answer as the events of a stream."""
    whole = _message(answered, model)
    start = {**whole, "content": [], "stop_reason": None, "stop_sequence": None}
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": whole["stop_sequence"]}
    delta = {"type": "text_delta", "text": answered.answer}
    events: tuple[dict[str, Any], ...] = (
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 0}},
        {"type": "message_stop"},
    )
    return b"".join(_event(event) for event in events)


def _event(event: Mapping[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: ".encode() + msgspec.json.encode(event) + b"\n\n"


def error(kind: str, message: str) -> tuple[int, bytes]:
    """Return the status and body of an error in Claude's format."""
    return ERROR_STATUS[kind], msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})


def outage_error(found: Outage) -> tuple[int, bytes]:
    """Return the status and body for an outage, in our words: Claude's own may repeat the question."""
    hint = found.hint[:1].upper() + found.hint[1:]
    status, body = error(_ERROR_OF_OUTAGE.get(found.kind, "api_error"), f"{found.message} {hint}")
    return BAD_GATEWAY if found.kind in _ON_THE_WAY else status, body


def outage_of(status: int, body: bytes) -> Outage:
    """Return the outage that an error response of Claude's stands for."""
    try:
        detail = msgspec.json.decode(body, type=_ErrorBody).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        detail = _ErrorDetail()
    return outage(kind_of_status(status, detail.type, None, detail.message))


class EventSplitter:
    """Splits a stream into its events, however it is cut into pieces, and whatever ends its lines."""

    def __init__(self) -> None:
        self.unread = b""  # of the event that has not ended
        self._held = b""  # a carriage return at the end of a piece: half of a line end, or a whole one

    def split(self, piece: bytes) -> list[bytes]:
        """Return the events that end in this piece."""
        piece = self._held + piece
        self._held = b"\r" if piece.endswith(b"\r") and not piece.endswith(b"\r\r") else b""
        piece = piece[: len(piece) - len(self._held)]
        self.unread += piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *events, self.unread = self.unread.split(b"\n\n")
        return events


def event_data(event: bytes) -> bytes:
    """Return the data of an event."""
    return b"\n".join(line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))


class Listener:
    """Reads one response of the model asked from its bytes, piece by piece, while the proxy passes them on."""

    def __init__(self, asked: str, *, streams: bool) -> None:
        self._streams, self._builder, self._events = streams, ReplyBuilder(asked), EventSplitter()
        self._is_too_long = False  # to be one of Claude's; nothing more is read
        self.has_ended = False  # whether the stream's last event was read

    def feed(self, piece: bytes) -> None:
        """Read the next piece."""
        if self._is_too_long or self.has_ended:
            return
        events = self._events.split(piece) if self._streams else self._join(piece)
        if any(len(event) > LONGEST_EVENT for event in (*events, self._events.unread)):
            self._is_too_long, self._events.unread = True, b""
            self.mark_cut()
            return
        for event in events:
            if not self.has_ended:  # some servers add `data: [DONE]`
                self._add_event(event)

    def _join(self, piece: bytes) -> list[bytes]:
        self._events.unread += piece
        return []

    def mark_cut(self) -> None:
        """Note that the response broke off before its end."""
        self._builder.failure = "cut"

    def reply(self, prices: Mapping[str, Price]) -> Reply | Outage:
        """Return the reply, complete or cut; an outage if there is none."""
        if not self._streams:
            try:
                self._builder.set_message(_decoded(self._events.unread))
            except ValueError:
                return outage("cut")
        return self._builder.build(prices)

    def _add_event(self, event: bytes) -> None:
        data = event_data(event)
        if not data:
            return
        try:
            decoded = _decoded(data)
            self._builder.add_event(decoded)
        except ValueError:
            self._builder.failure = "cut"
            return
        kind = getattr(decoded, "type", None)
        if kind == "error":
            self._builder.failure = "server"
        self.has_ended = kind in ("message_stop", "error")


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data, object_hook=lambda found: SimpleNamespace(**found))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
