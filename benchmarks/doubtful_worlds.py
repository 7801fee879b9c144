"""Test the bound where nobody sees the truth: a noisy meter, a Claude who varies, and a judge who errs.

    python -m benchmarks.doubtful_worlds --runs 60 --queries 500

A world draws the score of the next draft and whether it is bad. The program never learns the latter: it sees a reading
of a meter and verdicts of a judge. The loop itself decides, audits and records. The table shows for each world the
share of bad answers among those served, in truth; the allowed rate with the spread subtracted from what is bad, and
with the slack for each answer served; the share that the report estimated; the share of runs whose interval ever
missed; queries answered without a reply of Claude's; and verdicts bought a query.
"""

import argparse
import functools
import math
import random
import statistics
from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from benchmarks import worlds
from benchmarks.literal import machine
from benchmarks.worlds import Asked, World
from shammah_mlx.config import Config
from shammah_mlx.events import (
    AskOptions,
    Draft,
    DraftSource,
    Exchange,
    Interaction,
    Query,
    Reply,
    Show,
    Step,
    Threshold,
    Verdict,
)
from shammah_mlx.framework import policy
from shammah_mlx.framework.loop import GiveWay, answer, judge_shadows, observe, run_consultation, show_nobody
from shammah_mlx.framework.policy import HomeCounts
from shammah_mlx.framework.targets import Target, Withdrawal
from shammah_mlx.numerics import sigmoid
from shammah_mlx.presets import PRESETS
from shammah_mlx.risk.accounts import summarise
from shammah_mlx.risk.badness import SHARPNESS
from shammah_mlx.risk.threshold import SERVE_NOTHING, add_interaction, no_counts

DEFAULT = PRESETS["default"]
CONFIG = replace(DEFAULT, generator="recall", divergence=replace(DEFAULT.divergence, kind="fitted"))
LOOKS = 4  # times in a run at which the interval is checked
REPLY_USD, VERDICT_USD = 0.01, 0.0002
TEXT = "What does this mean, and what should I do about it now? " * 5
LONG_REPLY = "It means that nothing need be done. " * 20


class Sight(NamedTuple):
    """How the truth is seen."""

    sharpness: float = SHARPNESS  # sd of the meter's log-odds, given the truth
    misses: float = 0.0  # share of bad drafts that the meter reads as if they were good
    alarms: float = 0.0  # share of good drafts that it reads as if they were bad
    judge_error: float | None = None  # both ways; None: there is no judge
    spread: float = 0.0  # share of right answers, and of repeats, that differ from what Claude says this time
    repeats: float = 0.0  # share of queries that were asked before

    def reading(self, chance: random.Random, bad: bool) -> float:
        """Draw the meter's divergence."""
        looks_bad = chance.random() >= self.misses if bad else chance.random() < self.alarms
        mean = self.sharpness**2 / 2.0
        return sigmoid(chance.gauss(mean if looks_bad else -mean, self.sharpness))


WORLDS: dict[str, tuple[World, Sight]] = {
    "honest": (worlds.honest, Sight()),
    "overconfident": (worlds.overconfident, Sight()),
    "drift": (worlds.drifting, Sight()),
    "flip half-way": (worlds.flipped, Sight()),
    "adversary": (worlds.adversary, Sight()),
    "spread .1": (worlds.honest, Sight(spread=0.1, repeats=0.2)),
    "spread .1, overconfident": (worlds.overconfident, Sight(spread=0.1, repeats=0.2)),
    "judge .03": (worlds.honest, Sight(judge_error=0.03)),
    "judge .10": (worlds.honest, Sight(judge_error=0.10)),
    "judge .10, overconfident": (worlds.overconfident, Sight(judge_error=0.10)),
    "judge .10, flip half-way": (worlds.flipped, Sight(judge_error=0.10)),
    "lenient meter": (worlds.honest, Sight(misses=0.1)),
    "strict meter": (worlds.honest, Sight(alarms=0.1)),
    "strict meter, repeats": (worlds.honest, Sight(alarms=0.1, repeats=0.2)),
}
ASSUMED_WRONG = ("lenient meter", "strict meter", "strict meter, repeats")  # the promise does not cover these


class Life(NamedTuple):
    """The outcome of one run."""

    served: int
    bad: int
    excess: float  # bad answers beyond `max_bad_rate` and the spread
    estimated: float
    missed: bool  # whether the interval ever missed
    slack: float
    no_call: float
    verdicts: int


class _Run:
    """A home in a world: Roles and Teacher of the loop."""

    def __init__(self, world: World, sight: Sight, seed: str, queries: int, config: Config) -> None:
        judge = replace(config.judge, share=0.0 if sight.judge_error is None else config.judge.share)
        self._chance, self._config = random.Random(seed), replace(config, judge=judge, seed=self_seed(seed))
        self._world, self._sight, self._queries = world, sight, queries
        self._counts = HomeCounts(seen=0, score_counts=no_counts(config), usual_doubt=config.policy.first_doubt)
        self._doubt = config.policy.first_doubt * config.policy.first_drafts
        self._accepted = config.policy.first_drafts
        self._asked, self._source, self._divergence = Asked(0.0, bad=False), "recall", 0.0
        self._interactions: list[Interaction] = []
        self._served: list[bool] = []  # whether it was bad, of each answer served

    def live(self) -> Life:
        looks = {math.ceil(self._queries * (look + 1) / LOOKS) for look in range(LOOKS)}
        missed, summary, bad = False, summarise([], self._config), 0
        for number in range(self._queries):
            self._ask(number)
            if number + 1 in looks:
                summary, bad = summarise(self._interactions, self._config), sum(self._served)
                missed = missed or not summary.served.low <= bad <= summary.served.high
        allowed = self._config.risk.max_bad_rate + self._sight.spread
        return Life(
            served=len(self._served),
            bad=bad,
            excess=bad - allowed * len(self._served),
            estimated=summary.served.bad,
            missed=missed,
            slack=summary.slack,
            no_call=1.0 - sum(each.called_claude for each in self._interactions) / self._queries,
            verdicts=summary.judge.verdicts,
        )

    def _ask(self, number: int) -> None:
        request = policy.make_request(
            Query(TEXT), number + 1, self._counts, AskOptions(), self._config, self._config.seed
        )
        self._draw(number / self._queries, request.thresholds.get("recall", SERVE_NOTHING))
        found = run_consultation(answer(request, self, self._measure, self._config), self)
        assert isinstance(found, Interaction)  # this Claude can always be reached
        found = observe(found, self, self._measure, self._config)
        found = run_consultation(judge_shadows(found, self._config), self)
        self._interactions.append(found)
        if found.served_local:
            self._served.append(self._asked.bad)
        if found.audit_probability is not None:
            self._doubt += policy.doubt(found.drafts[0], request, self._config.policy)
            self._accepted += 1
        self._counts = HomeCounts(
            seen=number + 1,
            usual_doubt=self._doubt / self._accepted,
            score_counts=add_interaction(self._counts.score_counts, found, self._config),
            replies_usd=self._counts.replies_usd + REPLY_USD * found.called_claude,
            verdicts_usd=self._counts.verdicts_usd + VERDICT_USD * len(found.verdicts),
        )

    def _draw(self, time: float, threshold: Threshold) -> None:
        """Draw what comes next, and what the meter will say of it."""
        asked, varies = self._world(self._chance, time, threshold), self._chance.random() < self._sight.spread
        if self._chance.random() < self._sight.repeats:
            self._source, asked = "repeat", Asked(0.97, bad=varies)
        else:
            self._source, asked = "recall", asked._replace(bad=asked.bad or varies)
        self._asked, self._divergence = asked, self._sight.reading(self._chance, asked.bad)

    def _measure(self, draft: Exchange, reply: Exchange) -> float:
        return self._divergence

    def p_local(self, query: Query) -> Mapping[DraftSource, float]:
        return {"repeat": 0.97} if self._source == "repeat" else {"recall": 0.9 if self._asked.tried else 0.0}

    def draft(
        self, query: Query, source: DraftSource, show: Show = show_nobody, give_way: GiveWay | None = None
    ) -> Draft | None:
        return Draft(LONG_REPLY, source)

    def p_accept(self, query: Query, draft: Draft) -> float:
        return self._asked.score

    def answered(self, query: Query, draft: Draft) -> Exchange:
        return Exchange(query.text, draft.text)

    def step(self, target: Target, rate: float, give_way: GiveWay) -> Step:
        raise NotImplementedError  # nobody learns here

    def withdraw(self, withdrawal: Withdrawal) -> None:
        """Do nothing: nobody says what was bad here."""

    def ask(self, query: Query, show: Show | None = None) -> Reply:
        return Reply(LONG_REPLY, "claude", "end_turn", cost_usd=REPLY_USD)

    def judge(self, query: Query, draft: str, reply: str | None) -> Verdict:
        wrong = self._chance.random() < (self._sight.judge_error or 0.0)
        return Verdict(self._asked.bad == wrong, "judge", "1", with_reply=reply is not None, cost_usd=VERDICT_USD)


def self_seed(seed: str) -> int:
    """Return a seed of the program's own draws."""
    return random.Random(seed).randrange(2**31)


@functools.cache
def live(name: str, runs: int, queries: int) -> tuple[Life, ...]:
    """Run a world several times."""
    world, sight = WORLDS[name]
    return tuple(_Run(world, sight, f"{name}/{run}", queries, CONFIG).live() for run in range(runs))


def share(lives: tuple[Life, ...]) -> float:
    """Return the share of bad answers among those served, over all runs."""
    return sum(life.bad for life in lives) / max(1, sum(life.served for life in lives))


def main() -> None:
    """Run every world and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--world", choices=list(WORLDS), action="append")
    given = parser.parse_args()
    print(f"# {machine()}; {given.runs} runs of {given.queries} queries, max_bad_rate {CONFIG.risk.max_bad_rate}")
    table = Table()
    for column in ("world", "served", "bad", "allowed", "+ slack", "reported", "missed", "no call", "verdicts"):
        table.add_column(column, justify="right", no_wrap=True)
    for name in given.world or WORLDS:
        lives = live(name, given.runs, given.queries)
        served = statistics.mean(life.served for life in lives)
        allowed = CONFIG.risk.max_bad_rate + WORLDS[name][1].spread
        table.add_row(
            name,
            f"{served:.1f}",
            f"{share(lives):.4f}",
            f"{allowed:.2f}",
            f"{allowed + statistics.mean(life.slack for life in lives) / max(served, 1.0):.3f}",
            f"{statistics.mean(life.estimated for life in lives) / max(served, 1.0):.4f}",
            f"{sum(life.missed for life in lives) / given.runs:.3f}",
            f"{statistics.mean(life.no_call for life in lives):.3f}",
            f"{statistics.mean(life.verdicts for life in lives) / given.queries:.3f}",
        )
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
