"""Learn one reply without forgetting the others: replay old examples, and undo a step that does harm.

A reservoir holds a uniform sample of all examples so far (Vitter 1985, algorithm R); each step trains on the new one
and a few of those. The first replies are never trained on: they are the probes, whose loss is measured after every
step. Examples are stored as journal numbers, so no text is kept here.
"""

import math
from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from shammah_mlx.config import RehearsalConfig
from shammah_mlx.events import Step
from shammah_mlx.learners.gradient import Learner, text_loss
from shammah_mlx.models.backend import mx, scalar
from shammah_mlx.models.tokenizers import Example, pad_together

MakeExample = Callable[[int, int], Example]
"""Returns the training example of a journal number, given that of the neighbour in its prompt (0: none)."""

UNMEASURED = math.nan


class Rehearsal:
    """Train a learner with replay, probes and undo.

    The result is a function of the seed and the examples so far, in however many processes they were learnt.
    """

    def __init__(self, learner: Learner, make_example: MakeExample, config: RehearsalConfig, seed: int) -> None:
        self._learner, self._make_example, self._config, self._seed = learner, make_example, config, seed
        self._probes = np.zeros((0, 2), np.int64)  # number and neighbour of each
        self._reservoir = np.zeros((0, 2), np.int64)  # likewise
        self._offered = 0  # examples offered to the reservoir
        self._first = self._last = UNMEASURED  # loss on the probes: before training, and now

    def step(self, number: int, neighbour: int, rate: float) -> Step:
        """Train on a new example and a few old ones; or keep it as a probe, if there are too few probes."""
        if len(self._probes) < self._config.probes:
            self._probes = np.append(self._probes, [[number, neighbour]], axis=0)
            return Step(self._learner.role, self._loss([self._make_example(number, neighbour)]), applied=False)
        if math.isnan(self._last):
            self._first = self._last = self._probe_loss()
        weights, moments = self._learner.weights(), self._learner.optimizer_state()
        examples = [
            self._make_example(int(a), int(b)) for a, b in [(number, neighbour), *self._offer(number, neighbour)]
        ]
        step = self._learner.step(pad_together(examples), rate)
        loss = self._probe_loss() if step.applied else self._last
        if not self._harmless(loss):
            self._learner.load(weights, moments)
            return msgspec.structs.replace(step, applied=False)
        self._last = loss
        return step

    def state(self) -> dict[str, mx.array]:
        """Return all state that is not the learner's."""
        return {
            "probes": mx.array(self._probes),
            "reservoir": mx.array(self._reservoir),
            "offered": mx.array(self._offered),
            "probe_losses": mx.array([self._first, self._last]),
        }

    def load(self, state: Mapping[str, mx.array]) -> None:
        """Continue from what `state` returned.

        Raises:
            ValueError: it is not the state of a rehearsal; nothing has changed then.
        """
        if state.keys() != self.state().keys():
            raise ValueError("the saved rehearsal has other fields")
        self._probes, self._reservoir = np.array(state["probes"]), np.array(state["reservoir"])
        self._offered = int(scalar(state["offered"]))
        self._first, self._last = (float(loss) for loss in np.array(state["probe_losses"]))

    def _offer(self, number: int, neighbour: int) -> np.ndarray:
        """Return the old examples to replay, then offer the new one to the reservoir."""
        rng = np.random.default_rng([self._seed, number])
        replayed = self._reservoir[rng.permutation(len(self._reservoir))[: self._config.replayed]]
        self._offered += 1
        if len(self._reservoir) < self._config.reservoir:
            self._reservoir = np.append(self._reservoir, [[number, neighbour]], axis=0)
        elif (place := int(rng.integers(self._offered))) < len(self._reservoir):
            self._reservoir[place] = number, neighbour
        return replayed

    def _harmless(self, loss: float) -> bool:
        """Return whether a step that leads to this loss on the probes may stay; a loss that is not finite may not.

        A step that lowers the loss may stay even above the limit on drift. Otherwise a learner that reached the limit
        would never learn again.
        """
        drifted = loss > self._first + self._config.drift and loss > self._last
        return math.isfinite(loss) and loss <= self._last + self._config.tolerance and not drifted

    def _probe_loss(self) -> float:
        if not len(self._probes):
            return 0.0
        return self._loss(
            [_shortened(self._make_example(*pair), self._config.probe_tokens) for pair in self._probes.tolist()]
        )

    def _loss(self, examples: list[Example]) -> float:
        return scalar(text_loss(self._learner.model, pad_together(examples)))


def _shortened(example: Example, most: int) -> Example:
    """Cut the example's reply to `most` tokens."""
    ids, mask = example
    excess = max(0, sum(mask) - most)
    return ids[: len(ids) - excess], mask[: len(mask) - excess]
