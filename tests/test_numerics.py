import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.numerics import log_odds, newton, sigmoid, sigmoids


@given(st.floats(-20, 20))
def test_log_odds_undo_the_sigmoid(z: float) -> None:
    assert log_odds(sigmoid(z)) == pytest.approx(z, abs=1e-6)
    assert sigmoids(np.array([z]))[0] == pytest.approx(sigmoid(z))


@given(st.sampled_from([-1.0, 0.0, 1.0, 2.0]))
def test_log_odds_stay_finite(probability: float) -> None:
    assert math.isfinite(log_odds(probability))


def test_newton_finds_the_minimum_though_a_full_step_overshoots() -> None:
    points = []

    def step(point: np.ndarray) -> np.ndarray:  # of log(cosh(x)), where a full step from 2 goes to -11.6 and diverges
        points.append(point[0])
        change: np.ndarray = np.sinh(point) * np.cosh(point)
        return change

    found = newton(np.array([2.0]), step, longest_step=0.5, most_steps=50)
    assert found[0] == pytest.approx(0.0, abs=1e-9)
    assert max(abs(a - b) for a, b in pairwise(points)) <= 0.5
