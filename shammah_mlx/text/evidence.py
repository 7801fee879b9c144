"""Number what speaks for and against the equivalence of two answers: the features of the fitted meter.

Each feature is the same whichever answer comes first, and lies about between 0 and 1.
"""

import math

import numpy as np

from shammah_mlx.text import edits, rules
from shammah_mlx.text.reading import Reading, Words, found_in

ALIKE = 0.5  # cosine; a sentence with none this similar in the other answer says something of its own
SHARP = 4  # power of the share of common words: one change in ten words counts .66, one in three .2
SHORT = 6  # words; an answer without a sentence around it
LONG = 50  # words; about the length of a full answer
MANY = 8  # sentences; a number that few answers exceed


def features(
    one: Reading, other: Reading, given: Words, vectors: tuple[np.ndarray, np.ndarray], changes: set[str]
) -> dict[str, float]:
    """Return the features of two answers.

    `given` are the words of their questions, `vectors` those of their sentences, `changes` the kinds of change between
    the sentences.
    """
    found = {"constant": 1.0} | _words(one, other, given) | _facts(one, other, given)
    found |= _meaning(*vectors) | _extent(one, other)
    found |= {f"changed {kind}": float(kind in changes) for kind in edits.KINDS if kind not in rules.VETOES}
    full = found["length of the shorter"]
    alike = found["words in both, least"] ** SHARP
    found |= {f"changed {kind}, much alike": found[f"changed {kind}"] * alike for kind in ("word", "negation", "order")}
    found |= {f"{name}, longer": found[name] * full for name in CROSSED}
    return found


CROSSED = (
    "said in both, first sentence, least",
    "said in both, least",
    "said in both, most",
    "similarity of the whole",
    "similarity, least of the best",
    "own sentences, most",
)


def _words(one: Reading, other: Reading, given: Words) -> dict[str, float]:
    """Compare the words that the questions lack."""
    new = bool(one.all_content - given) and bool(other.all_content - given)
    given = given if new else frozenset()  # what both say is in the question: compare all of it
    ours, theirs = one.all_content - given, other.all_content - given
    first, first_too = _first(one, given), _first(other, given)
    lead = _share(first, theirs), _share(first_too, ours)
    tip = _share(first, first_too), _share(first_too, first)
    whole = _share(ours, theirs), _share(theirs, ours)
    every = _share(one.all_content, other.all_content), _share(other.all_content, one.all_content)
    return {
        "said in both, first sentence, least": min(lead),
        "said in both, first sentence, most": max(lead),
        "said in both first sentences, least": min(tip),
        "said in both first sentences, most": max(tip),
        "said in both, least": min(whole),
        "said in both, most": max(whole),
        "words in both, least": min(every),
        "words in both, most": max(every),
        "nothing new": float(not new),
        "said letter by letter": _verbatim(one, other),
        "the same new words": float(bool(first) and first == first_too),
        "few new words": 1 / (1 + min(len(first), len(first_too))),
    }


def _first(answer: Reading, given: Words) -> Words:
    """Return what the first sentence says that the question does not; of all sentences if it says nothing new."""
    return next((words - given for words in answer.content if words - given), frozenset())


def _verbatim(one: Reading, other: Reading) -> float:
    """Say as 1 or 0 whether the longer answer has the letters of the short one; return a half if that is not short."""
    if min(len(one.words), len(other.words)) > SHORT:
        return 0.5
    short, long = sorted(("".join(one.words), "".join(other.words)), key=len)
    return float(short in long)


def _share(words: Words, other: Words) -> float:
    """Return the share of words that are found in the other text; a half if there are none."""
    return len(found_in(words, other)) / len(words) if words else 0.5


def _facts(one: Reading, other: Reading, given: Words) -> dict[str, float]:
    """Compare numbers, names, negations, and the sentences that are edits of one another."""
    numbers = one.numbers - given, other.numbers - given
    names = one.names - given, other.names - given
    lost_names = names[0] - found_in(names[0], other.all_content), names[1] - found_in(names[1], one.all_content)
    lead, lead_too = ({w for w in _first(r, given) if w[-1].isdigit()} for r in (one, other))
    return {
        "numbers of the first sentence apart": float(bool(lead - numbers[1]) and bool(lead_too - numbers[0])),
        "a number in both": float(bool(numbers[0] & numbers[1])),
        "names apart": float(bool(lost_names[0]) and bool(lost_names[1])),
        "a name in both": float(bool(names[0] & names[1])),
        "negated apart": float(sum(one.negations) % 2 != sum(other.negations) % 2),
        "first sentence negated apart": float(one.negations[0] % 2 != other.negations[0] % 2),
        "yes or no in both": float(one.yes_no * other.yes_no > 0),
        "one does not know": float(one.lost != other.lost),
    }


def _meaning(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Compare the vectors of the sentences."""
    similarity = one @ other.T
    best = similarity.max(axis=1), similarity.max(axis=0)
    means = one.mean(axis=0), other.mean(axis=0)
    whole = float(means[0] @ means[1] / (np.linalg.norm(means[0]) * np.linalg.norm(means[1]) + 1e-9))
    own = (best[0] < ALIKE).mean(), (best[1] < ALIKE).mean()
    return {
        "similarity of the whole": whole,
        "similarity of the first sentences": float(similarity[0, 0]),
        "similarity, least of the best": float(min(best[0].min(), best[1].min())),
        "similarity, mean of the best, least": float(min(best[0].mean(), best[1].mean())),
        "similarity, mean of the best, most": float(max(best[0].mean(), best[1].mean())),
        "similarity, most": float(similarity.max()),
        "own sentences, least": float(min(own)),
        "own sentences, most": float(max(own)),
    }


def changes_between(one: Reading, other: Reading, similarity: np.ndarray) -> set[str]:
    """Return the kinds of change between each sentence of the shorter answer and the nearest of the longer.

    Of two answers with as many sentences, the first in the alphabet counts as the shorter one.
    """
    if (len(one.sentences), one.text) > (len(other.sentences), other.text):
        one, other, similarity = other, one, similarity.T
    kinds: set[str] = set()
    for place, near in enumerate(similarity.argmax(axis=1)):
        ours, theirs = one.sentences[place], other.sentences[near]
        if ours != theirs and similarity[place, near] >= ALIKE:
            kinds |= edits.changes(one.tokens[place], other.tokens[near])
    return kinds


def _extent(one: Reading, other: Reading) -> dict[str, float]:
    """Compare how much the answers say."""
    short, long = sorted((len(one.words), len(other.words)))
    fewer, more = sorted((len(one.sentences), len(other.sentences)))
    return {
        "length of the shorter": min(math.log1p(short) / math.log1p(LONG), 1.5),
        "length of the longer": min(math.log1p(long) / math.log1p(LONG), 1.5),
        "length apart": min(math.log((long + 2) / (short + 2)), 4.0) / 4.0,
        "sentences apart": min(more - fewer, MANY) / MANY,
    }
