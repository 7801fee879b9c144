"""A BERT-style transformer encoder (Devlin et al., 2018), and a classifier made of it.

The encoder with MiniLM's weights embeds text. The classifier, trained from scratch, is the Router, f(query), and the
Validator, f(query, response), of the `literal` preset.
"""

from shammah_mlx.config import EncoderConfig
from shammah_mlx.models.backend import mx, nn
from shammah_mlx.models.initial import initialize

SEGMENTS = 2  # as in BERT: 0 for the first text of a pair, 1 for the second


class Layer(nn.Module):
    """Self-attention and a feed-forward block, each added to its input and normalised after."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = nn.Linear(config.width, config.width)
        self.key = nn.Linear(config.width, config.width)
        self.value = nn.Linear(config.width, config.width)
        self.output = nn.Linear(config.width, config.width)
        self.attention_norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.up = nn.Linear(config.width, config.hidden)
        self.down = nn.Linear(config.hidden, config.width)
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps)

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        """Map (batch, tokens, width) to the same shape; `mask` is True where a token may be read."""
        batch, tokens, width = x.shape

        def split(y: mx.array) -> mx.array:
            return y.reshape(batch, tokens, self.heads, -1).transpose(0, 2, 1, 3)  # (batch, heads, tokens, head)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        read = mx.fast.scaled_dot_product_attention(q, k, v, scale=q.shape[-1] ** -0.5, mask=mask)
        x = self.attention_norm(x + self.output(read.transpose(0, 2, 1, 3).reshape(batch, tokens, width)))
        return self.norm(x + self.down(nn.gelu(self.up(x))))


class Encoder(nn.Module):
    """Map each token to one contextual vector."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.words = nn.Embedding(config.vocab, config.width)
        self.positions = nn.Embedding(config.max_tokens, config.width)
        self.segments = nn.Embedding(SEGMENTS, config.width)
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.layers = [Layer(config) for _ in range(config.layers)]

    def __call__(self, tokens: mx.array, segments: mx.array, real: mx.array, *, until: int | None = None) -> mx.array:
        """Map ids, segment ids and the padding mask, (batch, tokens) each, to (batch, tokens, width).

        With `until`, stop before the layer of this number.
        """
        x = self.words(tokens) + self.positions(mx.arange(tokens.shape[1])) + self.segments(segments)
        x = self.norm(x)
        mask = attention_mask(real)
        for layer in self.layers[:until]:
            x = layer(x, mask)
        return x


def attention_mask(real: mx.array) -> mx.array:
    """Return where a token may be read, for all heads and tokens: (batch, 1, 1, tokens)."""
    return real.astype(mx.bool_)[:, None, None, :]


class EncoderClassifier(nn.Module):
    """Map a text, or a pair of texts, to one logit: a linear head on the encoder's first token (BERT's [CLS])."""

    def __init__(self, config: EncoderConfig, key: mx.array) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.head = nn.Linear(config.width, 1)
        initialize(self, key)
        self.head.weight = self.head.weight * config.head_scale
        self.head.bias = mx.full((1,), config.head_bias)

    def __call__(self, tokens: mx.array, segments: mx.array, real: mx.array) -> mx.array:
        """Map ids, segment ids and the padding mask, (batch, tokens) each, to (batch,) logits."""
        return self.head(self.encoder(tokens, segments, real)[:, 0]).squeeze(-1)


def mean_pool(vectors: mx.array, real: mx.array) -> mx.array:
    """Average the vectors of real tokens and scale to length 1, as sentence-transformers does: (batch, width)."""
    weight = real.astype(vectors.dtype)[..., None]
    mean = (vectors * weight).sum(axis=1) / mx.maximum(weight.sum(axis=1), 1e-9)
    return mean / mx.maximum(mx.linalg.norm(mean, axis=-1, keepdims=True), 1e-12)
