"""Test the bound where nobody sees the truth, in the worlds of `benchmarks/doubtful_worlds.py`, with shorter runs."""

import functools
import math
import statistics

import pytest

from benchmarks.doubtful_worlds import ASSUMED_WRONG, CONFIG, WORLDS, live, share
from shammah_mlx.risk.audits import MISS

RUNS, QUERIES = 24, 400
ALLOWED = CONFIG.risk.max_bad_rate
COVERED = [name for name in WORLDS if name not in ASSUMED_WRONG]

pytestmark = pytest.mark.slow
EACH = functools.partial(pytest.mark.parametrize, "name", scope="module")  # the tests of a world follow one another


@EACH(COVERED)
def test_bad_answers_beyond_the_spread_stay_within_the_rate_and_the_slack(name: str) -> None:
    assert statistics.mean(life.excess - life.slack for life in live(name, RUNS, QUERIES)) <= 0


@EACH(COVERED)
def test_the_interval_rarely_misses(name: str) -> None:
    missed = sum(life.missed for life in live(name, RUNS, QUERIES)) / RUNS
    assert missed <= MISS + 3 * math.sqrt(MISS * (1 - MISS) / RUNS)


@EACH(COVERED)
def test_the_report_is_right_on_average(name: str) -> None:
    """It is so although the posteriors start from curves that can be wrong; a judge of 10 % hides a few percent."""
    lives = live(name, RUNS, QUERIES)
    errors = [life.estimated - life.bad for life in lives]
    hidden = 0.06 * statistics.mean(life.bad for life in lives)
    assert abs(statistics.mean(errors)) <= 4 * statistics.stdev(errors) / math.sqrt(RUNS) + hidden


@EACH(["honest", "spread .1", "judge .03", "judge .10"])
def test_with_honest_scores_bad_answers_stay_within_the_rate_without_slack(name: str) -> None:
    lives, allowed = live(name, RUNS, QUERIES), ALLOWED + WORLDS[name][1].spread
    served = sum(life.served for life in lives)
    assert share(lives) <= allowed + 3 * math.sqrt(allowed * (1 - allowed) / served) + 0.01
    assert served > RUNS * QUERIES / 20


def test_a_judge_saves_calls() -> None:
    calls = {
        name: statistics.mean(life.no_call for life in live(name, RUNS, QUERIES)) for name in ("honest", "judge .10")
    }
    assert calls["judge .10"] > 1.5 * calls["honest"]
