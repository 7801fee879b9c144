"""Measure how long a recalled answer waits while the decoder learns, and whether asking slows the learning.

    python -m benchmarks.answers_first [--asked 60] [--backlog 30] [--pause 6]

The service has the real decoder. A question with a known answer is asked again and again over its socket, at random
moments: first with nothing to learn, then until a backlog of replies is learnt. Another backlog is learnt while nobody
asks. Answers given meanwhile are learnt after the backlog. A server on loopback stands in for Claude.
"""

import argparse
import os
import random
import time
from statistics import quantiles
from typing import Any

import httpx2

from benchmarks.literal import machine
from shammah_mlx.models.weights import weights_folder
from tests.loopback import Loopback, reply
from tests.served import BOLD, Place, Served

TAUGHT = [f"what is there to know about the {thing}" for thing in ("moon", "sun", "sea", "wind", "rain", "night")]
NEVER_TRIED = "[evidence.router.decoder]\nprior = {constant = -1000.0}\nstrength = 1e9\n"  # the decoder never drafts
LEARNT_WITHIN_S = 600.0  # however slow the machine is
LOOK_S = 0.25  # between two looks at what is pending


def body(text: str, max_tokens: int = 300) -> dict[str, object]:
    """Return the body of a request; the same text with another `max_tokens` is a new question."""
    return {"model": "claude-x", "max_tokens": max_tokens, "messages": [{"role": "user", "content": text}]}


def spread(name: str, times: list[float]) -> str:
    """Describe the spread of times given in seconds, in milliseconds."""
    cuts = quantiles(times, n=20)
    return f"{name}: p50 {1e3 * cuts[9]:,.0f} ms, p95 {1e3 * cuts[18]:,.0f} ms, longest {1e3 * max(times):,.0f} ms"


class Session:
    """One service with a backlog to learn, and somebody who asks."""

    def __init__(self, served: Served, own: httpx2.Client, backlog: int, pause_s: float) -> None:
        self._served, self._own, self._chance = served, own, random.Random(1)
        self._backlog, self._pause_s = backlog, pause_s
        self._new = 1000  # `max_tokens` of the next new question

    def wait(self) -> float:
        """Ask the known question at a random moment; return the seconds until its answer."""
        time.sleep(self._chance.uniform(0.0, self._pause_s))
        since = time.perf_counter()
        answer = self._own.post("/v1/messages", json=body(TAUGHT[0]))
        seconds = time.perf_counter() - since
        assert answer.headers["shammah-source"] in ("repeat", "recall")
        return seconds

    def learn(self, *, asking: bool) -> tuple[float, list[float]]:
        """Have a backlog learnt; return how many of its replies a minute, and the seconds that each answer took."""
        for _ in range(self._backlog):
            self._new += 1
            self._own.post("/v1/messages", json=body(f"{TAUGHT[0]}, part {self._new}", self._new))
        times: list[float] = []
        since, before = time.perf_counter(), self._pending
        while self._pending > len(times):  # the answers to what was asked meanwhile are learnt last
            if asking:
                times.append(self.wait())
            else:
                time.sleep(LOOK_S)
        rate = 60.0 * before / (time.perf_counter() - since)
        self._served.wait_until_learnt(LEARNT_WITHIN_S)
        return rate, times

    @property
    def _pending(self) -> int:
        health: Any = self._served.health()
        return int(health["pending"])


def main() -> None:
    """Measure waiting times and rates, and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--asked", type=int, default=60, help="questions with nothing to learn")
    parser.add_argument("--backlog", type=int, default=30, help="replies to learn, twice")
    parser.add_argument("--pause", type=float, default=6.0, help="longest time from an answer to the next question, s")
    arguments = parser.parse_args()
    environment = {"ANTHROPIC_API_KEY": "sk-loopback", "NO_PROXY": "*", "SHAMMAH_WEIGHTS": str(weights_folder())}
    with Loopback(default=reply(lambda text: f"It is well known about that: {text} " * 4)) as claude, Place() as home:
        bold = BOLD.replace('"recall"', '"recall+decoder"').replace("[[0, 0.0]]", "[[0, 1e-9]]", 1)
        (home / "config.toml").write_text(bold + NEVER_TRIED)
        environment |= {"ANTHROPIC_BASE_URL": claude.url, "HOME": os.environ["HOME"]}
        with Served(home, environment) as served, served.own() as own:
            for text in TAUGHT:
                own.post("/v1/messages", json=body(text))
            served.wait_until_learnt(LEARNT_WITHIN_S)
            session = Session(served, own, arguments.backlog, arguments.pause)
            print(
                f"# {machine()}; a backlog of {arguments.backlog} replies, twice; pauses up to {arguments.pause} s",
                flush=True,
            )
            idle = [session.wait() for _ in range(arguments.asked)]
            print(spread(f"nothing to learn, {len(idle)} answers", idle), flush=True)
            rate, busy = session.learn(asking=True)
            print(spread(f"while it learns, {len(busy)} answers", busy), flush=True)
            alone, _ = session.learn(asking=False)
            print(f"replies learnt a minute: {rate:.1f} while answering, {alone:.1f} while nobody asks")


if __name__ == "__main__":
    main()
