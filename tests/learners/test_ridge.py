import numpy as np
import pytest

from shammah_mlx.learners.ridge import RidgeClassifier

COLUMNS, CLASSES, RIDGE = 6, 4, 0.5
RNG = np.random.default_rng(7)
INPUTS, WHICH = RNG.normal(size=(100, COLUMNS)), np.minimum(np.arange(100) // 9, CLASSES - 1)


def examples(first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    return INPUTS[first:last], WHICH[first:last]


@pytest.mark.parametrize("count", [1, 15, 16, 17, 100])
def test_it_is_ridge_regression(count: int) -> None:
    classifier = RidgeClassifier(RIDGE, block=16)
    classifier.fit(examples, count)
    x, wanted = INPUTS[:count], np.eye(CLASSES)[WHICH[:count]]
    weights = np.linalg.lstsq(
        np.vstack([x, np.sqrt(RIDGE) * np.eye(COLUMNS)]), np.vstack([wanted, np.zeros((COLUMNS, 4))])
    )
    assert classifier.values(INPUTS, CLASSES) == pytest.approx(INPUTS @ weights[0])


def test_however_often_it_was_fitted_it_says_the_same_bit_for_bit() -> None:
    at_once, often = RidgeClassifier(RIDGE, block=16), RidgeClassifier(RIDGE, block=16)
    at_once.fit(examples, 90)
    for count in range(10, 100, 10):
        often.fit(examples, count)
        often.fitted_to(examples, count + 7)
    assert np.array_equal(at_once.values(INPUTS, CLASSES), often.values(INPUTS, CLASSES))
    for one, other in zip(at_once.fitted_to(examples, 97), often.fitted_to(examples, 97), strict=True):
        assert np.array_equal(one, other)


def test_unfitted_it_gives_every_class_nothing() -> None:
    assert not RidgeClassifier(RIDGE, block=16).values(INPUTS, CLASSES).any()
