"""A linear map by ridge regression, refitted as examples are added, in pieces that give way to other work."""

from collections.abc import Callable

import msgspec
import numpy as np

from shammah_mlx.framework.loop import GiveWay, do_nothing

FEW = 0.5  # examples a column, up to which inverting a matrix of examples, not of columns, takes less time

Examples = Callable[[int, int], tuple[np.ndarray, np.ndarray]]
"""Returns the examples from one index to before another: inputs (n, columns) and targets (n, width), both float64."""


class Fit(msgspec.Struct, frozen=True):
    """The result of a fit, as it is saved."""

    count: int  # examples it was fitted to; 0 if these were others
    weights: np.ndarray  # (columns, width) fp32

    def to_others(self) -> "Fit":
        """Return the fit as one to other examples, which speaks for the present ones until they are fitted."""
        return msgspec.structs.replace(self, count=0)


class RidgeRegression:
    """Map inputs to vectors.

    The weights are a function of the examples, bit for bit: examples are summed in fixed blocks from the beginning, so
    rounding does not depend on how often, or by how many processes, they were fitted. While a fit gives way, `values`
    returns what the fit before it says.
    """

    def __init__(self, ridge: float, block: int) -> None:
        self._ridge, self._block = ridge, block
        self.fitted = 0  # examples in the last fit
        self._weights = np.zeros((0, 0))  # (columns, width)
        self._summed = 0  # examples, in whole blocks, in the two sums below
        self._gram, self._sums = np.zeros((0, 0)), np.zeros((0, 0))  # (columns, columns), (columns, width)

    def fit(self, examples: Examples, count: int, give_way: GiveWay = do_nothing) -> None:
        """Fit to the first `count` examples, unless that is done."""
        if count == self.fitted:
            return
        equations = self._equations(examples, count, give_way)
        if count != self.fitted:  # who was given way may have needed it
            self.restore(Fit(count, np.linalg.solve(*equations).astype(np.float32)))

    def restore(self, fit: Fit) -> None:
        """Continue from an earlier fit to the same examples, or speak by one to others."""
        self.fitted, self._weights = fit.count, fit.weights.astype(np.float64)

    @property
    def last_fit(self) -> Fit:
        """Return the last fit."""
        return Fit(self.fitted, self._weights.astype(np.float32))

    @property
    def speaks(self) -> bool:
        """Say whether there are weights, if only by a fit to other examples."""
        return len(self._weights) > 0

    def values(self, inputs: np.ndarray) -> np.ndarray:
        """Return the vectors (n, width) for these inputs, by the last fit; there must have been one."""
        vectors: np.ndarray = inputs @ self._weights
        return vectors

    def fitted_to(
        self, examples: Examples, count: int, give_way: GiveWay = do_nothing
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the inverse (columns, columns) and the weights (columns, width) of a fit to the first `count`."""
        columns = examples(0, 1)[0].shape[1]
        if count <= FEW * columns:
            return self._fitted_to_few(*examples(0, count))
        gram, sums = self._equations(examples, count, give_way)
        give_way()
        inverse = np.linalg.inv(gram)
        give_way()
        weights = inverse @ sums
        give_way()
        return inverse, weights

    def _fitted_to_few(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what `fitted_to` does, by Woodbury's identity: (X'X + r)^-1 = (1 - X' (XX' + r)^-1 X) / r."""
        count, columns = inputs.shape
        solved = np.linalg.inv(inputs @ inputs.T + self._ridge * np.eye(count)) @ inputs  # (count, columns)
        return (np.eye(columns) - inputs.T @ solved) / self._ridge, solved.T @ targets

    def _equations(self, examples: Examples, count: int, give_way: GiveWay) -> tuple[np.ndarray, np.ndarray]:
        """Return the normal equations of the first `count` examples: (columns, columns) and (columns, width)."""
        if self._summed > count:  # `fitted_to` went further than this fit
            self._summed = 0
        while self._summed + self._block <= count:
            self._gram, self._sums = self._added(*examples(self._summed, self._summed + self._block))
            self._summed += self._block
            give_way()
        gram, sums = self._added(*examples(self._summed, count))
        return gram + self._ridge * np.eye(len(gram)), sums

    def _added(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums over whole blocks, plus these examples."""
        gram, sums = inputs.T @ inputs, inputs.T @ targets
        return (self._gram + gram, self._sums + sums) if self._summed else (gram, sums)
