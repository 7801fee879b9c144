"""Learn one reply without forgetting the others: replay old examples, undo steps that do harm, average the rest.

A reservoir holds a uniform sample of all examples so far (Vitter 1985, algorithm R); each step trains on the new one
and a few of those, which may be varied with parts of others. The first replies are never trained on: they are the
probes. Their loss is measured every few steps, and where it rose too much the weights go back to the last measurement.
What is served is the running average of the weights that passed (after Polyak and Juditsky 1992): single steps on a few
examples are noisy, and the rate need not fall for the noise to go. Examples are stored as journal numbers, so no text
is kept here.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec
import numpy as np

from shammah_mlx.config import RehearsalConfig
from shammah_mlx.events import Step
from shammah_mlx.learners.gradient import Learner, check_same
from shammah_mlx.models.backend import Arrays, mx, prefixed, scalar, unprefixed
from shammah_mlx.models.tokenizers import Example

MakeExample = Callable[[int, int, Sequence[int]], Example]
"""Returns the training example of a journal number, given that of the neighbour in its prompt (0: none), and the
numbers of others that it may be varied with."""

Result = TypeVar("Result")


class Run(Protocol):
    """Runs what takes long, and returns its result; it may let other work go on meanwhile."""

    def __call__(self, work: Callable[[], Result]) -> Result:
        """Run `work`."""


def run_here(work: Callable[[], Result]) -> Result:
    """Run work on this thread."""
    return work()


UNMEASURED = math.nan
OTHERS = 32  # old examples that one is varied with
_KEPT = ("kept.weights.", "kept.moments.")
_FIELDS = {"probes", "reservoir", "offered", "probe_losses", "steps", "averaged"}
_LATER_FIELDS = {"steps", "averaged"}  # which older states do not have
_EARLY = 9  # the average of n measurements is over about the last n / 9 of them, until its share is reached


class Rehearsal:
    """Train a learner with replay, probes and undo.

    The result is a function of the seed and the examples so far, in however many processes they were learnt.
    """

    def __init__(self, learner: Learner, make_example: MakeExample, config: RehearsalConfig, seed: int) -> None:
        self._learner, self._make_example, self._config, self._seed = learner, make_example, config, seed
        self._probes = np.zeros((0, 2), np.int64)  # number and neighbour of each
        self._reservoir = np.zeros((0, 2), np.int64)  # likewise
        self._offered = 0  # examples offered to the reservoir
        self._first = self._last = UNMEASURED  # loss on the probes: before training, and at the last measurement
        self._steps = 0  # since that measurement
        self._kept: tuple[Arrays, Arrays] = ({}, {})  # the learner's weights and moments then; none before the first
        self.average: Arrays = learner.weights()  # of the weights at the measurements that passed
        self._averaged = 0  # measurements in it

    def step(self, number: int, neighbour: int, rate: float, run: Run = run_here) -> Step:
        """Train on a new example and a few old ones; or keep it as a probe, if there are too few probes.

        The step is not applied if its gradient is not finite, or if it ends a row of steps that is undone.
        """
        if len(self._probes) < self._config.probes:
            self._probes = np.append(self._probes, [[number, neighbour]], axis=0)
            example = self._make_example(number, neighbour, ())
            return Step(self._learner.role, run(lambda: self._learner.loss(example)), applied=False)
        if math.isnan(self._last):
            self._first = self._last = self._probe_loss(run)
        if not self._steps:
            self._kept = self._learner.weights(), self._learner.optimizer_state()
        replayed, others = self._offer(number, neighbour)
        examples = [
            self._make_example(number, neighbour, ()),
            *(self._make_example(int(a), int(b), others) for a, b in replayed),
        ]
        step = run(lambda: self._learner.step(examples, rate))
        self._steps += 1
        if self._steps < self._config.probe_every:
            return step
        self._steps = 0
        loss = self._probe_loss(run)
        if not self._harmless(loss):
            self._learner.load(*self._kept)
            return msgspec.structs.replace(step, applied=False)
        self._last = loss
        self._add_to_average()
        return step

    def withdraw(self, numbers: Collection[int]) -> None:
        """Take examples out of reservoir and probes, and out of the prompts of others: they were found to be wrong."""
        gone = list(numbers)
        self._reservoir = _without(self._reservoir, gone)
        probes = _without(self._probes, gone)
        if not np.array_equal(probes, self._probes):  # other probes have another loss, which is measured next
            self._probes, self._first, self._last = probes, UNMEASURED, UNMEASURED

    def state(self) -> dict[str, mx.array]:
        """Return all state that is neither the learner's nor the average."""
        kept = zip(_KEPT, self._kept, strict=True) if self._steps else ()
        return {
            "probes": mx.array(self._probes),
            "reservoir": mx.array(self._reservoir),
            "offered": mx.array(self._offered),
            "probe_losses": mx.array([self._first, self._last]),
            "steps": mx.array(self._steps),
            "averaged": mx.array(self._averaged),
            **{name: array for prefix, arrays in kept for name, array in prefixed(prefix, arrays).items()},
        }

    def load(self, state: Mapping[str, mx.array], average: Arrays) -> None:
        """Continue from what `state` returned, and the average.

        Raises:
            ValueError: it is not the state of a rehearsal, or the average is one of other weights.
        """
        if _LATER_FIELDS | {name for name in state if not name.startswith(_KEPT)} != _FIELDS:
            raise ValueError("the saved rehearsal has other fields")
        check_same(self.average, average)
        self._probes, self._reservoir = np.array(state["probes"]), np.array(state["reservoir"])
        self._offered = int(scalar(state["offered"]))
        self._steps = int(scalar(state["steps"])) if "steps" in state else 0
        measured = self._offered // self._config.probe_every  # by older states, which wrote with what they trained
        self._averaged = int(scalar(state["averaged"])) if "averaged" in state else measured
        self._first, self._last = (float(loss) for loss in np.array(state["probe_losses"]))
        weights, moments = (unprefixed(prefix, state) for prefix in _KEPT)
        self._kept, self.average = (weights, moments), average

    def _offer(self, number: int, neighbour: int) -> tuple[np.ndarray, list[int]]:
        """Return the old examples to replay, and the numbers of some more; offer the new one to the reservoir."""
        rng = np.random.default_rng([self._seed, number])
        drawn = self._reservoir[rng.permutation(len(self._reservoir))[: self._config.replayed + OTHERS]]
        replayed, others = drawn[: self._config.replayed], drawn[self._config.replayed :, 0].tolist()
        self._offered += 1
        if len(self._reservoir) < self._config.reservoir:
            self._reservoir = np.append(self._reservoir, [[number, neighbour]], axis=0)
        elif (place := int(rng.integers(self._offered))) < len(self._reservoir):
            self._reservoir[place] = number, neighbour
        return replayed, others

    def _add_to_average(self) -> None:
        self._averaged += 1
        keep = min(self._config.average, self._averaged / (self._averaged + _EARLY))
        weights = self._learner.weights()
        self.average = {name: keep * old + (1.0 - keep) * weights[name] for name, old in self.average.items()}
        mx.eval(self.average)

    def _harmless(self, loss: float) -> bool:
        """Return whether steps that lead to this loss on the probes may stay; a loss that is not finite may not.

        Steps that lower the loss may stay even above the limit on drift. Otherwise a learner that reached the limit
        would never learn again.
        """
        drifted = loss > self._first + self._config.drift and loss > self._last
        return math.isfinite(loss) and loss <= self._last + self._config.tolerance and not drifted

    def _probe_loss(self, run: Run) -> float:
        examples = [self._make_example(number, neighbour, ()) for number, neighbour in self._probes.tolist()]
        probes = [_shortened(example, self._config.probe_tokens) for example in examples]
        losses = run(lambda: [self._learner.loss(probe) for probe in probes])
        return float(np.float32(sum(losses) / max(1, len(losses))))  # as it is saved


def _without(examples: np.ndarray, gone: list[int]) -> np.ndarray:
    """Return examples, each a number and a neighbour, without those numbers; nothing stands for such a neighbour."""
    left: np.ndarray = examples[~np.isin(examples[:, 0], gone)].copy()
    left[np.isin(left[:, 1], gone), 1] = 0
    return left


def unmeasured(state: Arrays, prefix: str) -> Arrays:
    """Return a saved state as it is before the first measurement; its names begin with `prefix`.

    For a model that reads otherwise than it did: a loss measured then is no measure of what it learns now.
    """
    kept = tuple(prefix + name for name in _KEPT)
    begun = {"probe_losses": mx.array([UNMEASURED, UNMEASURED]), "steps": mx.array(0)}
    return {**{name: array for name, array in state.items() if not name.startswith(kept)}, **prefixed(prefix, begun)}


def _shortened(example: Example, most: int) -> Example:
    """Cut the example's reply to `most` tokens."""
    ids, mask = example
    excess = max(0, sum(mask) - most)
    return ids[: len(ids) - excess], mask[: len(mask) - excess]
