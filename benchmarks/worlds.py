"""Test the bound in simulated worlds where the truth is known, and compare it with the specification's rule.

    python -m benchmarks.worlds --runs 400 --queries 2000

A world draws the Validator's score of the next draft, and whether that draft is bad. The program's own functions choose
the threshold, audit, record and estimate; nothing is served in the first 50 queries. The table shows for each world the
share of bad answers among those served, over all runs; the allowed rate plus the slack for each answer served (see
`risk.threshold`); the share of runs whose interval ever missed; and the queries after a change until the last 50 have
no more bad answers than allowed.
"""

import argparse
import math
import random
import statistics
from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from benchmarks.literal import machine
from shammah_mlx.config import Config
from shammah_mlx.events import Draft, Query, Request, ScoredDraft, Threshold
from shammah_mlx.framework import policy
from shammah_mlx.framework.schedules import band_value
from shammah_mlx.presets import PRESETS
from shammah_mlx.risk.audits import MISS, AcceptedDraft, AuditResult, estimate
from shammah_mlx.risk.observations import Kind, Observation
from shammah_mlx.risk.threshold import SERVE_NOTHING, ScoreCounts, record, slack

CONFIG = PRESETS["default"]
RECENT = 50  # queries that decide whether a run has recovered
LOOKS = 8  # times in a run at which the interval is checked


class Asked(NamedTuple):
    """One query of a world."""

    score: float
    bad: bool
    tried: bool = True  # whether the Router tries it locally


class Fate(NamedTuple):
    """How reliably Claude can be reached."""

    lost: float = 0.0  # share of audits that fail because Claude cannot be reached
    late_after: int = 100  # queries until such an audit is made late; 0: never
    out: Callable[[float], bool] = lambda time: False  # whether Claude is unreachable at a time from 0 to 1


World = Callable[[random.Random, float, Threshold], Asked]
"""Draws the next query from a random generator, the time from 0 to 1 and the current threshold."""


def draw_score(chance: random.Random) -> float:
    """Draw a score; about a third are above 0.9."""
    return min(1.0 - 1e-6, chance.betavariate(2.0, 0.7))


def honest(chance: random.Random, time: float, threshold: Threshold) -> Asked:
    """Draw a query whose draft is good with a probability equal to its score."""
    score = draw_score(chance)
    return Asked(score, chance.random() > score)


def overconfident(chance: random.Random, time: float, threshold: Threshold) -> Asked:
    """Draw a query whose draft is good 8 % less often than its score says."""
    score = draw_score(chance)
    return Asked(score, chance.random() > 0.92 * score)


def drifting(chance: random.Random, time: float, threshold: Threshold) -> Asked:
    """Draw a query with an honest score at first; in the end drafts are good 40 % less often than their score says."""
    score = draw_score(chance)
    return Asked(score, chance.random() > score * (1.0 - 0.4 * time))


def flipped(chance: random.Random, time: float, threshold: Threshold) -> Asked:
    """Draw a query whose draft is good in the first half and bad in the second."""
    return Asked(draw_score(chance), time >= 0.5)


def adversary(chance: random.Random, time: float, threshold: Threshold) -> Asked:
    """Draw a query of an adversary who sees the threshold: good drafts below it, often bad ones just above it."""
    if chance.random() < 0.5:
        return Asked(max(0.0, threshold.candidate - 0.05 * chance.random()), bad=False)
    return Asked(min(1.0 - 1e-6, threshold.serve + 1e-4), bad=chance.random() < 0.3)


def misrouted(chance: random.Random, time: float, threshold: Threshold) -> Asked:
    """Draw a query of a Router that tries bad drafts more often than good ones."""
    score = draw_score(chance)
    bad = chance.random() > score
    return Asked(score, bad, tried=chance.random() < (0.9 if bad else 0.4))


WORLDS: dict[str, tuple[World, Fate]] = {
    "honest": (honest, Fate()),
    "overconfident": (overconfident, Fate()),
    "drift": (drifting, Fate()),
    "flip half-way": (flipped, Fate()),
    "adversary": (adversary, Fate()),
    "wrong Router": (misrouted, Fate()),
    "audits fail": (honest, Fate(lost=0.5)),
    "audits are given up": (honest, Fate(lost=0.1, late_after=0)),
    "outages": (honest, Fate(out=lambda time: math.floor(10 * time) % 3 == 2)),
    "flip while Claude is away": (flipped, Fate(out=lambda time: 0.5 <= time < 0.8)),
}


class Life(NamedTuple):
    """The outcome of one run."""

    served: int
    bad: int
    no_call: float
    missed: bool  # whether the interval ever missed
    slack: float  # bad answers that the bound allows beyond its rate
    recovery: int | None  # queries after half-way until the recent ones were no worse than allowed
    bad_after: int  # bad answers served after half-way


class _Run:
    """Simulates a home in a world."""

    def __init__(self, world: World, fate: Fate, seed: str, queries: int, config: Config, *, bounded: bool) -> None:
        self._chance = random.Random(seed)
        self._world, self._fate, self._queries, self._config, self._bounded = world, fate, queries, config, bounded
        self._counts = ScoreCounts()
        self._doubt, self._accepted = config.policy.first_doubt * config.policy.first_drafts, config.policy.first_drafts
        self._found: list[AcceptedDraft] = []
        self._late: dict[int, list[tuple[int, ScoredDraft, bool, float, Threshold]]] = {}
        self._outcomes: list[tuple[bool, bool]] = []  # served, bad; of each query
        self._calls = 0
        self._least, self._candidates = 1.0, 0

    def live(self) -> Life:
        looks = {math.ceil(self._queries * (look + 1) / LOOKS) for look in range(LOOKS)}
        missed = False
        for number in range(self._queries):
            self._make_late(number)
            self._ask(number)
            if number + 1 in looks:
                estimated, bad = estimate(self._found), sum(served and wrong for served, wrong in self._outcomes)
                missed = missed or not estimated.low <= bad <= estimated.high
        served = [wrong for was_served, wrong in self._outcomes if was_served]
        half = self._queries // 2
        after = [was_served and wrong for was_served, wrong in self._outcomes[half:]]
        allowed = slack(self._candidates, self._least, self._config.risk)
        no_call = 1.0 - self._calls / self._queries
        return Life(len(served), sum(served), no_call, missed, allowed, self._recovery(half), sum(after))

    def _ask(self, number: int) -> None:
        rate = band_value(self._config.policy.audits, number) or 0.0
        usual = self._doubt / self._accepted
        chosen = policy.thresholds({"recall": self._counts}, rate, usual, self._config) if self._bounded else {}
        threshold = chosen.get("recall", SERVE_NOTHING)
        asked = self._world(self._chance, number / self._queries, threshold)
        request = Request(number, number, Query("q"), None, self._chance.random(), rate, {}, usual, chosen)
        scored = ScoredDraft(Draft("a draft", "recall"), asked.score)
        away = self._fate.out(number / self._queries)
        accepted = asked.tried and policy.accepts(scored, request, self._config.policy)
        if not accepted:
            self._outcomes.append((False, asked.bad))
            self._calls += not away
            if (asked.tried or number < self._config.policy.forward_only) and not away:  # away: the query failed
                self._learn(asked.score, "shadow", asked.bad, 1.0, threshold)
                self._candidates += asked.score >= threshold.candidate
            return
        audit_probability = policy.audit_probability(scored, request, self._config.policy)
        self._doubt += policy.doubt(scored, request, self._config.policy)
        self._accepted += 1
        self._least = min(self._least, audit_probability)
        due = request.audit_draw < audit_probability
        if due and (away or self._chance.random() < self._fate.lost):
            self._outcomes.append((True, asked.bad))
            self._found.append(AcceptedDraft(audit_probability, "open"))
            self._learn(asked.score, "missed", None, audit_probability, threshold)
            if self._fate.late_after:
                later = (len(self._found) - 1, scored, asked.bad, audit_probability, threshold)
                self._late.setdefault(number + self._fate.late_after, []).append(later)
            else:
                self._learn(asked.score, "late", None, audit_probability, threshold)
            return
        self._calls += due
        self._outcomes.append((not (due and asked.bad), asked.bad))
        finding: AuditResult = "unaudited" if not due else "replaced" if asked.bad else "served"
        self._found.append(AcceptedDraft(audit_probability, finding, float(due and asked.bad)))
        kind: Kind = "replaced" if due and asked.bad else "accepted"
        self._learn(asked.score, kind, asked.bad if due else None, audit_probability, threshold)

    def _make_late(self, number: int) -> None:
        for place, scored, bad, audit_probability, threshold in self._late.pop(number, []):
            self._calls += 1
            self._found[place] = AcceptedDraft(audit_probability, "served", float(bad))
            self._learn(scored.p_accept, "late", bad, audit_probability, threshold)

    def _learn(self, score: float, kind: Kind, bad: bool | None, p: float, threshold: Threshold) -> None:
        if self._bounded:
            self._counts = record(self._counts, Observation(score, kind, bad, p), threshold, self._config.risk)

    def _recovery(self, half: int) -> int | None:
        allowed = self._config.risk.max_bad_rate
        for end in range(half + RECENT, self._queries + 1):
            last = [wrong for served, wrong in self._outcomes[end - RECENT : end] if served]
            if sum(last) <= allowed * len(last):
                return end - half
        return None


LITERAL = PRESETS["literal"]


def live(name: str, runs: int, queries: int, *, bounded: bool = True, config: Config = CONFIG) -> list[Life]:
    """Run a world several times, with the bound or with the specification's rule."""
    world, fate = WORLDS[name]
    bands = LITERAL.policy.route_thresholds  # its Validator gets the Router's threshold, which is higher at first
    literal = replace(LITERAL, policy=replace(LITERAL.policy, accept_thresholds=bands), risk=config.risk)
    used = config if bounded else literal
    return [_Run(world, fate, f"{name}/{run}", queries, used, bounded=bounded).live() for run in range(runs)]


def share(lives: list[Life]) -> float:
    """Return the share of bad answers among those served, over all runs."""
    return sum(life.bad for life in lives) / max(1, sum(life.served for life in lives))


def main() -> None:
    """Run every world and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--queries", type=int, default=2000)
    given = parser.parse_args()
    allowed = CONFIG.risk.max_bad_rate
    print(f"# {machine()}; {given.runs} runs of {given.queries} queries, seed 0, max_bad_rate {allowed}, MISS {MISS}")
    table = Table()
    for column in (
        "world",
        "no call",
        "bad",
        "allowed + slack",
        "missed",
        "recovery",
        "bad after",
        "literal: bad",
        "after",
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for name in WORLDS:
        lives, literal = (live(name, given.runs, given.queries, bounded=bounded) for bounded in (True, False))
        recovered = [life.recovery for life in lives if life.recovery is not None]
        served = statistics.mean(life.served for life in lives)
        table.add_row(
            name,
            f"{statistics.mean(life.no_call for life in lives):.3f}",
            f"{share(lives):.4f}",
            f"{allowed + statistics.mean(life.slack for life in lives) / max(served, 1.0):.3f}",
            f"{sum(life.missed for life in lives) / given.runs:.3f}",
            f"{statistics.median(recovered):.0f}" if recovered else "-",
            f"{statistics.mean(life.bad_after for life in lives):.1f}",
            f"{share(literal):.4f}",
            f"{statistics.mean(life.bad_after for life in literal):.1f}",
        )
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
