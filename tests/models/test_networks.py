import json
import math
from pathlib import Path

import numpy as np
import pytest

from shammah_mlx.config import DecoderConfig, EncoderConfig
from shammah_mlx.learners.scratch import decode_greedily
from shammah_mlx.models.backend import mx, tree_flatten
from shammah_mlx.models.decoder import Decoder
from shammah_mlx.models.embedder import Embedder
from shammah_mlx.models.encoder import EncoderClassifier
from shammah_mlx.models.initial import xavier_uniform
from shammah_mlx.models.weights import Weights
from tests.conftest import TINY_DECODER, TINY_ENCODER

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "minilm_vectors.json").read_text())["rows"]


@pytest.fixture(scope="module")
def embedder(weights: Weights) -> Embedder:
    return Embedder(weights.embedder)


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: repr(row["text"][:20]))
def test_minilm_embeds_as_sentence_transformers_does(embedder: Embedder, row: dict[str, object]) -> None:
    assert np.abs(embedder([str(row["text"])])[0] - np.array(row["vector"])).max() < 1e-4


def test_embedding_a_batch_equals_embedding_one_by_one(embedder: Embedder) -> None:
    texts = [row["text"] for row in VECTORS]
    together, alone = embedder(texts), np.stack([embedder([text])[0] for text in texts])
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(np.linalg.norm(together, axis=1) - 1).max() < 1e-5


@pytest.mark.parametrize("splits", [[1] * 12, [5, 7], [11, 1], [3, 1, 8]])
def test_cached_decoding_equals_uncached(splits: list[int]) -> None:
    decoder = Decoder(TINY_DECODER, mx.random.key(0))
    tokens = mx.random.randint(0, 1000, (2, 12), key=mx.random.key(1))
    cache, parts, start = decoder.make_cache(), [], 0
    for size in splits:
        parts.append(decoder(tokens[:, start : start + size], cache))
        start += size
    assert mx.allclose(mx.concatenate(parts, axis=1), decoder(tokens), atol=1e-5).item()


def test_a_decoder_cannot_see_the_future() -> None:
    decoder = Decoder(TINY_DECODER, mx.random.key(0))
    tokens = mx.random.randint(0, 1000, (1, 12), key=mx.random.key(1))
    changed = mx.concatenate([tokens[:, :-1], tokens[:, -1:] + 1], axis=1)
    before, after = decoder(tokens), decoder(changed)
    assert mx.array_equal(before[:, :-1], after[:, :-1]).item()
    assert not mx.allclose(before[:, -1], after[:, -1]).item()


def test_greedy_decoding_takes_the_most_probable_token_each_time_and_stops_at_the_end() -> None:
    decoder = Decoder(TINY_DECODER, mx.random.key(0))
    prompt = [5, 6, 7]
    written = decode_greedily(decoder, prompt, end=-1, shape=TINY_DECODER)
    assert len(written) == TINY_DECODER.max_draft_tokens
    for place in range(len(written)):
        logits = decoder(mx.array([prompt + written[:place]]))
        assert mx.argmax(logits[0, -1]).item() == written[place]
    assert decode_greedily(decoder, prompt, end=written[0], shape=TINY_DECODER) == []


def test_decoding_never_exceeds_the_context() -> None:
    decoder = Decoder(TINY_DECODER, mx.random.key(0))
    prompt = [1] * (TINY_DECODER.max_tokens - 2)
    assert len(decode_greedily(decoder, prompt, end=-1, shape=TINY_DECODER)) == 2


@pytest.mark.parametrize("seed", [0, 1])
def test_a_classifier_starts_pessimistic(seed: int) -> None:
    config = EncoderConfig()
    model = EncoderClassifier(config, mx.random.key(seed))
    tokens = mx.random.randint(0, config.vocab, (4, 20), key=mx.random.key(9))
    logits = model(tokens, mx.zeros_like(tokens), mx.ones_like(tokens))
    assert mx.abs(logits + 2.0).max().item() < 0.5
    assert model.head.bias.tolist() == [-2.0]
    bound = 0.01 * math.sqrt(6 / (config.width + 1))
    assert 0.8 * bound < mx.abs(model.head.weight).max().item() <= bound


def test_every_matrix_is_xavier_uniform_every_bias_zero_every_norm_one() -> None:
    for name, value in tree_flatten(Decoder(DecoderConfig(vocab=500), mx.random.key(0)).parameters()):
        if value.ndim == 2:
            bound = math.sqrt(6 / sum(value.shape))
            assert mx.abs(value).max().item() <= bound, name
            assert value.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02), name
        else:
            assert value.tolist() == [float(not name.endswith("bias"))] * value.size, name


def test_xavier_uniform_has_the_variance_of_glorot_and_bengio() -> None:
    drawn = xavier_uniform((300, 700), mx.random.key(0))
    assert drawn.var().item() == pytest.approx(2 / (300 + 700), rel=0.02)


def test_initial_weights_depend_on_the_key_alone() -> None:
    mx.random.seed(1)
    first = tree_flatten(EncoderClassifier(TINY_ENCODER, mx.random.key(7)).parameters())
    mx.random.seed(2)
    second = tree_flatten(EncoderClassifier(TINY_ENCODER, mx.random.key(7)).parameters())
    other = tree_flatten(EncoderClassifier(TINY_ENCODER, mx.random.key(8)).parameters())
    assert all(mx.array_equal(a, b).item() for (_, a), (_, b) in zip(first, second, strict=True))
    assert not all(mx.array_equal(a, b).item() for (_, a), (_, b) in zip(first, other, strict=True))


def test_padding_changes_no_logit() -> None:
    model = EncoderClassifier(TINY_ENCODER, mx.random.key(0))
    tokens = mx.array([[101, 7, 8, 102]])
    padded = mx.array([[101, 7, 8, 102, 0, 0]])
    real = mx.array([[1, 1, 1, 1, 0, 0]])
    plain = model(tokens, mx.zeros_like(tokens), mx.ones_like(tokens))
    assert mx.allclose(model(padded, mx.zeros_like(padded), real), plain, atol=1e-6).item()
