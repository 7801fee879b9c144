"""Import MLX, with a fast BLAS where the platform's wheel lacks one.

The one place that imports `mlx`; every other module takes `mx`, `nn` and `optim` from here.
MLX's Linux CPU wheel links reference BLAS. If OpenBLAS is in the process's global symbol scope before
`mlx.core` loads, its `sgemm` is used instead: thirty times faster at 1024 x 1024. macOS needs none of this.
"""

import ctypes
import sys


def preload_openblas() -> bool:
    """Load OpenBLAS into the global symbol scope; say whether it was there."""
    try:
        ctypes.CDLL("libopenblas.so.0", mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True


HAS_FAST_BLAS = sys.platform != "linux" or preload_openblas()

import mlx.core as mx  # noqa: E402  must follow the preload
import mlx.nn as nn  # noqa: E402
import mlx.optimizers as optim  # noqa: E402
from mlx.utils import tree_flatten, tree_map, tree_unflatten  # noqa: E402

__all__ = ["HAS_FAST_BLAS", "mx", "nn", "optim", "tree_flatten", "tree_map", "tree_unflatten"]
