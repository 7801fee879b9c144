"""What a machine can hold, and how large a decoder is by its files."""

import json
import math
import shutil
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.config import LoraConfig
from shammah_mlx.errors import WeightsError
from shammah_mlx.models.backend import tree_flatten
from shammah_mlx.models.language_model import LanguageModel
from shammah_mlx.models.machine import look, this_machine
from shammah_mlx.models.memory import DEFAULT, GB, PROPOSALS, Machine, find_need, find_room, propose
from shammah_mlx.models.stored import find_folder, read_size
from shammah_mlx.models.training_copy import KEPT
from shammah_mlx.models.weights import Weights
from tests.conftest import TINY_LORA

LORA = LoraConfig()
BIG, SMALL = PROPOSALS[0], PROPOSALS[1]


def mac(gb: int) -> Machine:
    """Return a Mac as macOS describes it: up to 36 GB it keeps a third of the memory from the GPU, then a quarter."""
    return Machine(gb * GB, gb * GB * 2 // 3 if gb <= 36 else gb * GB * 3 // 4)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (mac(8), SMALL),
        (mac(16), BIG),
        (mac(24), BIG),
        (mac(128), BIG),
        (Machine(7 * GB, 5 * GB), DEFAULT),
        (Machine(16 * GB, 4 * GB), SMALL),  # the user has lowered the limit
        (Machine(64 * GB, None), DEFAULT),
        (Machine(GB // 2, None), DEFAULT),
    ],
)
def test_the_proposal_follows_memory_and_what_may_be_wired(machine: Machine, expected: object) -> None:
    assert propose(machine, LORA, KEPT) is expected


@pytest.mark.parametrize("machine", [mac(8), mac(16), mac(96), Machine(4 * GB, None)])
def test_what_is_proposed_fits_with_its_learning(machine: Machine) -> None:
    proposed = propose(machine, LORA, KEPT)
    need = find_need(proposed.size, LORA, KEPT, machine)
    assert need.answering_bytes < need.learning_bytes <= find_room(machine)


def test_the_largest_does_not_fit_into_half_the_memory_that_it_is_proposed_for() -> None:
    assert find_need(BIG.size, LORA, KEPT, mac(8)).learning_bytes > find_room(mac(8))


def test_without_a_gpu_weights_take_32_bits() -> None:
    on_cpu = find_need(SMALL.size, LORA, KEPT, Machine(64 * GB, None)).answering_bytes
    on_gpu = find_need(SMALL.size, LORA, KEPT, mac(64)).answering_bytes
    assert on_cpu > 4 * SMALL.size.parameters
    assert SMALL.size.stored_bytes < on_gpu < 1.1 * SMALL.size.stored_bytes


def test_longer_texts_and_larger_adapters_take_more() -> None:
    machine = mac(16)
    usual = find_need(SMALL.size, LORA, KEPT, machine).learning_bytes
    for other in (msgspec.structs.replace(LORA, rank=64), msgspec.structs.replace(LORA, max_draft_tokens=256)):
        assert find_need(SMALL.size, other, KEPT, machine).learning_bytes > usual
    short = msgspec.structs.replace(LORA, max_tokens=140, max_draft_tokens=64)
    assert find_need(SMALL.size, short, KEPT, machine).learning_bytes < usual


def test_the_default_is_as_large_as_its_files_say(weights: Weights) -> None:
    found, said = read_size(weights.decoder), DEFAULT.size
    assert found.parameters == 134_515_008
    for name, value in msgspec.structs.asdict(found).items():
        assert getattr(said, name) == pytest.approx(value, rel=0.01), name


def test_a_size_is_that_of_the_loaded_network(tiny_folder: Path, tiny_model: LanguageModel) -> None:
    size = read_size(tiny_folder)
    trainable = dict(tree_flatten(tiny_model.network.trainable_parameters()))
    everything = dict(tree_flatten(tiny_model.network.parameters()))
    assert TINY_LORA.rank * size.adapted == sum(math.prod(array.shape) for array in trainable.values())
    frozen = [array for name, array in everything.items() if name not in trainable]
    assert size.parameters == sum(math.prod(array.shape) for array in frozen)
    assert size.stored_bytes == sum(array.nbytes for array in frozen)


def test_a_model_of_the_hub_is_found_where_it_was_fetched(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(WeightsError, match="not fetched yet"):
        find_folder("someone/tiny")
    kept = tmp_path / "hub" / "models--someone--tiny"
    shutil.copytree(tiny_folder, kept / "snapshots" / "1234")
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("1234")
    assert read_size(find_folder("someone/tiny")) == read_size(tiny_folder)
    (kept / "snapshots" / "1234" / "model.safetensors").unlink()
    outlook = look(msgspec.structs.replace(LORA, model="someone/tiny"), mac(16))
    assert (outlook.need, outlook.fits) == (None, None)
    assert "do not say how large" in outlook.unknown


def test_what_is_proposed_is_known_before_it_is_fetched() -> None:
    outlook = look(msgspec.structs.replace(LORA, model=BIG.model), mac(16))
    assert outlook.need == outlook.proposed_need
    assert look(msgspec.structs.replace(LORA, model=BIG.model), mac(8)).fits is False


@pytest.mark.parametrize("model", ["/no/such/folder", "not a name", "a/b/c/d"])
def test_what_is_no_model_is_said_to_be_none(model: str) -> None:
    with pytest.raises(WeightsError):
        find_folder(model)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b"{}"),
        ("config.json", b"[1"),
        ("config.json", b'{"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 0, "vocab_size": 9}'),
        ("config.json", b'{"text_config": 3}'),
        ("model.safetensors", b""),
        ("model.safetensors", b"\xff" * 80),
        ("model.safetensors", b"\x02\x00\x00\x00\x00\x00\x00\x00[]"),
        ("model.safetensors.index.json", json.dumps({"weight_map": {"a": "model-00001.safetensors"}}).encode()),
    ],
)
def test_damaged_files_make_a_size_unknown(tiny_folder: Path, tmp_path: Path, name: str, content: bytes) -> None:
    shutil.copytree(tiny_folder, tmp_path / "copy")
    (tmp_path / "copy" / name).write_bytes(content)
    with pytest.raises(WeightsError, match="do not say how large"):
        read_size(tmp_path / "copy")


def test_this_machine_has_memory() -> None:
    assert this_machine().memory_bytes > 2**28
    assert this_machine().wired_bytes is None  # tests keep MLX off the GPU
