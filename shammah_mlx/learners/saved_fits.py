"""Save the memory's regressions as arrays, and take them up again if they were made with the same settings.

Fitting the largest contexts anew takes seconds, for which a question in a process just started would wait.
"""

from collections.abc import Mapping

import msgspec
import numpy as np

from shammah_mlx.config import RecallConfig
from shammah_mlx.events import hash_63
from shammah_mlx.learners.ridge import Fit

VERSION = "1"  # of what the regressions read and how they are fitted
SETTINGS, WEIGHTS, COUNT = "settings", "weights", "count"


def arrays_of(fits: Mapping[int, Fit], config: RecallConfig) -> dict[str, np.ndarray]:
    """Return the regressions of some contexts as named arrays."""
    arrays = {SETTINGS: np.array(_settings(config))}
    for context, fit in fits.items():
        arrays |= {f"{context}.{WEIGHTS}": fit.weights, f"{context}.{COUNT}": np.array(fit.count)}
    return arrays


def fits_of(arrays: Mapping[str, np.ndarray], config: RecallConfig) -> dict[int, Fit]:
    """Return what `arrays_of` was given; nothing if there are none, or they were made with other settings."""
    if SETTINGS not in arrays or int(arrays[SETTINGS]) != _settings(config):
        return {}
    contexts = [name.removesuffix(f".{WEIGHTS}") for name in arrays if name.endswith(WEIGHTS)]
    return {int(key): Fit(int(arrays[f"{key}.{COUNT}"]), arrays[f"{key}.{WEIGHTS}"]) for key in contexts}


def _settings(config: RecallConfig) -> int:
    return hash_63(msgspec.json.encode((VERSION, config.ridge, config.block, config.word_weight)))
