"""What audits say of what was served: by hand, by property, and in worlds where the truth is known."""

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.config import DivergenceConfig
from shammah_mlx.events import Draft, ScoredDraft
from shammah_mlx.risk.audits import CAPS, MISS, STAKES, AcceptedDraft, AuditResult, accuracy, estimate
from shammah_mlx.risk.badness import SHARPNESS, label, most_label

FITTED = DivergenceConfig(kind="fitted")
RUNS = 400  # of each world
QUERIES = 400
CHECKED = (25, 50, 100, 200, 300, 400)  # queries after which the interval is looked at: at all of them together


def test_nothing_served_says_nothing() -> None:
    empty = estimate([])
    assert (empty.local, empty.audits, empty.bad, empty.low, empty.high) == (0, 0, 0.0, 0, 0)
    assert empty.rate is None
    assert empty.interval is None


def test_the_estimate_weighs_what_audits_found() -> None:
    """Two bad of four audited at 1/2, six unaudited: each stands for one that was not looked at."""
    told = estimate(
        [AcceptedDraft(0.5, "replaced", 1.0)] * 2
        + [AcceptedDraft(0.5, "served")] * 2
        + [AcceptedDraft(0.5, "unaudited")] * 6
    )
    assert told.bad == pytest.approx(2.0)
    assert told.local == 8
    assert told.audits == 4
    assert told.rate == pytest.approx(0.25)
    assert told.low <= told.bad <= told.high <= 6


def test_the_upper_end_by_hand() -> None:
    """No bad audit: n bad ones would have escaped all audits at 1/2 with probability 2^-n, so few fit."""
    told = estimate([AcceptedDraft(0.5, "unaudited")] * 1000 + [AcceptedDraft(0.5, "served")] * 1000)
    room = math.log(2 * len(STAKES) * len(CAPS) / MISS)
    assert told.high == math.floor(room / math.log1p(max(STAKES)))
    assert told.low == 0


def test_what_is_always_audited_is_never_served_bad() -> None:
    told = estimate([AcceptedDraft(1.0, "replaced", 1.0)] * 5 + [AcceptedDraft(1.0, "served")] * 5)
    assert (told.local, told.bad, told.low, told.high) == (5, 0.0, 0, 0)


def test_a_due_audit_counts_as_bad() -> None:
    told = estimate([AcceptedDraft(0.5, "open")] * 3 + [AcceptedDraft(0.5, "served")] * 20)
    assert told.uncovered == 3
    assert told.bad == 6
    assert told.high >= 3
    assert told.low == 0


def test_what_no_audit_could_choose_may_all_be_bad() -> None:
    assert estimate([AcceptedDraft(0.0, "unaudited")] * 7).high == 7


@pytest.mark.parametrize(
    "impossible", [AcceptedDraft(1.5, "served"), AcceptedDraft(0.0, "replaced", 1.0), AcceptedDraft(1.0, "unaudited")]
)
def test_what_cannot_be_is_refused(impossible: AcceptedDraft) -> None:
    with pytest.raises(ValueError, match="probability"):
        estimate([impossible])


def test_an_audit_that_was_certain_tells_nothing_of_the_unaudited() -> None:
    drafts = [AcceptedDraft(0.05, "unaudited")] * 380 + [AcceptedDraft(0.05, "served")] * 20
    alone = estimate(drafts).high
    assert estimate(drafts + [AcceptedDraft(1.0, "replaced", 1.0)] * 10).high == alone
    assert estimate(drafts + [AcceptedDraft(0.9, "replaced", 1.0)] * 10).high < alone + 20


def test_accuracy_weighs_a_decision_by_how_seldom_it_is_measured() -> None:
    assert accuracy([]) is None
    assert accuracy([(True, 1.0), (False, 0.25)]) == pytest.approx(0.2)


FINDINGS: tuple[AuditResult, ...] = ("unaudited", "passed", "served", "replaced", "open")


@given(st.lists(st.tuples(st.floats(0.02, 1.0), st.sampled_from(FINDINGS), st.floats(0.0, 1.0)), max_size=60))
def test_the_interval_is_one(drawn: list[tuple[float, AuditResult, float]]) -> None:
    drafts = [
        AcceptedDraft(p_found, result, bad)
        for p_found, result, bad in drawn
        if p_found < 1.0 or result not in ("unaudited", "passed")
    ]
    told = estimate(drafts)
    assert 0 <= told.low <= told.high <= told.local
    assert told.bad >= 0.0


World = Callable[[random.Random, int, int], tuple[float, bool]]
"""Given chance, the query's number and the bad answers served so far, return π and whether the draft is bad."""


def steady(chance: random.Random, query: int, bad: int) -> tuple[float, bool]:
    return 0.1, chance.random() < 0.05


def focused(chance: random.Random, query: int, bad: int) -> tuple[float, bool]:
    """Audits go where drafts are doubtful, as in `policy.audit_probability`."""
    doubt = chance.random() ** 3
    return min(1.0, max(0.05, doubt**2)), chance.random() < doubt / 2


def flipped(chance: random.Random, query: int, bad: int) -> tuple[float, bool]:
    return 0.1, query >= QUERIES // 2


def drifting(chance: random.Random, query: int, bad: int) -> tuple[float, bool]:
    return 0.2, chance.random() < 0.3 * query / QUERIES


def adversary(chance: random.Random, query: int, bad: int) -> tuple[float, bool]:
    """It sees what was found, picks π within the law, and stops being bad when it is ahead."""
    audit_probability = 0.02 if query % 3 else 0.5
    return audit_probability, bad < 30 or query % 7 == 0


@pytest.mark.parametrize("world", [steady, focused, flipped, drifting, adversary])
def test_the_interval_holds_at_all_times_together(world: World) -> None:
    """At most MISS of the runs ever miss, up to three standard errors, and the estimate is unbiased."""
    missed, errors, widths = 0, [], []
    for run in range(RUNS):
        chance = random.Random(f"{world.__name__}/{run}")
        drafts: list[AcceptedDraft] = []
        served_bad, out = 0, False
        for query in range(1, QUERIES + 1):
            audit_probability, is_bad = world(chance, query, served_bad)
            audited = chance.random() < audit_probability
            result: AuditResult = ("replaced" if is_bad else "served") if audited else "unaudited"
            drafts.append(AcceptedDraft(audit_probability, result, float(audited and is_bad)))
            served_bad += is_bad and not audited
            if query in CHECKED:
                told = estimate(drafts)
                out = out or not told.low <= served_bad <= told.high
        missed += out
        errors.append(told.bad - served_bad)
        widths.append((told.high - told.low) / told.local)
    assert missed / RUNS <= MISS + 3 * math.sqrt(MISS * (1 - MISS) / RUNS)
    mean = sum(errors) / RUNS
    spread = math.sqrt(sum((error - mean) ** 2 for error in errors) / (RUNS - 1))
    assert abs(mean) <= 4 * spread / math.sqrt(RUNS)
    assert sum(widths) / RUNS < 1.0  # it says something


def test_the_interval_holds_for_what_a_doubtful_meter_measures() -> None:
    """The truth is never seen, half of the audits may end at a verdict, and the prior is three times too low."""
    missed, errors, rate, p, sd, error = 0, [], 0.12, 0.2, SHARPNESS, 0.05
    for run in range(RUNS):
        chance = random.Random(f"doubtful/{run}")
        drafts: list[AcceptedDraft] = []
        served_bad, out = 0, False
        for query in range(1, QUERIES + 1):
            is_bad, both = chance.random() < rate, chance.random() < 0.5
            p_found = p * (1.0 - 0.5 * error)
            odds = math.log(rate / 3.0)
            if chance.random() >= p:
                drafts.append(AcceptedDraft(p_found, "unaudited", most=most_label(FITTED)))
                served_bad += is_bad
            else:
                said_bad = is_bad != (chance.random() < error)
                odds += (1.0 if said_bad else -1.0) * math.log((1.0 - error) / error)
                if not said_bad and not both:
                    drafts.append(AcceptedDraft(p_found, "passed", most=most_label(FITTED)))
                    served_bad += is_bad
                else:
                    reading = chance.gauss((0.5 if is_bad else -0.5) * sd**2, sd)
                    replaced = reading > 0.0
                    bad = 1.0 / (1.0 + math.exp(-odds - reading))
                    measured = ScoredDraft(Draft("a draft", "recall"), 0.9, 1.0 / (1.0 + math.exp(-reading)))
                    result: AuditResult = "replaced" if replaced else "served"
                    drafts.append(AcceptedDraft(p_found, result, bad, label(measured, FITTED), most_label(FITTED)))
                    served_bad += is_bad and not replaced
            if query in CHECKED:
                told = estimate(drafts)
                out = out or not told.low <= served_bad <= told.high
        missed += out
        errors.append(told.bad - served_bad)
    assert missed / RUNS <= MISS
    mean = sum(errors) / RUNS
    deviation = math.sqrt(sum((each - mean) ** 2 for each in errors) / (RUNS - 1))
    assert abs(mean) <= 4 * deviation / math.sqrt(RUNS)
    assert max(abs(each) for each in errors) > 1.0  # it is an estimate
