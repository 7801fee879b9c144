"""Convert llama.cpp's one file to the folder that mlx-lm loads as an ordinary local model.

Knows SmolLM2's layout: a llama with tied input and output embeddings and a byte-level BPE tokenizer. Weights stay
quantized as they are: Q4_1 is MLX's own format with groups of 32, the embedding Q8_0.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from shammah_mlx.files import replacing
from shammah_mlx.models.backend import mx

GROUP, BITS, EMBEDDING_BITS = 32, 4, 8
CONTROL = 3  # llama.cpp's type for tokens that are not text
_NAMES = (  # llama.cpp's names to those of a llama in transformers and mlx-lm
    (r"^blk\.", "model.layers."),
    (r"^token_embd\.", "model.embed_tokens."),
    (r"^output_norm\.", "model.norm."),
    (r"\.attn_norm\.", ".input_layernorm."),
    (r"\.ffn_norm\.", ".post_attention_layernorm."),
    (r"\.attn_output\.", ".self_attn.o_proj."),
    (r"\.attn_([qkv])\.", r".self_attn.\1_proj."),
    (r"\.ffn_(gate|up|down)\.", r".mlp.\1_proj."),
)


def write_model(gguf: Path, folder: Path) -> None:
    """Write weights, shape, tokenizer and chat template of `gguf` into `folder`, each file whole or not at all."""
    arrays, metadata = cast("tuple[dict[str, mx.array], dict[str, Any]]", mx.load(str(gguf), return_metadata=True))
    shape = make_config(metadata)
    heads = {"q": shape["num_attention_heads"], "k": shape["num_key_value_heads"]}
    weights = {hub_name(name): _unpermuted(name, array, heads) for name, array in arrays.items()}
    with replacing(folder / "model.safetensors") as file:
        mx.save_safetensors(file, weights, {"format": "mlx"})
    for name, written in (
        ("tokenizer.json", make_tokenizer(metadata).to_str().encode()),
        ("tokenizer_config.json", msgspec.json.encode(make_tokenizer_config(metadata))),
        ("config.json", msgspec.json.encode(shape)),
    ):
        with replacing(folder / name) as file:
            file.write(written)


def make_config(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the model's shape as transformers and mlx-lm write it."""

    def number(name: str) -> Any:
        return metadata[name].item()

    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": number("llama.embedding_length"),
        "intermediate_size": number("llama.feed_forward_length"),
        "num_hidden_layers": number("llama.block_count"),
        "num_attention_heads": number("llama.attention.head_count"),
        "num_key_value_heads": number("llama.attention.head_count_kv"),
        "max_position_embeddings": number("llama.context_length"),
        "vocab_size": number("llama.vocab_size"),
        "rope_theta": number("llama.rope.freq_base"),
        "rms_norm_eps": float(f"{number('llama.attention.layer_norm_rms_epsilon'):.6g}"),  # stored in fp32
        "tie_word_embeddings": True,
        "bos_token_id": number("tokenizer.ggml.bos_token_id"),
        "eos_token_id": number("tokenizer.ggml.eos_token_id"),
        "quantization": {
            "group_size": GROUP,
            "bits": BITS,
            "model.embed_tokens": {"group_size": GROUP, "bits": EMBEDDING_BITS},
        },
    }


def make_tokenizer(metadata: Mapping[str, Any]) -> Tokenizer:
    """Return SmolLM2's tokenizer: GPT-2's byte-level BPE, digits one by one."""
    words, kinds = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"].tolist()
    merges = [tuple(pair.split(" ")) for pair in metadata["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(word, normalized=False) for word, kind in zip(words, kinds, strict=True) if kind == CONTROL]
    )
    return tokenizer


def make_tokenizer_config(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `tokenizer_config.json` that transformers reads beside the tokenizer."""
    words = metadata["tokenizer.ggml.tokens"]
    kinds = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}
    special = {
        f"{kind}_token": words[metadata[f"tokenizer.ggml.{name}_token_id"].item()] for kind, name in kinds.items()
    }
    return {
        **special,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": metadata["tokenizer.chat_template"],
        "model_max_length": metadata["llama.context_length"].item(),
        "clean_up_tokenization_spaces": False,  # text must come back as it was written
    }


def hub_name(name: str) -> str:
    """Return how transformers and mlx-lm name an array that llama.cpp calls `name`."""
    for pattern, ours in _NAMES:
        name = re.sub(pattern, ours, name)
    return name


def _unpermuted(name: str, array: mx.array, heads: Mapping[str, int]) -> mx.array:
    """Undo llama.cpp's order of q and k rows: it interleaves the halves that rotary positions pair."""
    part = re.search(r"\.attn_([qk])\.", name)
    if part is None:
        return array
    rows, columns = array.shape
    paired = array.reshape(heads[part[1]], -1, 2, columns)  # (heads, half a head, 2, columns)
    return paired.swapaxes(1, 2).reshape(rows, columns)
