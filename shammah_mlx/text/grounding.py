"""Say which words of a written answer come from nowhere, and which of the question went nowhere. Pure text.

The answer to a task (a sentence to JSON, a description to a command) is made of the words of its question and of words
that other answers of the kind have. A word that neither has is a guess. And a word of the question that no question
like it has is what is new in it: an answer without it may have missed it.
"""

import re
from collections.abc import Iterable

_WORD = re.compile(r"\w+")


def words(text: str) -> set[str]:
    """Return the words of a text, without regard to case."""
    return set(_WORD.findall(text.casefold()))


def foreign(answer: str, question: str, known_answers: Iterable[str]) -> int:
    """Return how many words of an answer neither its question nor a known answer has."""
    return len(words(answer) - words(question).union(*map(words, known_answers)))


def lost(answer: str, question: str, known_questions: Iterable[str]) -> int:
    """Return how many words of a question neither its answer nor a known question has."""
    return len(words(question) - words(answer).union(*map(words, known_questions)))
