"""The curve of bad rates by score, fitted to evidence that is rarely certain."""

import random

import numpy as np
import pytest

from shammah_mlx.config import RiskConfig
from shammah_mlx.numerics import sigmoid
from shammah_mlx.risk import curve
from shammah_mlx.risk.badness import SHARPNESS

FREE = RiskConfig(offset_strength=1e-3, slope_strength=1e-3)


def read(chance: random.Random, bad: bool) -> float:
    return chance.gauss((0.5 if bad else -0.5) * SHARPNESS**2, SHARPNESS)


def tallies(rate: float, count: int, seed: int, cells: tuple[int, ...] = (12, 20)) -> list[curve.Tally]:
    chance = random.Random(f"{rate}/{seed}")
    found = {cell: [read(chance, chance.random() < rate) for _ in range(count)] for cell in cells}
    return [curve.tally(found.get(cell, [])) for cell in range(curve.CELLS)]


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2, 0.3])
def test_the_curve_finds_the_rate_although_its_prior_is_honest(rate: float) -> None:
    """Scores of 0.97 claim a rate of 0.03; what was read says otherwise, and nothing confirms itself."""
    fitted = [curve.fit(tallies(rate, 1000, seed, (17,)), FREE)[0] for seed in range(10)]
    found = [sigmoid(-(offset + slope * curve.middle(17))) for offset, slope in fitted]
    assert np.mean(found) == pytest.approx(rate, rel=0.12)


def test_uncertain_evidence_leaves_more_doubt_than_certain_evidence() -> None:
    chance = random.Random(0)
    bad = [chance.random() < 0.1 for _ in range(500)]
    seen = [curve.tally([read(chance, one) for one in bad]) if cell == 17 else curve.NOTHING for cell in range(29)]
    known = [curve.certain(500.0, float(sum(bad))) if cell == 17 else curve.NOTHING for cell in range(29)]
    x = curve.middle(17)
    variances = [v[0] + 2 * x * v[1] + x * x * v[2] for v in (curve.fit(each, FREE)[1] for each in (seen, known))]
    assert variances[0] > 1.3 * variances[1]


def test_evidence_falls_into_bins() -> None:
    assert [curve.bin_of(each) for each in (-np.inf, -9.0, 0.2, 9.0, np.inf)] == [0, 1, 7, 13, 14]
    assert sum(curve.tally([0.1, -np.inf, 3.0])) == 3.0


@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_the_rate_of_all_drafts_needs_no_prior(rate: float) -> None:
    found = [curve.rate(tallies(rate, 500, seed)) for seed in range(20)]
    assert np.mean([mean for mean, _ in found]) == pytest.approx(rate, rel=0.15)
    assert np.std([mean for mean, _ in found]) == pytest.approx(np.mean([error for _, error in found]), rel=0.6)


def test_the_rate_of_certain_evidence_is_its_share() -> None:
    mean, error = curve.rate([curve.certain(200.0, 20.0)])
    assert mean == pytest.approx(0.1)
    assert error == pytest.approx((0.1 * 0.9 / 200) ** 0.5)
