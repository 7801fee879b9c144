"""A causal transformer with a key-value cache: pre-norm, rotary positions, tied embedding."""

from shammah_mlx.config import DecoderConfig
from shammah_mlx.models.backend import mx, nn
from shammah_mlx.models.initial import initialize


class Cache:
    """Keys and values of the tokens a layer has read: (batch, heads, tokens, head)."""

    def __init__(self) -> None:
        self.keys: mx.array | None = None
        self.values: mx.array | None = None

    @property
    def length(self) -> int:
        """Return how many tokens are held."""
        return 0 if self.keys is None else self.keys.shape[2]

    def extend(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Append the new tokens and return all."""
        if self.keys is not None and self.values is not None:
            keys = mx.concatenate([self.keys, keys], axis=2)
            values = mx.concatenate([self.values, values], axis=2)
        self.keys, self.values = keys, values
        return keys, values


class Layer(nn.Module):
    """Causal self-attention and a feed-forward block, each on its normalised input."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.attention_norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.query = nn.Linear(config.width, config.width)
        self.key = nn.Linear(config.width, config.width)
        self.value = nn.Linear(config.width, config.width)
        self.output = nn.Linear(config.width, config.width)
        self.rope = nn.RoPE(config.width // config.heads, base=config.rope_base)
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.up = nn.Linear(config.width, config.hidden)
        self.down = nn.Linear(config.hidden, config.width)

    def __call__(self, x: mx.array, cache: Cache) -> mx.array:
        """Map (batch, tokens, width) to the same shape, reading and extending `cache`."""
        batch, tokens, width = x.shape

        def split(y: mx.array) -> mx.array:
            return y.reshape(batch, tokens, self.heads, -1).transpose(0, 2, 1, 3)

        h = self.attention_norm(x)
        q = self.rope(split(self.query(h)), offset=cache.length)
        k = self.rope(split(self.key(h)), offset=cache.length)
        k, v = cache.extend(k, split(self.value(h)))
        read = mx.fast.scaled_dot_product_attention(q, k, v, scale=q.shape[-1] ** -0.5, mask="causal")
        x = x + self.output(read.transpose(0, 2, 1, 3).reshape(batch, tokens, width))
        return x + self.down(nn.gelu(self.up(self.norm(x))))


class Decoder(nn.Module):
    """Map tokens to the logits of the token after each."""

    def __init__(self, config: DecoderConfig, key: mx.array) -> None:
        super().__init__()
        self.words = nn.Embedding(config.vocab, config.width)
        self.layers = [Layer(config) for _ in range(config.layers)]
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        initialize(self, key)

    def make_cache(self) -> list[Cache]:
        """Return an empty cache for each layer."""
        return [Cache() for _ in self.layers]

    def __call__(self, tokens: mx.array, cache: list[Cache] | None = None) -> mx.array:
        """Map (batch, tokens) of ids to (batch, tokens, vocab) of logits; `cache` holds the tokens before."""
        x = self.words(tokens)
        for layer, part in zip(self.layers, cache or self.make_cache(), strict=True):
            x = layer(x, part)
        return self.words.as_linear(self.norm(x))
