"""Initial weights (specification, Model Initialization): Xavier uniform matrices, zero biases, unit norms."""

import math

from shammah_mlx.models.backend import mx, nn, tree_flatten, tree_unflatten


def xavier_uniform(shape: tuple[int, int], key: mx.array) -> mx.array:
    """Draw a matrix with the variance 2 / (fan in + fan out) (Glorot and Bengio, 2010)."""
    bound = math.sqrt(6.0 / sum(shape))
    return mx.random.uniform(-bound, bound, shape, key=key)


def initialize(model: nn.Module, key: mx.array) -> None:
    """Set every parameter of `model`: matrices by Xavier, biases to 0, the scales of norms to 1.

    The result depends on `key` and the names of the parameters only; MLX's global generator is not used.
    """
    flat = tree_flatten(model.parameters())
    keys = mx.random.split(key, len(flat))
    drawn = []
    for (name, value), subkey in zip(flat, keys, strict=True):
        if value.ndim == 2:
            drawn.append((name, xavier_uniform(value.shape, subkey)))
        elif name.endswith("bias"):
            drawn.append((name, mx.zeros_like(value)))
        else:
            drawn.append((name, mx.ones_like(value)))
    model.update(tree_unflatten(drawn))
