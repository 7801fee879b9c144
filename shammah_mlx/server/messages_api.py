"""Claude's Messages API in our terms: a request as a Query, an answer as a message, what is heard as a Reply.

No I/O. What a Query cannot say is not covered by the loop, and goes to Claude as it came.
"""

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import msgspec

from shammah_mlx.config import Count, Price
from shammah_mlx.events import Interaction, Outage, Query, Reply
from shammah_mlx.teacher.outages import kind_of_status, outage
from shammah_mlx.teacher.reply import ReplyBuilder

USUAL_TEMPERATURE = 1.0  # Claude's own where none is given
ERROR_STATUS = {  # Claude's error types, and their HTTP status
    "invalid_request_error": 400,
    "authentication_error": 401,
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
    "key_refused": "authentication_error",
    "billing": "permission_error",
    "rate_limited": "rate_limit_error",
    "overloaded": "overloaded_error",
    "unknown_model": "not_found_error",
    "bad_request": "invalid_request_error",
    "timeout": "timeout_error",
}


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class _Text(_Strict, frozen=True):
    type: Literal["text"]
    text: str
    cache_control: Any = None  # of cost, not of meaning


class _Message(_Strict, frozen=True):
    role: Literal["user"]
    content: str | list[_Text]


class _Request(_Strict, frozen=True):
    """All that a request may hold for the loop to cover it: one question in text."""

    model: Annotated[str, msgspec.Meta(min_length=1)]
    max_tokens: Count
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1, max_length=1)]
    system: str | list[_Text] | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    temperature: float | None = None
    metadata: Any = None  # who asks, for Anthropic's statistics


class _Told(msgspec.Struct, frozen=True):
    type: str | None = None
    message: str | None = None


class _Error(msgspec.Struct, frozen=True):
    error: _Told


class Request(msgspec.Struct, frozen=True):
    """A request that the loop covers."""

    query: Query
    streams: bool


def read_request(body: bytes, longest: int) -> Request | None:
    """Return what a request asks; None if the loop does not cover it. `longest` is of a question, in bytes."""
    try:
        asked = msgspec.json.decode(body, type=_Request)
    except (msgspec.DecodeError, RecursionError):
        return None  # of another shape, or none at all: Claude knows whether it is right
    text, system = _one_text(asked.messages[0].content), _one_text(asked.system or "")
    if text is None or system is None or not text.strip() or len(text.encode()) + len(system.encode()) > longest:
        return None
    if asked.temperature not in (None, USUAL_TEMPERATURE):
        return None
    stops = tuple(asked.stop_sequences or ())
    query = Query(text.strip(), system.strip() or None, asked.model, asked.max_tokens, stop_sequences=stops)
    return Request(query, streams=bool(asked.stream))


def _one_text(content: str | list[_Text]) -> str | None:
    """Return the text, if it is one."""
    if isinstance(content, str):
        return content
    return content[0].text if len(content) == 1 else None


def message(answered: Interaction, model: str) -> bytes:
    """Return what was answered locally as one message."""
    return msgspec.json.encode(_message(answered, model))


def _message(answered: Interaction, model: str) -> dict[str, Any]:
    stop = answered.draft.stop_sequence if answered.draft else None
    return {
        "id": f"msg_{model}_{answered.request.number}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": answered.answer}],
        "stop_reason": "end_turn" if stop is None else "stop_sequence",
        "stop_sequence": stop,
        "usage": {"input_tokens": 0, "output_tokens": 0},  # that anybody pays for
    }


def message_events(answered: Interaction, model: str) -> bytes:
    """Return the same as the events of a stream."""
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


def error(kind: str, told: str) -> tuple[int, bytes]:
    """Return status and body of an error in Claude's format."""
    return ERROR_STATUS[kind], msgspec.json.encode({"type": "error", "error": {"type": kind, "message": told}})


def outage_error(found: Outage) -> tuple[int, bytes]:
    """Return the same for an outage; in our words, since Claude's own may repeat what was asked."""
    return error(_ERROR_OF_OUTAGE.get(found.kind, "api_error"), f"{found.message} {found.hint}")


def outage_of(status: int, body: bytes) -> Outage:
    """Return which outage an error response of Claude's means."""
    try:
        told = msgspec.json.decode(body, type=_Error).error
    except (msgspec.DecodeError, RecursionError):
        told = _Told()
    return outage(kind_of_status(status, told.type, None, told.message))


class Listener:
    """Hears the bytes of one response of Claude's while they go by."""

    def __init__(self, *, streams: bool) -> None:
        self._streams, self._builder, self._rest = streams, ReplyBuilder(), b""
        self.has_ended = False  # what comes now is the end of the stream

    def hear(self, piece: bytes) -> None:
        """Take what comes next."""
        self._rest += piece
        if self._streams:
            *events, self._rest = self._rest.replace(b"\r\n", b"\n").split(b"\n\n")
            for event in events:
                self._take(event)

    def break_off(self) -> None:
        """Take what was heard for all there will be, and not for the whole."""
        self._builder.failure = "cut"

    def reply(self, prices: Mapping[str, Price]) -> Reply | Outage:
        """Return what has come of it: a reply, whole or cut, or nothing that can be called one."""
        if not self._streams:
            try:
                self._builder.set_message(_decoded(self._rest))
            except ValueError:
                return outage("cut")
        return self._builder.build(prices)

    def _take(self, event: bytes) -> None:
        data = b"\n".join(line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))
        if not data:
            return
        try:
            told = _decoded(data)
            self._builder.add_event(told)
        except ValueError:
            self._builder.failure = "cut"
            return
        kind = getattr(told, "type", None)
        if kind == "error":
            self._builder.failure = "server"
        self.has_ended = kind in ("message_stop", "error")


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data, object_hook=lambda found: SimpleNamespace(**found))
    except RecursionError as error:
        raise ValueError("nested too deep") from error
