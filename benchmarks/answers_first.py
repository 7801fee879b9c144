"""Ask a service for what it knows while its decoder learns: how long does an answer wait for the step under way?

    python -m benchmarks.answers_first [--asked 60]

The service has the real decoder and a backlog of replies to learn; a question whose answer it knows is asked over its
socket again and again, at random moments. The answers come from a server on loopback that speaks for Claude.
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
NEVER_TRIED = "[evidence.router.decoder]\nprior = {constant = -1000.0}\nstrength = 1e9\n"  # the decoder: it only learns
A_PAUSE_S = 1.0  # at the most, from an answer to the next question


def body(text: str, max_tokens: int = 300) -> dict[str, object]:
    """Return a question, as a client sends it; with another limit nothing is known of it."""
    return {"model": "claude-x", "max_tokens": max_tokens, "messages": [{"role": "user", "content": text}]}


def told(name: str, times: list[float]) -> str:
    """Return the spread of some times, in milliseconds."""
    cuts = quantiles(times, n=20)
    return f"{name}: p50 {1e3 * cuts[9]:,.0f} ms, p95 {1e3 * cuts[18]:,.0f} ms, longest {1e3 * max(times):,.0f} ms"


def main() -> None:
    """Measure and print."""
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
            while served.health()["pending"]:  # as long as it takes
                time.sleep(A_PAUSE_S)
            idle: list[float] = []
            busy: list[float] = []
            for times, backlog in ((idle, 0), (busy, BACKLOG)):
                for number in range(backlog):
                    own.post("/v1/messages", json=body(f"{TAUGHT[0]}, part {number}", 1000 + number))
                while len(times) < asked and (not backlog or served.health()["pending"]):
                    time.sleep(chance.uniform(0.0, A_PAUSE_S))
                    since = time.perf_counter()
                    answer = own.post("/v1/messages", json=body(TAUGHT[0]))
                    times.append(time.perf_counter() - since)
                    assert answer.headers["shammah-source"] == "recall"
    print(f"# {machine()}; {asked} questions, a backlog of {BACKLOG}")
    print(told("nothing to learn", idle))
    print(told("while it learns", busy))


if __name__ == "__main__":
    main()
