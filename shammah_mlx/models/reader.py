"""Read a request for a verdict with a local language model: the log-odds of the word GOOD against BAD as its reply.

One pass, nothing is written or sampled. Knows neither the rubric nor what the verdict is about.
"""

import math
from typing import Any

from shammah_mlx.errors import WeightsError
from shammah_mlx.models.backend import mx, scalar
from shammah_mlx.models.language_model import CachedReader, load_network, model_source
from shammah_mlx.models.tokenizers import fill_later, part_mark

YES, NO = "GOOD", "BAD"  # the words that the rubric asks for; of each, the first token counts
SETTING = "judge.local"


class Reader:
    """A language model that judges; it is loaded when first asked. Equal requests have bit-equal log-odds."""

    def __init__(self, model: str, max_tokens: int) -> None:
        self._model, self._max_tokens = model_source(model), max_tokens
        self._loaded: _Loaded | None = None

    def warm_up(self) -> None:
        """Load the model now, so that the first request need not wait for it."""
        self._get()

    def log_odds(self, rubric: str, content: str) -> float | None:
        """Return the log-odds that the verdict on `content` is GOOD; None if it is longer than the model may read.

        Raises:
            WeightsError: the model cannot be loaded, or cannot judge.
        """
        loaded = self._get()
        head, tail = loaded.prompt(rubric)
        ids = [*loaded.encode(content), *tail]
        return None if len(head) + len(ids) > self._max_tokens else loaded.log_odds(head, ids)

    def _get(self) -> "_Loaded":
        if self._loaded is None:
            self._loaded = _Loaded(self._model)
        return self._loaded


class _Loaded:
    """The network, and what it has read of the rubric."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._network, self._tokenizer = load_network(model, SETTING)
        self._yes, self._no = self.encode(YES)[0], self.encode(NO)[0]
        if self._yes == self._no:
            raise WeightsError(f"{model!r} has no different tokens for {YES} and {NO}", f"choose another `{SETTING}`")
        self._head: list[int] = []  # what `_cached` has read
        self._cached = CachedReader(self._network)
        self._prompts: dict[str, tuple[list[int], list[int]]] = {}

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; the marks of a chat in it are text."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return ids

    def prompt(self, rubric: str) -> tuple[list[int], list[int]]:
        """Return the ids of the chat template before and after the content.

        Raises:
            WeightsError: it has no place for a rubric.
        """
        if rubric not in self._prompts:
            self._prompts[rubric] = _around_content(self._tokenizer, rubric, self._model)
        return self._prompts[rubric]

    def log_odds(self, head: list[int], ids: list[int]) -> float:
        """Return the log-odds after `head` and `ids`. The head is read once, as long as it stays the same."""
        if head != self._head or not self._cached.forgets:
            self._cached, self._head = CachedReader(self._network), []
            self._cached.skim(head)
        self._head = []  # should the pass be interrupted, the head is read again
        self._cached.skim(ids[:-1])
        logits = self._cached.read(mx.array(ids[-1:]))[-1]  # (vocabulary,)
        found = scalar(logits[self._yes]) - scalar(logits[self._no])
        if self._cached.forgets:
            self._cached.forget(len(ids))
            self._head = head
        if not math.isfinite(found):
            raise WeightsError(f"{self._model!r} computes no finite numbers", f"choose another `{SETTING}`")
        return found


def _around_content(tokenizer: Any, rubric: str, model: str) -> tuple[list[int], list[int]]:
    """Return the ids of a chat with the rubric as its system message, before and after the user's message."""
    from jinja2 import TemplateError  # transformers renders with it; a slow import

    try:
        runs = fill_later(tokenizer, [("system", rubric), ("user", part_mark("content"))])
    except TemplateError as error:
        raise WeightsError(
            f"the chat template of {model!r} takes no system message", f"choose another `{SETTING}`"
        ) from error
    at = runs.index("content")
    before, after = runs[:at], runs[at + 1 :]
    return [i for run in before for i in run], [i for run in after for i in run]  # type: ignore[misc]
