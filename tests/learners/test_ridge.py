import numpy as np
import pytest

from shammah_mlx.learners.ridge import RidgeRegression

COLUMNS, WIDTH, RIDGE = 6, 4, 0.5
RNG = np.random.default_rng(7)
INPUTS, TARGETS = RNG.normal(size=(100, COLUMNS)), RNG.normal(size=(100, WIDTH))


def examples(first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    return INPUTS[first:last], TARGETS[first:last]


@pytest.mark.parametrize("count", [1, 15, 16, 17, 100])
def test_it_is_ridge_regression(count: int) -> None:
    regression = RidgeRegression(RIDGE, block=16)
    regression.fit(examples, count)
    x, wanted = examples(0, count)
    weights = np.linalg.lstsq(
        np.vstack([x, np.sqrt(RIDGE) * np.eye(COLUMNS)]), np.vstack([wanted, np.zeros((COLUMNS, WIDTH))])
    )
    assert regression.values(INPUTS) == pytest.approx(INPUTS @ weights[0], abs=1e-6)  # its weights are fp32
    assert regression.fitted == count


def test_however_often_it_was_fitted_it_says_the_same_bit_for_bit() -> None:
    at_once, often = RidgeRegression(RIDGE, block=16), RidgeRegression(RIDGE, block=16)
    at_once.fit(examples, 90)
    for count in range(10, 100, 10):
        often.fit(examples, count)
        often.fitted_to(examples, count + 7)
    assert np.array_equal(at_once.values(INPUTS), often.values(INPUTS))
    for one, other in zip(at_once.fitted_to(examples, 97), often.fitted_to(examples, 97), strict=True):
        assert np.array_equal(one, other)


def test_what_was_asked_of_more_examples_changes_no_fit_to_fewer() -> None:
    alone, asked = RidgeRegression(RIDGE, block=16), RidgeRegression(RIDGE, block=16)
    asked.fitted_to(examples, 97)  # six blocks
    for count in (90, 100):
        alone.fit(examples, count)
        asked.fit(examples, count)
        assert np.array_equal(asked.values(INPUTS), alone.values(INPUTS))


def test_a_fit_to_fewer_while_more_are_asked_for_changes_neither() -> None:
    alone, asked = RidgeRegression(RIDGE, block=16), RidgeRegression(RIDGE, block=16)
    alone.fit(examples, 50)
    expected = alone.fitted_to(examples, 97)

    def give_way() -> None:
        if asked_for:
            asked.fit(examples, asked_for.pop())

    asked_for = [50]
    asked.fitted_to(examples, 97)
    told = asked.fitted_to(examples, 97, give_way)
    assert np.array_equal(asked.values(INPUTS), alone.values(INPUTS))
    for one, other in zip(told, expected, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 100])
def test_inverse_and_weights_are_those_of_the_fit_however_few_the_examples(count: int) -> None:
    regression = RidgeRegression(RIDGE, block=16)
    inverse, weights = regression.fitted_to(examples, count)
    x, wanted = examples(0, count)
    assert inverse @ (x.T @ x + RIDGE * np.eye(COLUMNS)) == pytest.approx(np.eye(COLUMNS), abs=1e-9)
    assert weights == pytest.approx(inverse @ x.T @ wanted)
