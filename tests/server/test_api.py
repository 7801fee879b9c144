"""Anthropic clients of the service: which requests it answers, and which go to Claude byte for byte."""

import asyncio
import gzip
import itertools
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext, suppress
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shammah_mlx.events import Interaction
from shammah_mlx.home.journal import Journal
from tests.loopback import Loopback, Message, Request, Wire, cut, fail, reply, stall
from tests.served import BOLD, WITHIN_S, Place, Served

if TYPE_CHECKING:
    import anthropic


KEY = "sk-test-upstream"
MODEL, LIMIT = "claude-x", 300
TAUGHT = [f"how do I {verb} a {thing}" for verb in ("boil", "paint", "sell") for thing in ("egg", "car")]
KNOWN = "what is the way to boil an egg?"
LIMITS = itertools.count(LIMIT + 100)
PLAIN = reply(lambda text: f"You asked: {text}")


pytestmark = [pytest.mark.service, pytest.mark.slow]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Loopback]:
    with Loopback(default=PLAIN) as server:
        yield server


@pytest.fixture(scope="module")
def served(upstream: Loopback) -> Iterator[Served]:
    """Return a service that has learnt a few answers."""
    environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": upstream.url, "NO_PROXY": "*"}
    with Place() as home, Served(home, environment, "--tcp", "0") as served:
        with served.own() as own:
            for text in TAUGHT:
                assert own.post("/v1/messages", json=body(text)).status_code == 200
        served.wait_until_learnt()
        yield served


@pytest.fixture(autouse=True)
def restore_default(upstream: Loopback) -> Iterator[None]:
    yield
    upstream.default_to(PLAIN)


@pytest.fixture
def client(served: Served) -> Iterator["anthropic.Anthropic"]:
    import anthropic

    with anthropic.Anthropic(api_key=served.token, base_url=served.url, max_retries=0) as client:
        yield client


@pytest.fixture
def http(served: Served) -> Iterator[httpx2.Client]:
    """Return a plain client of the TCP port, with the token."""
    with httpx2.Client(base_url=served.url, headers={"x-api-key": served.token}, timeout=WITHIN_S) as http:
        yield http


def body(text: str, **others: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": LIMIT, "messages": [{"role": "user", "content": text}], **others}


def new(text: str, **others: Any) -> dict[str, Any]:
    """Return a question with a limit of its own, for which nothing is learnt yet."""
    return body(text, **{"max_tokens": next(LIMITS), **others})


def journalled(served: Served) -> list[Interaction]:
    with closing(Journal(served.home / "journal.db")) as journal:
        return list(journal.after(0))


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_that_reveals_a_secret_is_passed_on_and_not_stored(
    served: Served, http: httpx2.Client, upstream: Loopback, stream: bool
) -> None:
    upstream.default_to(reply("Use this password: Kw72-pm41-Zt09"))
    before = len(journalled(served))
    response = http.post("/v1/messages", json=new("which passcode shall the wifi have?", stream=stream))
    assert response.status_code == 200
    pieces = re.findall(r'"text": "([^"]*)"', response.text)
    assert "".join(pieces) == "Use this password: Kw72-pm41-Zt09"
    assert "shammah-query-id" not in response.headers
    assert len(journalled(served)) == before


class TestTheSdk:
    def test_gets_a_known_answer_locally(self, client: "anthropic.Anthropic", upstream: Loopback) -> None:
        before = len(upstream.requests)
        raw = client.messages.with_raw_response.create(**body(KNOWN))
        message = raw.parse()
        assert message.content[0].text == "You asked: how do I boil a egg"
        assert (message.model, message.stop_reason, message.role) == ("shammah-default", "end_turn", "assistant")
        assert (message.usage.input_tokens, message.usage.output_tokens) == (0, 0)
        assert raw.headers["shammah-source"] == "recall"
        assert raw.headers["shammah-query-id"].isdigit()
        assert len(upstream.requests) == before

    def test_gets_a_known_answer_as_a_stream(self, client: "anthropic.Anthropic") -> None:
        with client.messages.stream(**body(KNOWN)) as stream:
            assert "".join(stream.text_stream) == "You asked: how do I boil a egg"
            final = stream.get_final_message()
        assert (final.model, final.stop_reason) == ("shammah-default", "end_turn")

    def test_gets_other_answers_from_claude_and_they_are_journalled(
        self, client: "anthropic.Anthropic", served: Served, upstream: Loopback
    ) -> None:
        raw = client.messages.with_raw_response.create(**new("which moons has Mars?", system="be brief"))
        assert raw.parse().content[0].text == "You asked: which moons has Mars?"
        assert raw.parse().model == MODEL
        assert raw.headers["shammah-source"] == "claude"
        last = journalled(served)[-1]
        assert int(raw.headers["shammah-query-id"]) == last.request.number
        assert (last.request.query.text, last.request.query.system) == ("which moons has Mars?", "be brief")
        assert last.reply is not None
        assert (last.reply.text, last.reply.output_tokens) == ("You asked: which moons has Mars?", 20)

    def test_gets_claudes_stream(self, client: "anthropic.Anthropic", served: Served) -> None:
        with client.messages.stream(**new("which moons has Venus?")) as stream:
            assert "".join(stream.text_stream) == "You asked: which moons has Venus?"
        last = journalled(served)[-1]  # journalled before the stream ended
        assert last.request.query.text == "which moons has Venus?"
        assert last.reply is not None
        assert last.reply.complete

    def test_works_asynchronously(self, served: Served) -> None:
        import anthropic

        async def ask() -> list[str]:
            async with anthropic.AsyncAnthropic(api_key=served.token, base_url=served.url) as client:
                message = await client.messages.create(**body(KNOWN))
                async with client.messages.stream(**new("which moons has Saturn?")) as stream:
                    text = "".join([piece async for piece in stream.text_stream])
                return [message.content[0].text, text]

        assert asyncio.run(ask()) == ["You asked: how do I boil a egg", "You asked: which moons has Saturn?"]

    def test_gets_claudes_errors_unchanged(self, client: "anthropic.Anthropic", upstream: Loopback) -> None:
        import anthropic

        upstream.default_to(fail(429, "Slowly.", retry_after=7))
        with pytest.raises(anthropic.RateLimitError) as raised:
            client.messages.create(**new("which moons has Pluto?"))
        assert raised.value.response.headers["retry-after"] == "7"
        assert raised.value.body["error"]["message"] == "Slowly."  # type: ignore[index]

    def test_does_not_get_claudes_error_about_our_key(self, client: "anthropic.Anthropic", upstream: Loopback) -> None:
        import anthropic

        upstream.default_to(fail(401, f"{KEY} is no key"))
        with pytest.raises(anthropic.AuthenticationError) as raised:
            client.messages.create(**new("which moons has Pluto?"))
        assert KEY not in str(raised.value)
        with pytest.raises(anthropic.AuthenticationError) as raised:
            client.messages.create(**new("which moons has Pluto?"), extra_body={"temperature": 0.5})
        assert KEY not in str(raised.value)

    def test_lists_claudes_models(self, client: "anthropic.Anthropic") -> None:
        assert [model.id for model in client.models.list()] == ["claude-x"]

    def test_needs_no_token_on_the_homes_own_socket(self, served: Served) -> None:
        with served.own() as own:
            got = own.post("/v1/messages", json=body(KNOWN))
        assert got.json()["model"] == "shammah-default"


class TestTheContextOfAQuestion:
    @pytest.mark.parametrize(
        "others",
        [{"max_tokens": LIMIT + 1}, {"model": "claude-y"}, {"system": "be rude"}, {"stop_sequences": ["\n"]}],
        ids=["limit", "model", "system", "stop"],
    )
    def test_has_every_field_that_changes_the_answer(self, http: httpx2.Client, others: dict[str, Any]) -> None:
        got = http.post("/v1/messages", json={**body(KNOWN), **others})
        assert got.headers["shammah-source"] == "claude"

    def test_has_no_cache_control_and_no_default_temperature(self, http: httpx2.Client) -> None:
        block = [{"type": "text", "text": KNOWN, "cache_control": {"type": "ephemeral"}}]
        sent = body("", messages=[{"role": "user", "content": block}], temperature=1.0)
        assert http.post("/v1/messages", json=sent).headers["shammah-source"] == "recall"

    def test_has_the_user_and_the_version_of_the_api(self, http: httpx2.Client) -> None:
        theirs = body(KNOWN, metadata={"user_id": "somebody"})
        assert http.post("/v1/messages", json=theirs).headers["shammah-source"] == "claude"
        old = {"anthropic-version": "2023-06-01"}
        assert http.post("/v1/messages", json=body(KNOWN), headers=old).headers["shammah-source"] == "claude"

    def test_a_recalled_answer_has_its_stop_reason(
        self, http: httpx2.Client, served: Served, upstream: Loopback
    ) -> None:
        stopped = {"stop_reason": "stop_sequence", "stop_sequence": "###"}

        def stop(wire: Wire, request: Any) -> None:
            message = {"type": "message", "role": "assistant", "id": "msg", "model": MODEL, **stopped}
            usage = {"input_tokens": 1, "output_tokens": 1}
            wire.json(200, {**message, "content": [{"type": "text", "text": "one"}], "usage": usage})

        upstream.default_to(stop)
        questions = [f"count to {number} in French" for number in ("three", "four", "five", "six", "seven")]
        for text in questions:
            http.post("/v1/messages", json=body(text, stop_sequences=["###"]))
        served.wait_until_learnt()
        for text, source in ((questions[0], "repeat"), ("please count up to three in French", "recall")):
            got = http.post("/v1/messages", json=body(text, stop_sequences=["###"]))
            assert got.headers["shammah-source"] == source
            assert {name: got.json()[name] for name in stopped} == stopped


HELLO = {"role": "user", "content": "hello"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hello"}}


class TestRequestsNotCovered:
    def test_a_client_may_bypass_what_was_learnt(self, http: httpx2.Client, served: Served, upstream: Loopback) -> None:
        before, asked = len(journalled(served)), len(upstream.requests)
        got = http.post("/v1/messages", json=body(KNOWN), headers={"shammah-cache": "no", "shammah-scope": "x"})
        assert got.json()["content"][0]["text"] == f"You asked: {KNOWN}"
        assert len(upstream.requests) == asked + 1
        assert not [name for name in upstream.requests[-1].headers if name.startswith("shammah")]
        assert len(journalled(served)) == before

    def test_a_question_with_two_scopes_is_left_to_claude(self, http: httpx2.Client, upstream: Loopback) -> None:
        asked = len(upstream.requests)
        got = http.post("/v1/messages", json=body(KNOWN), headers=[("shammah-scope", "a"), ("shammah-scope", "b")])
        assert got.headers["shammah-source"] == "claude"
        assert "shammah-query-id" not in got.headers
        assert len(upstream.requests) == asked + 1

    def test_a_question_of_another_scope_is_another_question(self, http: httpx2.Client, upstream: Loopback) -> None:
        before = len(upstream.requests)
        assert http.post("/v1/messages", json=body(KNOWN)).headers["shammah-source"] == "recall"
        got = http.post("/v1/messages", json=body(KNOWN), headers={"shammah-scope": "work"})
        assert got.headers["shammah-source"] == "claude"
        assert len(upstream.requests) == before + 1

    @pytest.mark.parametrize(
        "sent",
        [
            body(KNOWN, tools=[{"name": "t", "input_schema": {"type": "object"}}]),
            body(KNOWN, messages=[{"role": "user", "content": [IMAGE, {"type": "text", "text": KNOWN}]}]),
            body(KNOWN, messages=[{"role": "user", "content": [DOCUMENT]}]),
            body(KNOWN, messages=[HELLO, {"role": "assistant", "content": "Hi."}, {"role": "user", "content": KNOWN}]),
            body(KNOWN, thinking={"type": "enabled", "budget_tokens": 1024}),
            body(KNOWN, temperature=0.2),
            body(KNOWN, something="new"),
            body(" "),
            body("long " * 30_000),
        ],
        ids=["tools", "image", "document", "conversation", "thinking", "temperature", "unknown", "empty", "long"],
    )
    @pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
    def test_go_to_claude_byte_for_byte_and_back(
        self, http: httpx2.Client, served: Served, upstream: Loopback, sent: dict[str, Any], streams: bool
    ) -> None:
        before = len(journalled(served))
        raw = json.dumps({**sent, "stream": streams}, indent=3).encode()  # with spaces that our encoder would not write
        headers = {"content-type": "application/json", "anthropic-version": "2023-06-01", "x-stainless-lang": "python"}
        got = http.post("/v1/messages?beta=true", content=raw, headers=headers)
        request = upstream.requests[-1]
        assert request.raw == raw
        assert request.path == "/v1/messages?beta=true"
        assert request.headers["x-api-key"] == KEY
        assert request.headers["x-stainless-lang"] == "python"
        with httpx2.Client() as direct:
            expected = direct.post(f"{upstream.url}/v1/messages", content=raw)
        assert got.content == expected.content
        assert got.headers["content-type"] == expected.headers["content-type"]
        assert len(journalled(served)) == before

    def test_carry_the_clients_headers_and_no_defaults_of_ours(self, served: Served, upstream: Loopback) -> None:
        raw = json.dumps(body(KNOWN, top_k=3)).encode()
        with closing(HTTPConnection("127.0.0.1", served.port)) as connection:
            connection.putrequest("POST", "/v1/messages", skip_accept_encoding=True)
            for name, value in {"x-api-key": served.token, "x-title": "Ü", "connection": "x-hop", "x-hop": "1"}.items():
                connection.putheader(name, value.encode())
            connection.putheader("content-length", str(len(raw)))
            connection.endheaders(raw)
            assert connection.getresponse().status == 200
        sent = upstream.requests[-1].headers
        assert sent["x-title"].encode("latin-1").decode() == "Ü"
        assert not {"accept-encoding", "user-agent", "accept", "x-hop"} & sent.keys()

    @pytest.mark.parametrize("path", ["/v1/../x", "/v1/./messages", "/v1/%2e%2e/x", "/v1/.%2E"])
    def test_must_not_have_a_path_with_dot_segments(self, served: Served, upstream: Loopback, path: str) -> None:
        before = len(upstream.requests)
        with closing(HTTPConnection("127.0.0.1", served.port)) as connection:
            connection.request("GET", path, headers={"x-api-key": served.token})
            assert connection.getresponse().status == 404
        assert len(upstream.requests) == before

    def test_include_those_with_a_beta(self, http: httpx2.Client, upstream: Loopback) -> None:
        http.post("/v1/messages", json=body(KNOWN), headers={"anthropic-beta": "context-1m"})
        assert upstream.requests[-1].headers["anthropic-beta"] == "context-1m"

    def test_stream_while_claude_still_writes(self, http: httpx2.Client, upstream: Loopback) -> None:
        go_on = threading.Event()

        def write(wire: Wire, request: Any) -> None:
            wire.begin_stream()
            wire.chunk(b"event: one\ndata: {}\n\n")
            assert go_on.wait(WITHIN_S)
            wire.chunk(b"event: two\ndata: {}\n\n")
            wire.end_stream()

        upstream.default_to(write)
        with http.stream("POST", "/v1/messages", json=body(KNOWN, stream=True, top_k=3)) as response:
            pieces = response.iter_raw()
            assert next(pieces) == b"event: one\ndata: {}\n\n"
            go_on.set()
            assert b"".join(pieces) == b"event: two\ndata: {}\n\n"


class TestFailures:
    @pytest.mark.parametrize("abrupt", [False, True])
    def test_a_cut_reply_is_passed_on_and_journalled_as_incomplete(
        self, http: httpx2.Client, served: Served, upstream: Loopback, abrupt: bool
    ) -> None:
        upstream.default_to(cut("It is a ", abrupt=abrupt))
        text = f"what is a comet, {abrupt}?"
        received = b""
        with (
            pytest.raises(httpx2.RemoteProtocolError) if abrupt else nullcontext(),
            http.stream("POST", "/v1/messages", json=new(text, stream=True)) as response,
        ):
            for piece in response.iter_raw():
                received += piece
        assert b"It i" in received
        assert b"message_stop" not in received
        last = journalled(served)[-1]
        assert last.request.query.text == text
        assert last.reply is not None
        assert (last.reply.text, last.reply.complete) == ("It is a ", False)

    def test_a_client_that_hangs_up_ends_the_call_of_claude(
        self, http: httpx2.Client, served: Served, upstream: Loopback
    ) -> None:
        upstream.default_to(stall("It is a "))
        with http.stream("POST", "/v1/messages", json=new("what is a meteor?", stream=True)) as response:
            next(response.iter_raw())
        until = time.monotonic() + WITHIN_S
        while journalled(served)[-1].request.query.text != "what is a meteor?":
            assert time.monotonic() < until
            time.sleep(0.05)
        last = journalled(served)[-1].reply
        assert last is not None
        assert not last.complete

    def test_an_unreachable_claude_gives_an_error_in_its_format(self, upstream: Loopback) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            environment = {
                "ANTHROPIC_API_KEY": KEY,
                "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{unused.getsockname()[1]}",
                "NO_PROXY": "*",
            }
            with Place() as home, Served(home, environment) as served, served.own() as own:
                for others in ({}, {"top_p": 0.5}):
                    got = own.post("/v1/messages", json=new("what is a monad?", **others))
                    assert got.status_code == 502
                    assert got.json()["error"]["type"] == "api_error"
                    assert "could not be reached" in got.json()["error"]["message"]
                assert not journalled(served)

    def test_a_cut_reply_that_was_not_streamed_is_an_error(
        self, http: httpx2.Client, served: Served, upstream: Loopback
    ) -> None:
        def half(wire: Wire, request: Any) -> None:
            wire.send(200, "application/json", b'{"type": "mess', {"content-length": "999"})

        upstream.default_to(half)
        for others in ({}, {"top_k": 3}):
            with suppress(httpx2.RemoteProtocolError):  # the headers may have been sent already
                assert http.post("/v1/messages", json=new("what is a comet?", **others)).status_code == 502

    def test_a_client_that_hangs_up_early_causes_no_traceback(self, served: Served) -> None:
        with socket.create_connection(("127.0.0.1", served.port)) as connection:
            head = f"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: {served.token}\r\n"
            connection.sendall(f'{head}content-length: 500\r\n\r\n{{"mod'.encode())
            time.sleep(0.2)
        time.sleep(0.2)
        assert "Traceback" not in served.log

    def test_a_request_from_shammah_itself_is_refused(self, http: httpx2.Client) -> None:
        got = http.post("/v1/messages", json=new("?"), headers={"via": "1.1 shammah"})
        assert got.status_code == 400
        assert "ANTHROPIC_BASE_URL" in got.json()["error"]["message"]

    def test_a_request_beyond_the_last_slot_is_refused(self, upstream: Loopback) -> None:
        environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": upstream.url, "NO_PROXY": "*"}
        upstream.default_to(stall("It is "))
        with Place() as home:
            (home / "config.toml").write_text((home / "config.toml").read_text() + "[service]\nmost_requests = 2\n")
            with Served(home, environment) as small, small.own() as own:
                with (
                    own.stream("POST", "/v1/messages", json=new("a comet?", stream=True)) as one,
                    own.stream("POST", "/v1/messages", json=new("a meteor?", stream=True)) as two,
                ):
                    next(one.iter_raw()), next(two.iter_raw())
                    full = own.post("/v1/messages", json=new("a star?"))
                    assert full.status_code == 529
                    assert full.json()["error"]["type"] == "overloaded_error"
                    assert own.get("/health").json()["status"] == "ok"
                upstream.default_to(PLAIN)
                until = time.monotonic() + WITHIN_S
                while own.post("/v1/messages", json=new("a star?")).status_code != 200:
                    assert time.monotonic() < until
                metrics = own.get("/metrics").text
                assert "shammah_refused_total" in metrics
                assert "comet" not in metrics


class TestAnOddUpstream:
    @pytest.mark.parametrize("text", ["covered", "not covered"])
    @pytest.mark.parametrize(
        "head",
        [
            b"HTTP/1.1 699 Odd\r\ncontent-length: 2\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ],
    )
    def test_is_a_bad_gateway(self, http: httpx2.Client, upstream: Loopback, head: bytes, text: str) -> None:
        def answer(wire: Wire, _: Request) -> None:
            wire.wfile.write(head)

        upstream.default_to(answer)
        headers = {} if text == "covered" else {"anthropic-beta": "x"}
        got = http.post("/v1/messages", json=new("what is a nebula?"), headers=headers)
        assert got.status_code == 502

    def test_that_never_ends_is_given_up_and_stalls_nobody(
        self, http: httpx2.Client, served: Served, upstream: Loopback
    ) -> None:
        def flood(wire: Wire, _: Request) -> None:
            wire.begin_stream()
            for _megabyte in range(200):
                wire.chunk(b"x" * 1_000_000)

        upstream.default_to(flood)
        assert http.post("/v1/messages", json=new("what is a quasar?")).status_code == 502
        assert served.health()["status"] == "ok"

    @pytest.mark.parametrize("streams", [False, True])
    def test_may_send_gzip_although_nobody_asked_for_it(
        self, http: httpx2.Client, served: Served, upstream: Loopback, streams: bool
    ) -> None:
        def packed(wire: Wire, request: Request) -> None:
            message = Message("It is a star.", MODEL, "end_turn", None, None)
            events = [*message.opening(), *message.closing()]
            plain = (
                "".join(f"data: {json.dumps(event)}\n\n" for event in events)
                if streams
                else json.dumps(message.whole())
            )
            kind = "text/event-stream" if streams else "application/json"
            wire.send(200, kind, gzip.compress(plain.encode()), {"content-encoding": "gzip"})

        upstream.default_to(packed)
        got = http.post("/v1/messages", json=new("what is a pulsar?", stream=streams))
        assert "type" in got.text  # as it was sent
        last = journalled(served)[-1].reply
        assert last is not None
        assert (last.text, last.complete) == ("It is a star.", True)

    def test_that_sends_a_second_response_does_not_answer_the_next_question(
        self, http: httpx2.Client, upstream: Loopback
    ) -> None:
        def twice(wire: Wire, _: Request) -> None:
            whole = json.dumps(Message("It is a stowaway.", MODEL, "end_turn", None, None).whole()).encode()
            wire.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(whole), whole) * 2)

        upstream.default_to(twice)
        assert "stowaway" in http.post("/v1/messages", json=new("what is a blazar?")).text
        upstream.default_to(PLAIN)
        assert "stowaway" not in http.post("/v1/messages", json=new("how far is Vega?")).text

    @pytest.mark.parametrize("headers", [{}, {"anthropic-beta": "x"}])
    def test_cannot_say_what_only_the_service_says(
        self, http: httpx2.Client, upstream: Loopback, headers: dict[str, str]
    ) -> None:
        def claims(wire: Wire, request: Request) -> None:
            whole = Message("It is a star.", MODEL, "end_turn", None, None).whole()
            ours = {"shammah-source": "recall", "shammah-covered": "true", "shammah-query-id": "999999"}
            wire.json(200, whole, ours)

        upstream.default_to(claims)
        got = http.post("/v1/messages", json=new("what is a collapsar?"), headers=headers)
        assert got.headers["shammah-source"] == "claude"
        assert got.headers.get("shammah-query-id") != "999999"
        assert not headers or "shammah-covered" not in got.headers

    @pytest.mark.parametrize("streams", [False, True])
    def test_that_says_gzip_and_sends_none_is_a_bad_gateway(
        self, http: httpx2.Client, served: Served, upstream: Loopback, streams: bool
    ) -> None:
        upstream.default_to(lambda wire, _: wire.send(200, "text/plain", b"plain", {"content-encoding": "gzip"}))
        got = http.post("/v1/messages", json=new("what is a magnetar?", stream=streams))
        assert got.status_code == 502
        assert "Traceback" not in served.log

    def test_bytes_that_are_no_utf_8_are_passed_on(self, http: httpx2.Client, upstream: Loopback) -> None:
        upstream.default_to(lambda wire, _: wire.send(400, "application/json", b'{"error": {"message": "\xff"}}'))
        for sent in (json.dumps(new("what is a star?")).encode(), b'{"model": "\xff"}'):
            got = http.post("/v1/messages", content=sent)
            assert got.status_code == 400
            assert got.json()["error"].keys() >= {"message"} if b"\xff" in sent else b"\xff" in got.content

    def test_gets_no_trace(self, served: Served, upstream: Loopback) -> None:
        before = len(upstream.requests)
        with closing(HTTPConnection("127.0.0.1", served.port, timeout=WITHIN_S)) as connection:
            connection.request("TRACE", "/v1/messages", headers={"x-api-key": served.token})
            assert connection.getresponse().status == 404
        assert len(upstream.requests) == before


class TestAccess:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 401),
            ({"x-api-key": "wrong"}, 401),
            ({"authorization": "Bearer wrong"}, 401),
            ({"x-api-key": "TOKEN"}, 200),
            ({"authorization": "Bearer TOKEN"}, 200),
            ({"x-api-key": "TOKEN", "host": "evil.example"}, 403),
            ({"x-api-key": "TOKEN", "host": "127.0.0.1.evil.example:80"}, 403),
            ({"x-api-key": "TOKEN", "origin": "https://evil.example"}, 403),
            ({"x-api-key": "TOKEN", "origin": "null"}, 403),
            ({"x-api-key": "TOKEN", "origin": "http://localhost:3000"}, 403),
            ({"x-api-key": "é".encode("latin-1")}, 401),
        ],
    )
    @pytest.mark.parametrize("path", ["/v1/messages", "/v1/models", "/metrics"])
    def test_needs_the_token_and_is_refused_to_web_pages(
        self, served: Served, path: str, headers: dict[str, Any], status: int
    ) -> None:
        sent = {
            name: value.replace("TOKEN", served.token) if isinstance(value, str) else value
            for name, value in headers.items()
        }
        with httpx2.Client(base_url=served.url, headers=sent) as http:
            got = http.post(path, json=body(KNOWN)) if path == "/v1/messages" else http.get(path)
        assert got.status_code == status
        assert not [name for name in got.headers if name.startswith("access-control")]

    def test_is_refused_to_preflights(self, served: Served) -> None:
        asks = {"origin": "https://evil.example", "access-control-request-method": "POST"}
        with httpx2.Client(base_url=served.url, headers=asks) as http:
            assert http.options("/v1/messages").status_code == 403

    def test_to_health_needs_no_token(self, served: Served) -> None:
        with httpx2.Client(base_url=served.url) as http:
            assert http.get("/health").json()["status"] == "ok"

    def test_to_command_paths_does_not_exist_on_a_port(self, http: httpx2.Client) -> None:
        for path in ("/own/ask", "/own/away", "/ask"):
            assert http.post(path, json={"text": "x"}).status_code == 404
        assert http.get("/own/decode-rate").status_code == 404

    def test_to_claude_uses_our_key_and_never_the_clients(self, http: httpx2.Client, upstream: Loopback) -> None:
        theirs = {"authorization": "Bearer theirs", "cookie": "c"}
        for others in ({}, {"top_p": 0.5}):
            http.post(
                "/v1/messages",
                json=new("who am I?", **others),
                headers=theirs,
            )
            sent = upstream.requests[-1].headers
            assert sent["x-api-key"] == KEY
            assert "authorization" not in sent
            assert "cookie" not in sent


class TestBodies:
    def test_that_are_too_large_are_refused(self, upstream: Loopback) -> None:
        environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": upstream.url, "NO_PROXY": "*"}
        with Place() as home:
            (home / "config.toml").write_text((home / "config.toml").read_text() + "[service]\nmost_body_bytes = 900\n")
            with Served(home, environment) as small, small.own() as own:
                assert own.post("/v1/messages", json=body("x" * 500)).status_code == 200
                got = own.post("/v1/messages", json=body("x" * 900))
                assert got.status_code == 413
                assert got.json()["error"]["type"] == "request_too_large"

                def endless() -> Iterator[bytes]:
                    while True:
                        yield b"x" * 100

                with suppress(httpx2.HTTPError):  # the service may close the connection first
                    assert own.post("/v1/messages", content=endless()).status_code == 413
                assert own.get("/health").status_code == 200

    @settings(max_examples=150, suppress_health_check=list(HealthCheck))
    @given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
    def test_of_any_bytes_get_a_response(self, http: httpx2.Client, sent: bytes) -> None:
        got = http.post("/v1/messages", content=sent)
        assert got.status_code in (400, 200)
        assert got.json()["type"] in ("error", "message")

    @settings(max_examples=150, suppress_health_check=list(HealthCheck))
    @given(
        st.recursive(
            st.one_of(
                st.none(),
                st.booleans(),
                st.integers(),
                st.floats(),
                st.text(max_size=20),
                st.just("user"),
                st.just("text"),
            ),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(
                    st.one_of(
                        st.sampled_from(
                            ["model", "messages", "max_tokens", "role", "content", "type", "text", "system", "stream"]
                        ),
                        st.text(max_size=5),
                    ),
                    inner,
                    max_size=5,
                ),
            ),
            max_leaves=12,
        )
    )
    def test_of_any_shape_get_a_response(
        self, http: httpx2.Client, served: Served, upstream: Loopback, sent: Any
    ) -> None:
        upstream.default_to(fail(400, "What?"))
        whole = {**body("hello"), **sent} if isinstance(sent, dict) else sent
        got = http.post("/v1/messages", content=json.dumps(whole).encode())
        assert got.status_code in (400, 200)
        assert "Traceback" not in served.log

    def test_nested_too_deeply_are_refused(self, http: httpx2.Client, served: Served) -> None:
        for sent in (b"[" * 100_000, b'{"messages":' * 50_000):
            assert http.post("/v1/messages", content=sent).status_code == 400
        assert "Traceback" not in served.log


def test_the_log_has_no_question_answer_or_key(http: httpx2.Client, served: Served) -> None:
    http.post("/v1/messages", json=body("the xylophone question"))
    for word in ("xylophone", "egg", "You asked", KEY, served.token):
        assert word not in served.log


def test_many_at_once_get_one_right_answer_each(served: Served) -> None:
    """Ask 40 questions at once; `make load` does this at length."""
    import anthropic

    async def ask_all() -> list[str]:
        async with anthropic.AsyncAnthropic(api_key=served.token, base_url=served.url, max_retries=0) as client:

            async def ask(number: int) -> str:
                message = await client.messages.create(**new(f"what is {number} times {number + 1}"))
                return str(message.content[0].text)

            return await asyncio.gather(*(ask(number) for number in range(40)))

    answers = asyncio.run(ask_all())
    assert answers == [f"You asked: what is {number} times {number + 1}" for number in range(40)]
    texts = [interaction.request.query.text for interaction in journalled(served)]
    numbers = [interaction.request.number for interaction in journalled(served)]
    assert all(texts.count(f"what is {number} times {number + 1}") == 1 for number in range(40))
    assert numbers == list(range(1, len(numbers) + 1))


AUDITED = BOLD.replace("audits = []", "audits = [[0, 1.0]]\naudit_floor = 1.0")


class TestAudits:
    def test_use_the_clients_own_request_or_are_made_late(self, upstream: Loopback) -> None:
        environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": upstream.url, "NO_PROXY": "*"}
        with Place() as home:
            (home / "config.toml").write_text(AUDITED)
            with Served(home, environment) as served, served.own() as own:
                for text in TAUGHT:
                    own.post("/v1/messages", json=body(text, system="s"))
                served.wait_until_learnt()

                upstream.default_to(reply("You asked: how do I boil a egg"))
                for text, streams in ((KNOWN, False), ("tell me how to boil an egg", True)):
                    good = own.post("/v1/messages", json=body(text, system="s", stream=streams))
                    assert good.headers["shammah-source"] == "recall"
                upstream.default_to(reply("Never."))
                for text, streams in ((TAUGHT[2], False), (TAUGHT[5], True)):
                    bad = own.post("/v1/messages", json=body(text, system="s", stream=streams))
                    assert bad.headers["shammah-source"] == "claude"
                    assert b"Neve" in bad.content

                upstream.default_to(fail(529))
                missed = own.post("/v1/messages", json=body(KNOWN, system="s"))
                assert (missed.headers["shammah-source"], missed.headers["shammah-covered"]) == ("repeat", "false")
                upstream.default_to(PLAIN)
                own.post("/v1/messages", json=new("which moons has Mars?"))
                until = time.monotonic() + WITHIN_S
                while journalled(served)[-1].late_for != int(missed.headers["shammah-query-id"]):
                    assert time.monotonic() < until, "the late audit was not made"
                    time.sleep(0.1)
