"""Say which words of a written answer come from nowhere, which are missing, and whether its form is usual. Pure text.

The answer to a task (a sentence to JSON, a description to a command) is made of the words of its question and of words
that other answers of the kind have. A word that neither has is a guess. And a word of the question that answers mostly
repeat ("song" in {"music_item": "song"}) is missing where an answer leaves it out. The words that an answer does not
have from its question are its *form*: labels and names of fields. Questions that are alike have answers of one form.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from shammah_mlx.events import Exchange

MOST_OMITTED = 8.0  # nats; 19 of 20 drafts on a task have less, and bounds from 6 to 12 tell wrong drafts equally well
LEAST_KEPT = 1e-3  # probability that a word is left out rightly; less makes no difference
NEW_REPEATED, NEW_SEEN = 0.1, 1.0  # what is assumed of new words before any was seen: one in ten is repeated
FORM_SHARPNESS = 20.0  # a question 0.1 less alike counts e^-2; 10 and 40 tell wrong drafts no better
FORM_GAIN = 20.0  # a form that a twentieth of the known answers have is told from one that none has
_WORD = re.compile(r"\w+")


def words(text: str) -> set[str]:
    """Return the words of a text, without regard to case."""
    return set(_WORD.findall(text.casefold()))


def foreign(answer: str, question: str, known_answers: Iterable[str]) -> int:
    """Return how many words of an answer neither its question nor a known answer has."""
    return len(words(answer) - words(question).union(*map(words, known_answers)))


def omitted(answer: str, question: str, known: Iterable[Exchange]) -> float:
    """Return how surprising it is that an answer leaves out the words of its question that it does, in nats.

    The probability that an answer repeats a word of its question is taken from the known exchanges whose question has
    the word, that of a word which none has from how words fared when they first came. The order of `known` decides
    which exchange was first. The sum is bounded: a long question has many words that no answer repeats.
    """
    asked, repeated = Counter[str](), Counter[str]()
    new_seen, new_repeated = NEW_SEEN, NEW_REPEATED
    for past in known:
        in_question, in_answer = words(past.question), words(past.answer)
        new = in_question - asked.keys()
        new_seen, new_repeated = new_seen + len(new), new_repeated + len(new & in_answer)
        asked.update(in_question)
        repeated.update(in_question & in_answer)
    first = new_repeated / new_seen
    expected = ((repeated[word] + first) / (asked[word] + 1.0) for word in words(question) - words(answer))
    total = math.fsum(-math.log(max(1.0 - chance, LEAST_KEPT)) for chance in expected)
    return min(total, MOST_OMITTED)


def usual_form(answer: str, question: str, known: Sequence[tuple[Exchange, float]]) -> float:
    """Return how usual the form of an answer is among known exchanges, from 0 for never to log(1 + FORM_GAIN).

    Each comes with the similarity of its question, a cosine, by which it counts.
    """
    weights = [math.exp(FORM_SHARPNESS * (alike - 1.0)) for _, alike in known]
    form = words(answer) - words(question)
    same = [
        weight
        for (past, _), weight in zip(known, weights, strict=True)
        if words(past.answer) - words(past.question) == form
    ]
    return math.log1p(FORM_GAIN * math.fsum(same) / math.fsum(weights)) if weights else 0.0
