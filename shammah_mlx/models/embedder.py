"""Text to one vector: the encoder with a sentence-transformers model's weights, mean-pooled, of length 1."""

import functools
from pathlib import Path

import msgspec
import numpy as np

from shammah_mlx.models.bert import load_bert
from shammah_mlx.models.encoder import mean_pool
from shammah_mlx.models.tokenizers import WordPieces

BATCH = 32  # texts read at once: more of them need memory, not less time


class _Reading(msgspec.Struct):
    max_seq_length: int


class LazyEmbedder:
    """An embedder that is loaded when first needed: most queries compare nothing."""

    def __init__(self, folder: Path) -> None:
        self._load = functools.cache(lambda: Embedder(folder))

    def __call__(self, texts: list[str]) -> np.ndarray:
        """Embed, as `Embedder` does."""
        return self._load()(texts)

    def reads_all(self, text: str) -> bool:
        """Say whether no part of the text is too far back to be seen."""
        return self._load().reads_all(text)


class Embedder:
    """Embed texts with the model stored in a folder of sentence-transformers' layout."""

    def __init__(self, folder: Path) -> None:
        reading = msgspec.json.decode((folder / "sentence_bert_config.json").read_bytes(), type=_Reading)
        self._encoder = load_bert(folder)
        self._tokens = WordPieces(folder / "tokenizer.json", reading.max_seq_length)

    def __call__(self, texts: list[str]) -> np.ndarray:
        """Return (texts, width) fp32 vectors; text past the model's maximum length is not seen."""
        return np.concatenate([self._batch(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)])

    def reads_all(self, text: str) -> bool:
        """Say whether no part of the text is too far back to be seen."""
        return self._tokens.holds(text)

    def _batch(self, texts: list[str]) -> np.ndarray:
        tokens, segments, real = self._tokens.encode(texts)
        return np.array(mean_pool(self._encoder(tokens, segments, real), real))
