"""Embed a text as one unit vector: the encoder with a sentence-transformers model's weights, mean-pooled."""

import functools
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

from shammah_mlx.models.bert import load_bert
from shammah_mlx.models.encoder import Encoder, mean_pool
from shammah_mlx.models.tokenizers import WordPieces

BATCH = 32  # texts read at once; more would take more memory and no less time


class _Settings(msgspec.Struct):
    max_seq_length: int


class LazyEmbedder:
    """Load an embedder when it is first called: most queries compare nothing."""

    def __init__(self, folder: Path) -> None:
        self._load = functools.cache(lambda: Embedder(folder))
        self._known: Mapping[str, np.ndarray] = {}

    def __call__(self, texts: list[str]) -> np.ndarray:
        """Embed, as `Embedder` does."""
        if len(texts) == 1 and (known := self._known.get(texts[0])) is not None:
            return known[None]
        return self._load()(texts)

    def recall(self, known: Mapping[str, np.ndarray]) -> None:
        """Use vectors that were made before, each of a text embedded alone, in place of those recalled before."""
        self._known = known

    def reads_all(self, text: str) -> bool:
        """Say whether the text fits the model's maximum length."""
        return self._load().reads_all(text)

    def parts(self) -> tuple[Encoder, WordPieces]:
        """Return the frozen encoder and its tokenizer, for others to read with."""
        return self._load().parts()


class Embedder:
    """Embed texts with the model stored in a folder of sentence-transformers' layout."""

    def __init__(self, folder: Path) -> None:
        settings = msgspec.json.decode((folder / "sentence_bert_config.json").read_bytes(), type=_Settings)
        self._encoder = load_bert(folder)
        self._tokens = WordPieces(folder / "tokenizer.json", settings.max_seq_length)

    def __call__(self, texts: list[str]) -> np.ndarray:
        """Return (texts, width) fp32 vectors; text past the model's maximum length is ignored."""
        return np.concatenate([self._batch(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)])

    def reads_all(self, text: str) -> bool:
        """Say whether the text fits the model's maximum length."""
        return self._tokens.fits(text)

    def parts(self) -> tuple[Encoder, WordPieces]:
        """Return the frozen encoder and its tokenizer."""
        return self._encoder, self._tokens

    def _batch(self, texts: list[str]) -> np.ndarray:
        tokens, segments, mask = self._tokens.encode(texts)
        return np.array(mean_pool(self._encoder(tokens, segments, mask), mask))
