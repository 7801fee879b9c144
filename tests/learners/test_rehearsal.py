"""The decoder's steps: what they depend on, what they train on, and when one is taken back."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shammah_mlx.config import DecoderConfig, OptimizerConfig, RehearsalConfig
from shammah_mlx.learners.gradient import Learner, text_loss
from shammah_mlx.learners.rehearsal import Rehearsal, unmeasured
from shammah_mlx.models.backend import load_arrays, mx, nn, unprefixed
from shammah_mlx.models.decoder import Decoder
from shammah_mlx.models.tokenizers import Example

CONFIG = RehearsalConfig(replayed=2, reservoir=4, probes=2, probe_every=1, probe_tokens=8, tolerance=1.0, drift=5.0)
SHAPE = DecoderConfig(vocab=32, width=16, layers=1, heads=2, hidden=32, max_tokens=64)
RATE = 1e-3


def loss(model: nn.Module, example: Example) -> mx.array:
    """Return the loss on one example."""
    ids, mask = example
    return text_loss(model, (mx.array([ids]), mx.array([mask])))


class Taught:
    """A rehearsal of a tiny decoder over numbered replies, and which examples it asked for."""

    def __init__(self, config: RehearsalConfig = CONFIG, seed: int = 0) -> None:
        self.learner = Learner("generator", Decoder(SHAPE, mx.random.key(seed)), loss, OptimizerConfig())
        self.asked: list[tuple[int, int]] = []
        self.varied: list[tuple[int, tuple[int, ...]]] = []
        self.rehearsal = Rehearsal(self.learner, self.example, config, seed)

    def example(self, number: int, neighbour: int, others: Sequence[int]) -> Example:
        self.varied.append((number, tuple(others)))
        self.asked.append((number, neighbour))
        reply = [number % 5, 7, *[9] * (number % 3), 2]
        return [1, neighbour % 30, *reply], [0, 0, *[1] * len(reply)]

    def steps(self, numbers: range, rate: float = RATE) -> list[tuple[float | None, bool]]:
        taken = [self.rehearsal.step(number, number // 2, rate) for number in numbers]
        return [(step.loss, step.applied) for step in taken]

    def everything(self) -> dict[str, np.ndarray]:
        parts = (
            self.learner.weights(),
            self.learner.optimizer_state(),
            self.rehearsal.state(),
            self.rehearsal.average,
        )
        return {f"{i}.{name}": np.array(value) for i, part in enumerate(parts) for name, value in part.items()}


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


def test_loss_falls_on_what_recurs() -> None:
    taught = Taught()
    losses = [loss or 0.0 for loss, _ in taught.steps(range(1, 31), 1e-2)]
    assert np.mean(losses[-6:]) < 0.7 * np.mean(losses[2:6])


def test_the_first_replies_are_kept_for_probing_and_never_trained_on() -> None:
    taught = Taught()
    before = {name: np.array(value) for name, value in taught.learner.weights().items()}
    assert [applied for _, applied in taught.steps(range(1, 3))] == [False, False]
    assert_same(before, {name: np.array(value) for name, value in taught.learner.weights().items()})
    taught.steps(range(3, 9))
    state = taught.rehearsal.state()
    assert state["probes"].tolist() == [[1, 0], [2, 1]]
    assert not {1, 2} & {int(row[0]) for row in np.array(state["reservoir"])}


def test_a_step_reads_the_new_example_and_as_many_old_ones_as_the_config_says() -> None:
    taught = Taught()
    taught.steps(range(1, 7))
    taught.asked.clear()
    taught.steps(range(7, 8))
    trained = taught.asked[: 1 + CONFIG.replayed]
    assert trained[0] == (7, 3)
    assert len(set(trained)) == 3
    assert set(trained[1:]) <= {(number, number // 2) for number in range(3, 7)}


def test_old_examples_may_be_varied_with_others_and_the_new_one_and_the_probes_not() -> None:
    taught = Taught(msgspec.structs.replace(CONFIG, reservoir=8))
    taught.steps(range(1, 8))
    for number, others in taught.varied:
        assert number not in others
        assert set(others) <= {3, 4, 5, 6}
    assert Counter(number for number, others in taught.varied if others).keys() <= {3, 4, 5, 6}
    assert all(others == () for number, others in taught.varied if number in {1, 2, 7})
    assert any(others for _, others in taught.varied)


def test_same_seed_same_result() -> None:
    one, again, other = Taught(), Taught(), Taught(seed=1)
    assert one.steps(range(1, 7)) == again.steps(range(1, 7))
    assert_same(one.everything(), again.everything())
    assert other.steps(range(1, 7)) != one.steps(range(1, 7))


@pytest.mark.parametrize("probe_every", [1, 3])
@pytest.mark.parametrize("stop", [0, 1, 2, 3, 6, 8])
def test_the_steps_after_save_and_load_are_the_steps_after_none(tmp_path: Path, stop: int, probe_every: int) -> None:
    config = msgspec.structs.replace(CONFIG, probe_every=probe_every)
    straight, saved, loaded = Taught(config), Taught(config), Taught(config)
    straight.steps(range(1, stop + 1))
    saved.steps(range(1, stop + 1))
    for name, arrays in (("state", saved.rehearsal.state()), ("average", saved.rehearsal.average)):
        mx.save_safetensors(str(tmp_path / f"{name}.safetensors"), arrays)
    state, average = (load_arrays(tmp_path / f"{name}.safetensors") for name in ("state", "average"))
    loaded.rehearsal.load(state, average)
    loaded.learner.load(saved.learner.weights(), saved.learner.optimizer_state())
    rest = range(stop + 1, stop + 8)
    assert straight.steps(rest) == loaded.steps(rest)
    assert_same(straight.everything(), loaded.everything())


def test_a_step_that_hurts_is_taken_back_with_its_adam_state() -> None:
    taught = Taught(msgspec.structs.replace(CONFIG, tolerance=0.1))
    taught.steps(range(1, 5))
    before = taught.everything()
    [(loss, applied)] = taught.steps(range(5, 6), rate=10.0)
    assert not applied
    assert loss is not None
    assert math.isfinite(loss)
    after = taught.everything()
    for name in ("2.reservoir", "2.offered"):  # it was offered all the same
        del before[name], after[name]
    assert_same(before, after)
    assert taught.steps(range(6, 7))[0][1]


def test_steps_between_two_measurements_are_undone_together() -> None:
    config = msgspec.structs.replace(CONFIG, tolerance=0.1, probe_every=3)
    taught, stopped = Taught(config), Taught(config)
    for each in (taught, stopped):
        each.steps(range(1, 6))  # two probes, and a row of three that stays
        assert each.steps(range(6, 8), rate=10.0)[-1][1]
    resumed = Taught(config)
    resumed.rehearsal.load(stopped.rehearsal.state(), stopped.rehearsal.average)
    resumed.learner.load(stopped.learner.weights(), stopped.learner.optimizer_state())
    three = Taught(config)
    three.steps(range(1, 6))
    for each in (taught, resumed):
        assert not each.steps(range(8, 9))[0][1]
        assert same_weights(each, three)


def test_what_is_served_is_the_average_of_the_weights_that_passed() -> None:
    taught = Taught(msgspec.structs.replace(CONFIG, tolerance=0.1, average=0.6))
    mean = {name: np.array(value) for name, value in taught.learner.weights().items()}
    passed = 0
    for number in range(1, 21):
        rate = 10.0 if number % 5 == 0 else RATE  # such a step is undone
        [(_, applied)] = taught.steps(range(number, number + 1), rate)
        if applied:
            passed += 1
            keep = min(0.6, passed / (passed + 9))
            mean = {name: keep * mean[name] + (1 - keep) * np.array(w) for name, w in taught.learner.weights().items()}
    assert 10 < passed < 18
    for name, value in taught.rehearsal.average.items():
        np.testing.assert_allclose(value, mean[name], rtol=1e-4, atol=1e-6)


def same_weights(one: Taught, other: Taught) -> bool:
    pairs = zip(one.learner.weights().values(), other.learner.weights().values(), strict=True)
    return all(mx.array_equal(a, b).item() for a, b in pairs)


def test_what_takes_long_is_run_as_the_caller_says() -> None:
    taught, ran = Taught(), []

    def run(work):  # type: ignore[no-untyped-def]
        ran.append(work)
        return work()

    for number in range(1, 5):
        taught.rehearsal.step(number, 0, RATE, run)
    assert len(ran) == 2 + 1 + 2 * 2  # two probes, their loss, and two steps with a measurement each


def test_a_step_to_weights_that_are_no_numbers_is_taken_back() -> None:
    taught = Taught()
    taught.steps(range(1, 4))
    assert taught.steps(range(4, 5), rate=math.inf)[0][1] is False
    assert all(np.isfinite(value).all() for value in taught.everything().values())


def test_many_small_steps_may_not_drift_where_one_large_one_may_not_go() -> None:
    def rises(config: RehearsalConfig) -> list[bool]:
        learner = Learner("generator", _Row(), loss, OptimizerConfig())
        rehearsal = Rehearsal(learner, lambda number, *_: ([0, min(number, 2)], [0, 1]), config, 0)
        return [rehearsal.step(number, 0, 1e-2).applied for number in range(1, 31)]

    loose = msgspec.structs.replace(CONFIG, probes=1, tolerance=0.1, drift=1.0)
    assert rises(loose) == [False] + 29 * [True]
    applied = rises(msgspec.structs.replace(loose, drift=0.1))
    assert applied[1:4] == [True] * 3
    assert not any(applied[20:])


def test_without_probes_every_finite_step_stands() -> None:
    taught = Taught(msgspec.structs.replace(CONFIG, probes=0))
    assert all(applied for _, applied in taught.steps(range(1, 4)))


def test_a_state_of_another_kind_is_refused() -> None:
    taught = Taught()
    with pytest.raises(ValueError, match="other fields"):
        taught.rehearsal.load({"reservoir": mx.zeros((1, 2))}, {})


def test_an_average_of_other_weights_is_refused() -> None:
    taught = Taught()
    with pytest.raises(ValueError, match="missing or unknown"):
        taught.rehearsal.load(taught.rehearsal.state(), {"another": mx.zeros(1)})


def test_a_state_from_before_averages_goes_on_from_what_it_wrote_with() -> None:
    old = Taught()
    old.steps(range(1, 31))
    state = {name: array for name, array in old.rehearsal.state().items() if name not in {"averaged", "steps"}}
    loaded = Taught()
    loaded.learner.load(old.learner.weights(), old.learner.optimizer_state())
    loaded.rehearsal.load(state, old.learner.weights())
    assert_same(arrays(loaded.rehearsal.average), arrays(old.learner.weights()))
    assert loaded.rehearsal.state()["averaged"].item() == 28


def test_a_model_that_reads_otherwise_has_its_probes_measured_again() -> None:
    config = msgspec.structs.replace(CONFIG, tolerance=0.1, probe_every=3)
    stopped, loaded = Taught(config), Taught(config)
    stopped.steps(range(1, 7))
    saved = {f"it.{name}": array for name, array in stopped.rehearsal.state().items()}
    saved["it.probe_losses"] = mx.array([0.0, 0.0])  # what no step would reach
    loaded.rehearsal.load(unprefixed("it.", unmeasured(saved, "it.")), stopped.rehearsal.average)
    assert all(applied for _, applied in loaded.steps(range(7, 13), rate=1e-4))


def arrays(of: Mapping[str, mx.array]) -> dict[str, np.ndarray]:
    return {name: np.array(array) for name, array in of.items()}


class _Row(nn.Module):  # type: ignore[misc] # mlx.nn has no stubs
    """The smallest language model: the same four logits after every token."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = mx.zeros((1, 4))

    def __call__(self, ids: mx.array) -> mx.array:
        return mx.broadcast_to(self.logits, (*ids.shape, 4))


def offered(seed: int, count: int, size: int) -> list[int]:
    """Return what a reservoir holds after `count` examples."""
    config = msgspec.structs.replace(CONFIG, reservoir=size, probes=0, replayed=1)
    learner = Learner("generator", _Row(), loss, OptimizerConfig())
    rehearsal = Rehearsal(learner, lambda number, *_: ([0, number % 4], [0, 1]), config, seed)
    for number in range(1, count + 1):
        rehearsal.step(number, 0, RATE)
    return [int(row[0]) for row in np.array(rehearsal.state()["reservoir"])]


@settings(max_examples=20)
@given(st.integers(0, 2**63 - 1), st.integers(0, 12), st.integers(1, 8))
def test_the_reservoir_holds_distinct_examples_and_all_while_there_is_room(seed: int, count: int, size: int) -> None:
    kept = offered(seed, count, size)
    assert len(kept) == len(set(kept)) == min(count, size)
    assert set(kept) <= set(range(1, count + 1))
    assert kept == offered(seed, count, size)


def test_the_reservoir_is_a_uniform_sample() -> None:
    trials, count, size = 400, 12, 3
    kept = Counter(number for seed in range(trials) for number in offered(seed, count, size))
    expected = trials * size / count
    spread = math.sqrt(expected * (1 - size / count))
    assert all(abs(kept[number] - expected) < 4 * spread for number in range(1, count + 1))
