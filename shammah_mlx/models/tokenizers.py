"""Convert text to token ids and back."""

import contextlib
import itertools
import re
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from shammah_mlx.config import LoraConfig
from shammah_mlx.errors import WeightsError
from shammah_mlx.models.backend import mx

Encoded = tuple[mx.array, mx.array, mx.array]
"""Ids, segment ids, and the padding mask, 1 where a token is not padding: (batch, tokens) each."""

MESSAGE_START, MESSAGE_END = "<|im_start|>", "<|im_end|>"

PROMPT = "3"  # version of the prompt that `Chat` makes: drafts made with another version do not count

Example = tuple[list[int], list[int]]
"""Ids of prompt and reply, and the target mask: 1 on the reply's ids, which are trained on."""


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

    def fits(self, text: str) -> bool:
        """Say whether the text is encoded whole, without truncation."""
        return not self._tokenizer.encode(text).overflowing


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
        return [*without_middle(ids, self._max_tokens // 2 - 1), self.start]

    def example(self, text: str, reply: str) -> tuple[mx.array, mx.array]:
        """Return query + boundary + reply + end, and the target mask, 1 on reply and end: (1, tokens) each.

        A reply that does not fit is cut without an end, so that stopping early is never taught.
        """
        prompt = self.prompt(text)
        target = [*self._ids(reply), self.end][: self._max_tokens - len(prompt)]
        return mx.array([prompt + target]), mx.array([[0] * len(prompt) + [1] * len(target)])

    def decode(self, ids: list[int]) -> str:
        """Return the text of `ids`."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


class Chat:
    """A pretrained decoder's tokenizer with its chat template; `tokenizer` is one of transformers'."""

    def __init__(self, tokenizer: Any, config: LoraConfig) -> None:
        self.tokenizer, self._config = tokenizer, config
        self.end = int(tokenizer.eos_token_id)
        self._room = config.max_tokens - config.max_draft_tokens  # of a prompt: the rest is the draft's
        self._bare, self._with_past = self._template(["question"]), self._template(["known", "answer", "question"])
        firsts = [piece for piece in (self._bare[0], self._with_past[0]) if isinstance(piece, list)]
        self.common = common_start(*firsts) if len(firsts) == 2 else []  # what all prompts begin with

    def prompt(self, text: str, known: tuple[str, str] | None) -> list[int]:
        """Return the ids of a chat in which `text` is asked; `known` is a past question and its answer.

        Long parts lose their middle: the question beyond half the room, then the past question beyond a quarter of
        what is left, then the past answer. At least `max_draft_tokens` stay for the reply.
        """
        template = self._with_past if known else self._bare
        room = self._room - sum(len(piece) for piece in template if isinstance(piece, list))
        parts = {"question": without_middle(self.encode(text), room // 2)}
        if known:
            left = room - len(parts["question"])
            parts["known"] = without_middle(self.encode(known[0]), left // 4)
            parts["answer"] = without_middle(self.encode(known[1]), left - len(parts["known"]))
        return [token for piece in template for token in (piece if isinstance(piece, list) else parts[piece])]

    def example(self, text: str, known: tuple[str, str] | None, reply: str) -> Example:
        """Return prompt + reply + end. A reply that does not fit is cut without an end, as in `Bytes.example`."""
        prompt = self.prompt(text, known)
        target = [*self.encode(reply), self.end][: self._config.max_tokens - len(prompt)]
        return prompt + target, [0] * len(prompt) + [1] * len(target)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; "<|im_end|>" in it is text."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return ids

    def decode(self, ids: list[int]) -> str:
        """Return the text of `ids`."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def _template(self, parts: list[str]) -> list[list[int] | str]:
        """Return the chat template of a question, and of the past exchange before it where `parts` has one.

        The past exchange comes as earlier messages: replies are more probable so than with it in the system message.
        """
        roles = ("user", "assistant", "user")[: len(parts)]
        messages = [(role, part_mark(name)) for role, name in zip(roles, parts, strict=True)]
        return _shortest(self.tokenizer, [messages, [("system", ""), *messages]])


def _shortest(tokenizer: Any, chats: list[list[tuple[str, str]]]) -> list[list[int] | str]:
    """Return the chat with the fewest ids, of those that the template takes whole.

    Many templates add a system message of their own to a chat that has none. SmolLM2's is a quarter of a short example.

    Raises:
        WeightsError: it takes none of them.
    """
    from jinja2 import TemplateError  # transformers renders with it; a slow import

    filled = []
    for chat in chats:
        with contextlib.suppress(TemplateError):
            pieces = fill_later(tokenizer, chat)
            marked = [part_mark(piece) for piece in pieces if isinstance(piece, str)]
            if marked == [text for _, text in chat if text]:
                filled.append(pieces)
    if not filled:
        raise WeightsError("the decoder's chat template refuses a chat", "set `lora.model` to an instruct model")
    return min(filled, key=lambda pieces: sum(len(piece) for piece in pieces if isinstance(piece, list)))


def common_start(one: list[int], other: list[int]) -> list[int]:
    """Return the ids that both begin with."""
    return [a for a, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))]


def part_mark(name: str) -> str:
    """Return what stands in a chat template for a text that is not known yet."""
    return f"\ue000{name}\ue001"  # private use: no template has them


def fill_later(tokenizer: Any, messages: list[tuple[str, str]]) -> list[list[int] | str]:
    """Return a chat as runs of ids, where control tokens are such, and the names of the parts between.

    `messages` are pairs of role and text; a text may be a `part_mark`.
    """
    rendered: str = tokenizer.apply_chat_template(
        [{"role": role, "content": text} for role, text in messages], tokenize=False, add_generation_prompt=True
    )
    pieces = re.split("\ue000([a-z]+)\ue001", rendered)  # every second one is a name
    return [
        piece if is_name else list(tokenizer.encode(piece, add_special_tokens=False))
        for i, piece in enumerate(pieces)
        if (is_name := i % 2 == 1) or piece
    ]


def without_middle(ids: list[int], room: int) -> list[int]:
    """Return `ids`, or their beginning and end if they are more than `room`."""
    return ids if len(ids) <= room else ids[: room // 2] + ids[len(ids) - (room - room // 2) :]
