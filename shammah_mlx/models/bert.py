"""Load a BERT checkpoint into our encoder."""

import re
from pathlib import Path

import msgspec

from shammah_mlx.config import EncoderConfig
from shammah_mlx.models.backend import load_arrays
from shammah_mlx.models.encoder import Encoder

_RENAMED = (  # a BERT checkpoint's names, as transformers writes them, to our names
    (r"^bert\.", ""),
    (r"^embeddings\.word_embeddings\.", "words."),
    (r"^embeddings\.position_embeddings\.", "positions."),
    (r"^embeddings\.token_type_embeddings\.", "segments."),
    (r"^embeddings\.LayerNorm\.", "norm."),
    (r"^encoder\.layer\.", "layers."),
    (r"\.attention\.self\.", "."),
    (r"\.attention\.output\.dense\.", ".output."),
    (r"\.attention\.output\.LayerNorm\.", ".attention_norm."),
    (r"\.intermediate\.dense\.", ".up."),
    (r"\.output\.dense\.", ".down."),
    (r"\.output\.LayerNorm\.", ".norm."),
)
_UNUSED = ("pooler.", "embeddings.position_ids")


def _renamed(name: str) -> str:
    for pattern, ours in _RENAMED:
        name = re.sub(pattern, ours, name)
    return name


class _BertShape(msgspec.Struct):
    """What we need of a BERT `config.json`; its other fields are ignored."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    layer_norm_eps: float


def load_bert(folder: Path) -> Encoder:
    """Return the frozen encoder stored in `folder` (`config.json`, `model.safetensors`), its weights in memory."""
    shape = msgspec.json.decode((folder / "config.json").read_bytes(), type=_BertShape)
    encoder = Encoder(
        EncoderConfig(
            vocab=shape.vocab_size,
            width=shape.hidden_size,
            layers=shape.num_hidden_layers,
            heads=shape.num_attention_heads,
            hidden=shape.intermediate_size,
            max_tokens=shape.max_position_embeddings,
            norm_eps=shape.layer_norm_eps,
        )
    )
    weights = load_arrays(folder / "model.safetensors")
    encoder.load_weights([(_renamed(name), w) for name, w in weights.items() if not name.startswith(_UNUSED)])
    encoder.freeze()
    return encoder
