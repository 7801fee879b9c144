"""Decide whether the change between two similar sentences alters what they say.

Pure text. Between equal words, one word replaced by another is decisive unless both mean the same. An added negation
or flag, or two things that change places, is too.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise, product

from shammah_mlx.text import lexicon
from shammah_mlx.text.normalize import is_number

NEAR = 0.6  # share of common words from which one sentence counts as an edit of the other
ALIKE = 0.8  # share of common words (SequenceMatcher) from which two word orders count as the same sentence
BESIDE = 3  # equal words needed around a replaced word, both sides together
PHRASE = 3  # words; a longer replaced stretch counts as rewording
OPERAND = 6  # words after a linking word that may belong to it
WORD = 200  # characters; a longer word is data, equal or not
MOST = 100  # words; longer sentences are not compared word by word

KINDS = ("number", "number alone", "number moved", "code", "negation", "opposite", "order", "word")

_CODE = re.compile(r"--?[A-Za-z][\w-]*|.*[/_\\(=].*|.*\w\.[A-Za-z]\w+|[a-z]+[A-Z]\w*|.*\d[A-Za-z]*\d.*")

_LIST = re.compile(r"[^\s,]+(?:(?: , [^\s,]+)+(?: ,)?)? (?:and|or) [^\s,]+|^[^\s,]+(?: , [^\s,]+)+$")


def changes(one: list[str], other: list[str]) -> set[str]:
    """Return the kinds of decisive change between two sentences, as words and commas; empty if they are not alike."""
    if max(len(one), len(other)) > MOST:
        return set()
    if max((len(word) for word in (*one, *other)), default=0) > WORD:
        return set() if one == other else {"code"}
    a, b = sorted((_in_order(one), _in_order(other)))
    plain_a, plain_b = _plain(a), _plain(b)
    if not plain_a or not plain_b:
        return set()
    if plain_a == plain_b:
        joined = _joints(one) != _joints(other) and len(_joints(one)) == len(_joints(other))
        return {"word"} if joined else set()
    kinds = {"code"} if _arguments_swapped(plain_a, plain_b) else {"order"} if _swapped(a, b) else set()
    if _numbers_moved(plain_a, plain_b):
        kinds.add("number moved")
    matcher = SequenceMatcher(None, plain_a, plain_b, autojunk=False)
    near = matcher.ratio() >= NEAR
    codes = [code for code in matcher.get_opcodes() if near or _is_in_place(code, matcher)]
    ops = [(plain_a[i:j], plain_b[k:m]) for tag, i, j, k, m in codes if tag != "equal"]
    gone, come = (Counter(word for op in ops for word in op[side]) for side in (0, 1))
    found = kinds.union(*(_kinds(old, new, gone & come) for old, new in ops))
    if len(ops) > 1:
        return found - {"word"}
    return found | {"number alone"} if "number" in found else found


def _is_in_place(code: tuple[str, int, int, int, int], matcher: SequenceMatcher[str]) -> bool:
    """Say whether the edit replaces one word by another between equal words."""
    _, i, j, k, m = code
    beside = [
        block.size for block in matcher.get_matching_blocks() if (block.a + block.size, block.a)[block.a > i] in (i, j)
    ]
    return j - i == m - k == 1 and len(beside) == 2 and sum(beside) >= BESIDE


def _kinds(old: list[str], new: list[str], moved: Counter[str]) -> set[str]:
    """Return the kinds of change that replacing `old` by `new` is."""
    kinds = {"negation"} if _modifiers(old) != _modifiers(new) else set[str]()
    if lexicon.interchangeable(" ".join(old), " ".join(new)):
        return kinds
    left, right = ([word for word in side if word not in moved] for side in (old, new))
    if lexicon.rivals(left, right):
        kinds.add("opposite")
    left, right = ([word for word in side if word not in lexicon.LIGHT | lexicon.NEGATIONS] for side in (left, right))
    numbers, numbers_too = ({word for word in side if is_number(word)} for side in (left, right))
    if numbers and numbers_too and numbers != numbers_too:
        kinds.add("number")
    if any(_CODE.fullmatch(word) and not is_number(word) for word in (*left, *right)):
        kinds.add("code")
    if left and right and max(len(left), len(right)) <= PHRASE and not kinds:
        kinds.add("word")
    return kinds


def _joints(found: list[str]) -> list[str]:
    return [word for word in found if word in ("and", "or")]


def _modifiers(found: list[str]) -> Counter[str]:
    """Count the words that alter what is said: an odd number of negations as one, and each limiting word."""
    kinds = Counter(word for word in found if word in lexicon.LIMITS)
    if sum(word in lexicon.NEGATIONS for word in found) % 2:
        kinds["not"] += 1
    return kinds


def _swapped(one: list[str], other: list[str]) -> bool:
    """Say whether two things changed places: a before b, b before a."""
    a, b = _plain(one), _plain(other)
    clauses = {(z, x) for x, y, z in _threes(one) if y == ","} & {(x, z) for x, y, z in _threes(other) if y == ","}
    if clauses:
        return True
    if _is_passive(one) != _is_passive(other):
        return _stays(*((one, other) if _is_passive(one) else (other, one)))
    return _exchanged(a, b) or _around_verb(a, b) or _around_link(one, other)


def _arguments_swapped(a: list[str], b: list[str]) -> bool:
    """Say whether two neighbouring pieces of code changed places."""
    turned = {(y, x) for x, y in pairwise(a)} & {*pairwise(b)}
    return any(_CODE.fullmatch(x) and _CODE.fullmatch(y) for x, y in turned)


def _threes(found: list[str]) -> Iterator[tuple[str, str, str]]:
    return zip(found, found[1:], found[2:], strict=False)


def _exchanged(a: list[str], b: list[str]) -> bool:
    """Say whether a is P X M Y S and b is P Y M X S, where M is not empty."""
    if Counter(a) != Counter(b):
        return False
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y), len(a))
    end = next((i for i, (x, y) in enumerate(zip(a[::-1], b[::-1], strict=True)) if x != y), 0)
    a, b = a[start : len(a) - end], b[start : len(b) - end]
    for x in range(1, len(a) - 1):
        if b[len(b) - x :] != a[:x]:
            continue
        for y in range(1, len(a) - x):
            if b[:y] == a[len(a) - y :] and a[x : len(a) - y] == b[y : len(b) - x]:
                return True
    return False


def _around_verb(a: list[str], b: list[str]) -> bool:
    """Say whether neighbours of some word changed sides, and little else changed."""
    once = {word for word in a if a.count(word) == b.count(word) == 1}
    for word in once:
        i, j = a.index(word), b.index(word)
        before = once.intersection(a[max(i - 2, 0) : i], b[j + 1 : j + 3]) - lexicon.LIGHT
        after = once.intersection(a[i + 1 : i + 3], b[max(j - 2, 0) : j]) - lexicon.LIGHT
        for x, y in product(before, after):
            back = [{x: y, y: x}.get(known, known) for known in a]
            if SequenceMatcher(None, back, b, autojunk=False).ratio() >= ALIKE:
                return True
    return False


def _around_link(a: Sequence[str], b: Sequence[str]) -> bool:
    """Say whether words after a linking word changed places with words elsewhere in the sentence."""
    for link in (lexicon.LINKS & set(a)) & set(b):
        ours, theirs = _operand(a, link), _operand(b, link)
        rest, rest_too = ({*side} - operand - lexicon.LIGHT for side, operand in ((a, ours), (b, theirs)))
        if (ours - theirs) & rest_too and (theirs - ours) & rest:
            return True
    return False


def _operand(found: Sequence[str], link: str) -> set[str]:
    """Return the words after each `link`, up to the next comma or linking word."""
    operand: set[str] = set()
    for place, word in enumerate(found):
        if word == link:
            for after in found[place + 1 : place + 1 + OPERAND]:
                if after == "," or after in lexicon.LINKS:
                    break
                operand.add(after)
    return operand - lexicon.LIGHT


def _numbers_moved(a: list[str], b: list[str]) -> bool:
    """Say whether a word that one number counts is counted by another number in a sentence of the same words."""
    if Counter(a) != Counter(b):
        return False
    ours, theirs = dict(_counted(a)), dict(_counted(b))
    return any(
        (counted - theirs[number]) & (words - ours.get(other, frozenset()))
        for number, counted in ours.items()
        if number in theirs
        for other, words in theirs.items()
        if other != number
    )


def _counted(found: list[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each number with the words after it: at most three, up to and including the next number."""
    places = [place for place, word in enumerate(found) if is_number(word)]
    for place, after in pairwise([*places, len(found)]):
        yield found[place], frozenset(found[place + 1 : min(after + 1, place + 4)])


def _is_passive(found: list[str]) -> bool:
    place = found.index("by") if "by" in found else 0
    return not lexicon.BE.isdisjoint(found[max(place - 3, 0) : place])


def _stays(passive: list[str], active: list[str]) -> bool:
    """Say whether the doer in the passive sentence is the object in the active one."""
    place = passive.index("by")
    doer, verb = next(iter(passive[place + 1 :]), ""), passive[place - 1]
    return (
        doer in active and verb in active and active.index(doer) > active.index(verb) and lexicon.BE.isdisjoint(active)
    )


def _plain(found: Sequence[str]) -> list[str]:
    return [word for word in found if word != "," and word not in lexicon.EMPTY]


def _in_order(found: list[str]) -> list[str]:
    """Return base forms, each list of single words sorted: red, blue and green is blue, green, red."""
    bases = " ".join(word if _CODE.fullmatch(word) else lexicon.base(word) for word in found)
    return _LIST.sub(lambda items: " ".join(sorted(re.split(r"(?: ,)? (?:and|or) | , ", items[0]))), bases).split()
