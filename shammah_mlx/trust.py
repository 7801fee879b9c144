"""How far a memory's proposals are to be trusted: weights of its evidence, learnt by asking it what it knows.

Each remembered question, left out, is an example of a question that is about to be asked, and its reply says whether
the proposal was right. So every reply is evidence, and old evidence is weighed anew as the memory grows.
"""

from collections.abc import Mapping

import numpy as np

from shammah_mlx.config import RecallConfig
from shammah_mlx.evidence import most_probable, sigmoid
from shammah_mlx.recall import EVIDENCE, LeftOut, Memory


class Trust:
    """A logistic model of whether a proposal is right; starts at the prior."""

    def __init__(self, config: RecallConfig) -> None:
        self._config = config
        self._columns = [EVIDENCE.index(name) for name in config.trust_prior]
        self._prior = np.array(list(config.trust_prior.values()))
        self._weights = self._prior.astype(np.float32)
        self._surprises: dict[int, float] = {}  # by number: right less its probability, before surprises were weighed
        self._asked = 0  # questions the memory held at the last fit

    def log_odds(self, evidence: np.ndarray) -> float:
        """Return the log-odds that the proposal with this evidence is right."""
        return float(evidence[self._columns] @ self._weights)

    def fit_if_due(self, memory: Memory) -> None:
        """Fit anew if the memory has grown by a share since the last time."""
        due = max(self._config.trust_from, self._asked + max(1, int(self._asked * self._config.trust_share)))
        if len(memory) < due:
            return
        memory.note({})
        plain = memory.leave_each_out()
        weights = self._most_probable(plain, self._prior)
        expected = sigmoid(plain.evidence[:, self._columns] @ weights)
        surprises = (plain.right - expected).astype(np.float32)
        self._surprises = dict(zip(plain.numbers.tolist(), surprises.tolist(), strict=True))
        memory.note(self._surprises)
        # A question is no neighbour of its own, so this evidence, too, is that of a question about to be asked.
        self._weights = self._most_probable(memory.leave_each_out(), weights).astype(np.float32)
        self._asked = len(memory)

    def _most_probable(self, left_out: LeftOut, prior: np.ndarray) -> np.ndarray:
        evidence = left_out.evidence[:, self._columns]
        return most_probable(evidence, left_out.right, prior, self._config.trust_strength)

    def state(self) -> dict[str, np.ndarray]:
        """Return the weights, how many questions the memory held, and how those it asked itself fared."""
        return {
            "weights": self._weights,
            "asked": np.array(self._asked),
            "numbers": np.array(list(self._surprises), np.int32),
            "surprises": np.array(list(self._surprises.values()), np.float32),
        }

    def load(self, state: Mapping[str, np.ndarray], memory: Memory) -> None:
        """Continue from what `state` returned, with that memory.

        Raises:
            ValueError: the weights are of other evidence.
        """
        if state["weights"].shape != self._weights.shape:
            raise ValueError("recall.trust_prior is not what it was")
        self._weights, self._asked = state["weights"], int(state["asked"])
        self._surprises = dict(zip(state["numbers"].tolist(), state["surprises"].tolist(), strict=True))
        memory.note(self._surprises)
