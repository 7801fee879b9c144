"""Test the bound in the simulated worlds of `benchmarks/worlds.py`, with shorter runs."""

import functools
import math
import statistics

import msgspec
import pytest

from benchmarks.worlds import CONFIG, WORLDS, Life, live, share
from shammah_mlx.risk.audits import MISS

RUNS, QUERIES = 60, 500
ALLOWED = CONFIG.risk.max_bad_rate
HONEST = ("honest", "audits fail", "audits are given up", "outages")  # worlds with honest scores


pytestmark = pytest.mark.slow
EACH = functools.partial(pytest.mark.parametrize, "name", scope="module")  # the tests of a world follow one another


@functools.cache
def lives(name: str) -> list[Life]:
    return live(name, RUNS, QUERIES)


@EACH(WORLDS)
def test_bad_answers_stay_within_the_rate_and_the_slack_on_average(name: str) -> None:
    excess = [life.bad - ALLOWED * life.served - life.slack for life in lives(name)]
    assert statistics.mean(excess) <= 0


@EACH(WORLDS)
def test_the_interval_rarely_misses_at_any_time_of_a_run(name: str) -> None:
    missed = sum(life.missed for life in lives(name)) / RUNS
    assert missed <= MISS + 3 * math.sqrt(MISS * (1 - MISS) / RUNS)


TIGHT = msgspec.structs.replace(  # a slack of about 30 answers, which the specification's rule exceeds
    CONFIG,
    risk=msgspec.structs.replace(CONFIG.risk, feedback=0.05),
    policy=msgspec.structs.replace(CONFIG.policy, audit_floor=0.1, audits=((0, 0.2),)),
)


@pytest.mark.parametrize("name", ["overconfident", "drift", "flip half-way", "adversary", "flip while Claude is away"])
def test_with_a_tight_slack_the_bound_holds_and_the_rule_of_the_specification_does_not(name: str) -> None:
    bounded, literal = (live(name, 15, 800, bounded=bounded, config=TIGHT) for bounded in (True, False))

    def excess(lives: list[Life]) -> float:
        return statistics.mean(life.bad - ALLOWED * life.served for life in lives)

    slack = statistics.mean(life.slack for life in bounded)
    assert excess(bounded) <= slack < 60
    assert excess(literal) > slack or name == "adversary"  # which works only against the bound


@EACH(HONEST)
def test_with_honest_scores_bad_answers_stay_within_the_rate_without_slack(name: str) -> None:
    served = sum(life.served for life in lives(name))
    assert share(lives(name)) <= ALLOWED + 3 * math.sqrt(ALLOWED * (1 - ALLOWED) / served) + 0.01
    assert served > RUNS * QUERIES / 20


def test_hardly_anything_is_served_if_the_router_tries_bad_drafts() -> None:
    assert sum(life.served for life in lives("wrong Router")) < RUNS * QUERIES / 100


def test_serving_stops_within_a_few_dozen_queries_after_all_drafts_turn_bad() -> None:
    assert statistics.mean(life.bad_after for life in lives("flip half-way")) < 40
    recoveries = [life.recovery for life in lives("flip half-way")]
    assert all(recovery is not None for recovery in recoveries)
    assert statistics.median(recovery for recovery in recoveries if recovery) < 120


def test_the_rule_of_the_specification_goes_on_serving_bad_answers() -> None:
    literal = live("flip half-way", 10, QUERIES, bounded=False)
    assert statistics.mean(life.bad_after for life in literal) > 150
    assert share(literal) > 5 * share(lives("flip half-way"))
