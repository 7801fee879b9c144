import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.config import OptimizerConfig, PolicyConfig
from shammah_mlx.framework.schedules import band_value, learning_rate

CONFIG = OptimizerConfig()
queries = st.integers(min_value=0, max_value=20_000)


@pytest.mark.parametrize(
    ("seen", "rate"),
    [(0, 0.5), (99, 0.5), (100, 0.2), (499, 0.2), (500, 0.1), (1999, 0.1), (2000, 0.05), (10**6, 0.05)],
)
def test_sampling_rates_change_exactly_at_their_boundaries(seen: int, rate: float) -> None:
    assert band_value(PolicyConfig().audits, seen) == rate


def test_nothing_applies_before_the_first_band() -> None:
    assert band_value(((50, 0.95),), 49) is None
    assert band_value((), 10) is None


@pytest.mark.parametrize(
    ("seen", "rate"),
    [
        (0, 1e-4),
        (500, 1e-4 * (0.1 + 0.9 * 0.5)),
        (999, 1e-4 * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 0.999)))),
        (1000, 0.95e-4),
        (3500, 1e-4 * 0.95**3 * 0.55),
    ],
)
def test_learning_rate_anneals_and_restarts_warm(seen: int, rate: float) -> None:
    assert learning_rate(1e-4, seen, CONFIG) == pytest.approx(rate, rel=1e-12)


@given(queries)
def test_learning_rate_stays_between_its_floor_and_its_cycles_base(seen: int) -> None:
    base = 0.95 ** (seen // 1000)
    assert 0.1 * base <= learning_rate(1.0, seen, CONFIG) <= base


@given(queries)
def test_learning_rate_falls_within_a_cycle(seen: int) -> None:
    if (seen + 1) % 1000:
        assert learning_rate(1.0, seen + 1, CONFIG) < learning_rate(1.0, seen, CONFIG)
