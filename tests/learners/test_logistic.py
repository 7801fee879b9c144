import msgspec
import numpy as np
import pytest

from shammah_mlx.config import LogisticConfig
from shammah_mlx.learners.logistic import LogisticModel, most_probable

CONFIG = LogisticConfig(prior={"constant": -1.0, "x": 2.0}, strength=0.1)


def given(x: float) -> dict[str, float]:
    return {"constant": 1.0, "x": x, "not weighed": 7.0}


def examples(count: int, seed: int = 0) -> list[tuple[dict[str, float], int]]:
    """Draw examples whose label is 1 with probability sigmoid(-1 + 3x)."""
    random = np.random.default_rng(seed)
    drawn = []
    for x in random.uniform(-2, 2, count):
        label = int(random.random() < 1 / (1 + np.exp(1 - 3 * x)))
        drawn.append((given(float(x)), label))
    return drawn


def test_without_examples_it_predicts_by_the_prior() -> None:
    p = LogisticModel(CONFIG).probability(given(0.5))
    assert p == pytest.approx(1 / (1 + np.exp(0.0)))


def test_it_finds_the_weights_that_made_the_labels() -> None:
    model = LogisticModel(CONFIG)
    for features, label in examples(3000):
        model.step(features, label)
    assert model.state()["weights"] == pytest.approx(np.array([-1.0, 3.0]), abs=0.25)


def test_a_step_returns_the_loss_before_it() -> None:
    model = LogisticModel(CONFIG)
    features = given(0.0)
    p = model.probability(features)
    assert model.step(features, 1) == pytest.approx(-np.log(p))
    assert model.probability(features) > p


@pytest.mark.parametrize("scale", [10.0, 30.0, 100.0])
def test_one_kind_of_label_and_large_features_lead_to_the_most_probable_weights(scale: float) -> None:
    random = np.random.default_rng(0)
    x = np.column_stack([np.ones(300), random.uniform(0.0, scale, (300, 2))])
    prior, strength = np.array([3.5, 1.0, -1.0]), 1.0  # it expects ones; plain steps never settle from there
    found = most_probable(x, np.zeros(300), prior, strength)
    p = 1.0 / (1.0 + np.exp(-x @ found))
    assert x.T @ p + strength * (found - prior) == pytest.approx(np.zeros(3), abs=1e-6)  # the gradient is zero
    assert p.mean() < 0.05


def test_separable_examples_leave_the_weights_finite() -> None:
    model = LogisticModel(CONFIG)
    for n in range(200):
        model.step(given(1.0 if n % 2 else -1.0), n % 2)
    assert np.isfinite(model.state()["weights"]).all()
    assert model.probability(given(1.0)) > 0.95


@pytest.mark.parametrize("stop", [1, 24, 25, 26, 60, 99])
def test_saving_and_loading_changes_no_bit(stop: int) -> None:
    straight, first, second = (LogisticModel(CONFIG) for _ in range(3))
    drawn = examples(100)
    for features, label in drawn:
        straight.step(features, label)
    for features, label in drawn[:stop]:
        first.step(features, label)
    second.load(first.state())
    for features, label in drawn[stop:]:
        second.step(features, label)
    assert straight.state().keys() == second.state().keys()
    assert all(np.array_equal(straight.state()[name], second.state()[name]) for name in straight.state())


def test_it_refuses_examples_of_other_features() -> None:
    other = LogisticModel(LogisticConfig(prior={"constant": 0.0}))
    other.step({"constant": 1.0}, 1)
    with pytest.raises(ValueError, match="other features"):
        LogisticModel(CONFIG).load(other.state())


def test_a_strong_prior_gives_way_slowly() -> None:
    firm, loose = (LogisticModel(msgspec.structs.replace(CONFIG, strength=s)) for s in (1000.0, 0.1))
    for features, label in examples(100):
        firm.step(features, label)
        loose.step(features, label)
    start = LogisticModel(CONFIG).probability(given(1.5))
    assert abs(firm.probability(given(1.5)) - start) < abs(loose.probability(given(1.5)) - start)
