"""Compare a question with a known one: name what changed, and estimate whether the answer changes with it.

Pure text. A reworded question and its neighbour (another system, the opposite action, another number) look alike to an
embedding. Each difference is evidence, not a rule: the result is a handful of numbers and one sum of them.
"""

import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import pairwise

from shammah_mlx.text import lexicon
from shammah_mlx.text.kinds import kind_of
from shammah_mlx.text.question_parts import Parts, Thing, parts_of
from shammah_mlx.text.question_words import SAME_OF, WITH_OPPOSITE, exclude, meanings

MANY = 4.0  # changes of one sort that count; more say nothing new
SHORTEST_TYPO = 5  # letters from which two words one edit apart count as one word
FEWEST_WORDINGS = 3  # of a known question, to tell which words it cannot do without
CORE = 0.6  # share of the wordings from which a word belongs to the core
STEM = 5  # common first letters from which two words count as forms of one word

FEATURES = (
    "same words",  # 1 if the content words, numbers, flags, links and negation are the same
    "opposites",  # pairs of words, one from each question, that exclude each other
    "numbers replaced",  # 1 if each question has a number that the other lacks
    "things replaced",  # kinds of which the questions name different things
    "flags replaced",  # 1 if each has a flag that the other lacks
    "case differs",  # 1 if a flag or a single letter differs by case alone
    "negation differs",  # 1 if one question is negated
    "swapped",  # 1 if source and target changed places, 0.5 if one of them did
    "reordered",  # 1 if two things of one kind are named in the other order
    "new words",  # content words that the known question lacks, log(1 + n)
    "lost words",  # content words of the known question that are gone, log(1 + n)
    "shared words",  # content words of both, as a share of the new question's
    "replaced words",  # content words that stand where the known question has another, log(1 + n)
    "foreign words",  # content words that neither a known wording nor the answer has, log(1 + n)
    "foreign things",  # things named that none of these names
    "foreign numbers",  # numbers that none of these has
    "core lost",  # words of most known wordings that the new question lacks, log(1 + n)
)

CONSTANT = -0.7
WEIGHTS = {  # fitted by `benchmarks.question_changes` on questions with an even sha256; three are raised by hand,
    # since the fit saw few clear cases: opposites from 0.85, numbers from 0.7, negation from 0.05
    "same words": -1.05,
    "opposites": 1.5,
    "numbers replaced": 1.8,
    "things replaced": 1.1,
    "flags replaced": 1.0,
    "case differs": 0.6,
    "negation differs": 1.0,
    "swapped": 1.85,
    "reordered": 0.7,
    "new words": -1.15,
    "lost words": 0.2,
    "shared words": -0.1,
    "replaced words": 0.85,
    "foreign words": 1.65,
    "foreign things": 1.3,
    "foreign numbers": 0.7,
    "core lost": 1.0,
}


def question_changes(new: str, known: str, wordings: Sequence[str] = (), answer: str = "") -> dict[str, float]:
    """Return what changed from the known question to the new one, as the named `FEATURES`.

    `wordings` are other wordings of the known question, if there are any, and `answer` is its answer.
    """
    a, b = parts_of(new), parts_of(known)
    known_wordings = (b, *map(parts_of, wordings))
    came, gone, shared = _differing(a, b)
    values = (
        float(
            a.content == b.content
            and a.numbers == b.numbers
            and a.flags == b.flags
            and a.sources == b.sources
            and a.negated == b.negated
        ),
        min(_opposed(a, b, came, gone), MANY),
        float(bool(a.numbers - b.numbers and b.numbers - a.numbers)),
        _things_replaced(a, b),
        float(bool(a.flags - b.flags and b.flags - a.flags)),
        float(_case_differs(a, b)),
        float(a.negated != b.negated),
        _swapped(a, b),
        float(_reordered(a, b)),
        _log1p(len(came)),
        _log1p(len(gone)),
        shared / len({*a.content}) if a.content else 1.0,
        _log1p(_replaced(a, b, came, gone)),
        *_foreign(a, came, (*known_wordings, parts_of(answer))),
        _log1p(_core_lost(a, known_wordings)),
    )
    return dict(zip(FEATURES, values, strict=True))


def log_odds_of_change(changes: Mapping[str, float]) -> float:
    """Return the log-odds that a question has another answer than the known one, from what changed.

    They hold where half of the questions are neighbours; add the log-odds of the true share.
    """
    return CONSTANT + sum(weight * changes[name] for name, weight in WEIGHTS.items())


def _differing(a: Parts, b: Parts) -> tuple[list[str], list[str], int]:
    """Return the content words that only the new question has, those that only the known one has, and the shared."""
    ours, theirs = dict.fromkeys(a.content), dict.fromkeys(b.content)
    apart = _written_apart(a.content, theirs) | _written_apart(b.content, ours)
    came = [word for word in ours if word not in theirs and word not in apart]
    gone = [word for word in theirs if word not in ours and word not in apart]
    shared = len(ours) - len(came)
    for word in list(came):
        match = next((other for other in gone if _mean_the_same(word, other)), None)
        if match is not None:
            came.remove(word)
            gone.remove(match)
            shared += 1
    return came, gone, shared


def _written_apart(found: Sequence[str], others: Container[str]) -> set[str]:
    """Return the words that the others have as one, with that one: butter, milk, buttermilk."""
    return {word for x, y in pairwise(found) if x + y in others for word in (x, y, x + y)}


def _mean_the_same(one: str, other: str) -> bool:
    """Say whether two base forms are synonyms, forms of one word, or one a typo of the other."""
    if not meanings(one).isdisjoint(meanings(other)):
        return True
    if one[0] != other[0] or kind_of(one) or kind_of(other):
        return False
    if len(one) > STEM and len(other) > STEM and one[:STEM] == other[:STEM]:
        return True
    return min(len(one), len(other)) >= SHORTEST_TYPO - 1 and _one_edit_apart(one, other)


def _one_edit_apart(one: str, other: str) -> bool:
    """Say whether one letter added, left out, replaced or exchanged with its neighbour makes one word the other."""
    if abs(len(one) - len(other)) > 1 or max(len(one), len(other)) < SHORTEST_TYPO:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    left, right = one[start:], other[start:]
    if len(left) == len(right):
        return left[1:] == right[1:] or (left[:2] == right[1::-1] and left[2:] == right[2:])
    return left[1:] == right or left == right[1:]


def _opposed(a: Parts, b: Parts, came: list[str], gone: list[str]) -> float:
    """Count the pairs of words, one from each question, that exclude each other."""
    ours = {*came, *map(lexicon.base, a.all_words - b.all_words)} & WITH_OPPOSITE
    theirs = {*gone, *map(lexicon.base, b.all_words - a.all_words)} & WITH_OPPOSITE
    return float(sum(exclude(one, other) for one in ours for other in theirs))


def _things_replaced(a: Parts, b: Parts) -> float:
    """Count the kinds of which each question names a thing that the other lacks."""
    return min(float(sum(_each_lacks(a.things[kind], b.things[kind]) for kind in a.things.keys() & b.things)), MANY)


def _each_lacks(ours: frozenset[Thing], theirs: frozenset[Thing]) -> bool:
    return any(not _is_among(thing, theirs) for thing in ours) and any(not _is_among(thing, ours) for thing in theirs)


def _is_among(thing: Thing, others: Iterable[Thing]) -> bool:
    """Say whether a thing is one of the others, or an instance of one, or one of them its instance."""
    return any(thing <= other or other <= thing for other in others)


def _case_differs(a: Parts, b: Parts) -> bool:
    """Say whether a flag or a single letter differs by its case alone."""
    ours = {word for word in a.shown - b.shown if len(word) == 1 or word[0] in "+-"}
    theirs = {word for word in b.shown - a.shown if len(word) == 1 or word[0] in "+-"}
    return not {word.lower() for word in ours if word not in "aAiI"}.isdisjoint(word.lower() for word in theirs)


def _swapped(a: Parts, b: Parts) -> float:
    """Say how far source and target changed places: 1 both, 0.5 one of them."""
    turned = (a.sources & b.targets - b.sources, a.targets & b.sources - b.targets)
    kept = a.sources & b.sources or a.targets & b.targets
    return 0.0 if kept else sum(map(bool, turned)) / 2


def _reordered(a: Parts, b: Parts) -> bool:
    """Say whether two things are named in the other order."""
    ours = [thing for thing in dict.fromkeys(a.order) if thing in b.order]
    theirs = [thing for thing in dict.fromkeys(b.order) if thing in a.order]
    return ours != theirs


def _replaced(a: Parts, b: Parts, came: list[str], gone: list[str]) -> float:
    """Count the new words between the same two words as one that is gone; beside one of them counts half."""
    places: dict[tuple[str, int], set[str]] = {}
    missing = set(gone)
    for before, word, after in zip(("", *b.content), b.content, (*b.content[1:], ""), strict=False):
        if word in missing:
            places.setdefault((before, 0), set()).add(word)
            places.setdefault((after, 1), set()).add(word)
    total, fresh = 0.0, set(came)
    for before, word, after in zip(("", *a.content), a.content, (*a.content[1:], ""), strict=False):
        if word in fresh:
            left, right = places.get((before, 0), set()), places.get((after, 1), set())
            total += 1.0 if left & right else 0.5 if left or right else 0.0
    return total


def _foreign(a: Parts, came: Sequence[str], about: Sequence[Parts]) -> tuple[float, float, float]:
    """Count the content words, things and numbers of a question that occur in none of the texts."""
    unknown = _without_known(came, {word for text in about for word in text.content})
    named = {thing for text in about for thing in text.order}
    things = sum(not _is_among(thing, named) for thing in {*a.order})
    numbers = a.numbers.difference(*(text.numbers for text in about))
    return _log1p(len(unknown)), min(float(things), MANY), min(float(len(numbers)), MANY)


def _without_known(found: Iterable[str], known: set[str]) -> list[str]:
    """Return the words that are not known, and of which no known word is a synonym, form or typo."""
    alike: dict[str, list[str]] = {}  # by first letter
    for word in known:
        alike.setdefault(word[0], []).append(word)
    meant = {meaning for word in known for meaning in meanings(word)}
    return [
        word
        for word in found
        if word not in known
        and meant.isdisjoint(meanings(word))
        and not any(_mean_the_same(word, other) for other in alike.get(word[0], ()))
    ]


def _core_lost(a: Parts, wordings: Sequence[Parts]) -> float:
    """Count the words that most wordings have and `a` lacks; 0 if there are too few wordings to tell."""
    if len(wordings) < FEWEST_WORDINGS:
        return 0.0
    counts = Counter(meaning for wording in wordings for meaning in {*map(_one_meaning, wording.content)})
    ours = {*map(_one_meaning, a.content)}
    return float(sum(count > CORE * len(wordings) and meaning not in ours for meaning, count in counts.items()))


def _one_meaning(word: str) -> str | int:
    """Return one group of synonyms that a base form is in, else the word itself."""
    return min(SAME_OF.get(word, ()), default=word)


def _log1p(count: float) -> float:
    return float(math.log1p(min(count, 2 * MANY)))
