"""The translation of Claude's Messages API: requests to queries, and responses to replies, however they are cut."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from shammah_mlx.events import Outage, Query, Reply
from shammah_mlx.presets import PRESETS
from shammah_mlx.server.messages_api import (
    ERROR_STATUS,
    LONGEST_EVENT,
    Listener,
    error,
    outage_error,
    outage_of,
    read_request,
)
from tests.loopback import Message

VERSION = "2026-10-21"
PRICES = PRESETS["default"].teacher.prices
MESSAGE = Message("Ünder the moon — 月.", "claude-sonnet-5", "stop_sequence", "Hm.", {"output_tokens": 7})


def stream(message: Message, ending: str = "\n") -> bytes:
    events = [*message.opening(), *message.closing()]
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return text.replace("\n", ending).encode()


def read_response(pieces: list[bytes], *, streams: bool) -> tuple[Reply | Outage, bool]:
    listener = Listener("claude-test", streams=streams)
    for piece in pieces:
        listener.feed(piece)
    return listener.reply(PRICES), listener.has_ended


@given(st.data(), st.sampled_from(["\n", "\r\n", "\r"]))
def test_a_stream_gives_the_same_reply_however_it_is_cut_into_pieces(data: st.DataObject, ending: str) -> None:
    whole = stream(MESSAGE, ending)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    reply, has_ended = read_response(pieces, streams=True)
    assert isinstance(reply, Reply)
    assert (reply.text, reply.model, reply.stop_reason) == (MESSAGE.text, "claude-sonnet-5", "stop_sequence")
    assert (reply.input_tokens, reply.output_tokens) == (10, 7)
    assert reply.cost_usd == pytest.approx((10 * 2 + 7 * 10) / 1e6)
    assert has_ended


@given(st.integers(0, len(stream(MESSAGE)) - 1))
def test_a_stream_that_was_cut_is_never_complete(length: int) -> None:
    before_stop = stream(MESSAGE).index(b"event: message_delta")
    reply, has_ended = read_response([stream(MESSAGE)[: min(length, before_stop)]], streams=True)
    assert not has_ended
    assert isinstance(reply, Outage) or not reply.complete


def test_a_whole_message_gives_the_same_reply_as_a_stream() -> None:
    streamed, _ = read_response([stream(MESSAGE)], streams=True)
    whole, _ = read_response([json.dumps(MESSAGE.whole()).encode()], streams=False)
    assert streamed == whole


def test_an_error_in_a_stream_makes_the_text_before_it_an_incomplete_reply() -> None:
    before = "".join(f"data: {json.dumps(event)}\n\n" for event in MESSAGE.opening()).encode()
    reply, has_ended = read_response(
        [before, b'data: {"type": "error", "error": {"type": "overloaded_error"}}\n\n'], streams=True
    )
    assert isinstance(reply, Reply)
    assert (reply.text, reply.complete) == (MESSAGE.text, False)
    assert has_ended


@pytest.mark.parametrize(
    "response", [b"", b"5", b"[]", b"{}", b"<html>", b"data: 5\n\n", b"[" * 100_000, b"data: {\n\n"]
)
@pytest.mark.parametrize("streams", [False, True])
def test_an_invalid_response_is_an_outage(response: bytes, streams: bool) -> None:
    reply, _ = read_response([response], streams=streams)
    assert isinstance(reply, Outage)


def body(**others: Any) -> bytes:
    return json.dumps(
        {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": " Who? "}], **others}
    ).encode()


def test_a_query_has_every_field_of_the_request() -> None:
    sent = body(system=[{"type": "text", "text": "s"}], stop_sequences=["#"], stream=True)
    covered = read_request(sent, {"anthropic-version": VERSION}, 100, VERSION)
    assert covered is not None
    assert covered.query == Query("Who?", "s", "m", 9, stop_sequences=("#",))
    assert covered.streams


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense",
        body(max_tokens=0),
        body(max_tokens="9"),
        body(model=""),
        body(messages=[]),
        body(messages=[{"role": "assistant", "content": "Who?"}]),
        body(messages=[{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]),
        body(messages=[{"role": "user", "content": [{"type": "text", "text": "a", "citations": []}]}]),
        body(messages=[{"role": "user", "content": "long " * 30}]),
        body(system="long " * 30),
        body(model="long " * 30),
        body(stop_sequences=["long "] * 30),
        body(tools=[]),
        body(tool_choice=None),
        body(thinking={"type": "disabled"}),
        body(temperature=0),
        body(service_tier="auto"),
        body()[:-1] + b', "model": "another"}',  # readers differ in which one they take
        body().replace(b'"role"', b'"content": "What?", "role"'),
        body().replace(b"Who", b"Who\xff"),
    ],
)
def test_a_request_that_is_not_one_question_in_text_is_not_covered(sent: bytes) -> None:
    assert read_request(sent, {}, 100, VERSION) is None


def context(headers: dict[str, str], **others: Any) -> int:
    covered = read_request(body(**others), headers, 100, VERSION)
    assert covered is not None
    assert covered.query.is_plain == (covered.query.scope is UNSET)
    return covered.query.context


def test_nobody_gets_the_answer_to_another_user_version_or_scope() -> None:
    usual = context({})
    assert context({"anthropic-version": VERSION}) == usual
    others = [
        context({}, metadata={"user_id": "ann"}),
        context({}, metadata={"user_id": "bob"}),
        context({"anthropic-version": "2027-01-01"}),
        context({"shammah-scope": "work"}),
        context({"shammah-scope": "home"}),
        context({"shammah-scope": "home"}, metadata={"user_id": "bob"}),
    ]
    assert len({usual, *others}) == 7
    assert context({"shammah-scope": "work"}) == others[3]


def test_what_follows_the_end_of_a_stream_is_not_read() -> None:
    reply, has_ended = read_response(
        [stream(MESSAGE), b"data: [DONE]\n\n", b'data: {"type": "ping"}\n\n'], streams=True
    )
    assert isinstance(reply, Reply)
    assert reply.complete
    assert has_ended


def test_text_may_stand_where_its_block_begins() -> None:
    begun = stream(MESSAGE).replace(
        b'"content_block": {"type": "text", "text": ""}', b'"content_block": {"type": "text", "text": "So: "}'
    )
    assert begun != stream(MESSAGE)
    reply, _ = read_response([begun], streams=True)
    assert isinstance(reply, Reply)
    assert reply.text == "So: " + MESSAGE.text


def test_stop_sequences_change_the_context_and_their_absence_does_not() -> None:
    plain, stopped = Query("Who?", "s", "m", 9), Query("Who?", "s", "m", 9, stop_sequences=("#",))
    assert plain.context != stopped.context
    assert plain.context == 1571894301845345290  # the same as in homes from before there were stop sequences
    assert (plain.is_plain, stopped.is_plain) == (True, False)


@pytest.mark.parametrize("kind", ERROR_STATUS)
def test_an_error_has_claudes_format_and_status(kind: str) -> None:
    status, body = error(kind, "no")
    assert status == ERROR_STATUS[kind]
    assert json.loads(body) == {"type": "error", "error": {"type": kind, "message": "no"}}


def test_an_outage_is_described_in_our_words_whatever_claude_said() -> None:
    found = outage_of(429, b'{"type": "error", "error": {"type": "rate_limit_error", "message": "secret"}}')
    status, body = outage_error(found)
    assert status == 429
    assert b"secret" not in body
    for nonsense in (
        b"",
        b"<html>",
        b"\xff{",
        b'{"error": {"message": "\xff"}}',
        b"5",
        b'{"error": 5}',
        b"[" * 100_000,
    ):
        assert outage_of(500, nonsense).kind == "server"


def test_a_body_far_larger_than_any_question_is_not_read() -> None:
    large = body(metadata={"x": "y" * 9_000})
    assert read_request(large, {}, 10_000, VERSION) is not None
    assert read_request(large, {}, 1_000, VERSION) is None


def test_a_reply_far_longer_than_any_of_claudes_is_not_read() -> None:
    start = b"data: " + json.dumps(MESSAGE.opening()[0]).encode() + b"\n\n"
    whole = json.dumps({"padding": "x" * LONGEST_EVENT, **MESSAGE.whole()}).encode()
    events = stream(MESSAGE)
    for pieces, streams in (
        ([whole], False),
        ([whole[:LONGEST_EVENT], whole[LONGEST_EVENT:]], False),
        ([start, b"data: " + whole + b"\n\n", events], True),
        ([start, b"data: " + whole[:LONGEST_EVENT], whole[LONGEST_EVENT:] + b"\n\n", events], True),
    ):
        assert isinstance(read_response(pieces, streams=streams)[0], Outage)
