"""Recognise answers that say the same nearly word for word: a short answer in a frame, a long one rearranged.

Pure text. The fitted weights were learnt on answers that two models wrote independently. Two answers of one model to
one question often share whole sentences instead, and differ in what stands around them.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from shammah_mlx.text import lexicon, normalize
from shammah_mlx.text.reading import Reading

Part = tuple[str, ...]
"""The words between two stops or commas, each as the first of its synonyms."""
_CONTRACTED = frozenset(word for word in lexicon.NEGATIONS if word.endswith("nt"))
_PRONOUNS = frozenset(("i", "you", "he", "she", "it", "we", "they", "that", "there", "here", "what", "who"))
_SHORTENED = frozenset(("s", "ve", "re", "ll", "d", "m", "am"))  # what stands after a pronoun; elsewhere D is a vitamin
LONGEST_PHRASE = 4  # words of a synonym
_THING = r"(?:intent|label|category|class|classification|tag|answer|result|match)"
_FRAMED = re.compile(  # what holds a short answer: "The best match is timer."
    rf"(?:(?:so|in this case|here)?,? ?(?:the|my) (?:best |correct |right |final )*{_THING}(?: (?:here|of this \w+))?"
    rf"(?: is:?| would be:?|:)|{_THING}:|(?:that|this|it)(?:'s| is| would be| falls under| belongs to):?"
    rf"|i(?:'d| would) (?:label|classify|tag) (?:this|it)(?: as)?:?)\s+(?P<held>.+)|(?P<told>.+) is the answer",
    re.IGNORECASE | re.DOTALL,
)
_MARKS = "`\"'* \n"
MOST_CORE = 6  # words of a short answer itself
LEAST = 20  # words; a shorter answer has too few to be recognised by most of them
SHARED = 0.6  # of an answer's words stand in parts that the other has word for word
MOST_ADDED = 0.25  # of the words; more is another answer
CHANGED = 0.05  # divergence of answers of which one says a little more, or the same in another order
ORDERING = frozenset(("first", "then", "next", "before", "after", "finally", "last", "step"))  # where order counts


def core(answer: Reading) -> Part:
    """Return the normalised words of a short answer without what only holds it; empty if it is not short."""
    text = normalize.straighten_quotes(answer.text).strip(_MARKS).rstrip(".!?")
    framed = _FRAMED.fullmatch(text)
    found = normalize.words(framed["held"] or framed["told"]) if framed else answer.words
    return tuple(found) if len(found) <= MOST_CORE else ()


def divergence(one: Reading, other: Reading) -> float | None:
    """Return how far apart two answers are whose parts are nearly all equal; None if they are not.

    Only one of them may say something beside, and little.
    """
    if min(len(one.words), len(other.words)) < LEAST:
        return None
    ours, theirs = Counter(_parts(one)), Counter(_parts(other))
    beside = ours - theirs, theirs - ours
    in_turn = [word for part in beside[0] for word in part], [word for part in beside[1] for word in part]
    if in_turn[0] == in_turn[1]:  # nothing, or the same, cut into other parts: a list
        if _length(ours & theirs) < SHARED * _length(ours):
            return None
        if [*_parts(one)] == [*_parts(other)] or in_turn[0]:
            return 0.0
        return None if not ORDERING.isdisjoint(one.words) else CHANGED
    added = in_turn[0] or in_turn[1]
    if (
        (in_turn[0] and in_turn[1])
        or len(added) > MOST_ADDED * _length(ours | theirs)
        or not LIMITING.isdisjoint(added)
    ):
        return None
    return CHANGED


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
    plain = [
        "not" if word in _CONTRACTED else lexicon.base(word)
        for before, word in pairwise(["", *part])
        if not (word in _SHORTENED and before in _PRONOUNS)
    ]
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
            said += [word] if word not in lexicon.EMPTY else []
        at += size
    return tuple(said)


def _length(parts: Counter[Part]) -> int:
    return sum(len(part) * count for part, count in parts.items())


LIMITING = frozenset(  # may take back or limit what is said beside them; as `_said` writes them
    said
    for word in lexicon.NEGATIONS | lexicon.LIMITS | {"stop", "if", "warning", "careful", "dangerous", "but", "first"}
    for said in _said([word])
)
