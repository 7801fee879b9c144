"""The service asks the judge about a doubtful draft: for `shammah ask` and for clients of the Messages API."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from shammah_mlx.config import JudgeConfig, TeacherConfig
from shammah_mlx.events import Interaction
from shammah_mlx.home.journal import Journal
from tests.loopback import Behaviour, Loopback, Request, Wire, fail, reply
from tests.served import Place, Served

Send = Callable[[Served, str], tuple[str, str]]
"""Asks the service; returns answer and source."""

KEY = "sk-test-upstream"
TIMEOUT_S = 60.0  # the longest that a test waits; machines can be busy
MODEL, JUDGE = TeacherConfig().model, JudgeConfig().model
BOIL = "Put it in boiling water for ten minutes."
KNOWN = (
    "what is the way to boil an egg?",
    "tell me how to boil an egg",
    "how can I boil an egg?",
    "how to boil an egg",
)
TAUGHT = [f"how do I {verb} {thing}" for verb in ("boil", "paint", "sell") for thing in ("an egg", "a car")]
DOUBTFUL = """
generator = "recall"
[policy]
audits = []
[judge]
route_threshold = 0.0
error = 0.001
worth = 1.0
timeout_s = 60.0
"""  # whatever was learnt is doubtful at first, and good enough to be checked


pytestmark = [pytest.mark.service, pytest.mark.slow]


def claude_and(verdict: Behaviour) -> Behaviour:
    """Answer questions as Claude, and requests for a verdict like this."""
    answers = reply(lambda text: BOIL if "boil" in text and "egg" in text else f"You asked: {text}")
    return lambda wire, request: (verdict if is_for_judge(request) else answers)(wire, request)


def is_for_judge(request: Request) -> bool:
    return request.body.get("model") == JUDGE


@pytest.fixture(scope="module")
def upstream() -> Iterator[Loopback]:
    with Loopback(default=claude_and(fail(529))) as server:
        yield server


@pytest.fixture(scope="module")
def served(upstream: Loopback) -> Iterator[Served]:
    """Return a service that has learnt a few answers, of which it is not sure yet."""
    environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": upstream.url, "NO_PROXY": "*"}
    with Place() as home:
        (home / "config.toml").write_text(DOUBTFUL)
        with Served(home, environment) as served:
            for text in TAUGHT:
                through_ask(served, text)
                through_api(served, text)
            served.wait_until_learnt()
            yield served


class Outcome:
    """An answer of the service, and what it sent to Claude for it."""

    def __init__(self, served: Served, upstream: Loopback, send: Send, text: str):
        before = len(upstream.requests)
        self.answer, self.source = send(served, text)
        sent = upstream.requests[before:]
        self.verdicts = [request for request in sent if is_for_judge(request)]
        self.replies = [request for request in sent if not is_for_judge(request)]
        served.wait_until_learnt()
        with closing(Journal(served.home / "journal.db")) as journal:
            self.journalled: Interaction = list(journal.after(0))[-1]


def through_ask(served: Served, text: str, *options: str) -> tuple[str, str]:
    """Ask with the command line; return answer and source."""
    environment = {**os.environ, "SHAMMAH_HOME": str(served.home)}
    command = [sys.executable, "-m", "shammah_mlx", "ask", "--json", *options, text]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    said = json.loads(done.stdout)
    return said["answer"], said["source"]


def through_api(served: Served, text: str) -> tuple[str, str]:
    """Ask as a client of the Messages API; return answer and source."""
    body: dict[str, Any] = {"model": MODEL, "max_tokens": 300, "messages": [{"role": "user", "content": text}]}
    with served.own() as own:
        said = own.post("/v1/messages", json=body)
    return said.json()["content"][0]["text"], said.headers["shammah-source"]


WAYS = pytest.mark.parametrize("send", [through_ask, through_api])


@WAYS
def test_a_doubtful_draft_that_passes_is_served(served: Served, upstream: Loopback, send: Send) -> None:
    upstream.default_to(claude_and(reply("GOOD")))
    asked = Outcome(served, upstream, send, KNOWN[0])
    assert (asked.answer, asked.source, asked.replies) == (BOIL, "recall", [])
    (verdict,) = asked.verdicts
    assert verdict.headers["authorization"] == f"Bearer {KEY}"
    assert json.loads(verdict.last_user_text) == {"question": KNOWN[0], "answer": BOIL}
    assert (asked.journalled.outcome, asked.journalled.by_check) == ("approved", True)
    assert [each.good for each in asked.journalled.verdicts] == [True]
    assert asked.journalled.cost_usd


@WAYS
def test_a_doubtful_draft_that_fails_goes_to_claude(served: Served, upstream: Loopback, send: Send) -> None:
    upstream.default_to(claude_and(reply("BAD")))
    asked = Outcome(served, upstream, send, KNOWN[1])
    assert (asked.answer, asked.source) == (BOIL, "claude")
    assert (len(asked.verdicts), len(asked.replies)) == (1, 1)
    assert (asked.journalled.outcome, asked.journalled.drafts[0].passed) == ("rejected", False)


@WAYS
@pytest.mark.parametrize(
    ("text", "verdict"),
    [(KNOWN[2], fail(529)), (KNOWN[3], reply("I would rather not say."))],
    ids=["overloaded", "no word"],
)
def test_without_a_verdict_claude_answers(
    served: Served,
    upstream: Loopback,
    send: Send,
    text: str,
    verdict: Behaviour,
) -> None:
    upstream.default_to(claude_and(verdict))
    asked = Outcome(served, upstream, send, text)
    assert (asked.answer, asked.source, len(asked.replies)) == (BOIL, "claude", 1)
    assert asked.verdicts
    assert (asked.journalled.outcome, asked.journalled.is_judged) == ("rejected", False)


@WAYS
def test_the_same_text_is_served_again_and_the_first_times_checked(
    served: Served, upstream: Loopback, send: Send
) -> None:
    upstream.default_to(claude_and(reply("GOOD")))
    asked = Outcome(served, upstream, send, TAUGHT[0])
    assert (asked.answer, asked.source, len(asked.verdicts), asked.replies) == (BOIL, "repeat", 1, [])


def test_a_shadow_gets_its_verdict_while_learning_and_a_client_does_not_wait_for_it(
    served: Served, upstream: Loopback
) -> None:
    is_asked, is_released = threading.Event(), threading.Event()

    def read_slowly(wire: Wire, request: Request) -> None:
        if "reply" in json.loads(request.last_user_text):
            is_asked.set()
            is_released.wait(TIMEOUT_S)
        reply("BAD" if "reply" in json.loads(request.last_user_text) else "GOOD")(wire, request)

    answers = reply("Cook it in boiling water.")
    upstream.default_to(lambda wire, request: (read_slowly if is_for_judge(request) else answers)(wire, request))
    assert through_ask(served, "what is a way to boil an egg?", "--claude") == ("Cook it in boiling water.", "claude")
    assert is_asked.wait(TIMEOUT_S)
    assert through_ask(served, TAUGHT[0]) == (BOIL, "repeat")
    is_released.set()
    served.wait_until_learnt()
    with closing(Journal(served.home / "journal.db")) as journal:
        before, after = list(journal.after(0))[-2:]
    assert [(verdict.good, verdict.with_reply) for verdict in before.verdicts] == [(False, True)]
    assert after.source == "repeat"
