import msgspec
import numpy as np
import pytest

from shammah_mlx.config import CalibrationConfig
from shammah_mlx.learners.logistic import EvidenceModel

CONFIG = CalibrationConfig(prior={"constant": -1.0, "x": 2.0}, strength=0.1)


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


def test_without_examples_the_prior_speaks() -> None:
    p = EvidenceModel(CONFIG).probability(given(0.5))
    assert p == pytest.approx(1 / (1 + np.exp(0.0)))


def test_it_finds_the_weights_that_made_the_labels() -> None:
    model = EvidenceModel(CONFIG)
    for evidence, label in examples(3000):
        model.step(evidence, label)
    assert model.state()["weights"] == pytest.approx(np.array([-1.0, 3.0]), abs=0.25)


def test_a_step_tells_the_loss_before_it() -> None:
    model = EvidenceModel(CONFIG)
    evidence = given(0.0)
    p = model.probability(evidence)
    assert model.step(evidence, 1) == pytest.approx(-np.log(p))
    assert model.probability(evidence) > p


def test_separable_examples_leave_the_weights_finite() -> None:
    model = EvidenceModel(CONFIG)
    for n in range(200):
        model.step(given(1.0 if n % 2 else -1.0), n % 2)
    assert np.isfinite(model.state()["weights"]).all()
    assert model.probability(given(1.0)) > 0.95


@pytest.mark.parametrize("stop", [1, 24, 25, 26, 60, 99])
def test_stopping_and_going_on_changes_no_bit(stop: int) -> None:
    straight, first, second = (EvidenceModel(CONFIG) for _ in range(3))
    drawn = examples(100)
    for evidence, label in drawn:
        straight.step(evidence, label)
    for evidence, label in drawn[:stop]:
        first.step(evidence, label)
    second.load(first.state())
    for evidence, label in drawn[stop:]:
        second.step(evidence, label)
    assert straight.state().keys() == second.state().keys()
    assert all(np.array_equal(straight.state()[name], second.state()[name]) for name in straight.state())


def test_it_refuses_examples_of_other_evidence() -> None:
    other = EvidenceModel(CalibrationConfig(prior={"constant": 0.0}))
    other.step({"constant": 1.0}, 1)
    with pytest.raises(ValueError, match="not what it was"):
        EvidenceModel(CONFIG).load(other.state())


def test_a_strong_prior_gives_way_slowly() -> None:
    firm, loose = (EvidenceModel(msgspec.structs.replace(CONFIG, strength=s)) for s in (1000.0, 0.1))
    for evidence, label in examples(100):
        firm.step(evidence, label)
        loose.step(evidence, label)
    start = EvidenceModel(CONFIG).probability(given(1.5))
    assert abs(firm.probability(given(1.5)) - start) < abs(loose.probability(given(1.5)) - start)
