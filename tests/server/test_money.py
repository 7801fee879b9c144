"""What the service passes on is counted, and a spent budget stops what its own key would pay for."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shammah_mlx.home.journal import Journal
from shammah_mlx.home.ledger import Money
from tests.loopback import Loopback, reply
from tests.served import BOLD, WITHIN_S, Place, Served

MINE = {"authorization": "Bearer sk-test-subscription"}
pytestmark = [pytest.mark.service, pytest.mark.slow]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Loopback]:
    with Loopback(default=reply("Certainly not stored.", model="claude-haiku-4-5-20251001")) as server:
        yield server


@pytest.fixture(scope="module")
def served(upstream: Loopback) -> Iterator[Served]:
    environment = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": upstream.url, "NO_PROXY": "*"}
    with Place() as home, Served(home, environment, "--tcp", "0", "--client-credentials") as served:
        yield served


@pytest.fixture
def http(served: Served) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=served.url, headers={"shammah-token": served.token}, timeout=WITHIN_S) as http:
        yield http


def tools(**others: Any) -> dict[str, Any]:
    """Return a request that the loop does not cover."""
    question = [{"role": "user", "content": "use a tool"}]
    return {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": question, "top_k": 3, **others}


def lines(home: Path) -> list[Money]:
    with closing(Journal(home / "journal.db")) as journal:
        return journal.ledger.money()


def passed_on(home: Path, count: int) -> Money:
    """Return the month's line once so many requests are in the ledger."""
    until = time.monotonic() + WITHIN_S
    while sum(line.passed_on for line in lines(home)) < count:
        assert time.monotonic() < until, "what was passed on is not counted"
        time.sleep(0.05)
    (line,) = lines(home)
    return line


def test_requests_passed_on_are_counted_by_their_usage_and_without_their_text(
    served: Served, http: httpx2.Client, upstream: Loopback
) -> None:
    assert http.post("/v1/messages", json=tools()).status_code == 200
    assert http.post("/v1/messages?beta=true", json=tools(stream=True)).status_code == 200
    assert upstream.requests[-1].headers["accept-encoding"] == "identity"
    line = passed_on(served.home, 2)
    assert (line.model, line.calls, line.unpriced) == ("claude-haiku-4-5", 2, 0)
    assert line.spent_usd == pytest.approx(2 * (10 * 1.0 + 20 * 5.0) / 1e6)
    assert http.post("/v1/messages", json=tools(), headers=MINE).status_code == 200
    line = passed_on(served.home, 3)
    assert (line.own_account, line.unpriced) == (1, 1)
    assert line.spent_usd == pytest.approx(0.00022)
    assert not any(b"Certainly" in path.read_bytes() for path in served.home.glob("journal.db*"))
    with served.own() as own:
        assert "shammah_spent_usd_total 0.00022" in own.get("/metrics").text


def test_batches_and_old_completions_are_calls_without_a_price(
    served: Served, http: httpx2.Client, upstream: Loopback
) -> None:
    before = [line for line in lines(served.home) if not line.model]
    assert before == []
    batch = {"requests": [{"custom_id": "a", "params": tools()}]}
    assert http.post("/v1/messages/batches", json=batch).status_code == 200
    assert http.post("/v1/complete", json={"prompt": "hm"}, headers=MINE).status_code == 200
    assert http.post("/v1/messages/count_tokens", json=tools()).status_code == 200
    until = time.monotonic() + WITHIN_S
    while not (found := [line for line in lines(served.home) if not line.model]) or found[0].passed_on < 2:
        assert time.monotonic() < until, "what was passed on is not counted"
        time.sleep(0.05)
    (line,) = found
    assert (line.passed_on, line.unpriced, line.own_account, line.spent_usd) == (2, 2, 1, 0.0)


def test_a_spent_budget_is_a_billing_error_and_other_accounts_are_not_stopped(
    served: Served, http: httpx2.Client, upstream: Loopback
) -> None:
    (served.home / "config.toml").write_text(BOLD + "[budget]\nmonth = 0.0\n")
    until = time.monotonic() + WITHIN_S
    while (refused := http.post("/v1/messages", json=tools())).status_code == 200:
        assert time.monotonic() < until, "the budget is not read"
    before = len(upstream.requests)
    question = {key: value for key, value in tools().items() if key != "top_k"}  # this one the loop covers
    for body in (tools(), tools(stream=True), question, {**question, "stream": True}):
        refused = http.post("/v1/messages", json=body)
        assert refused.status_code == 402
        error = json.loads(refused.content)["error"]
        assert error["type"] == "billing_error"
        assert "budget is spent" in error["message"]
    assert len(upstream.requests) == before
    assert http.get("/v1/models").status_code == 200  # it costs nothing
    assert http.post("/v1/messages", json=tools(), headers=MINE).status_code == 200


def test_with_a_budget_nothing_is_passed_on_that_cannot_be_counted(
    served: Served, http: httpx2.Client, upstream: Loopback
) -> None:
    (served.home / "config.toml").write_text(BOLD + "[budget]\nmonth = 1000.0\n")
    until = time.monotonic() + WITHIN_S
    while http.post("/v1/messages", json=tools()).status_code != 200:
        assert time.monotonic() < until, "the budget is not read"
    question = {key: value for key, value in tools(model="claude-x").items() if key != "top_k"}
    before = len(upstream.requests)
    long = tools(model="claude-haiku-5-5", system="a line of a log\n" * 30_000)  # more than its price covers
    for path, body in (("", tools(model="claude-x")), ("", long), ("", question), ("/batches", {"requests": []})):
        refused = http.post(f"/v1/messages{path}", json=body)
        assert (refused.status_code, refused.json()["error"]["type"]) == (402, "billing_error")
        assert "the month's budget cannot count it" in refused.json()["error"]["message"]
    assert len(upstream.requests) == before
    assert http.post("/v1/messages", json=tools(model="claude-x"), headers=MINE).status_code == 200
