"""Learn how often a question near a known one has another answer, in this home.

A home whose questions recur in other words learns to trust its memory, and cannot learn what a neighbour looks like
until it has met some. So the words decide at first (`features.change_features`). What the home measures moves their
estimate, and once it has met a few neighbours that it would have trusted, its own Validator knows better. It never
knows better where an embedding sees no difference: there all that it judges by looks certain.
"""

import math
from collections.abc import Mapping

import numpy as np

from shammah_mlx.learners.features import UNCHANGED, UNSEEN, log_odds_without
from shammah_mlx.numerics import sigmoid

TRUSTED = 2.0  # log-odds of trust before the change counts: of these drafts only the change can tell which are wrong
WORTH = 40.0  # neighbours that the words' estimate counts as; by the sample, with fewer too many are served
SURELY_BAD = 0.25  # label; a meter in doubt has found no neighbour
ENOUGH = 6  # neighbours met, from which the Validator's own experience decides


class ChangedQuestions:
    """Counts the neighbours that the words let expect, and those that were found."""

    def __init__(self) -> None:
        self._expected, self._found = 0.0, 0

    def p_other_answer(self, features: Mapping[str, float]) -> float:
        """Return the probability that a question has another answer, by what changed; 0 if that is left to others."""
        return max(self._by_words(features["changed"]), sigmoid(UNSEEN) if _is_unseen(features) else 0.0)

    def _by_words(self, changed: float) -> float:
        if changed <= UNCHANGED or self._found >= ENOUGH:
            return 0.0
        return sigmoid(changed + math.log((self._found + WORTH) / (self._expected + WORTH)))

    def step(self, features: Mapping[str, float], label: float) -> None:
        """Count a draft by its features and its label, 1 for good; an unseen difference says nothing about words."""
        changed = features["changed"]
        if changed <= UNCHANGED or _is_unseen(features):
            return
        if log_odds_without(features["trust"], -changed) > TRUSTED:
            self._expected = float(np.float32(self._expected + sigmoid(changed)))  # as it is stored
            self._found += label < SURELY_BAD

    def state(self) -> dict[str, np.ndarray]:
        """Return the counts."""
        return {"counts": np.array([self._expected, self._found], np.float32)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from what `state` returned; from nothing if it was saved before there were counts."""
        if (counts := state.get("counts")) is not None:
            self._expected, self._found = float(counts[0]), int(counts[1])


def _is_unseen(features: Mapping[str, float]) -> bool:
    return features["unseen"] > 0.0
