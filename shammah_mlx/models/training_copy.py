"""A copy of a language model to train on while the original answers; both share all arrays, so it takes no memory.

The copy differs in two ways, neither of which changes a number. Its output layer reads only the reply's positions, if
its name is known: the logits of a prompt are a fifth of a step's work, and nobody looks at them. And where a text is
long, a layer's activations are computed again for the gradient instead of being kept (gradient checkpointing, Chen et
al. 2016), which takes a third longer and half the memory.
"""

import copy
from typing import Any

import msgspec

from shammah_mlx.models.backend import mx, nn, tree_flatten
from shammah_mlx.models.tokenizers import Example

KEPT = 192  # tokens; SmolLM2's activations of 384 take 800 MB
OUTPUT_LAYERS = ("lm_head", "embed_tokens")  # names in mlx-lm; the second one where the two share weights


class _Read(msgspec.Struct):
    """From which position on the output layer reads."""

    first: int = 0


class TrainingCopy:
    """The copy, as `network`, and the loss on one example."""

    def __init__(self, original: nn.Module) -> None:
        mx.eval(original)  # also arrays that are no parameters: what is lazy can be computed on its own thread only
        shared = {id(array): array for _, array in tree_flatten(original.parameters())}
        self.network: nn.Module = copy.deepcopy(original, shared)
        self._read = _Read()
        _narrow(self.network, self._read)
        for layer in self.network.layers:
            _checkpoint(layer)

    def loss(self, network: nn.Module, example: Example) -> mx.array:
        """Return the mean cross-entropy of the reply's tokens, each predicted from those before it.

        The reply is the end of the example, from its first masked token on.
        """
        ids, mask = example
        first = mask.index(1)
        self._read.first = first - 1
        logits = network(mx.array([ids[:-1]]))  # (1, reply, vocabulary), or (1, all, vocabulary)
        logits = logits[:, first - len(ids) :].astype(mx.float32)  # a loss of 8 in bf16 is a multiple of 1/16
        return nn.losses.cross_entropy(logits, mx.array([ids[first:]]), reduction="mean")


def _narrow(network: nn.Module, read: _Read) -> None:
    """Let the output layer read from `read.first` on, if it has a name that is known."""
    named = {name.rpartition(".")[2]: module for name, module in network.named_modules()}
    layer = next((named[name] for name in OUTPUT_LAYERS if name in named), None)
    if layer is None:
        return
    kind = type(layer)
    method = "as_linear" if hasattr(kind, "as_linear") else "__call__"
    whole = getattr(kind, method)
    layer.__class__ = type(kind.__name__, (kind,), {method: lambda self, x: whole(self, x[:, read.first :])})


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
