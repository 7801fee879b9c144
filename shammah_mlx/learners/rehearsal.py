"""Learn one reply without unlearning the others: replay old examples, and take back a step that hurts.

A reservoir holds a uniform sample of all examples so far (Vitter 1985, algorithm R); each step trains on the new one
and a few of those. The first replies are never trained on: they are the probes that every step is measured by. Examples
are known by journal numbers, so that no text is kept here.
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
"""Return the tokens of a journal number's reply, given that of the neighbour shown with it, 0 for none."""

UNMEASURED = math.nan


class Rehearsal:
    """Everything beside the learner's own state that the next step depends on.

    What it does is a function of the seed and the examples offered so far, however many processes they came by.
    """

    def __init__(self, learner: Learner, make_example: MakeExample, config: RehearsalConfig, seed: int) -> None:
        self._learner, self._make_example, self._config, self._seed = learner, make_example, config, seed
        self._probes = np.zeros((0, 2), np.int64)  # number and neighbour of each
        self._kept = np.zeros((0, 2), np.int64)  # the reservoir
        self._offered = 0  # examples the reservoir has seen
        self._first = self._last = UNMEASURED  # loss on the probes, untrained and now

    def step(self, number: int, neighbour: int, rate: float) -> Step:
        """Train on one more example and a few old ones; keep it for probing instead if probes are wanting."""
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
        """Return everything that is not the learner's."""
        return {
            "probes": mx.array(self._probes),
            "reservoir": mx.array(self._kept),
            "offered": mx.array(self._offered),
            "probe_losses": mx.array([self._first, self._last]),
        }

    def load(self, state: Mapping[str, mx.array]) -> None:
        """Continue from what `state` returned.

        Raises:
            ValueError: it is no such state; nothing has changed then.
        """
        if state.keys() != self.state().keys():
            raise ValueError("a rehearsal of another kind")
        self._probes, self._kept = np.array(state["probes"]), np.array(state["reservoir"])
        self._offered = int(scalar(state["offered"]))
        self._first, self._last = (float(loss) for loss in np.array(state["probe_losses"]))

    def _offer(self, number: int, neighbour: int) -> np.ndarray:
        """Return the old examples to replay, and give the new one its chance to be kept."""
        rng = np.random.default_rng([self._seed, number])
        replayed = self._kept[rng.permutation(len(self._kept))[: self._config.replayed]]
        self._offered += 1
        if len(self._kept) < self._config.reservoir:
            self._kept = np.append(self._kept, [[number, neighbour]], axis=0)
        elif (place := int(rng.integers(self._offered))) < len(self._kept):
            self._kept[place] = number, neighbour
        return replayed

    def _harmless(self, loss: float) -> bool:
        """Say whether the probes allow weights with this loss on them; a loss that is no number is never allowed.

        Steps that lead down again pass even above the bound on drift, or a learner that met it would learn no more.
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
    """Return the example with no more than `most` tokens to be learnt."""
    ids, mask = example
    excess = max(0, sum(mask) - most)
    return ids[: len(ids) - excess], mask[: len(mask) - excess]
