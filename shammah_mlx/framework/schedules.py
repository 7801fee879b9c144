"""Schedules: values that depend only on `seen`, the number of queries handled so far."""

import math

from shammah_mlx.config import Bands, OptimizerConfig


def band_value(bands: Bands, seen: int) -> float | None:
    """Return the value of the last band that starts at or before `seen`; None before the first."""
    value = None
    for start, band in bands:
        if seen >= start:
            value = band
    return value


def learning_rate(base: float, seen: int, config: OptimizerConfig) -> float:
    """Return a step's learning rate: cosine annealing with warm restarts (specification, Learning Rate Schedule)."""
    cycle, position = divmod(seen, config.cycle)
    cosine = 0.5 * (1.0 + math.cos(math.pi * position / config.cycle))
    return base * config.cycle_decay**cycle * (config.floor + (1.0 - config.floor) * cosine)
