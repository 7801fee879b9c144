"""Measure how long a recalled answer has to wait while the decoder learns.

    python -m benchmarks.answers_first [--asked 60]

The service has the real decoder and a backlog of replies to learn. A question with a known answer is asked again and
again over its socket, at random moments. A server on loopback stands in for Claude.
"""

import argparse
import os
import random
import time
from statistics import quantiles

from benchmarks.literal import machine
from shammah_mlx.models.weights import weights_folder
from tests.loopback import Loopback, reply
from tests.served import BOLD, Place, Served

TAUGHT = [f"what is there to know about the {thing}" for thing in ("moon", "sun", "sea", "wind", "rain", "night")]
BACKLOG = 30
NEVER_TRIED = "[evidence.router.decoder]\nprior = {constant = -1000.0}\nstrength = 1e9\n"  # the decoder never drafts
LONGEST_PAUSE_S = 1.0  # between an answer and the next question


def body(text: str, max_tokens: int = 300) -> dict[str, object]:
    """Return the body of a request; the same text with another `max_tokens` is a new question."""
    return {"model": "claude-x", "max_tokens": max_tokens, "messages": [{"role": "user", "content": text}]}


def spread(name: str, times: list[float]) -> str:
    """Describe the spread of times given in seconds, in milliseconds."""
    cuts = quantiles(times, n=20)
    return f"{name}: p50 {1e3 * cuts[9]:,.0f} ms, p95 {1e3 * cuts[18]:,.0f} ms, longest {1e3 * max(times):,.0f} ms"


def main() -> None:
    """Measure the waiting times and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--asked", type=int, default=60)
    asked, chance = parser.parse_args().asked, random.Random(1)
    environment = {"ANTHROPIC_API_KEY": "sk-loopback", "NO_PROXY": "*", "SHAMMAH_WEIGHTS": str(weights_folder())}
    with Loopback(default=reply(lambda text: f"It is well known about that: {text} " * 4)) as claude, Place() as home:
        bold = BOLD.replace('"recall"', '"recall+decoder"').replace("[[0, 0.0]]", "[[0, 1e-9]]", 1)
        (home / "config.toml").write_text(bold + NEVER_TRIED)
        environment |= {"ANTHROPIC_BASE_URL": claude.url, "HOME": os.environ["HOME"]}
        with Served(home, environment) as served, served.own() as own:
            for text in TAUGHT:
                own.post("/v1/messages", json=body(text))
            while served.health()["pending"]:
                time.sleep(LONGEST_PAUSE_S)
            idle: list[float] = []
            busy: list[float] = []
            for times, backlog in ((idle, 0), (busy, BACKLOG)):
                begun = time.perf_counter()
                for number in range(backlog):
                    own.post("/v1/messages", json=body(f"{TAUGHT[0]}, part {number}", 1000 + number))
                while len(times) < asked and (not backlog or served.health()["pending"]):
                    time.sleep(chance.uniform(0.0, LONGEST_PAUSE_S))
                    since = time.perf_counter()
                    answer = own.post("/v1/messages", json=body(TAUGHT[0]))
                    times.append(time.perf_counter() - since)
                    assert answer.headers["shammah-source"] in ("repeat", "recall")
                pending = served.health()["pending"]
            learnt = 60.0 * (BACKLOG + len(busy) - pending) / (time.perf_counter() - begun)
    print(f"# {machine()}; {asked} questions, a backlog of {BACKLOG}")
    print(spread("nothing to learn", idle))
    print(spread("while it learns", busy), f"({learnt:.0f} replies learnt a minute)")


if __name__ == "__main__":
    main()
