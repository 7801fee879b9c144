"""Turn a query into a question as the memory stores it: understood alone, with a vector, its words and a hash."""

import functools
from typing import Protocol

import numpy as np

from shammah_mlx.events import Query, text_hash
from shammah_mlx.learners.neighbours import Question, word_set
from shammah_mlx.models.encoder import Encoder
from shammah_mlx.models.tokenizers import WordPieces
from shammah_mlx.text.followups import leans_back
from shammah_mlx.text.open_ended import is_open_ended

QUESTION_RULES = "1"  # version of the rules about wordings: the moment, random results, follow-ups, secrets

RECENT = 64  # queries of which it is kept whether they want another answer: each is asked about several times


class Embedder(Protocol):
    """Turns texts into vectors."""

    def __call__(self, texts: list[str]) -> np.ndarray:
        """Return (texts, width)."""

    def reads_all(self, text: str) -> bool:
        """Return whether the text is short enough to be read to its end."""

    def parts(self) -> tuple[Encoder, WordPieces]:
        """Return the frozen encoder that it reads with, and its tokenizer."""


def make_question(embed: Embedder, query: Query) -> Question | None:
    """Return the question; None if it is too long: two may differ in the part that is not read."""
    asked = standalone_question(query)
    if not embed.reads_all(asked):
        return None
    return Question(embed([asked])[0], word_set(asked), query.context, text_hash(asked))


def standalone_question(query: Query) -> str:
    """Return the question such that it can be understood alone: a follow-up is joined to the question before it."""
    leans = bool(query.history) and leans_back(query.text)
    return f"{query.history[-1].question} {query.text}" if leans else query.text


@functools.lru_cache(RECENT)
def wants_another_answer(query: Query) -> bool:
    """Return whether the query asks for something random or made up, so that no past answer is wanted again."""
    return any(map(is_open_ended, {query.text, standalone_question(query)}))
