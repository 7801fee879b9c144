"""Estimate whether a memory's proposal is right, from its features; learnt by leave-one-out on the memory itself.

Each remembered question, left out, stands for a question to come, and its known answer says whether the proposal was
right. So every reply is a training example, and the weights are refitted as the memory grows.
"""

from collections.abc import Mapping

import numpy as np

from shammah_mlx.config import RecallConfig
from shammah_mlx.framework.loop import GiveWay, do_nothing
from shammah_mlx.learners.logistic import most_probable
from shammah_mlx.learners.memory import Memory
from shammah_mlx.learners.neighbours import FEATURES


class Trust:
    """A logistic model of whether a proposal is right; starts at the prior of the config."""

    def __init__(self, config: RecallConfig) -> None:
        self._config = config
        self._columns = [FEATURES.index(name) for name in config.trust_prior]
        self._prior = np.array(list(config.trust_prior.values()))
        self._weights = self._prior.astype(np.float32)
        self._asked = 0  # size of the memory at the last fit

    def log_odds(self, features: np.ndarray) -> float:
        """Return the log-odds that a proposal with these features is right."""
        return float(features[self._columns] @ self._weights)

    def fit_if_due(self, memory: Memory, give_way: GiveWay = do_nothing) -> None:
        """Refit if the memory has grown by `trust_share` since the last fit, in pieces that give way."""
        due = max(self._config.trust_from, self._asked + max(1, int(self._asked * self._config.trust_share)))
        if len(memory) < due:
            return
        features, right = memory.leave_each_out(give_way)
        fitted = most_probable(features[:, self._columns], right, self._prior, self._config.trust_strength)
        self._weights, self._asked = fitted.astype(np.float32), len(memory)

    def state(self) -> dict[str, np.ndarray]:
        """Return the weights, and the size of the memory they were fitted to."""
        return {"weights": self._weights, "asked": np.array(self._asked)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from what `state` returned.

        Raises:
            ValueError: the weights belong to other features.
        """
        if state["weights"].shape != self._weights.shape:
            raise ValueError("the saved weights do not match recall.trust_prior")
        self._weights, self._asked = state["weights"], int(state["asked"])
