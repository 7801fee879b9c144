"""Clients that sign in to Claude themselves: whose credential Claude sees, and what stays apart."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shammah_mlx.events import AskOptions, Interaction, Query
from shammah_mlx.framework import policy
from shammah_mlx.framework.policy import HomeCounts
from shammah_mlx.home.journal import Journal
from shammah_mlx.presets import PRESETS
from shammah_mlx.risk.threshold import no_counts
from tests.loopback import Loopback, Request, Wire, fail, reply
from tests.served import BOLD, WITHIN_S, Place, Served

KEY = "sk-test-of-the-service"
MINE = "Bearer sk-test-subscription-of-mine"
YOURS = "Bearer sk-test-subscription-of-yours"
LIMITS = itertools.count(400)
AUDITED = BOLD.replace("audits = []", "audits = [[0, 1.0]]").replace("max_bad_rate = 1.0", "max_bad_rate = 0.9")

pytestmark = [pytest.mark.service, pytest.mark.slow]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


@pytest.fixture(autouse=True)
def echoes(upstream: Loopback) -> None:
    upstream.default_to(reply(lambda text: f"You asked: {text}"))


@pytest.fixture(scope="module")
def served(upstream: Loopback) -> Iterator[Served]:
    environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": upstream.url, "NO_PROXY": "*"}
    with Place() as home, Served(home, environment, "--tcp", "0", "--client-credentials") as served:
        yield served


@pytest.fixture
def http(served: Served) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=served.url, timeout=WITHIN_S) as http:
        yield http


def body(text: str, **others: Any) -> dict[str, Any]:
    return {"model": "claude-x", "max_tokens": 300, "messages": [{"role": "user", "content": text}], **others}


def new(text: str, **others: Any) -> dict[str, Any]:
    """Return a question with a limit of its own, for which nothing is learnt yet."""
    return body(text, **{"max_tokens": next(LIMITS), **others})


def seen(request: Request) -> tuple[str | None, str | None]:
    return request.headers.get("x-api-key"), request.headers.get("authorization")


def journalled(home: Path) -> list[Interaction]:
    with closing(Journal(home / "journal.db")) as journal:
        return list(journal.after(0))


SHOWN: dict[str, tuple[Callable[[str], dict[str, str]], tuple[str | None, str | None]]] = {
    "a header of its own": (lambda token: {"shammah-token": token, "authorization": MINE}, (None, MINE)),
    "the API key": (lambda token: {"x-api-key": token, "authorization": MINE}, (None, MINE)),
    "Bearer": (lambda token: {"authorization": f"Bearer {token}", "x-api-key": "sk-mine"}, ("sk-mine", None)),
    "both are own": (
        lambda token: {"shammah-token": token, "authorization": MINE, "x-api-key": "sk-mine"},
        ("sk-mine", MINE),
    ),
    "none is own": (lambda token: {"x-api-key": token}, (KEY, None)),
    "only the header": (lambda token: {"shammah-token": token, "authorization": ""}, (KEY, None)),
}


@pytest.mark.parametrize("others", [{}, {"top_k": 3}, {"stream": True}], ids=["asked", "passed on", "streamed"])
@pytest.mark.parametrize("shown", SHOWN)
def test_claude_sees_the_clients_own_credential_and_never_the_token(
    http: httpx2.Client, served: Served, upstream: Loopback, shown: str, others: dict[str, Any]
) -> None:
    headers, expected = SHOWN[shown]
    got = http.post("/v1/messages", json=new("which is mine?", **others), headers=headers(served.token))
    assert got.status_code == 200
    request = upstream.requests[-1]
    assert seen(request) == expected
    assert served.token not in str(request.headers)
    assert not [name for name in request.headers if name.startswith("shammah")]


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": MINE}, {"x-api-key": "sk-mine"}, {"shammah-token": "wrong", "authorization": MINE}],
    ids=["none", "Bearer", "key", "wrong"],
)
def test_the_port_still_wants_the_token(http: httpx2.Client, upstream: Loopback, headers: dict[str, str]) -> None:
    before = len(upstream.requests)
    got = http.post("/v1/messages", json=new("let me in"), headers=headers)
    assert got.status_code == 401
    assert "shammah-token" in got.json()["error"]["message"]
    assert len(upstream.requests) == before


def test_the_homes_own_socket_wants_no_token(served: Served, upstream: Loopback) -> None:
    with served.own() as own:
        assert own.post("/v1/messages", json=new("over the socket"), headers={"authorization": MINE}).is_success
    assert seen(upstream.requests[-1]) == (None, MINE)


def test_answers_do_not_cross_from_one_credential_to_another(
    http: httpx2.Client, served: Served, upstream: Loopback
) -> None:
    accounts = [{"authorization": MINE}, {"authorization": YOURS}, {"x-api-key": "sk-mine"}, {}]
    for number, account in enumerate(accounts):
        upstream.default_to(reply(f"This is account {number}."))
        for _ in range(2):  # the second may come from this machine
            got = http.post("/v1/messages", json=body("who am I?"), headers={"shammah-token": served.token, **account})
            assert got.json()["content"][0]["text"] == f"This is account {number}."
            served.wait_until_learnt()
        assert got.headers["shammah-source"] == "repeat"
    scopes = [each.request.query.scope for each in journalled(served.home) if each.request.query.text == "who am I?"]
    assert len(set(scopes)) == len(accounts)


def test_a_sign_in_beta_does_not_keep_a_question_from_the_loop(http: httpx2.Client, served: Served) -> None:
    headers = {"shammah-token": served.token, "authorization": MINE, "anthropic-beta": "oauth-2025-04-20"}
    assert "shammah-query-id" in http.post("/v1/messages", json=new("with a beta"), headers=headers).headers
    other = {**headers, "anthropic-beta": "oauth-2025-04-20,context-1m"}
    assert "shammah-query-id" not in http.post("/v1/messages", json=new("with two"), headers=other).headers


@pytest.mark.parametrize("others", [{}, {"top_k": 3}], ids=["asked", "passed on"])
def test_what_claude_says_of_a_clients_credential_is_for_the_client(
    http: httpx2.Client, served: Served, upstream: Loopback, others: dict[str, Any]
) -> None:
    upstream.default_to(fail(401, "This subscription has ended."))
    headers = {"shammah-token": served.token, "authorization": MINE}
    got = http.post("/v1/messages", json=new("is it valid?", **others), headers=headers)
    assert (got.status_code, got.json()["error"]["message"]) == (401, "This subscription has ended.")


def test_a_redirect_takes_neither_credential_nor_question_elsewhere(
    http: httpx2.Client, served: Served, upstream: Loopback
) -> None:
    with Loopback() as elsewhere:

        def redirect(wire: Wire, request: Request) -> None:
            wire.send(307, "text/plain", b"", {"location": f"{elsewhere.url}/v1/messages"})

        upstream.default_to(redirect)
        headers = {"shammah-token": served.token, "authorization": MINE}
        for others in ({}, {"top_k": 3}):
            got = http.post("/v1/messages", json=new("where?", **others), headers=headers)
            assert (got.status_code, got.headers.get("location")) == (502, None)  # else the client would follow it
        assert elsewhere.requests == []


def test_no_credential_is_stored_or_logged(http: httpx2.Client, served: Served) -> None:
    headers = {"shammah-token": served.token, "authorization": MINE}
    assert http.post("/v1/messages", json=new("remember me"), headers=headers).is_success
    served.wait_until_learnt()
    served.end()  # a service that runs replaces its files while they are read
    files = [path.read_bytes() for path in served.home.rglob("*") if path.is_file()]
    served.start()
    assert not any(b"subscription-of-mine" in content for content in files)
    assert "subscription-of-mine" not in served.log


def test_what_a_client_pays_is_not_in_our_account(http: httpx2.Client, served: Served, upstream: Loopback) -> None:
    for account in ({"authorization": MINE}, {}):
        headers = {"shammah-token": served.token, **account}
        http.post("/v1/messages", json=new("what does it cost?", model="claude-sonnet-5-5"), headers=headers)
        last = journalled(served.home)[-1]
        assert last.reply
        assert (last.reply.cost_usd is None) is bool(account)


def test_without_a_key_of_its_own_the_service_answers_clients_that_sign_in(upstream: Loopback) -> None:
    environment = {"ANTHROPIC_API_KEY": "", "ANTHROPIC_BASE_URL": upstream.url, "NO_PROXY": "*"}
    with Place() as home, Served(home, environment, "--client-credentials") as served, served.own() as own:
        assert own.post("/v1/messages", json=body("hello"), headers={"authorization": MINE}).is_success
        assert own.post("/v1/messages", json=body("hello"), headers={}).status_code == 401


def test_our_key_never_asks_about_a_clients_question(upstream: Loopback) -> None:
    environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": upstream.url, "NO_PROXY": "*"}
    with Place() as home:
        (home / "config.toml").write_text(AUDITED)
        with Served(home, environment, "--client-credentials") as served, served.own() as own:
            before = len(upstream.requests)
            mine = {"authorization": MINE}
            assert own.post("/v1/messages", json=body("what is mine?"), headers=mine).is_success
            served.wait_until_learnt()
            upstream.default_to(fail(529))
            missed = own.post("/v1/messages", json=body("what is mine?"), headers=mine)
            assert missed.headers["shammah-source"] == "repeat"  # its audit was due, and Claude was busy
            upstream.default_to(reply("fine"))
            assert own.post("/v1/messages", json=body("a question of ours")).is_success
            until = time.monotonic() + WITHIN_S
            while (last := journalled(home)[-1]).outcome != "late":
                assert time.monotonic() < until, "the late audit is not given up"
                time.sleep(0.1)
            assert last.reply is None
            asked = upstream.requests[before:]
    assert {seen(request)[0] for request in asked if b"what is mine" in request.raw} == {None}
    assert [json.loads(request.raw)["messages"][0]["content"] for request in asked if seen(request)[0] == KEY] == [
        "a question of ours"
    ]


def test_the_judge_does_not_see_a_clients_question() -> None:
    config = PRESETS["default"]
    counts = HomeCounts(300, score_counts=no_counts(config))
    query = Query("what is mine?", at=1e9)
    assert policy.make_request(query, 301, counts, AskOptions(), config, 0).judging
    assert not policy.make_request(query, 301, counts, AskOptions(own_account=True), config, 0).judging
