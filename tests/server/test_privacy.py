"""What `[privacy]` keeps on this machine is not sent for clients either, in whatever form they ask."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.loopback import Loopback, reply
from tests.served import Place, Served

pytestmark = [pytest.mark.slow, pytest.mark.service]
KEPT = "project heron"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Loopback]:
    with Loopback() as server:
        server.default_to(reply("Yes."))
        yield server


@pytest.fixture(scope="module")
def http(upstream: Loopback) -> Iterator[httpx2.Client]:
    environment = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": upstream.url, "NO_PROXY": "*"}
    with Place() as home:
        with (home / "config.toml").open("a") as file:
            file.write(f'\n[privacy]\nnever_forward = ["{KEPT}"]\n')
        with Served(home, environment) as served, served.own() as client:
            yield client


def body(text: str, **others: Any) -> dict[str, Any]:
    return {"model": "claude-x", "max_tokens": 300, "messages": [{"role": "user", "content": text}], **others}


@pytest.mark.parametrize(
    "asked",
    [
        body(f"when does {KEPT} start?"),
        body("when does it start?", system=f"You know {KEPT}."),
        body(f"when does {KEPT} start?", top_k=3),  # passed on, where nothing is kept back
        body("and now?", tools=[{"name": "x", "description": KEPT, "input_schema": {"type": "object"}}]),
    ],
)
def test_nothing_is_sent(http: httpx2.Client, upstream: Loopback, asked: dict[str, Any]) -> None:
    before = len(upstream.requests)
    got = http.post("/v1/messages", json=asked)
    assert (got.status_code, got.json()["error"]["type"]) == (403, "permission_error")
    assert "[privacy]" in got.json()["error"]["message"]
    assert len(upstream.requests) == before


def test_other_questions_are_answered(http: httpx2.Client) -> None:
    for others in ({}, {"top_k": 3}):
        assert http.post("/v1/messages", json=body("when do herons migrate?", **others)).is_success
