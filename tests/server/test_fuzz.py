"""Random bodies, requests and responses of Claude's neither break the service nor leak, and nothing cut is learnt.

`--fuzz-seconds` is how long all three run together: 10 in `make test`, 600 in `make soak`. `--fuzz-seed` repeats a run.
"""

import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from shammah_mlx.events import Interaction
from shammah_mlx.home.journal import Journal
from shammah_mlx.server.protocol import SOCKET
from shammah_mlx.teacher.identity import SOURCE
from tests.mutations import dump
from tests.raw_http import WITHOUT_BODY, RawServer, Response, Script, exchange, read_response
from tests.served import BOLD, Place, Served
from tests.server.fuzz_replies import MESSAGE, UpstreamCase, upstream_cases
from tests.server.fuzz_requests import (
    ANSWER,
    BASE,
    ELSEWHERE,
    QUESTION,
    TOKEN,
    bodies,
    own_bodies,
    raw_requests,
    request,
)

pytestmark = [pytest.mark.service, pytest.mark.slow]

KEY = "sk-test-upstream"
PARTS = 3  # tests that share the time
EXAMPLES = 25  # between two looks at the clock, at the memory and at what is served again
REPLY_S, SILENCE_S = 10.0, 0.25  # until a complete request is answered; until one that may be incomplete is given up
EARLY_S = 0.01  # until an impatient client hangs up
HEALTH_S = 5.0  # within which `/health` answers, on a busy machine
GROWTH_KB = 400_000  # of the process, beyond what it takes when all models are loaded
SMALL = "[service]\nmost_body_bytes = 250000\nsilence_s = 2.0\n"
OUR_ERRORS = (400, 401, 502, 504)  # for what Claude's server sends, other than its own status
FOUND = re.compile("Traceback|Exception|exception")


@dataclass
class World:
    """The service under test, and all that is watched around it."""

    served: Served
    upstream: RawServer
    elsewhere: RawServer
    log_read: int = 0
    asked: int = 0
    cut: list[tuple[int, bool]] = field(default_factory=list)  # questions whose reply must not be served

    def fill(self, pieces: list[bytes]) -> list[bytes]:
        """Put the token and the other host into bytes that were drawn."""
        host = f"127.0.0.1:{self.elsewhere.port}".encode()
        return [piece.replace(TOKEN, self.served.token.encode()).replace(ELSEWHERE, host) for piece in pieces]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.served.port), REPLY_S)

    def connect_own(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(REPLY_S)
        connection.connect(str(self.served.home / SOCKET))
        return connection

    def new_log(self) -> str:
        with (self.served.home.parent / "serve.log").open("rb") as log:
            log.seek(self.log_read)
            new = log.read()
        self.log_read += len(new)
        return new.decode("utf-8", "replace")

    def forget(self) -> None:
        """Forget what the last case did, so that it does not count against the next one."""
        self.new_log()
        self.new_interactions()
        self.upstream.arrived.clear()
        self.elsewhere.connections = 0

    def new_interactions(self) -> list[Interaction]:
        with closing(Journal(self.served.home / "journal.db")) as journal:
            new = list(journal.after(self.asked))
        self.asked = new[-1].request.number if new else self.asked
        return new

    @property
    def kilobytes(self) -> int:
        shown = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.served.process.pid)], capture_output=True, check=True
        )
        return int(shown.stdout)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with RawServer() as upstream, RawServer() as elsewhere, Place() as home:
        (home / "config.toml").write_text(BOLD + SMALL)
        environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": upstream.url, "NO_PROXY": "*"}
        with Served(home, environment, "--tcp", "0") as served:
            world = World(served, upstream, elsewhere)
            upstream.script = whole_reply()
            ask(world, request(b"/v1/messages", dump(BASE), b"shammah-scope: first"))
            served.wait_until_learnt()
            yield world


def whole_reply() -> Script:
    body = dump(MESSAGE.whole())
    return Script((b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body),))


def ask(world: World, data: bytes) -> Response:
    received, _ = exchange(world.connect, world.fill([data]), REPLY_S)
    read = read_response(received, to_head=False, is_closed=True)
    assert read, "no response"
    return read[0]


def check_responses(world: World, received: bytes, *, to_head: bool, is_closed: bool) -> list[Response]:
    """Check that only well-formed responses came, and none that tells a secret; return them."""
    for secret in (KEY, world.served.token):
        assert secret.encode() not in received
    responses, rest = [], received
    while rest and (read := read_response(rest, to_head=to_head, is_closed=is_closed)):
        response, rest = read
        responses.append(response)
        if to_head or not response.is_whole:  # what follows the first may be another method's
            break
    return responses


def check_service(world: World) -> None:
    """Check that the service is well and idle, and that its log and Claude's server saw nothing they must not see."""
    since = time.monotonic()
    assert world.served.process.poll() is None, "the service has ended"
    while True:
        health, _ = exchange(world.connect_own, [b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"], HEALTH_S)
        read = read_response(health, to_head=False, is_closed=False)
        assert read
        assert read[0].status == 200
        assert b"shammah_learning_well 1.0" in read[0].body
        if b"shammah_requests 0.0" in read[0].body:
            break
        assert time.monotonic() - since < REPLY_S, "a request is never done"
        time.sleep(0.002)
    health, _ = exchange(world.connect, [b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"], HEALTH_S)
    assert b'"status":"ok"' in health
    log = world.new_log()
    assert not FOUND.search(log), log
    for word in (QUESTION, ANSWER, KEY, world.served.token):
        assert word not in log
    assert world.elsewhere.connections == 0, "another host was asked"
    while world.upstream.arrived:
        arrived = world.upstream.arrived.pop()
        assert arrived.target.startswith(b"/v1/")
        keys = arrived.all_of(b"x-api-key") + arrived.all_of(b"authorization")  # the SDK sends it as the latter
        assert [key.removeprefix(b"Bearer ") for key in keys] == [KEY.encode()]
        assert arrived.all_of(b"host") == [world.upstream.url.removeprefix("http://").encode()]
        assert len(arrived.all_of(b"content-length")) <= 1
        assert not arrived.all_of(b"transfer-encoding")
        assert world.served.token.encode() not in b"".join(value for _, value in arrived.headers)


@pytest.fixture
def fuzz(world: World, pytestconfig: pytest.Config, print_figure: Callable[[str], None]) -> Callable[..., None]:
    """Return what runs one test again and again until its share of the time is over."""

    def run(strategy: st.SearchStrategy[Any], check: Callable[[Any], None]) -> None:
        given_seed = pytestconfig.getoption("--fuzz-seed")
        first = time.time_ns() % 10**9 if given_seed is None else int(given_seed)
        until = time.monotonic() + float(pytestconfig.getoption("--fuzz-seconds")) / PARTS
        before, rounds, cases = world.kilobytes, 0, 0
        print_figure(f"--fuzz-seed {first}")

        def counted(case: Any) -> None:
            nonlocal cases
            cases += 1
            world.forget()
            check(case)

        while rounds == 0 or time.monotonic() < until:
            number = first + rounds
            chosen = settings(
                max_examples=EXAMPLES,
                database=None,
                deadline=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            )
            try:
                seed(number)(chosen(given(strategy)(counted)))()
                check_again(world)
            except BaseException as error:
                error.add_note(f"again with --fuzz-seed {number}")
                raise
            assert world.kilobytes < before + GROWTH_KB, "the service takes more and more memory"
            rounds += 1
        print_figure(f"{cases} cases in {rounds} rounds, {world.kilobytes - before:+} kB")

    return run


def check_again(world: World) -> None:
    """Check that no reply that was cut is served when its question is asked again."""
    world.upstream.script = Script((b"HTTP/1.1 529 Busy\r\ncontent-length: 0\r\n\r\n",))
    while world.cut:
        number, streams = world.cut.pop()
        again = ask(world, question(number, streams=streams, is_covered=True))
        assert ANSWER.encode() not in again.body, f"question {number} got {again}"
    world.upstream.arrived.clear()


def question(number: int, *, streams: bool, is_covered: bool) -> bytes:
    """Return a question of a scope of its own, for which nothing is learnt yet."""
    others = {} if is_covered else {"top_k": 3}
    return request(b"/v1/messages", dump({**BASE, "stream": streams, **others}), b"shammah-scope: %d" % number)


def test_bodies(world: World, fuzz: Callable[..., None]) -> None:
    def check(case: tuple[bytes, bytes, bool]) -> None:
        target, body, is_own = case
        world.upstream.script = whole_reply()
        connect = world.connect_own if is_own else world.connect
        received, is_closed = exchange(connect, world.fill([request(target, body)]), REPLY_S)
        responses = check_responses(world, received, to_head=False, is_closed=is_closed)
        assert responses, "no response"
        assert responses[0].is_whole
        assert responses[0].status != 500
        if responses[0].status >= 400:
            assert QUESTION.encode() not in received
            assert json.loads(responses[0].body)["type"] == "error"
        check_service(world)

    messages = st.tuples(st.just(b"/v1/messages"), bodies(), st.booleans())
    fuzz(messages | messages | st.tuples(st.just(b"/own/ask"), own_bodies(), st.just(True)), check)


def test_requests(world: World, fuzz: Callable[..., None]) -> None:
    def check(case: tuple[list[bytes], bool]) -> None:
        pieces, is_own = case
        world.upstream.script = whole_reply()
        sent = world.fill([b"".join(pieces)])[0] if TOKEN in b"".join(pieces) else b"".join(pieces)
        to_head = sent.lstrip(b"\r\n").startswith(b"HEAD ")
        connect = world.connect_own if is_own else world.connect
        received, is_closed = exchange(connect, cut_like(sent, pieces), SILENCE_S)
        for response in check_responses(world, received, to_head=to_head, is_closed=is_closed):
            assert response.status != 500
            if response.status >= 400:
                assert QUESTION.encode() not in response.body
        check_service(world)

    fuzz(st.tuples(raw_requests(), st.integers(0, 4).map(lambda drawn: drawn == 0)), check)


def cut_like(data: bytes, pieces: list[bytes]) -> list[bytes]:
    """Return the bytes in pieces as long as these."""
    cut = []
    for piece in pieces[:-1]:
        cut.append(data[: len(piece)])
        data = data[len(piece) :]
    return [*cut, data]


def check_passed_on(world: World, case: UpstreamCase, responses: list[Response], *, is_closed: bool) -> None:
    """Check that a client got Claude's response as it is, or an error of the service's."""
    (response,) = responses
    assert response.is_whole or is_closed, "a response without an end"
    if not response.all_of(SOURCE.encode()):
        assert response.status in OUR_ERRORS
        assert json.loads(response.body)["type"] == "error"
        return
    assert response.status == case.status
    if case.status in WITHOUT_BODY:
        return
    if case.is_whole is False:
        assert not response.is_whole, "a cut response looks whole"
    elif case.is_whole:
        assert response.is_whole
        assert response.body == world.fill([case.payload])[0]


def test_responses_of_claude(world: World, fuzz: Callable[..., None]) -> None:
    numbers = iter(range(10**9))

    def check(case: UpstreamCase) -> None:
        number = next(numbers)
        world.upstream.script = Script(tuple(world.fill(list(case.script.pieces))), case.script.resets)
        sent = question(number, streams=case.streams, is_covered=case.is_covered)
        received, is_closed = exchange(world.connect, world.fill([sent]), EARLY_S if case.hangs_up else REPLY_S)
        responses = check_responses(world, received, to_head=False, is_closed=is_closed)
        if not case.hangs_up:
            check_passed_on(world, case, responses, is_closed=is_closed)
        check_service(world)
        for interaction in world.new_interactions():
            is_complete = interaction.reply is not None and interaction.reply.complete
            assert case.may_be_learnt or not is_complete, "a reply that is not whole counts as complete"
        if case.is_covered and not case.may_be_learnt:
            world.cut.append((number, case.streams))

    fuzz(upstream_cases(), check)
