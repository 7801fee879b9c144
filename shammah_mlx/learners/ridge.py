"""A linear classifier by ridge regression, refitted as examples are added."""

from collections.abc import Callable

import numpy as np

Examples = Callable[[int, int], tuple[np.ndarray, np.ndarray]]
"""Returns the examples from one index to before another: inputs (n, columns) float64, and the class of each (n,)."""


class RidgeClassifier:
    """Map inputs to one value per class, near 1 for the right class.

    The weights are a function of the examples, bit for bit: examples are summed in fixed blocks from the beginning, so
    rounding does not depend on how often, or by how many processes, the classifier was fitted.
    """

    def __init__(self, ridge: float, block: int) -> None:
        self._ridge, self._block = ridge, block
        self._fitted = 0  # examples in the last fit
        self._weights = np.zeros((0, 0))  # (columns, classes)
        self._summed = 0  # examples, in whole blocks, in the two sums below
        self._gram, self._sums = np.zeros((0, 0)), np.zeros((0, 0))  # (columns, columns), (classes, columns)

    def fit(self, examples: Examples, count: int) -> None:
        """Fit to the first `count` examples, unless that is done; the count must not fall."""
        if count != self._fitted:
            self._weights = np.linalg.solve(*self._equations(examples, count))
            self._fitted = count

    def values(self, inputs: np.ndarray, classes: int) -> np.ndarray:
        """Return the values (n, classes); 0 for a class not known at the last fit."""
        values = np.zeros((len(inputs), classes))
        if self._fitted:
            values[:, : self._weights.shape[1]] = inputs @ self._weights
        return values

    def fitted_to(self, examples: Examples, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the inverse (columns, columns) and the weights (columns, classes) of a fit to the first `count`."""
        gram, sums = self._equations(examples, count)
        inverse = np.linalg.inv(gram)
        return inverse, inverse @ sums

    def _equations(self, examples: Examples, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the normal equations of the first `count` examples: (columns, columns) and (columns, classes)."""
        while self._summed + self._block <= count:
            self._gram, self._sums = self._added(*examples(self._summed, self._summed + self._block))
            self._summed += self._block
        gram, sums = self._added(*examples(self._summed, count))
        return gram + self._ridge * np.eye(len(gram)), sums.T

    def _added(self, inputs: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums over whole blocks, plus these examples."""
        sums = np.zeros((max(len(self._sums), which.max(initial=-1) + 1), inputs.shape[1]))
        np.add.at(sums, which, inputs)
        gram = inputs.T @ inputs
        if self._summed:
            gram += self._gram
            sums[: len(self._sums)] += self._sums
        return gram, sums
