"""A copy of a language model to train on while the original answers; both share all arrays, so it takes no memory.

The copy differs in two ways. If the name of its output layer is known, that reads only the reply's positions, a few at
a time: the logits of a prompt are a fifth of a step's work and nobody looks at them, and those of a whole reply, in
one product, keep other threads from multiplying for as long as it takes. And where a text is long, a layer's
activations are computed again for the gradient instead of being kept (gradient checkpointing, Chen et al. 2016), which
takes a third longer and half the memory.
"""

import copy
import functools
from typing import Any

from shammah_mlx.models.backend import mx, nn, tree_flatten
from shammah_mlx.models.tokenizers import Example

KEPT = 160  # tokens; SmolLM2 takes 310 MB for a step on so many, 410 MB on 192
PIECE = 32  # positions that the output layer reads at once
OUTPUT_LAYERS = ("lm_head", "embed_tokens")  # names in mlx-lm; the second one where the two share weights


class _Head:
    """The output layer of a network, which leaves its work to `read`: the network returns what it would have read."""

    def __init__(self, layer: nn.Module) -> None:
        self.first = 0  # position to read from
        self._layer, kind = layer, type(layer)
        method = "as_linear" if hasattr(kind, "as_linear") else "__call__"
        self._whole = getattr(kind, method)
        layer.__class__ = type(kind.__name__, (kind,), {method: lambda _, x: x[:, self.first :]})

    def read(self, x: mx.array) -> mx.array:
        """Map (1, positions, width) to (1, positions, vocabulary)."""
        logits: mx.array = self._whole(self._layer, x)
        return logits


class TrainingCopy:
    """The copy, as `network`, and the loss on one example."""

    def __init__(self, original: nn.Module) -> None:
        mx.eval(original)  # also arrays that are no parameters: what is lazy can be computed on its own thread only
        shared = {id(array): array for _, array in tree_flatten(original.parameters())}
        self.network: nn.Module = copy.deepcopy(original, shared)
        self._head = _head(self.network)
        for layer in self.network.layers:
            _checkpoint(layer)

    def loss(self, network: nn.Module, example: Example) -> mx.array:
        """Return the mean cross-entropy of the reply's tokens, each predicted from those before it.

        The reply is the end of the example, from its first masked token on.
        """
        ids, mask = example
        first = mask.index(1)
        replied, head = ids[first:], self._head
        if head is None:
            logits = network(mx.array([ids[:-1]]))[:, first - len(ids) :]  # (1, reply, vocabulary)
            return _sum_of_losses(logits, replied) / len(replied)
        head.first = first - 1
        x = network(mx.array([ids[:-1]]))  # (1, reply, width)
        pieces = range(0, len(replied), PIECE)
        sums = (_sum_of_losses(head.read(x[:, i : i + PIECE]), replied[i : i + PIECE]) for i in pieces)
        return functools.reduce(mx.add, sums) / len(replied)


def _sum_of_losses(logits: mx.array, ids: list[int]) -> mx.array:
    # in fp32: a loss of 8 in bf16 is a multiple of 1/16
    return nn.losses.cross_entropy(logits.astype(mx.float32), mx.array([ids]), reduction="sum")


def _head(network: nn.Module) -> _Head | None:
    named = {name.rpartition(".")[2]: module for name, module in network.named_modules()}
    layer = next((named[name] for name in OUTPUT_LAYERS if name in named), None)
    return None if layer is None else _Head(layer)


def _checkpoint(layer: nn.Module) -> None:
    """Let a layer compute its activations again for the gradient if its input is long."""
    kind = type(layer)

    def call(self: nn.Module, x: mx.array, *args: Any, **named: Any) -> mx.array:
        if x.shape[1] <= KEPT:
            return kind.__call__(self, x, *args, **named)

        def inner(parameters: Any, x: mx.array, *args: Any, **named: Any) -> mx.array:
            self.update(parameters)
            return kind.__call__(self, x, *args, **named)

        return mx.checkpoint(inner)(self.trainable_parameters(), x, *args, **named)

    layer.__class__ = type(kind.__name__, (kind,), {"__call__": call})
