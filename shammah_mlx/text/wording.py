"""Recognise answers that say the same nearly word for word: a short answer in a frame, a long one rearranged.

Pure text. The fitted weights were learnt on answers that two models wrote independently. Two answers of one model to
one question often share whole sentences instead, and differ in what stands around them.
"""

from collections import Counter
from collections.abc import Iterator

from shammah_mlx.text import lexicon
from shammah_mlx.text.reading import Reading, Words

Part = tuple[str, ...]
"""The words between two stops or commas, each as the first of its synonyms."""
# fmt: off
FRAME = frozenset((  # words that hold a short answer: "The best match is timer."
    "the", "a", "an", "this", "that", "it", "its", "i", "id", "ill", "my", "is", "be", "would", "will", "here", "so",
    "as", "of", "under", "in", "case", "request", "question", "query", "message", "intent", "label", "category",
    "class", "classification", "tag", "answer", "result", "value", "response", "output", "prediction", "match",
    "best", "correct", "right", "final", "most", "likely", "fall", "falls", "belong", "belongs", "to", "into",
    "classify", "classified", "labelled", "labeled", "tagged", "say", "call", "d", "s", "ll", "should", "think",
))
# fmt: on
_CONTRACTED = frozenset(word for word in lexicon.NEGATIONS if word.endswith("nt"))
FORMAL = frozenset(
    ("s", "ve", "re", "ll", "d", "m", "am", "or", "of", "to")
)  # what contractions leave, and words that say little
LONGEST_PHRASE = 4  # words of a synonym
MOST_FRAMED = 16  # words of a short answer with its frame
MOST_CORE = 5  # words of the answer itself
LEAST = 20  # words; a shorter answer has too few to be recognised by most of them
SHARED = 0.6  # of each answer's words stand in parts that the other has word for word


def core(answer: Reading) -> Part:
    """Return the words of a short answer without those that only hold it; empty if it is not short, or nothing else.

    A word of the frame counts again where the answer would be empty without it.
    """
    if len(answer.words) > MOST_FRAMED or len(answer.sentences) > 1:
        return ()
    left = tuple(word for word in answer.words if word not in FRAME)
    return left if len(left) <= MOST_CORE else ()


def nearly_word_for_word(one: Reading, other: Reading, given: Words) -> bool:
    """Say whether most parts of two answers are equal, and at most one of them says something beside.

    `given` are the words of their questions, which say nothing new.
    """
    if min(len(one.words), len(other.words)) < LEAST:
        return False
    ours, theirs = Counter(_parts(one)), Counter(_parts(other))
    shared = ours & theirs
    beside = ours - shared, theirs - shared
    if _length(shared) < SHARED * max(_length(ours), _length(theirs)):
        return False
    if _negations(beside[0]) != _negations(beside[1]):
        return False
    if _rearranged(*beside):
        return False
    asked = frozenset(_said([*given]))
    added = _words(beside[0]) - _words(theirs) - asked, _words(beside[1]) - _words(ours) - asked
    return not all(words - lexicon.LIGHT - FRAME for words in added)


def _rearranged(one: Counter[Part], other: Counter[Part]) -> bool:
    """Say whether parts have the same words in another order, alone or all together: who is older than whom."""
    alone = {tuple(sorted(part)) for part in one}, {tuple(sorted(part)) for part in other}
    in_turn = [word for part in one for word in part], [word for part in other for word in part]
    return bool(alone[0] & alone[1]) or ({*in_turn[0]} == {*in_turn[1]} and in_turn[0] != in_turn[1])


def _parts(answer: Reading) -> Iterator[Part]:
    """Yield what stands between two stops or commas, in normalised words: the items of a list, written either way."""
    for tokens in answer.tokens:
        part: list[str] = []
        for word in [*tokens, ","]:
            if word == ",":
                if said := _said(part):
                    yield said
                part = []
            else:
                part.append(word)


def _said(part: list[str]) -> Part:
    """Return the words that say something, each as the first of its synonyms."""
    plain = [word for found in part for word in (("not",) if found in _CONTRACTED else (lexicon.base(found),))]
    said: list[str] = []
    at = 0
    while at < len(plain):
        for size in range(min(LONGEST_PHRASE, len(plain) - at), 0, -1):
            phrase = " ".join(plain[at : at + size])
            if groups := lexicon.meanings(phrase):
                said.append(f"synonym {min(groups)}")
                break
        else:
            size, word = 1, plain[at]
            said += [word] if word not in lexicon.EMPTY | FORMAL else []
        at += size
    return tuple(said)


def _length(parts: Counter[Part]) -> int:
    return sum(len(part) * count for part, count in parts.items())


def _words(parts: Counter[Part]) -> Words:
    return frozenset(word for part in parts for word in part)


def _negations(parts: Counter[Part]) -> int:
    return sum(word in lexicon.NEGATIONS for part in parts.elements() for word in part)
