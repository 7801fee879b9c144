"""What requests cost that are passed on unread: by the usage in Claude's response, and by nothing else in it."""

import json
from collections.abc import Mapping
from types import SimpleNamespace

import httpx2
import msgspec

from shammah_mlx.config import Config, Price
from shammah_mlx.events import Outage
from shammah_mlx.framework.budget import uncounted_model
from shammah_mlx.home.ledger import PassedOn
from shammah_mlx.server.messages_api import LONGEST_EVENT, EventSplitter, event_data, model_of, read_tokens
from shammah_mlx.server.proxy import Headers, unpacker
from shammah_mlx.teacher.reply import cost_usd, undated, usage_tokens

_READ_TOKENS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_BEARERS = (b'"message_start"', b'"message_delta"')  # the events that have usage


class _Message(msgspec.Struct):
    """The parts of a message that are read."""

    model: str = ""
    usage: msgspec.Raw = msgspec.Raw(b"null")


class _Event(msgspec.Struct):
    """The parts of a stream's event that are read."""

    type: str = ""
    message: _Message | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")


def is_charged(method: str, path: str) -> bool:
    """Return whether Claude charges for such a request: for messages, batches of them, and the older completions."""
    is_generated = path.startswith(("/v1/messages", "/v1/complete"))
    return method == "POST" and is_generated and not path.endswith(("/count_tokens", "/cancel"))


def reports_usage(method: str, path: str) -> bool:
    """Return whether the response says what was charged; that of a batch does not."""
    return method == "POST" and path == "/v1/messages"


def uncounted(method: str, path: str, body: bytes, config: Config) -> Outage | None:
    """Return the outage if a budget cannot count such a request: no price is known, or Claude will not say it.

    Reading the body takes time, so it is read only if there is a budget.
    """
    if not config.budget.is_set:
        return None
    model = model_of(body) if reports_usage(method, path) else ""
    return uncounted_model(model, config, read_tokens(body) if model else 0)


def unpriced(at: float, *, own_account: bool) -> PassedOn:
    """Return a request that was charged for, where the response does not say how much."""
    return PassedOn(at=at, model="", read=None, written=None, usd=None, own_account=own_account)


class UsageReader:
    """Reads the usage of one response from its bytes while they are passed on; of its text it keeps nothing."""

    def __init__(self, headers: Headers) -> None:
        kinds = [value for name, value in headers if name.lower() == b"content-type"]
        self._streams = any(b"event-stream" in kind for kind in kinds)
        self._unpack, self._events = unpacker(headers), EventSplitter()
        self._is_readable = True
        self._model, self._tokens = "", dict[str, int]()

    def feed(self, piece: bytes) -> None:
        """Read the next piece; once one is too large or not packed as the headers say, nothing more is read."""
        if not self._is_readable:
            return
        try:
            read = self._unpack(piece, LONGEST_EVENT + 1)
        except httpx2.DecodingError:
            read = b""
            self._is_readable = False
        events = self._events.split(read) if self._streams else []
        if not self._streams:
            self._events.unread += read
        if max(map(len, (read, self._events.unread, *events))) > LONGEST_EVENT:
            self._is_readable, self._events.unread, events = False, b"", []
        for event in events:
            if any(mark in event for mark in _BEARERS):  # reading all of them would cost time
                self._read_event(event_data(event))

    def passed_on(self, at: float, prices: Mapping[str, Price], *, own_account: bool) -> PassedOn:
        """Return what the response was charged for, as far as it says; what broke off, or cannot be read, is unpriced.

        A client's own account is charged in ways that are not known here.
        """
        if not self._streams:
            self._read_message(self._events.unread)
        known = [self._tokens[kind] for kind in _READ_TOKENS if kind in self._tokens]
        return PassedOn(
            at=at,
            model=undated(self._model),
            read=sum(known) if known else None,
            written=self._tokens.get("output_tokens"),
            usd=None if own_account else cost_usd(self._model, self._tokens, prices),
            own_account=own_account,
        )

    def _read_event(self, data: bytes) -> None:
        try:
            event = msgspec.json.decode(data, type=_Event)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if event.type == "message_start" and event.message is not None:
            self._model = event.message.model
            self._count(event.message.usage)
            self._tokens.pop("output_tokens", None)  # only the first token or so; the total comes at the end
        elif event.type == "message_delta":
            self._count(event.usage)

    def _read_message(self, body: bytes) -> None:
        try:
            message = msgspec.json.decode(body, type=_Message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        self._model = message.model
        self._count(message.usage)

    def _count(self, usage: msgspec.Raw) -> None:
        try:
            read = json.loads(bytes(usage), object_hook=lambda found: SimpleNamespace(**found))
        except (ValueError, RecursionError):  # a number of thousands of digits, for example: nothing is counted by it
            return
        self._tokens |= usage_tokens(read)
