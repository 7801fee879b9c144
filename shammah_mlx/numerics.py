"""The logistic function, its inverse, and a damped Newton iteration: the mathematics that several packages share."""

import math
from collections.abc import Callable

import numpy as np

SETTLED = 1e-9  # largest change of any weight at which an iteration has converged
MOST_LOG_ODDS = 30.0  # beyond it a probability differs from 0 or 1 by less than fp64 shows in a sum


def sigmoid(z: float) -> float:
    """Return log-odds as a probability; below -700 they overflow."""
    return 1.0 / (1.0 + math.exp(-z))


def sigmoids(z: np.ndarray) -> np.ndarray:
    """Return an array of log-odds as probabilities; log-odds beyond 30 count as 30."""
    probabilities: np.ndarray = 1.0 / (1.0 + np.exp(-np.minimum(np.maximum(z, -MOST_LOG_ODDS), MOST_LOG_ODDS)))
    return probabilities


def log_odds(probability: float) -> float:
    """Return a probability as log-odds; probabilities within 1e-9 of 0 or 1 count as that far away."""
    p = min(max(probability, 1e-9), 1.0 - 1e-9)
    return math.log(p / (1.0 - p))


def newton(
    start: np.ndarray,
    step: Callable[[np.ndarray], np.ndarray],
    *,
    longest_step: float,
    most_steps: int,
    loss: Callable[[np.ndarray], float] | None = None,
) -> np.ndarray:
    """Return where a damped Newton iteration converges.

    `step` returns the full Newton step at a point, inverse Hessian times gradient; it is subtracted. A step that would
    change any weight by more than `longest_step` is shortened, since far from the solution a full step overshoots. With
    the `loss` that is to be least, a step that would raise it is halved until it does not.
    """
    point = start.astype(np.float64)
    for _ in range(most_steps):
        change = step(point)
        change = change * min(1.0, longest_step / max(float(np.abs(change).max()), SETTLED))
        while loss and float(np.abs(change).max()) >= SETTLED and loss(point - change) > loss(point):
            change = change / 2.0
        point = point - change
        if float(np.abs(change).max()) < SETTLED:
            break
    return point
