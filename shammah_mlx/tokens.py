"""Text to arrays of token ids, and back. The only module that knows tokenizers."""

from pathlib import Path

from tokenizers import Tokenizer

from shammah_mlx.backend import mx

Encoded = tuple[mx.array, mx.array, mx.array]
"""Ids, segment ids, and 1 where a token is no padding: (batch, tokens) each."""

MESSAGE_START, MESSAGE_END = "<|im_start|>", "<|im_end|>"


class WordPieces:
    """An encoder's tokenizer: [CLS] text [SEP], or [CLS] text [SEP] text [SEP] for a pair."""

    def __init__(self, path: Path, max_tokens: int) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.encode_special_tokens = True  # "[SEP]" written by a user is text
        self._tokenizer.enable_truncation(max_tokens)  # the longer of a pair is cut first
        self._tokenizer.enable_padding()  # to the longest of a batch; MiniLM's own file pads to 128

    @property
    def size(self) -> int:
        """Return how many ids there are."""
        return self._tokenizer.get_vocab_size()

    def encode(self, texts: list[str] | list[tuple[str, str]]) -> Encoded:
        """Encode a batch of texts or of pairs."""
        rows = self._tokenizer.encode_batch(texts)
        return (
            mx.array([row.ids for row in rows]),
            mx.array([row.type_ids for row in rows]),
            mx.array([row.attention_mask for row in rows]),
        )


class Bytes:
    """The decoder's tokenizer, a byte-level BPE. Text comes back exactly, but for what its vocabulary
    lacks: six control characters and the unassigned planes of Unicode."""

    def __init__(self, path: Path, max_tokens: int) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.encode_special_tokens = True  # "<|im_end|>" written by a user is text
        self._max_tokens = max_tokens
        vocabulary = self._tokenizer.get_vocab()
        self.start, self.end = vocabulary[MESSAGE_START], vocabulary[MESSAGE_END]

    @property
    def size(self) -> int:
        """Return how many ids there are."""
        return self._tokenizer.get_vocab_size()

    def prompt(self, text: str) -> list[int]:
        """Return query + boundary. A long query loses its middle: at least half the room stays for the reply."""
        ids = self._ids(text)
        room = self._max_tokens // 2 - 1
        if len(ids) > room:
            ids = ids[: room // 2] + ids[len(ids) - (room - room // 2) :]
        return [*ids, self.start]

    def example(self, text: str, reply: str) -> tuple[mx.array, mx.array]:
        """Return query + boundary + reply + end, and 1 where a token is to be learnt: (1, tokens) each.

        A reply that does not fit is cut without an end, so that stopping early is never taught.
        """
        prompt = self.prompt(text)
        learnt = [*self._ids(reply), self.end][: self._max_tokens - len(prompt)]
        return mx.array([prompt + learnt]), mx.array([[0] * len(prompt) + [1] * len(learnt)])

    def decode(self, ids: list[int]) -> str:
        """Return the text of `ids`."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids
