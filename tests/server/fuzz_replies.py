"""Hypothesis strategies for what Claude's server sends back: messages and streams, damaged at every level."""

import gzip
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.loopback import Message
from tests.mutations import damaged, damaged_bytes, dump, pieces
from tests.raw_http import LINE, Script
from tests.server.fuzz_requests import ANSWER, ELSEWHERE


@dataclass(frozen=True)
class UpstreamCase:
    """A question and Claude's response to it."""

    streams: bool
    is_covered: bool
    hangs_up: bool  # the client, early
    status: int
    script: Script
    payload: bytes
    is_whole: bool | None  # whether a reader of HTTP gets all of the payload and notices; None: either may be
    may_be_learnt: bool


MESSAGE = Message(f"Two metres. A {ANSWER} is smaller, and a {ANSWER} chick smaller still.", "claude-x")
ODD_EVENTS = [
    *(b"data: [DONE]", b": comment", b"retry: 0", b"id: \0", b"data", b"data:", b"event: message_stop", b"dat", b"\0"),
    *(b"data: {", b"data: 5", b"data: []", b"data: null", b'data: "x"', b"data: \xff", b"data: " + b"[" * 5_000),
    *(b'data: {"type": "error", "error": {"type": "overloaded_error", "message": "' + ANSWER.encode() + b'"}}',),
    *(
        b'data: {"type": "surprise"}',
        b'data: {"type": ["message_stop"]}',
        b'data: {"type": "message_delta"}',
        b"x" * 9_000,
    ),
]
NOT_READABLE = {b"data: {", b"data: \xff", b"data: " + b"[" * 5_000}


def _events() -> list[dict[str, Any]]:
    return [*MESSAGE.opening(), *MESSAGE.closing()]


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, bool]:
    """Draw the bytes of a stream, and whether a reader may take what they say for a whole reply."""
    events = _events()
    may_be_learnt = True
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(events) - 1))
        events[at] = draw(damaged(events[at], 1))
    texts = [b"event: %b\ndata: %b" % (_name(event), dump(event)) for event in events]
    for _ in range(draw(st.integers(0, 3))):
        at, to = draw(st.integers(0, len(texts) - 1)), draw(st.integers(0, len(texts) - 1))
        match draw(st.sampled_from(["drop", "double", "swap", "odd", "odd"])):
            case "drop" if len(texts) > 1:
                del texts[at]
            case "double":
                texts.insert(to, texts[at])
            case "swap":
                texts[at], texts[to] = texts[to], texts[at]
            case "odd":
                texts.insert(at, draw(st.sampled_from(ODD_EVENTS)))
    ends = next((place for place, text in enumerate(texts) if b'"message_stop"' in text), len(texts))
    may_be_learnt &= not NOT_READABLE & set(texts[:ends])
    data = b"".join(text + b"\n\n" for text in texts)
    if draw(st.integers(0, 3)) == 0:
        data = data[: draw(st.integers(0, len(data)))]
    may_be_learnt &= b'"end_turn"' in data.rpartition(b"\n\n")[0]
    end = draw(st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\r"]))
    data = data.replace(b"\n", end)
    return (draw(damaged_bytes(data)) if draw(st.integers(0, 4)) == 0 else data), may_be_learnt


def _name(event: Any) -> bytes:
    kind = event.get("type") if isinstance(event, dict) else None
    return kind.encode() if isinstance(kind, str) else b"x"


@st.composite
def messages(draw: st.DrawFn) -> tuple[bytes, bool]:
    """Draw the bytes of a message that is not streamed, and whether it may be whole."""
    data = draw(damaged_bytes(dump(draw(damaged(MESSAGE.whole(), 2)))))
    return data, b'"end_turn"' in data.replace(b"\0", b"")  # in UTF-16 too


STATUSES = [
    *[(200, b"OK")] * 12,
    *((status, b"Odd") for status in (100, 101, 103, 199, 201, 204, 206, 226, 299, 301, 302, 304, 307, 308, 400, 401)),
    *((status, b"Odd \xe9") for status in (403, 404, 408, 418, 429, 499, 500, 502, 503, 529, 599, 600, 699, 999, 42)),
]
REPLY_HEADERS = [
    *(
        b"content-type: text/html",
        b"content-type: text/event-stream",
        b"content-type:",
        b"server: x\xe9",
        b"x: a\r\n b",
    ),
    *(
        b"content-encoding: gzip",
        b"content-encoding: x-gzip, gzip",
        b"content-encoding: br",
        b"content-encoding: deflate",
    ),
    *(b"location: http://" + ELSEWHERE + b"/v1/messages", b"location: /v1/x", b"set-cookie: a=b", b"connection: close"),
    *(b"connection: content-type, x", b"keep-alive: timeout=5", b"upgrade: h2c", b"trailer: x", b"retry-after: x"),
    *(b"shammah-source: itself", b"shammah-query-id: 1", b"x: a\0b", b"no colon", b": no name", b"a b: c", b"x: a\rb"),
    *(
        b"x-" + b"n" * 9_000 + b": v",
        b"x: " + b"v" * 200_000,
        b"content-length: 5",
        b"content-length: x",
        b"via: 1.1 x",
    ),
    *(b"transfer-encoding: gzip", b"content-range: bytes 0-1/2", b'alt-svc: h3=":1"', b"date: never"),
]


@st.composite
def upstream_cases(draw: st.DrawFn) -> UpstreamCase:
    """Draw a question and a response to it."""
    reads_events = draw(st.booleans())
    payload, may_be_learnt = draw(streams() if reads_events else messages())
    status, reason = draw(st.sampled_from(STATUSES))
    headers = draw(st.lists(st.sampled_from(REPLY_HEADERS), max_size=2)) if draw(st.booleans()) else []
    if draw(st.integers(0, 5)) == 0:
        payload = gzip.compress(payload, mtime=0)
        headers.append(b"content-encoding: gzip")
        if draw(st.booleans()):
            payload, may_be_learnt = payload[: draw(st.integers(0, len(payload) - 20))], False
    framing, sent, is_whole = draw(_framed_reply(payload))
    if any(header.startswith((b"content-length", b"transfer-encoding")) for header in headers):
        is_whole = None
    lines = [b"HTTP/1.1 %d %b" % (status, reason), *headers, *framing]
    data = LINE.join([*lines, b"", b""]) + sent
    if draw(st.integers(0, 9)) == 0:
        data = data[: draw(st.integers(0, len(data) - 1))]
        is_whole = False if is_whole is not None else None
    script = Script(tuple(draw(pieces(data))), resets=draw(st.integers(0, 7)) == 0)
    streams_too = reads_events if draw(st.integers(0, 4)) else not reads_events
    may_be_learnt &= status == 200 and is_whole is not False and streams_too == reads_events
    is_covered, hangs_up = draw(st.integers(0, 3)) > 0, draw(st.integers(0, 7)) == 0
    is_whole = None if script.resets and is_whole else is_whole  # a reset may overtake what was sent before it
    return UpstreamCase(streams_too, is_covered, hangs_up, status, script, payload, is_whole, may_be_learnt)


@st.composite
def _framed_reply(draw: st.DrawFn, payload: bytes) -> tuple[list[bytes], bytes, bool | None]:
    """Draw how a reply is framed: headers, bytes, and whether a reader gets it whole; None if it cannot know."""
    length, chunked = b"content-length: %d" % len(payload), b"transfer-encoding: chunked"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in draw(pieces(payload)))
    return draw(
        st.sampled_from(
            [
                *[([length], payload, True)] * 3,
                *[([chunked], chunks + b"0\r\n\r\n", True)] * 3,
                ([], payload, None),
                ([b"content-length: %d" % (len(payload) + 9)], payload, False),
                ([chunked], chunks, False),
                ([chunked], chunks + b"zz\r\n", False),
                ([length, chunked], chunks + b"0\r\n\r\n", False),
                ([length, length], payload, True),
                ([length, b"content-length: 3"], payload, False),
                ([chunked], chunks + b"0\r\nx: y\r\n\r\n", True),
                ([length], payload + b"HTTP/1.1 200 OK\r\n\r\n", None),
            ]
        )
    )
