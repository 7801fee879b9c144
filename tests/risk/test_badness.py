"""What is probable of a draft that was measured without certainty."""

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.config import DivergenceConfig
from shammah_mlx.events import Draft, Judging, ScoredDraft, Verdict
from shammah_mlx.numerics import log_odds, sigmoid
from shammah_mlx.risk.badness import SHARPNESS, evidence, label, most_label, p_bad, posterior, shown

FITTED, EXACT = DivergenceConfig(kind="fitted"), DivergenceConfig(kind="exact")
shares = st.floats(0.001, 0.999)


def verdict(*, good: bool) -> Verdict:
    return Verdict(good, "judge", "1", with_reply=False)


def measured(divergence: float | None, *verdicts: Verdict) -> ScoredDraft:
    scored = ScoredDraft(Draft("a draft", "recall"), 0.9, divergence)
    for each in verdicts:
        scored = scored.judged(each)
    return scored


def test_odds_multiply() -> None:
    assert p_bad(measured(0.5, verdict(good=False)), FITTED, 0.05, 0.5) == pytest.approx(0.95)
    assert p_bad(measured(0.9), FITTED, 0.05, 0.1) == pytest.approx(0.5)
    assert p_bad(measured(0.9, verdict(good=True)), FITTED, 0.05, 0.1) == pytest.approx(0.05)


def test_without_evidence_nothing_is_known() -> None:
    assert p_bad(measured(None), FITTED, 0.05) is None
    assert evidence(measured(None, verdict(good=True)), FITTED, 0.05, skipping_check=True) is None


@given(shares)
def test_what_is_certain_stays_so_whatever_the_prior(prior: float) -> None:
    assert p_bad(measured(0.0), FITTED, 0.05, prior) == 0.0  # the same text
    assert p_bad(measured(0.9), EXACT, 0.05, prior) == 1.0


@given(shares, shares)
def test_a_label_lies_within_its_limits(divergence: float, prior: float) -> None:
    assert label(measured(divergence), FITTED) <= most_label(FITTED)
    assert label(measured(divergence), EXACT) in (0.0, 1.0)
    assert 0.0 < shown(FITTED, prior) < shown(EXACT, prior) == 1.0


@pytest.mark.parametrize(("bad", "mean"), [(True, 1.0), (False, 0.0)])
def test_labels_are_right_on_average_whatever_the_truth(bad: bool, mean: float) -> None:
    chance = random.Random(f"label/{bad}")
    readings = [chance.gauss((0.5 if bad else -0.5) * SHARPNESS**2, SHARPNESS) for _ in range(20000)]
    labels = [label(measured(sigmoid(reading)), FITTED) for reading in readings]
    assert statistics.mean(labels) == pytest.approx(mean, abs=4 * statistics.stdev(labels) / math.sqrt(len(labels)))


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_the_posterior_follows_the_rate_by_the_share_that_is_shown(rate: float) -> None:
    chance, allowed = random.Random(f"shown/{rate}"), 0.05
    found = []
    for _ in range(20000):
        sign = 0.5 if chance.random() < rate else -0.5
        found.append(posterior(chance.gauss(sign * SHARPNESS**2, SHARPNESS), allowed) or 0.0)
    expected = allowed + shown(FITTED, allowed) * (rate - allowed)
    assert statistics.mean(found) == pytest.approx(expected, abs=4 * statistics.stdev(found) / math.sqrt(len(found)))


def test_evidence_does_not_depend_on_the_prior() -> None:
    found = evidence(measured(0.7, verdict(good=False)), FITTED, 0.05)
    assert found == pytest.approx(log_odds(0.7) + log_odds(0.95))


def test_an_audit_that_begins_with_a_verdict_shows_more() -> None:
    judging = Judging(error=0.05, thresholds={}, both=0.1)
    assert 0.7 < shown(FITTED, 0.05, judging) < 0.9
    assert shown(FITTED, 0.05) == pytest.approx(0.3954, abs=1e-3)
    useless = Judging(error=0.5, thresholds={}, both=1.0)
    assert shown(FITTED, 0.05, useless) == pytest.approx(shown(FITTED, 0.05))
