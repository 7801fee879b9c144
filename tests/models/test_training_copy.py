"""The copy that the decoder learns on: the same numbers as the whole network, and no memory of its own."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shammah_mlx.config import OptimizerConfig
from shammah_mlx.learners.gradient import Learner, text_loss
from shammah_mlx.models import training_copy
from shammah_mlx.models.backend import mx, nn, tree_flatten
from shammah_mlx.models.language_model import LanguageModel
from shammah_mlx.models.tokenizers import Example
from shammah_mlx.models.training_copy import TrainingCopy
from tests.conftest import TINY_LORA


def whole_loss(network: nn.Module, example: Example) -> mx.array:
    ids, mask = example
    return text_loss(network, (mx.array([ids]), mx.array([mask])))


@pytest.mark.parametrize("kept", [0, 10_000])  # all layers are checkpointed, and none
def test_loss_and_gradient_are_those_of_the_whole_network(
    tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(training_copy, "KEPT", kept)
    example = tiny_model.chat.example("What is it?", ("And that?", "That."), "It is this.")
    training = TrainingCopy(tiny_model.network)
    expected, slopes = nn.value_and_grad(tiny_model.network, whole_loss)(tiny_model.network, example)
    found, own = nn.value_and_grad(training.network, training.loss)(training.network, example)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    for (name, slope), (_, mine) in zip(tree_flatten(slopes), tree_flatten(own), strict=True):
        np.testing.assert_allclose(mine, slope, rtol=1e-3, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("kept", [0, 10_000])
def test_computing_a_layer_at_a_time_changes_no_number(
    tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(training_copy, "KEPT", kept)
    example = tiny_model.chat.example("What is it?", None, "It is this.")
    training = TrainingCopy(tiny_model.network)

    def computed(compute: Callable[..., None]) -> list[mx.array]:
        loss, grads = nn.value_and_grad(training.network, training.loss)(training.network, example)
        compute(loss, grads)
        return [loss, *(grad for _, grad in tree_flatten(grads))]

    whole = computed(mx.eval)
    evaluated: list[tuple[object, ...]] = []
    evaluate = mx.eval

    def noted(*arrays: object) -> None:
        evaluated.append(arrays)
        evaluate(*arrays)

    monkeypatch.setattr(mx, "eval", noted)
    in_pieces = computed(training.compute)
    assert all(mx.array_equal(one, other).item() for one, other in zip(whole, in_pieces, strict=True))
    layers = len(training.network.layers)
    assert len(evaluated) == layers + len(in_pieces)  # each layer, the loss and each gradient
    assert all(len(arrays) == 1 for arrays in evaluated)


def test_the_copy_shares_every_array_and_the_original_does_not_see_what_is_learnt(tiny_folder: Path) -> None:
    tiny_model = LanguageModel(tiny_folder, TINY_LORA, 0)
    ids = mx.array([[5, 6, 7]])
    before = tiny_model.network(ids)
    training = TrainingCopy(tiny_model.network)
    ours, theirs = (dict(tree_flatten(network.parameters())) for network in (tiny_model.network, training.network))
    assert ours.keys() == theirs.keys()
    assert all(theirs[name] is array for name, array in ours.items())
    learner = Learner("generator", training.network, training.loss, OptimizerConfig(), training.compute)
    learner.step([tiny_model.chat.example("Hi?", None, "Blue!")], 1e-2)
    assert mx.array_equal(tiny_model.network(ids), before).item()
    tiny_model.take(learner.weights())
    assert not mx.array_equal(tiny_model.network(ids), before).item()
