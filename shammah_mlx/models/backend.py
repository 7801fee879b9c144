"""Import MLX, with a fast BLAS where the platform's wheel lacks one.

The one place that imports `mlx`; every other module takes `mx`, `nn` and `optim` from here.
MLX's Linux CPU wheel links reference BLAS. If OpenBLAS is in the process's global symbol scope before
`mlx.core` loads, its `sgemm` is used instead: thirty times faster at 1024 x 1024. macOS needs none of this.
"""

import ctypes
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from shammah_mlx.models import compiled


def preload_openblas() -> bool:
    """Load OpenBLAS into the global symbol scope; say whether it was there."""
    try:
        ctypes.CDLL("libopenblas.so.0", mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True


compiled.keep_private()
HAS_FAST_BLAS = sys.platform != "linux" or preload_openblas()

import mlx.core as mx  # noqa: E402  must follow the preload
import mlx.nn as nn  # noqa: E402
import mlx.optimizers as optim  # noqa: E402
from mlx.utils import tree_flatten, tree_map, tree_unflatten  # noqa: E402

if os.environ.get("SHAMMAH_DEVICE") == "cpu":  # for tests: the same arithmetic on every platform
    mx.set_default_device(mx.cpu)


Arrays = dict[str, mx.array]


def load_arrays(path: Path) -> Arrays:
    """Read a safetensors file into memory; `mx.load` alone is lazy and may read it after it is gone.

    Raises:
        RuntimeError: the file is not in safetensors format.
    """
    arrays = mx.load(str(path), format="safetensors")
    mx.eval(arrays)
    return cast("Arrays", arrays)


def prefixed(prefix: str, arrays: Mapping[str, mx.array]) -> Arrays:
    """Return the arrays under longer names, so that several sets fit into one file."""
    return {prefix + name: array for name, array in arrays.items()}


def unprefixed(prefix: str, arrays: Mapping[str, mx.array]) -> Arrays:
    """Return the arrays whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def scalar(array: mx.array) -> float:
    """Return the one number of an array."""
    return cast("float", array.item())


# fmt: off
__all__ = [
    "HAS_FAST_BLAS", "Arrays", "load_arrays", "mx", "nn", "optim", "prefixed", "scalar",
    "tree_flatten", "tree_map", "tree_unflatten", "unprefixed",
]
# fmt: on
