"""Hold the rows of a matrix, whose number grows by one at a time."""

import numpy as np


class GrowingMatrix:
    """A matrix that grows by rows; its buffer doubles, so that a new row seldom copies the others."""

    def __init__(self, kind: type) -> None:
        self._kind, self._count = kind, 0
        self._buffer: np.ndarray = np.zeros((0, 0), kind)

    def append(self, row: np.ndarray) -> None:
        """Add a row."""
        if self._count == len(self._buffer):
            grown: np.ndarray = np.zeros((max(1, 2 * self._count), len(row)), self._kind)
            grown[: self._count] = self._buffer[: self._count] if self._count else 0
            self._buffer = grown
        self._buffer[self._count] = row
        self._count += 1

    @property
    def all(self) -> np.ndarray:
        """Return all rows: (rows, columns)."""
        return self._buffer[: self._count]
