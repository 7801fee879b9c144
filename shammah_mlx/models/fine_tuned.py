"""A pretrained encoder with a one-logit head, of which only the head and adapters in the top layers are trained.

The lower layers are frozen and shared with the embedder (specification, Router and Validator: an encoder with a head).
"""

import copy

from shammah_mlx.config import HeadConfig
from shammah_mlx.models.backend import mx, nn, tree_flatten
from shammah_mlx.models.encoder import Encoder, attention_mask, mean_pool
from shammah_mlx.models.language_model import draw_adapters, random_state_restored
from shammah_mlx.models.tokenizers import WordPieces

Read = tuple[mx.array, mx.array]
"""What the frozen layers make of a text, (1, tokens, width), and which tokens are no padding, (1, tokens)."""


class LowRank(nn.Module):
    """A frozen linear layer with an adapter beside it (Hu et al. 2021); mlx-lm's takes more than a second to import."""

    def __init__(self, linear: nn.Linear, config: HeadConfig) -> None:
        super().__init__()
        width, reads = linear.weight.shape
        self.linear, self.scale = linear, config.scale
        self.lora_a, self.lora_b = mx.zeros((reads, config.rank)), mx.zeros((config.rank, width))

    def __call__(self, x: mx.array) -> mx.array:
        """Map (..., inputs) to (..., outputs)."""
        return self.linear(x) + self.scale * (x @ self.lora_a) @ self.lora_b


class TopLayers(nn.Module):
    """The trained part: the last layers with adapters, and the head on their mean."""

    def __init__(self, layers: list[nn.Module], config: HeadConfig, seed: int) -> None:
        super().__init__()
        self.layers = copy.deepcopy(
            layers, {id(array): array for layer in layers for _, array in tree_flatten(layer.parameters())}
        )
        self.freeze()
        with random_state_restored():
            for layer in self.layers:
                linear = {name: part for name, part in layer.children().items() if isinstance(part, nn.Linear)}
                layer.update_modules({name: LowRank(part, config) for name, part in linear.items()})
        draw_adapters(self, seed)
        width = layers[-1].norm.weight.shape[0]
        key = mx.random.key(seed)
        with random_state_restored():
            self.head = nn.Linear(width, 1)
        self.head.weight = config.head_scale * mx.random.normal((1, width), key=key)
        self.head.bias = mx.full((1,), config.head_bias)
        mx.eval(self.parameters())

    def __call__(self, x: mx.array, real: mx.array) -> mx.array:
        """Map what the frozen layers read to one logit for each text: (batch,)."""
        mask = attention_mask(real)
        for layer in self.layers:
            x = layer(x, mask)
        return self.head(mean_pool(x, real)).squeeze(-1)


class FineTuned:
    """The encoder and its trained part, `network`."""

    def __init__(self, encoder: Encoder, tokens: WordPieces, config: HeadConfig, seed: int) -> None:
        self._encoder, self._tokens, self._frozen = encoder, tokens, max(0, len(encoder.layers) - config.layers)
        self.network = TopLayers(encoder.layers[self._frozen :], config, seed)

    def read(self, text: str | tuple[str, str]) -> Read:
        """Return what the frozen layers make of a text or a pair of texts."""
        tokens, segments, real = self._tokens.encode([text])  # type: ignore[arg-type]  # a list of one kind
        return self._encoder(tokens, segments, real, until=self._frozen), real

    @staticmethod
    def loss(network: nn.Module, example: tuple[Read, float]) -> mx.array:
        """Return the binary cross-entropy of one text with its label in [0, 1]."""
        (x, real), label = example
        return nn.losses.binary_cross_entropy(network(x, real), mx.array([label]), with_logits=True, reduction="mean")
