"""One generic online learner: a model, a loss, Adam. What differs between the three roles is an argument.

It works on arrays, and knows neither queries nor tokenizers.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shammah_mlx.config import OptimizerConfig
from shammah_mlx.events import Role, Step
from shammah_mlx.models.backend import mx, nn, optim, scalar, tree_flatten, tree_map, tree_unflatten

Batch = tuple[mx.array, ...]
Loss = Callable[[nn.Module, Any], mx.array]
"""Maps a model and one batch, in whatever form it reads, to a scalar."""


class Learner:
    """Train `model` one step at a time; hold all state that the next step depends on.

    `compute` computes a loss, and its gradient where there is one: MLX evaluates nothing before it is told to.
    """

    def __init__(
        self,
        role: Role,
        model: nn.Module,
        loss: Loss,
        config: OptimizerConfig,
        compute: Callable[..., None] = mx.eval,
    ) -> None:
        self.role = role
        self.model = model
        self._compute = compute
        self._loss, self._loss_and_grad = loss, nn.value_and_grad(model, loss)
        self._max_norm = config.max_grad_norm
        self._decay = config.weight_decay
        self._adam = optim.Adam(
            learning_rate=0.0, betas=[config.beta1, config.beta2], eps=config.epsilon, bias_correction=True
        )
        self._adam.init(model.trainable_parameters())
        mx.eval(self._adam.state)  # here, since the steps may be taken on another thread

    def step(self, batches: Sequence[Any], rate: float) -> Step:
        """Clip the mean gradient of the batches to the global norm, add L2, take one Adam step at `rate`."""
        losses, grads = [], None
        for batch in batches:  # one at a time: their activations need not be in memory together
            loss, more = self._loss_and_grad(self.model, batch)
            grads = more if grads is None else tree_map(mx.add, grads, more)
            self._compute(loss, grads)
            losses.append(loss)
        loss = losses[0]
        if len(batches) > 1:
            loss, grads = mx.mean(mx.stack(losses)), tree_map(lambda g: g / len(batches), grads)
        grads, norm = optim.clip_grad_norm(grads, self._max_norm)
        mx.eval(loss, norm)
        if not (math.isfinite(scalar(loss)) and math.isfinite(scalar(norm))):
            return Step(self.role, scalar(loss), applied=False)
        # L2 as the specification says. Decoupled decay would do nothing: 1 - lr * 1e-4 rounds to 1 in fp32.
        grads = tree_map(lambda g, p: g + self._decay * p, grads, self.model.trainable_parameters())
        self._adam.learning_rate = mx.array(rate)
        self._adam.update(self.model, grads)
        mx.eval(self.model.trainable_parameters(), self._adam.state)
        return Step(self.role, scalar(loss), applied=True)

    def loss(self, batch: Any) -> float:
        """Return the loss on a batch, and learn nothing."""
        loss = self._loss(self.model, batch)
        self._compute(loss)
        return scalar(loss)

    def weights(self) -> dict[str, mx.array]:
        """Return the trainable parameters, flat, by name."""
        return dict(tree_flatten(self.model.trainable_parameters()))

    def optimizer_state(self) -> dict[str, mx.array]:
        """Return Adam's moments, step count and rate, flat, by name."""
        return dict(tree_flatten(self._adam.state))

    def load(self, weights: Mapping[str, mx.array], optimizer_state: Mapping[str, mx.array]) -> None:
        """Continue from what `weights` and `optimizer_state` returned.

        Raises:
            ValueError: a name, shape or type is not this learner's; nothing has changed then.
        """
        check_same(self.weights(), weights)
        check_same(self.optimizer_state(), optimizer_state)
        self.model.update(tree_unflatten(list(weights.items())))
        self._adam.state = tree_unflatten(list(optimizer_state.items()))
        mx.eval(self.model.parameters(), self._adam.state)


def check_same(mine: Mapping[str, mx.array], given: Mapping[str, mx.array]) -> None:
    """Check that given arrays have the names, shapes and types of mine.

    Raises:
        ValueError: they have not.
    """
    if odd := sorted(mine.keys() ^ given.keys()):
        raise ValueError(f"the parameters do not match this model's: {odd[0]!r} is missing or unknown")
    for name, array in mine.items():
        if array.shape != given[name].shape or array.dtype != given[name].dtype:
            raise ValueError(f"{name!r} is {given[name].dtype}{given[name].shape}, not {array.dtype}{array.shape}")


def label_loss(model: nn.Module, batch: Batch) -> mx.array:
    """Return the mean binary cross-entropy on logits; batch: tokens, segments, real (B, T each), labels (B,)."""
    tokens, segments, real, labels = batch
    return nn.losses.binary_cross_entropy(model(tokens, segments, real), labels, with_logits=True, reduction="mean")


def text_loss(model: nn.Module, batch: Batch) -> mx.array:
    """Return the mean cross-entropy of the reply's tokens under teacher forcing.

    Batch: tokens (B, T), and `mask` (B, T): 1 where a token belongs to the reply, 0 in prompt and padding. Each token
    is predicted from those before it.
    """
    tokens, mask = batch
    logits = model(tokens[:, :-1])  # (B, T - 1, vocab)
    losses = nn.losses.cross_entropy(logits, tokens[:, 1:])  # (B, T - 1)
    weight = mask[:, 1:].astype(losses.dtype)
    return (losses * weight).sum() / weight.sum()
