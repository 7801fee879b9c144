"""Embed each text once for all tests of a process: they teach the same questions again and again.

Equal batches get equal vectors, as from the model itself: `tests/models` and every test that starts a process ask it
anew.
"""

import functools
from pathlib import Path

import numpy as np

from shammah_mlx.models.embedder import Embedder
from shammah_mlx.models.encoder import Encoder
from shammah_mlx.models.tokenizers import WordPieces

# By folder and batch: in another batch a text's vector may differ in the last bit.
_vectors: dict[tuple[Path, tuple[str, ...]], np.ndarray] = {}


class RememberingEmbedder(Embedder):
    """An embedder that loads the model when a batch is new."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def reads_all(self, text: str) -> bool:
        return _loaded(self._folder).reads_all(text)

    def parts(self) -> tuple[Encoder, WordPieces]:
        return _loaded(self._folder).parts()

    def _batch(self, texts: list[str]) -> np.ndarray:
        key = self._folder, tuple(texts)
        if key not in _vectors:
            _vectors[key] = _loaded(self._folder)._batch(texts)
        return _vectors[key]


@functools.cache
def _loaded(folder: Path) -> Embedder:
    return Embedder(folder)
