"""Other people's clients, as they are, in front of the service; `make clients` has them in an environment of its own.

They need not agree with each other or with us on the SDK's version: that is the point of an API.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shammah_mlx.home.journal import Journal
from tests.loopback import Loopback, reply
from tests.served import Place, Served

KEY = "sk-test-upstream"
MODEL = "claude-sonnet-4-5"
LEARNT = [f"how do I {verb} a {thing}" for verb in ("boil", "paint", "sell") for thing in ("egg", "car")]
KNOWN, SAID = "what is the way to boil an egg?", "You asked: how do I boil a egg"
WITH_LITELLM = """
import json, sys, litellm
text, streams, tools = json.loads(sys.argv[1])
more = {"tools": [{"type": "function", "function": {"name": "t", "parameters": {"type": "object"}}}]} if tools else {}
messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": text}]
got = litellm.completion(model="anthropic/%s", messages=messages, max_tokens=300, stream=streams, **more)
if streams:
    print(json.dumps(["".join(piece.choices[0].delta.content or "" for piece in got), None]))
else:
    print(json.dumps([got.choices[0].message.content, got.model]))
"""

Say = Callable[[str], str]


@pytest.fixture(scope="module")
def python(pytestconfig: pytest.Config) -> Path:
    """Return the interpreter that has the clients."""
    given = pytestconfig.getoption("--clients")
    if given is None:
        pytest.skip("the clients are not installed: make clients")
    return Path(given)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Loopback]:
    with Loopback(default=reply(lambda text: f"You asked: {text}")) as server:
        yield server


@pytest.fixture(scope="module")
def served(upstream: Loopback) -> Iterator[Served]:
    environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": upstream.url, "NO_PROXY": "*"}
    with Place() as home, Served(home, environment, "--tcp", "0") as served:
        yield served


def run(served: Served, *command: str | Path) -> str:
    """Run a client that knows nothing of us but an address and a key."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(served.home.parent),
        "ANTHROPIC_BASE_URL": served.url,  # the SDK's, and so llm's
        "ANTHROPIC_API_BASE": served.url,  # litellm's
        "ANTHROPIC_API_KEY": served.token,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would fetch prices
        "NO_PROXY": "*",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def asked(served: Served, text: str) -> int:
    with closing(Journal(served.home / "journal.db")) as journal:
        return sum(interaction.request.query.text == text for interaction in journal.after(0))


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_litellm(python: Path, served: Served, upstream: Loopback, streams: bool) -> None:
    def say(text: str, *, tools: bool = False) -> tuple[str, str | None]:
        given = json.dumps([text, streams, tools])
        text, model = json.loads(run(served, python, "-c", WITH_LITELLM % MODEL, given))
        return text, model

    for text in LEARNT:
        assert say(text)[0].startswith("You asked: ")
    served.wait_until_learnt()
    before = len(upstream.requests)
    text, model = say(KNOWN)
    assert (text, model) == (SAID, None if streams else "shammah-default")
    assert len(upstream.requests) == before
    assert say(KNOWN, tools=True)[0] == f"You asked: {KNOWN}"
    assert upstream.requests[-1].body["tools"][0]["name"] == "t"


@pytest.mark.parametrize("options", [(), ("--no-stream", "-o", "max_tokens", "300")], ids=["streamed", "whole"])
def test_llm(python: Path, served: Served, upstream: Loopback, options: tuple[str, ...]) -> None:
    def say(text: str, *more: str) -> str:
        return run(served, python.parent / "llm", "-m", "claude-sonnet-4.5", *options, *more, text)

    for text in LEARNT:
        assert say(text).startswith("You asked: ")
    served.wait_until_learnt()
    before = len(upstream.requests)
    assert say(KNOWN) == SAID
    assert len(upstream.requests) == before
    assert say(KNOWN, "-o", "temperature", "0.5") == f"You asked: {KNOWN}"
    assert asked(served, KNOWN) > 0
    assert say("and in a conversation?", "-c").startswith("You asked: ")
    assert [message["role"] for message in upstream.requests[-1].body["messages"]] == ["user", "assistant", "user"]
