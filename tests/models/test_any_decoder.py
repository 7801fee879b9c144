"""Any decoder that mlx-lm loads: other architectures, an output layer of its own, quantized weights under LoRA."""

import importlib
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shammah_mlx.config import OptimizerConfig
from shammah_mlx.learners import learning_thread
from shammah_mlx.learners.gradient import Learner, text_loss
from shammah_mlx.models import training_copy
from shammah_mlx.models.backend import mx, nn, tree_flatten, tree_map
from shammah_mlx.models.language_model import LanguageModel, add_low_rank, draw_adapters
from shammah_mlx.models.tokenizers import Chat, Example
from shammah_mlx.models.training_copy import TrainingCopy
from tests.conftest import TINY_LORA

pytestmark = pytest.mark.slow

SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10_000.0,
    "max_position_embeddings": 512,
}
OWN: dict[str, dict[str, Any]] = {  # what an architecture wants besides
    "gemma3_text": {"query_pre_attn_scalar": 16, "sliding_window": 64, "sliding_window_pattern": 2},
    "qwen2": {
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 256,
        }
    },
    "gpt_neox": {"layer_norm_eps": 1e-5, "rotary_emb_base": 10_000, "rotary_pct": 0.25},
}
FOUR_BITS = {"group_size": 32, "bits": 4}
KINDS = {  # architecture, whether the output layer shares the embedding, quantization
    "untied": ("llama", False, None),
    "untied, 4 bits": ("llama", False, FOUR_BITS),
    "tied, 4 bits": ("qwen3", True, FOUR_BITS),
    "with biases": ("qwen2", True, FOUR_BITS),
    "with sliding windows": ("gemma3_text", True, None),
    "in floating-point 4 bits": ("phi3", False, {**FOUR_BITS, "mode": "mxfp4"}),
    "an output layer of another name": ("gpt_neox", False, {"group_size": 32, "bits": 8}),
}


def write_decoder(folder: Path, like: Path, kind: str, tied: bool, quantization: dict[str, Any] | None) -> Path:
    """Write a decoder that knows nothing, with the tokenizer of `like`, as the hub's are: half-precision, quantized."""
    from mlx_lm.utils import quantize_model

    module = importlib.import_module(f"mlx_lm.models.{kind}")
    tokens = json.loads((like / "config.json").read_text())
    shape = {**SHAPE, **OWN.get(kind, {}), "model_type": kind, "tie_word_embeddings": tied}
    shape |= {name: tokens[name] for name in ("vocab_size", "bos_token_id", "eos_token_id")}
    network = module.Model(module.ModelArgs.from_dict(shape))
    if tied and "lm_head" in network:  # mlx-lm drops it when it sees that there are no weights for it
        network.pop("lm_head")
    key = mx.random.key(0)
    network.update(
        tree_map(lambda array: 0.1 * mx.random.normal(array.shape, mx.bfloat16, key=key), network.parameters())
    )
    if quantization is not None:
        network, shape = quantize_model(network, shape, **quantization)
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(like / name, folder)
    (folder / "config.json").write_text(json.dumps(shape))
    mx.save_safetensors(str(folder / "model.safetensors"), dict(tree_flatten(network.parameters())))
    return folder


@pytest.fixture(scope="module", params=list(KINDS.values()), ids=list(KINDS))
def decoder(
    request: pytest.FixtureRequest, tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, bool]:
    """Return the folder of a decoder, and whether its weights are quantized."""
    kind, tied, quantization = request.param
    folder = write_decoder(tmp_path_factory.mktemp("decoder") / kind, tiny_folder, kind, tied, quantization)
    return folder, quantization is not None


def as_on_a_gpu(folder: Path) -> tuple[nn.Module, Chat]:
    """Load a decoder with its weights as they are stored, and adapters on top."""
    import mlx_lm

    network, tokenizer = mlx_lm.load(str(folder))  # type: ignore[misc] # two values unless asked for three
    add_low_rank(network, TINY_LORA.rank, TINY_LORA.scale)
    draw_adapters(network, 0)
    return network, Chat(tokenizer, TINY_LORA)


def whole_loss(network: nn.Module, example: Example) -> mx.array:
    ids, mask = example
    return text_loss(lambda x: network(x).astype(mx.float32), (mx.array([ids]), mx.array([mask])))


def check_that_it_learns(network: nn.Module, chat: Chat, tolerance: float) -> None:
    example = chat.example("What is it?", None, "It is this.")
    training = TrainingCopy(network)
    names = [name for name, _ in tree_flatten(network.trainable_parameters())]
    assert {name.rsplit(".", 1)[1] for name in names} == {"lora_a", "lora_b"}
    expected, slopes = nn.value_and_grad(network, whole_loss)(network, example)
    found, own = nn.value_and_grad(training.network, training.loss)(training.network, example)
    assert found.item() == pytest.approx(expected.item(), rel=tolerance)
    for (name, slope), (_, mine) in zip(tree_flatten(slopes), tree_flatten(own), strict=True):
        reach = np.abs(np.array(slope)).max()
        np.testing.assert_allclose(mine, slope, rtol=0, atol=tolerance * reach, err_msg=name)
    learner = Learner("generator", training.network, training.loss, OptimizerConfig(), training.compute)
    losses = [learner.step([example], 1e-3).loss or math.nan for _ in range(2)]
    assert losses[1] < losses[0]


def test_it_writes_and_learns_in_full_precision(decoder: tuple[Path, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_copy, "KEPT", 0)  # all layers are checkpointed, as for a long text
    model = LanguageModel(decoder[0], TINY_LORA, 0)
    guessed = model.write(model.chat.prompt("x", ("y", "z")), "a guess", 6).written
    assert guessed.ids == model.write(model.chat.prompt("x", ("y", "z")), None, 6).written.ids
    assert {array.dtype for _, array in tree_flatten(model.network.parameters())} == {mx.float32}
    check_that_it_learns(model.network, model.chat, 1e-3)


def test_it_learns_on_top_of_its_weights_as_they_are_stored(decoder: tuple[Path, bool]) -> None:
    folder, is_quantized = decoder
    network, chat = as_on_a_gpu(folder)
    quantized = [module for module in network.modules() if isinstance(module, nn.QuantizedLinear)]
    assert bool(quantized) == is_quantized
    check_that_it_learns(network, chat, 0.03)  # half precision


def test_it_learns_on_the_learning_thread_before_it_has_written_anything(decoder: tuple[Path, bool]) -> None:
    model = LanguageModel(decoder[0], TINY_LORA, 0)
    training = TrainingCopy(model.network)
    learner = Learner("generator", training.network, training.loss, OptimizerConfig(), training.compute)
    example = model.chat.example("What is it?", None, "It is this.")
    assert learning_thread.submit(lambda: learner.step([example], 1e-3)).result().applied
