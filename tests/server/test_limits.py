"""Idle, slow and large requests do not use up what the service needs."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress

import httpx2
import msgspec
import pytest
from starlette.requests import Request

from shammah_mlx.presets import PRESETS
from shammah_mlx.server import limits, run
from shammah_mlx.server.connections import HEADERS_S, MOST
from shammah_mlx.server.limits import Limits, RefusedBodyError
from shammah_mlx.server.prometheus import Counters
from tests.loopback import Loopback
from tests.served import Place, Served

SMALL = msgspec.structs.replace(PRESETS["default"].service, most_body_bytes=100)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Loopback() as upstream, Place() as home:
        environment = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": upstream.url, "NO_PROXY": "*"}
        with Served(home, environment, "--tcp", "0") as served:
            yield served


def is_closed(connection: socket.socket, within_s: float) -> bool:
    connection.settimeout(within_s)
    with suppress(ConnectionError):
        try:
            return connection.recv(1) == b""
        except TimeoutError:
            return False
    return True


@pytest.mark.slow
def test_idle_connections_lock_nobody_out(served: Served) -> None:
    with ExitStack() as opened:
        idle = [opened.enter_context(socket.create_connection(("127.0.0.1", served.port))) for _ in range(3 * MOST)]
        assert served.health()["status"] == "ok"  # over the home's own socket
        time.sleep(0.5)
        left = [connection for connection in idle if not is_closed(connection, 0.01)]
        assert len(left) <= MOST
        for connection in left[: MOST // 2]:
            connection.close()
        time.sleep(0.5)
        assert httpx2.get(f"{served.url}/health", trust_env=False).status_code == 200
    assert served.log.count("\n") < 20


BEGUN = [b"", b"GET /health HTTP/1.1\r\nhost: x", b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\nGET"]


@pytest.mark.slow
def test_connections_without_a_request_are_closed_after_a_while(served: Served) -> None:
    with ExitStack() as opened:
        since, waiting = time.monotonic(), []
        for sent in BEGUN:
            waiting.append(opened.enter_context(socket.create_connection(("127.0.0.1", served.port))))
            waiting[-1].sendall(sent)
        for connection in waiting:
            connection.settimeout(3 * HEADERS_S)
            with suppress(ConnectionError):
                while connection.recv(65536):
                    pass
        assert time.monotonic() - since < 2 * HEADERS_S


def request(*pieces: bytes, ends: bool = True) -> Request:
    """Return a request whose body comes in pieces; without an end, the client then sends nothing more."""

    async def messages() -> AsyncIterator[dict[str, object]]:
        for place, piece in enumerate(pieces):
            yield {"type": "http.request", "body": piece, "more_body": not ends or place < len(pieces) - 1}
        await asyncio.Event().wait()

    stream = messages()
    return Request({"type": "http", "method": "POST", "headers": []}, lambda: anext(stream))


def read(shared: Limits, asked: Request) -> bytes | str:
    async def reading() -> bytes | str:
        try:
            async with shared.body(asked) as body:
                return body
        except RefusedBodyError as refused:
            return refused.kind

    return asyncio.run(reading())


def test_a_body_is_read_whole() -> None:
    assert read(Limits(SMALL, Counters()), request(b"a" * 60, b"b" * 40)) == b"a" * 60 + b"b" * 40


def test_a_body_that_is_too_large_is_refused() -> None:
    assert read(Limits(SMALL, Counters()), request(b"a" * 60, b"b" * 41)) == "request_too_large"


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_S", 0.05)
    shared = Limits(SMALL, Counters())
    assert read(shared, request(b"a", ends=False)) == "invalid_request_error"
    assert read(shared, request(b"a")) == b"a"


def test_the_bodies_in_memory_are_limited_together_and_make_room_for_others() -> None:
    shared = Limits(SMALL, Counters())

    async def hold() -> list[str]:
        kinds = []
        async with shared.body(request(b"a" * 100)), shared.body(request(b"b" * 100)), shared.body(request(b"c" * 100)):
            for size in (100, 1):
                try:
                    async with shared.body(request(b"d" * size)), shared.body(request(b"e")):
                        kinds.append("")
                except RefusedBodyError as refused:
                    kinds.append(refused.kind)
        return kinds

    assert asyncio.run(hold()) == ["overloaded_error", ""]
    assert read(shared, request(b"a" * 100)) == b"a" * 100


@pytest.mark.slow
@pytest.mark.service
def test_a_log_that_is_too_long_begins_anew(served: Served) -> None:
    log = served.home.parent / "serve.log"
    with log.open("ab") as file:
        file.truncate(run.MOST_LOG_BYTES + 1)
    until = time.monotonic() + 3 * run.LOG_POLL_S
    while log.stat().st_size > run.MOST_LOG_BYTES:
        assert time.monotonic() < until
        time.sleep(0.2)
