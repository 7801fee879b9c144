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


def test_a_step_that_would_raise_the_loss_is_halved() -> None:
    def loss(point: np.ndarray) -> float:
        return float(np.log(np.cosh(point[0])))

    losses = []

    def step(point: np.ndarray) -> np.ndarray:
        losses.append(loss(point))
        change: np.ndarray = np.sinh(point) * np.cosh(point)
        return change

    found = newton(np.array([2.0]), step, longest_step=100.0, most_steps=50, loss=loss)
    assert found[0] == pytest.approx(0.0, abs=1e-9)
    assert all(after <= before for before, after in pairwise(losses))


def test_newton_with_a_loss_converges_where_plain_steps_oscillate() -> None:
    def loss(point: np.ndarray) -> float:
        return float(np.sqrt(1.0 + point[0] ** 2))

    def step(point: np.ndarray) -> np.ndarray:  # a full step from 2 goes to -8; shortened to 4, to -2, and then back
        change: np.ndarray = point * (1.0 + point**2)
        return change

    start = np.array([2.1])
    assert abs(newton(start, step, longest_step=4.0, most_steps=50)[0]) > 1.0
    assert newton(start, step, longest_step=4.0, most_steps=50, loss=loss)[0] == pytest.approx(0.0, abs=1e-9)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=3), st.floats(0.1, 50))
def test_newton_with_a_loss_never_steps_uphill(start: list[float], longest: float) -> None:
    losses = []

    def loss(point: np.ndarray) -> float:
        return float(np.sqrt(1.0 + point**2).sum())

    def step(point: np.ndarray) -> np.ndarray:
        losses.append(loss(point))
        change: np.ndarray = point * (1.0 + point**2)
        return change

    found = newton(np.array(start), step, longest_step=longest, most_steps=30, loss=loss)
    assert all(after <= before for before, after in pairwise([*losses, loss(found)]))
