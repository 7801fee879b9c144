"""The encoder with a trained head: what it shares, how it starts, and that it learns."""

import math

import numpy as np
import pytest

from shammah_mlx.config import HeadConfig, OptimizerConfig
from shammah_mlx.learners.gradient import Learner
from shammah_mlx.models.backend import mx, scalar, tree_flatten
from shammah_mlx.models.embedder import Embedder
from shammah_mlx.models.fine_tuned import FineTuned
from shammah_mlx.models.weights import Weights

TEXTS = ("what is the weather in Rome", ("what is the weather in Rome", '{"city": "Rome"}'))


@pytest.fixture(scope="module")
def embedder(weights: Weights) -> Embedder:
    return Embedder(weights.embedder)


def logit(tuned: FineTuned, text: str | tuple[str, str]) -> float:
    return scalar(tuned.network(*tuned.read(text)))


def test_it_starts_at_the_specifications_bias_and_by_its_seed_alone(embedder: Embedder) -> None:
    one, same, other = (FineTuned(*embedder.parts(), HeadConfig(), seed) for seed in (0, 0, 1))
    for text in TEXTS:
        assert logit(one, text) == pytest.approx(HeadConfig().head_bias, abs=0.1)
        assert logit(one, text) == logit(same, text) != logit(other, text)


def test_it_learns_to_tell_two_texts_apart_and_the_embedder_does_not_change(embedder: Embedder) -> None:
    before = embedder(["what is the weather in Rome"])
    tuned = FineTuned(*embedder.parts(), HeadConfig(), 0)
    learner = Learner("router", tuned.network, tuned.loss, OptimizerConfig())
    assert sum(array.size for _, array in tree_flatten(tuned.network.trainable_parameters())) < 200_000
    right, wrong = ("play Hello by Adele", "delete all my files")
    for _ in range(60):
        learner.step([(tuned.read(right), 1.0)], 3e-3)
        learner.step([(tuned.read(wrong), 0.0)], 3e-3)
    assert logit(tuned, right) > 0 > logit(tuned, wrong)
    np.testing.assert_array_equal(embedder(["what is the weather in Rome"]), before)


def test_the_loss_is_that_of_a_soft_label(embedder: Embedder) -> None:
    tuned = FineTuned(*embedder.parts(), HeadConfig(), 0)
    p = 1.0 / (1.0 + math.exp(-logit(tuned, TEXTS[1])))
    expected = -(0.7 * math.log(p) + 0.3 * math.log(1.0 - p))
    assert scalar(tuned.loss(tuned.network, (tuned.read(TEXTS[1]), 0.7))) == pytest.approx(expected, rel=1e-4)


def test_the_frozen_layers_are_those_of_the_embedder(embedder: Embedder) -> None:
    encoder, tokens = embedder.parts()
    tuned = FineTuned(encoder, tokens, HeadConfig(), 0)
    x, real = tuned.read("what is the weather in Rome")
    whole = encoder(*tokens.encode(["what is the weather in Rome"]))
    mask = real.astype(mx.bool_)[:, None, None, :]
    for layer in encoder.layers[-HeadConfig().layers :]:
        x = layer(x, mask)
    assert mx.array_equal(x, whole).item()
