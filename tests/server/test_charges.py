"""What is read of responses that are passed on: the usage, however they are cut, and nothing of the text."""

import gzip
import json
from typing import Any, cast

import msgspec
import pytest

from shammah_mlx.config import LIST_PRICES, BudgetConfig
from shammah_mlx.home.ledger import PassedOn
from shammah_mlx.presets import PRESETS
from shammah_mlx.server.charges import UsageReader, is_charged, reports_usage, uncounted
from shammah_mlx.server.messages_api import LONGEST_EVENT
from tests.loopback import Message

HOUR = {"input_tokens": 100, "cache_creation_input_tokens": 10_000}
NESTED = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 10_000}
MESSAGE = Message(
    'He said "message_delta".', "claude-haiku-4-5-20251001", "tool_use", "Hm.", {**HOUR, "output_tokens": 50}
)
EXPECTED = PassedOn(1.0, "claude-haiku-4-5", 10_100, 50, 0.02035, own_account=False)
STREAM, JSON = [(b"content-type", b"text/event-stream; charset=utf-8")], [(b"content-type", b"application/json")]


WITH_BUDGET = msgspec.structs.replace(PRESETS["default"], budget=BudgetConfig(month=20.0))


def stream() -> bytes:
    events = [*MESSAGE.opening(), *MESSAGE.closing()]
    events[0]["message"]["usage"]["cache_creation"] = NESTED
    return b"".join(f"event: {event['type']}\r\ndata: {json.dumps(event)}\r\n\r\n".encode() for event in events)


def whole() -> bytes:
    message = MESSAGE.whole()
    message["usage"]["cache_creation"] = NESTED
    return json.dumps(message).encode()


def read(headers: list[tuple[bytes, bytes]], *pieces: bytes) -> PassedOn:
    reader = UsageReader(headers)
    for piece in pieces:
        reader.feed(piece)
    return reader.passed_on(1.0, LIST_PRICES, own_account=False)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_the_usage_of_a_stream_and_of_a_whole_message_is_priced(size: int) -> None:
    for headers, content in ((STREAM, stream()), (JSON, whole())):
        pieces = [content[start : start + size] for start in range(0, len(content), size)]
        passed = read(headers, *pieces)
        assert msgspec.structs.replace(passed, usd=round(passed.usd or 0.0, 9)) == EXPECTED


def test_a_packed_response_is_read_and_one_packed_otherwise_is_unpriced() -> None:
    assert read([*JSON, (b"content-encoding", b"gzip")], gzip.compress(whole())).usd == pytest.approx(EXPECTED.usd)
    for packing, content in ((b"br", b"\x0b\x02"), (b"gzip", whole())):
        assert read([*JSON, (b"content-encoding", packing)], content) == PassedOn(1.0, "", None, None, None, False)


def test_a_stream_that_broke_off_is_unpriced_and_says_what_was_read() -> None:
    cut = stream().partition(b"event: message_delta")[0]
    assert read(STREAM, cut) == PassedOn(1.0, "claude-haiku-4-5", 10_100, None, None, False)


def test_a_clients_own_account_is_never_priced() -> None:
    reader = UsageReader(JSON)
    reader.feed(whole())
    passed = reader.passed_on(1.0, LIST_PRICES, own_account=True)
    assert (passed.usd, passed.own_account, passed.read) == (None, True, 10_100)


def test_what_is_too_long_or_no_message_of_claudes_is_unpriced() -> None:
    nothing = PassedOn(1.0, "", None, None, None, False)
    assert read(JSON, b" " * (LONGEST_EVENT + 1), whole()) == nothing
    assert read(STREAM, b"x" * (LONGEST_EVENT + 1), stream()) == nothing
    for content in (
        b"",
        b"[]",
        b'{"model": 3}',
        b'{"usage": ' + b"[" * 9_999,
        b"\xff",
        b'{"usage": {"input_tokens": true}}',
        b'{"usage": {"input_tokens": ' + b"9" * 5_000 + b"}}",
    ):
        assert read(JSON, content) == nothing
        assert read(STREAM, b"data: " + content + b' "message_start"\n\n') == nothing


def test_messages_and_batches_are_charged_and_counting_tokens_is_not() -> None:
    assert is_charged("POST", "/v1/messages")
    assert is_charged("POST", "/v1/messages/batches")
    assert not is_charged("POST", "/v1/messages/count_tokens")
    assert not is_charged("POST", "/v1/messages/batches/b/cancel")
    assert not is_charged("GET", "/v1/models")
    assert reports_usage("POST", "/v1/messages")
    assert not reports_usage("POST", "/v1/messages/batches")


def asked(content: object) -> bytes:
    body = {"model": "claude-haiku-5-5", "tools": [], "messages": [{"role": "user", "content": content}]}
    return json.dumps(body).encode()


def file(kind: str, media_type: str) -> list[dict[str, Any]]:
    source = {"type": "base64", "media_type": media_type, "data": "QUJD" * 150_000}
    return [{"type": kind, "source": source}, {"type": "text", "text": "What is it?"}]


@pytest.mark.parametrize(
    ("body", "is_counted"),
    [
        (asked("a line of a log\n" * 20_000), True),
        (asked("a line of a log\n" * 30_000), False),
        (asked("月" * 100_000), True),  # 75,000 tokens, but in this JSON 600,000 bytes
        (asked(file("image", "image/png")), True),  # Claude reads few tokens of an image, however many bytes it has
        (asked([{"type": "tool_result", "content": file("image", "image/png")}]), True),
        (asked(file("document", "application/pdf")), False),
        (asked(file("document", "application/pdf")).replace(b'"data": "', b'"data": 1, "data": "'), False),
        (b'{"model": "claude-haiku-5-5", "x": ' + b"[" * 200_000 + b"]" * 300_000 + b"}", False),
    ],
)
def test_a_budget_counts_no_request_that_is_longer_than_its_price_covers(body: bytes, is_counted: bool) -> None:
    assert (uncounted("POST", "/v1/messages", body, WITH_BUDGET) is None) is is_counted


def test_without_a_budget_no_body_is_read() -> None:
    unreadable = cast("bytes", object())
    assert uncounted("POST", "/v1/messages", unreadable, PRESETS["default"]) is None
    with pytest.raises(TypeError):
        uncounted("POST", "/v1/messages", unreadable, WITH_BUDGET)
