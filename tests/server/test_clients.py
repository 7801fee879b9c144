"""Run unmodified third-party clients against the service; `make clients` installs them in their own environment.

They may need other versions of the SDK than we do.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shammah_mlx.home.journal import Journal
from tests.loopback import Loopback, reply
from tests.served import Place, Served

KEY = "sk-test-upstream"
MODEL = "claude-sonnet-4-5"
TAUGHT = [f"how do I {verb} a {thing}" for verb in ("boil", "paint", "sell") for thing in ("egg", "car")]
KNOWN, KNOWN_ANSWER = "what is the way to boil an egg?", "You asked: how do I boil a egg"
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


pytestmark = [pytest.mark.service, pytest.mark.slow]


@pytest.fixture(scope="module")
def python(pytestconfig: pytest.Config) -> Path:
    """Return the interpreter of the environment with the clients."""
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
    """Run a client that is given only our address and a key; return what it prints."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(served.home.parent),
        "ANTHROPIC_BASE_URL": served.url,  # the SDK's, and so llm's
        "ANTHROPIC_API_BASE": served.url,  # litellm's
        "ANTHROPIC_API_KEY": served.token,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # otherwise it fetches prices
        "NO_PROXY": "*",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def journalled(served: Served, text: str) -> int:
    with closing(Journal(served.home / "journal.db")) as journal:
        return sum(interaction.request.query.text == text for interaction in journal.after(0))


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_litellm(python: Path, served: Served, upstream: Loopback, streams: bool) -> None:
    def ask(text: str, *, tools: bool = False) -> tuple[str, str | None]:
        given = json.dumps([text, streams, tools])
        text, model = json.loads(run(served, python, "-c", WITH_LITELLM % MODEL, given))
        return text, model

    for text in TAUGHT:
        assert ask(text)[0].startswith("You asked: ")
    served.wait_until_learnt()
    before = len(upstream.requests)
    text, model = ask(KNOWN)
    assert (text, model) == (KNOWN_ANSWER, None if streams else "shammah-default")
    assert len(upstream.requests) == before
    assert ask(KNOWN, tools=True)[0] == f"You asked: {KNOWN}"
    assert upstream.requests[-1].body["tools"][0]["name"] == "t"


@pytest.mark.parametrize("options", [(), ("--no-stream", "-o", "max_tokens", "300")], ids=["streamed", "whole"])
def test_llm(python: Path, served: Served, upstream: Loopback, options: tuple[str, ...]) -> None:
    def ask(text: str, *more: str) -> str:
        return run(served, python.parent / "llm", "-m", "claude-sonnet-4.5", *options, *more, text)

    for text in TAUGHT:
        assert ask(text).startswith("You asked: ")
    served.wait_until_learnt()
    before = len(upstream.requests)
    assert ask(KNOWN) == KNOWN_ANSWER
    assert len(upstream.requests) == before
    assert ask(KNOWN, "-o", "temperature", "0.5") == f"You asked: {KNOWN}"
    assert journalled(served, KNOWN) > 0
    assert ask("and in a conversation?", "-c").startswith("You asked: ")
    assert [message["role"] for message in upstream.requests[-1].body["messages"]] == ["user", "assistant", "user"]
