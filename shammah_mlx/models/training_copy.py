"""A copy of a language model to train on while the original answers; both share all arrays, so it takes no memory.

The copy differs in two ways, neither of which changes a number but for rounding. If the name of its output layer is
known, that reads only the reply's positions, a few at a time: the logits of a prompt are a fifth of a step's work and
nobody looks at them, and one product for a whole reply keeps other threads from multiplying meanwhile. And where a
text is long, a layer's activations are computed again for the gradient instead of being kept (gradient checkpointing,
Chen et al. 2016), which takes a third longer and half the memory.

Loss and gradient are computed a layer at a time. MLX limits how much all threads together have handed over and not
computed yet (`MAX_ACTIVE_TASKS` in its transforms.cpp). Above that every thread waits, before each operation, for any
task to end. So a thread that hands over a whole step holds up all others.
"""

import copy
from typing import Any

import msgspec

from shammah_mlx.models.backend import mx, nn, tree_flatten
from shammah_mlx.models.tokenizers import Example

KEPT = 160  # tokens; SmolLM2 takes 330 MB for a step on so many, 410 MB on 192
PIECE = 32  # positions that the output layer reads at once
OUTPUT_LAYERS = ("lm_head", "embed_tokens")  # names in mlx-lm; the second one where the two share weights


class _Read(msgspec.Struct):
    """From which position on the output layer reads."""

    first: int = 0


class TrainingCopy:
    """The copy, as `network`, the loss on one example, and how to compute it."""

    def __init__(self, original: nn.Module) -> None:
        mx.eval(original)  # also arrays that are no parameters: what is lazy can be computed on its own thread only
        shared = {id(array): array for _, array in tree_flatten(original.parameters())}
        self.network: nn.Module = copy.deepcopy(original, shared)
        self._read = _Read()
        self._outputs: list[mx.array] = []  # of the layers, not computed yet
        _narrow(self.network, self._read)
        for layer in self.network.layers:
            _checkpoint(layer, self._outputs)

    def loss(self, network: nn.Module, example: Example) -> mx.array:
        """Return the mean cross-entropy of the reply's tokens, each predicted from those before it.

        The reply is the end of the example, from its first masked token on.
        """
        ids, mask = example
        first = mask.index(1)
        self._read.first = first - 1
        self._outputs.clear()
        logits = network(mx.array([ids[:-1]]))  # (1, reply, vocabulary), or (1, all, vocabulary)
        logits = logits[:, first - len(ids) :].astype(mx.float32)  # a loss of 8 in bf16 is a multiple of 1/16
        return nn.losses.cross_entropy(logits, mx.array([ids[first:]]), reduction="mean")

    def compute(self, loss: mx.array, grads: Any = ()) -> None:
        """Compute the loss that was asked for last, and its gradient, a layer at a time."""
        outputs = self._outputs.copy()
        self._outputs.clear()  # whatever happens: they hold a graph
        for output in outputs:
            mx.eval(output)
        del outputs
        mx.eval(loss)
        for _, grad in reversed(tree_flatten(grads)):  # the last layer's gradient is found first
            mx.eval(grad)


def _narrow(network: nn.Module, read: _Read) -> None:
    """Let the output layer read from `read.first` on, a few positions at a time, if it has a name that is known."""
    named = {name.rpartition(".")[2]: module for name, module in network.named_modules()}
    layer = next((named[name] for name in OUTPUT_LAYERS if name in named), None)
    if layer is None:
        return
    kind = type(layer)
    method = "as_linear" if hasattr(kind, "as_linear") else "__call__"
    whole = getattr(kind, method)

    def call(self: nn.Module, x: mx.array) -> mx.array:
        places = range(read.first, x.shape[1], PIECE)
        return mx.concatenate([whole(self, x[:, place : place + PIECE]) for place in places], axis=1)

    layer.__class__ = type(kind.__name__, (kind,), {method: call})


def _checkpoint(layer: nn.Module, outputs: list[mx.array]) -> None:
    """Let a layer compute its activations again for the gradient if its input is long, and note its output."""
    kind = type(layer)

    def call(self: nn.Module, x: mx.array, *args: Any, **named: Any) -> mx.array:
        outputs.append(read(self, x, *args, **named))
        return outputs[-1]

    def read(self: nn.Module, x: mx.array, *args: Any, **named: Any) -> mx.array:
        if x.shape[1] <= KEPT:
            return kind.__call__(self, x, *args, **named)

        def inner(parameters: Any, x: mx.array, *args: Any, **named: Any) -> mx.array:
            self.update(parameters)
            return kind.__call__(self, x, *args, **named)

        return mx.checkpoint(inner)(self.trainable_parameters(), x, *args, **named)

    layer.__class__ = type(kind.__name__, (kind,), {"__call__": call})
