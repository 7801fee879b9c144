"""Logistic regression with a Gaussian prior, refitted as labels arrive: a few features in, one probability out.

Its state is its examples. The weights are a function of them alone, so saving and loading changes no bit.
"""

from collections.abc import Mapping

import numpy as np

from shammah_mlx.config import LogisticConfig
from shammah_mlx.numerics import newton, sigmoids

NEWTON_STEPS = 25  # quadratic convergence: the last ones change nothing
LONGEST_STEP = 4.0  # change of any weight in one Newton step


class LogisticModel:
    """Estimate the probability that a label is 1 from named features; starts at the prior."""

    def __init__(self, config: LogisticConfig) -> None:
        self._names, self._prior = tuple(config.prior), np.array(tuple(config.prior.values()))
        self._strength, self._refit_share = config.strength, config.refit_share
        self._examples = np.zeros((0, len(self._names)), np.float32)  # as stored: a fit must not see more digits
        self._labels = np.zeros(0, np.float32)
        self._weights = self._prior
        self._used = 0  # examples in the last fit

    def probability(self, features: Mapping[str, float]) -> float:
        """Return the probability of label 1."""
        return float(sigmoids(self._vector(features) @ self._weights))

    def step(self, features: Mapping[str, float], label: float) -> float:
        """Add one example with a label in [0, 1]; return the loss on it before, in nats."""
        p = self.probability(features)
        self._examples = np.vstack([self._examples, self._vector(features)])
        self._labels = np.append(self._labels, np.float32(label))
        self._fit()
        return float(-label * np.log(max(p, 1e-12)) - (1.0 - label) * np.log(max(1.0 - p, 1e-12)))

    def state(self) -> dict[str, np.ndarray]:
        """Return the examples, and for information the weights that follow from them."""
        return {"examples": self._examples, "labels": self._labels, "weights": self._weights.astype(np.float32)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from what `state` returned.

        Raises:
            ValueError: its examples have a different number of features.
        """
        if state["examples"].shape[1:] != self._examples.shape[1:]:
            raise ValueError("the saved examples have other features than this model")
        self._examples, self._labels = state["examples"], state["labels"]
        self._weights, self._used = self._prior, 0
        self._fit()

    def _vector(self, features: Mapping[str, float]) -> np.ndarray:
        return np.array([features[name] for name in self._names], np.float32)

    def _fit(self) -> None:
        """Fit to the examples of the last fit that was due, if that is not done."""
        used = last_due(len(self._labels), self._refit_share)
        if used != self._used:
            self._used = used
            self._weights = most_probable(self._examples[:used], self._labels[:used], self._prior, self._strength)


def most_probable(x: np.ndarray, y: np.ndarray, prior: np.ndarray, strength: float) -> np.ndarray:
    """Return the most probable weights for examples x (n, k), labels y (n,) and a Gaussian prior; Newton's method."""
    x, y, prior = x.astype(np.float64), y.astype(np.float64), prior.astype(np.float64)

    def step(w: np.ndarray) -> np.ndarray:
        p = sigmoids(x @ w)
        gradient = x.T @ (p - y) + strength * (w - prior)
        hessian = (x * (p * (1.0 - p))[:, None]).T @ x + strength * np.eye(len(w))
        return np.linalg.solve(hessian, gradient)

    def loss(w: np.ndarray) -> float:
        z = x @ w
        return float((np.logaddexp(0.0, z) - y * z).sum() + 0.5 * strength * ((w - prior) ** 2).sum())

    return newton(prior, step, loss=loss, longest_step=LONGEST_STEP, most_steps=NEWTON_STEPS)


def last_due(count: int, share: float) -> int:
    """Return the number of examples at the last due fit, given `count` now; a fit is due when they grow by `share`."""
    due = 0
    while True:
        following = due + max(1, int(due * share))
        if following > count:
            return due
        due = following
