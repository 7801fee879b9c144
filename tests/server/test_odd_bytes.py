"""Faults that fuzzing found: bytes of clients and of Claude's server that broke a request, the log or the service."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from shammah_mlx.server.protocol import SOCKET
from tests.loopback import Message
from tests.raw_http import RawServer, Response, Script, exchange, read_response
from tests.served import BOLD, WITHIN_S, Place, Served

pytestmark = [pytest.mark.service, pytest.mark.slow]

KEY = "sk-test-upstream"
BODY: dict[str, Any] = {"model": "claude-x", "max_tokens": 300, "messages": [{"role": "user", "content": "hello"}]}
WHOLE = json.dumps(Message("Hello.", "claude-x").whole()).encode()
LARGE = 4_000_000  # bytes; read as JSON, they take more than half a second


@pytest.fixture(scope="module")
def upstream() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


@pytest.fixture(scope="module")
def served(upstream: RawServer) -> Iterator[Served]:
    environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": upstream.url, "NO_PROXY": "*"}
    with Place() as home:
        (home / "config.toml").write_text(BOLD)
        with Served(home, environment, "--tcp", "0") as served:
            yield served


@pytest.fixture(autouse=True)
def answers(upstream: RawServer) -> None:
    upstream.script = answer(WHOLE)
    upstream.arrived.clear()


def answer(body: bytes, *headers: str) -> Script:
    lines = ["HTTP/1.1 200 OK", "connection: close", f"content-length: {len(body)}", *headers, "", ""]
    return Script(("\r\n".join(lines).encode() + body,))


def send(served: Served, data: bytes, wait_s: float = WITHIN_S) -> list[Response]:
    """Send bytes to the port; return the responses."""
    connect = lambda: socket.create_connection(("127.0.0.1", served.port))  # noqa: E731
    received, is_closed = exchange(connect, [data], wait_s)
    responses = []
    while read := read_response(received, to_head=False, is_closed=is_closed):
        responses.append(read[0])
        received = read[1]
    return responses


def request(served: Served, target: str, body: bytes, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "host: localhost", f"x-api-key: {served.token}", *headers]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


def new(served: Served, scope: str, **others: Any) -> bytes:
    """Return a question for which nothing is learnt yet."""
    return request(served, "/v1/messages", json.dumps({**BODY, **others}).encode(), f"shammah-scope: {scope}")


@pytest.mark.parametrize("target", ["/v1/messages", "/health", "/none"])
def test_a_body_that_breaks_the_rules_of_http_ends_the_connection_and_nothing_else(served: Served, target: str) -> None:
    for broken in (b"-1\r\nx", b"f" * 25 + b"\r\nx", b"1\r\nxy\r\n"):
        head = request(served, target, b"", "transfer-encoding: chunked").replace(b"content-length: 0\r\n", b"")
        assert all(response.status < 500 for response in send(served, head + broken))
        time.sleep(0.05)
        send(served, head + b"1\r\nx\r\n" + broken)
    assert served.health()["status"] == "ok"
    for word in ("Traceback", "Exception", "Fatal"):
        assert word not in served.log


@pytest.mark.parametrize("target", ["%2Fv1%2F@{0}/x", "%2Fv1/x@{0}", "/v1%2F@{0}/x", "//{0}/v1/x", "http://{0}/v1/x"])
def test_no_path_sends_the_key_to_another_host(served: Served, upstream: RawServer, target: str) -> None:
    with RawServer() as elsewhere:
        where = target.format(f"127.0.0.1:{elsewhere.port}")
        (response,) = send(served, request(served, where, b"", method="GET"))
        assert elsewhere.connections == 0
    assert response.status == 404 or upstream.arrived[-1].target.startswith(b"/v1")


@pytest.mark.parametrize("target", ["/v1/" + "a" * 70_000, "/v1/messages?" + "a" * 70_000])
def test_a_path_that_is_too_long_is_not_found(served: Served, target: str) -> None:
    (response,) = send(served, request(served, target, b"", method="GET"))
    assert response.status == 404
    assert "Exception" not in served.log


@pytest.mark.parametrize("streams", [False, True])
def test_a_response_that_is_not_packed_as_it_says_is_a_bad_gateway(
    served: Served, upstream: RawServer, streams: bool
) -> None:
    packed = gzip.compress(WHOLE, mtime=0)
    damaged = packed[:30] + b"\xff\xff\xff" + packed[33:]
    for number, sent in enumerate((WHOLE, damaged)):
        upstream.script = answer(sent, "content-encoding: gzip")
        (response,) = send(served, new(served, f"packed {streams} {number}", stream=streams))
        assert response.status == 502
    assert "Exception" not in served.log


def test_a_few_bytes_that_unpack_to_very_many_are_a_bad_gateway(served: Served, upstream: RawServer) -> None:
    upstream.script = answer(gzip.compress(b"0" * 100_000_000, mtime=0), "content-encoding: gzip")
    (response,) = send(served, new(served, "bomb"))
    assert response.status == 502


def test_an_ask_request_nested_too_deeply_is_refused(served: Served) -> None:
    with served.own() as own:
        for sent in (b'{"text": "x", "y": ' + b"[" * 100_000, b'{"y":' * 50_000):
            assert own.post("/own/ask", content=sent).status_code == 400
    assert "Exception" not in served.log


@pytest.mark.parametrize("path", ["/own/ask", "/v1/messages"])
def test_a_client_that_hangs_up_within_its_body_is_no_failure(served: Served, path: str) -> None:
    with socket.socket(socket.AF_UNIX) as own:
        own.connect(str(served.home / SOCKET))
        own.sendall(request(served, path, b"{}").replace(b"content-length: 2", b"content-length: 20"))
        time.sleep(0.1)
    time.sleep(0.1)
    assert served.health()["status"] == "ok"
    assert "Exception" not in served.log


@pytest.mark.parametrize("streams", [False, True])
def test_a_very_large_reply_is_passed_on_unread_and_stalls_nobody(
    served: Served, upstream: RawServer, streams: bool
) -> None:
    large = b'{"type": "message", "x": [' + b"{}," * (LARGE // 3) + b"1]}"
    upstream.script = answer(b"data: " + large + b"\n\n" if streams else large)
    (response,) = send(served, new(served, f"large {streams}", stream=streams))
    assert large in response.body
    assert response.is_whole
