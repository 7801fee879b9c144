"""Logistic regression with a Gaussian prior, fitted anew as labels come: few numbers in, one probability out.

Its state is its examples. The weights are a function of them alone, so stopping and going on changes no bit.
"""

from collections.abc import Mapping

import numpy as np

from shammah_mlx.config import EvidenceConfig

NEWTON_STEPS = 12  # quadratic convergence: the last ones change nothing


class EvidenceModel:
    """Estimate the probability that a label is 1 from a vector of evidence numbers; starts at the prior."""

    def __init__(self, prior: tuple[float, ...], config: EvidenceConfig) -> None:
        self._prior = np.array(prior)
        self._strength, self._refit_share = config.prior_strength, config.refit_share
        self._examples = np.zeros((0, len(prior)), np.float32)  # as they are stored: a fit must not see more digits
        self._labels = np.zeros(0, np.float32)
        self._weights = self._prior
        self._used = 0  # examples in the last fit

    def probability(self, evidence: np.ndarray) -> float:
        """Return the probability of label 1."""
        return float(_sigmoid(evidence @ self._weights))

    def step(self, evidence: np.ndarray, label: int) -> float:
        """Learn one example; return its loss, in nats, before."""
        p = self.probability(evidence)
        self._examples = np.vstack([self._examples, evidence[None]])
        self._labels = np.append(self._labels, np.float32(label))
        self._fit()
        return float(-np.log(max(p if label else 1.0 - p, 1e-12)))

    def state(self) -> dict[str, np.ndarray]:
        """Return the examples, and for whoever looks the weights that follow from them."""
        return {"examples": self._examples, "labels": self._labels, "weights": self._weights.astype(np.float32)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from what `state` returned."""
        self._examples, self._labels = state["examples"], state["labels"]
        self._weights, self._used = self._prior, 0
        self._fit()

    def _fit(self) -> None:
        """Find the most probable weights by Newton's method, on as many examples as were due for the last fit."""
        used = _last_due(len(self._labels), self._refit_share)
        if used == self._used:
            return
        self._used = used
        x, y = self._examples[:used].astype(np.float64), self._labels[:used].astype(np.float64)
        w = self._prior.copy()
        for _ in range(NEWTON_STEPS):
            p = _sigmoid(x @ w)
            gradient = x.T @ (p - y) + self._strength * (w - self._prior)
            hessian = (x * (p * (1.0 - p))[:, None]).T @ x + self._strength * np.eye(len(w))
            step = np.linalg.solve(hessian, gradient)
            w = w - step * min(1.0, 4.0 / max(float(np.abs(step).max()), 1e-12))  # far from the answer, not too far
        self._weights = w


def _last_due(count: int, share: float) -> int:
    """Return the largest number of examples up to `count` at which a fit was due: each time a share more has come."""
    due = 0
    while True:
        following = due + max(1, int(due * share))
        if following > count:
            return due
        due = following


def _sigmoid(z: np.ndarray) -> np.ndarray:
    result: np.ndarray = 1.0 / (1.0 + np.exp(-np.clip(z, -30.0, 30.0)))
    return result
