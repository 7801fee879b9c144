"""One contract for the three learners, and the optimizer against the arithmetic of its papers."""

import math
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from shammah_mlx.config import OptimizerConfig
from shammah_mlx.events import ROLES, Role
from shammah_mlx.learners.gradient import Batch, Learner, label_loss, text_loss
from shammah_mlx.models.backend import mx, nn
from shammah_mlx.models.decoder import Decoder
from shammah_mlx.models.encoder import EncoderClassifier
from tests.conftest import TINY_DECODER, TINY_ENCODER

CONFIG = OptimizerConfig()
TOKENS = mx.array([[101, 17, 2000, 9, 102]])


def make(role: Role, seed: int = 0, config: OptimizerConfig = CONFIG) -> Learner:
    key = mx.random.key(seed)
    if role == "generator":
        return Learner(role, Decoder(TINY_DECODER, key), text_loss, config)
    return Learner(role, EncoderClassifier(TINY_ENCODER, key), label_loss, config)


def batch_for(role: Role) -> Batch:
    if role == "generator":
        return TOKENS, mx.array([[0, 0, 1, 1, 1]])
    segments = mx.array([[0, 0, 0, int(role == "validator"), int(role == "validator")]])
    return TOKENS, segments, mx.ones_like(TOKENS), mx.array([1.0])


def same(a: dict[str, mx.array], b: dict[str, mx.array]) -> bool:
    return a.keys() == b.keys() and all(mx.array_equal(a[name], b[name]).item() for name in a)


@pytest.mark.parametrize("role", ROLES)
class TestContract:
    def test_loss_falls_on_a_fixed_batch(self, role: Role) -> None:
        learner = make(role)
        losses = [learner.step([batch_for(role)], 1e-2).loss for _ in range(50)]
        assert losses[-1] < 0.5 * losses[0]

    def test_same_seed_same_result(self, role: Role) -> None:
        one, other = make(role), make(role)
        for learner in (one, other):
            for _ in range(3):
                learner.step([batch_for(role)], 1e-3)
        assert same(one.weights(), other.weights())
        assert same(one.optimizer_state(), other.optimizer_state())

    def test_predicting_changes_nothing(self, role: Role) -> None:
        learner = make(role)
        before = learner.weights()
        inputs = batch_for(role)[:1] if role == "generator" else batch_for(role)[:3]
        mx.eval(learner.model(*inputs))
        assert same(before, learner.weights())

    def test_the_step_after_save_and_load_is_the_step_after_none(self, role: Role) -> None:
        straight, saved, loaded = make(role), make(role), make(role, seed=5)
        for learner in (straight, saved):
            learner.step([batch_for(role)], 1e-3)
        loaded.load(saved.weights(), saved.optimizer_state())
        steps = [learner.step([batch_for(role)], 7e-4) for learner in (straight, loaded)]
        assert steps[0] == steps[1]
        assert same(straight.weights(), loaded.weights())
        assert same(straight.optimizer_state(), loaded.optimizer_state())

    def test_a_gradient_that_is_not_finite_changes_nothing_and_is_told(self, role: Role) -> None:
        learner = make(role)
        learner.step([batch_for(role)], 1e-3)
        poisoned = {name: mx.full(value.shape, math.nan) for name, value in learner.weights().items()}
        healthy = learner.weights()
        learner.load(poisoned, learner.optimizer_state())
        state = learner.optimizer_state()
        assert not learner.step([batch_for(role)], 1e-3).applied
        assert same(state, learner.optimizer_state())
        learner.load(healthy, state)
        assert learner.step([batch_for(role)], 1e-3).applied

    def test_foreign_weights_are_refused_whole(self, role: Role) -> None:
        learner = make(role)
        before = learner.weights()
        name = next(iter(before))
        with pytest.raises(ValueError, match="parameters"):
            learner.load({**before, "foreign": mx.zeros((1,))}, learner.optimizer_state())
        with pytest.raises(ValueError, match=name):
            learner.load({**before, name: mx.zeros((3, 3, 3))}, learner.optimizer_state())
        assert same(before, learner.weights())


class _Line(nn.Module):  # type: ignore[misc] # mlx.nn has no stubs
    """One weight; loss = slope * weight."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = mx.array([weight])


def line_learner(weight: float, slope: float, config: OptimizerConfig) -> tuple[Learner, Callable[[], float]]:
    model = _Line(weight)
    learner = Learner("router", model, lambda m, _: (m.weight * slope).sum(), config)
    return learner, lambda: float(model.weight.item())


def adam_by_hand(weight: float, gradients: list[float], rate: float, config: OptimizerConfig) -> float:
    """Kingma and Ba (2015), Algorithm 1, in float64, with L2 added to the gradient."""
    m = v = 0.0
    for t, slope in enumerate(gradients, 1):
        g = slope + config.weight_decay * weight
        m = config.beta1 * m + (1 - config.beta1) * g
        v = config.beta2 * v + (1 - config.beta2) * g * g
        m_hat, v_hat = m / (1 - config.beta1**t), v / (1 - config.beta2**t)
        weight -= rate * m_hat / (math.sqrt(v_hat) + config.epsilon)
    return weight


@pytest.mark.parametrize("slope", [0.5, -0.3, 1e-6])
def test_steps_are_adams_with_bias_correction(slope: float) -> None:
    learner, weight = line_learner(0.7, slope, CONFIG)
    for _ in range(5):
        learner.step([()], 1e-2)
    assert weight() == pytest.approx(adam_by_hand(0.7, [slope] * 5, 1e-2, CONFIG), abs=1e-6)


def test_l2_decays_a_weight_that_has_no_gradient() -> None:
    learner, weight = line_learner(0.7, 0.0, CONFIG)
    for _ in range(100):
        learner.step([()], 1e-4)
    assert weight() == pytest.approx(adam_by_hand(0.7, [0.0] * 100, 1e-4, CONFIG), abs=1e-6)
    assert weight() < 0.7 - 0.009


def test_gradients_are_clipped_to_the_global_norm() -> None:
    config = msgspec.structs.replace(CONFIG, weight_decay=0.0)
    mild, mild_weight = line_learner(0.0, 1.0, config)
    harsh, harsh_weight = line_learner(0.0, 100.0, config)
    for _ in range(3):
        mild.step([()], 1e-3)
        harsh.step([()], 1e-3)
    assert harsh_weight() == pytest.approx(mild_weight(), rel=1e-5)
    moments = harsh.optimizer_state()
    assert float(moments["weight.m"].item()) == pytest.approx(1.0 - 0.9**3, rel=1e-4)  # of gradients of 1, not 100


@pytest.mark.parametrize("loss", [math.inf, math.nan])
def test_a_loss_that_is_not_finite_is_skipped(loss: float) -> None:
    learner, weight = line_learner(1.0, loss, CONFIG)
    step = learner.step([()], 1e-3)
    assert not step.applied
    assert weight() == 1.0


def test_a_gradient_that_is_not_finite_is_skipped_though_the_loss_is() -> None:
    model = _Line(0.0)
    learner = Learner("router", model, lambda m, _: mx.sqrt(m.weight).sum(), CONFIG)  # slope 1/0 at 0
    step = learner.step([()], 1e-3)
    assert (step.loss, step.applied) == (0.0, False)
    assert model.weight.item() == 0.0


def test_label_loss_is_binary_cross_entropy_of_the_probability() -> None:
    model = EncoderClassifier(TINY_ENCODER, mx.random.key(0))
    for label in (0.0, 1.0):
        batch = (TOKENS, mx.zeros_like(TOKENS), mx.ones_like(TOKENS), mx.array([label]))
        p = 1 / (1 + math.exp(-model(*batch[:3]).item()))
        expected = -(label * math.log(p) + (1 - label) * math.log(1 - p))
        assert label_loss(model, batch).item() == pytest.approx(expected, rel=1e-5)


def test_label_loss_is_finite_where_the_probability_rounds_to_zero() -> None:
    batch = (TOKENS, TOKENS, TOKENS, mx.array([1.0]))
    assert label_loss(lambda *_: mx.array([-500.0]), batch).item() == pytest.approx(500.0)


def test_text_loss_scores_the_reply_given_all_before_it_and_nothing_else() -> None:
    model = Decoder(TINY_DECODER, mx.random.key(0))
    ids, mask = [5, 6, 7, 8, 9], [0, 0, 0, 1, 1]
    logits = np.array(model(mx.array([ids])))[0].astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -(log_p[2, 8] + log_p[3, 9]) / 2  # token t is scored by position t - 1
    assert text_loss(model, (mx.array([ids]), mx.array([mask]))).item() == pytest.approx(expected, rel=1e-5)


def test_text_loss_ignores_padding() -> None:
    model = Decoder(TINY_DECODER, mx.random.key(0))
    alone = text_loss(model, (mx.array([[5, 6, 7]]), mx.array([[0, 1, 1]]))).item()
    padded = text_loss(model, (mx.array([[5, 6, 7, 0, 0]]), mx.array([[0, 1, 1, 0, 0]]))).item()
    assert padded == pytest.approx(alone, rel=1e-6)
