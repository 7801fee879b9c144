"""Find out how large a decoder is from its files, without loading it: config.json, and the heads of its weights.

Sends nothing over the network: of a model on the hub it sees what was fetched before.
"""

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from shammah_mlx.errors import WeightsError
from shammah_mlx.models.language_model import is_folder, model_source
from shammah_mlx.models.memory import Size

LONGEST_HEAD = 100_000_000  # bytes, as the format allows
PACKED = 32  # MLX packs quantized weights into words of as many bits
IN_A_BLOCK = re.compile(r"\.\d+\.")  # blocks are numbered
_NAMES = {  # in config.json
    "layers": ("num_hidden_layers", "n_layer", "n_layers"),
    "width": ("hidden_size", "n_embd", "d_model"),
    "heads": ("num_attention_heads", "n_head", "n_heads"),
    "vocabulary": ("vocab_size",),
}


class _Tensor(msgspec.Struct):
    """What the head of a safetensors file says of one array."""

    shape: list[int]
    data_offsets: tuple[int, int]


def find_folder(model: str) -> Path:
    """Return the folder of a decoder: `model` itself, or where the hub's model was put when it was fetched.

    Raises:
        WeightsError: there is none.
    """
    folder = Path(model_source(model))
    if folder.is_dir():
        return folder
    hint = "set `lora.model` in config.toml to a folder, or to the name of a model on the hub"
    if is_folder(model):
        raise WeightsError(f"there is no folder {model}", hint)
    from huggingface_hub import try_to_load_from_cache  # imported here: few homes name a model of the hub

    try:
        config = try_to_load_from_cache(model, "config.json")
    except ValueError as error:
        raise WeightsError(f"{model!r} is neither a folder nor a name on the hub", hint) from error
    if not isinstance(config, str):
        raise WeightsError(f"{model} is not fetched yet", "mlx-lm fetches it when the decoder is first needed")
    return Path(config).parent


def read_size(folder: Path) -> Size:
    """Return how large the decoder in a folder is.

    Raises:
        WeightsError: files are missing or cannot be read, or config.json does not say.
    """
    try:
        config = msgspec.json.decode((folder / "config.json").read_bytes(), type=dict[str, Any])
        tensors = _read_heads(folder)
        return _size({**config, **config.get("text_config", {})}, tensors)
    except (OSError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        hint = "set `lora.model` in config.toml to a folder or a name on the hub that mlx-lm loads"
        raise WeightsError(f"the files in {folder} do not say how large the decoder is", hint) from error


def _read_heads(folder: Path) -> dict[str, _Tensor]:
    """Return shape and place of every array in the files that mlx-lm would load."""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        places = msgspec.json.decode(index.read_bytes(), type=dict[str, Any])["weight_map"]
        paths = [folder / name for name in sorted(set(places.values()))]
    else:
        paths = sorted(folder.glob("model*.safetensors"))
    if not paths:
        raise FileNotFoundError(f"no weights in {folder}")
    return {name: tensor for path in paths for name, tensor in _read_head(path).items()}


def _read_head(path: Path) -> dict[str, _Tensor]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > LONGEST_HEAD:
            raise ValueError(f"{path} is not in safetensors format")
        head = msgspec.json.decode(file.read(length), type=dict[str, Any])
    return {name: msgspec.convert(said, _Tensor) for name, said in head.items() if name != "__metadata__"}


def _size(config: Mapping[str, Any], tensors: Mapping[str, _Tensor]) -> Size:
    sizes = {ours: _number(config, names) for ours, names in _NAMES.items()}
    shapes = {name: _shape(name, tensors, config) for name in tensors if not _is_scale(name, tensors)}
    inside = [shape for name, shape in shapes.items() if IN_A_BLOCK.search(name) and len(shape) > 1]
    each = int(config.get("head_dim") or sizes["width"] // sizes["heads"])
    return Size(
        stored_bytes=sum(tensor.data_offsets[1] - tensor.data_offsets[0] for tensor in tensors.values()),
        parameters=sum(math.prod(shape) for shape in shapes.values()),
        adapted=sum(math.prod(shape[:-2]) * (shape[-2] + shape[-1]) for shape in inside),
        hidden=int(config.get("intermediate_size") or 4 * sizes["width"]),
        cached=2 * each * int(config.get("num_key_value_heads") or sizes["heads"]),
        **sizes,
    )


def _number(config: Mapping[str, Any], names: Iterable[str]) -> int:
    """Return the number under the first of the names that there is."""
    for name in names:
        if name in config:
            return int(config[name])
    raise KeyError(names)


def _is_scale(name: str, tensors: Mapping[str, _Tensor]) -> bool:
    """Say whether an array only belongs to quantized weights."""
    stem, _, kind = name.rpartition(".")
    return kind in ("scales", "biases") and f"{stem}.scales" in tensors


def _shape(name: str, tensors: Mapping[str, _Tensor], config: Mapping[str, Any]) -> list[int]:
    """Return the shape of an array as it is when it is not quantized."""
    stem, shape = name.removesuffix(".weight"), tensors[name].shape
    if f"{stem}.scales" not in tensors:
        return shape
    quantization = config.get("quantization") or config["quantization_config"]
    own = quantization.get(stem)
    bits = (own if isinstance(own, dict) else quantization)["bits"]
    return [*shape[:-1], shape[-1] * PACKED // int(bits)]
