"""Take a question apart: what it asks, and the numbers, flags, things and directions in it. Pure text."""

import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from shammah_mlx.text import lexicon
from shammah_mlx.text.kinds import kind_of
from shammah_mlx.text.normalize import straighten_quotes, words
from shammah_mlx.text.question_words import SCAFFOLD

RECENT = 1024  # questions taken apart that are kept: a known question is compared again and again
MOST_WORDS = 200  # of each question: a longer one is not compared to its end
_WORD = re.compile(
    r"(?<![\w+-])[+-]{1,2}[A-Za-z][\w-]{0,30}"  # a flag
    r"|->|=>|\N{RIGHTWARDS ARROW}"
    r"|\N{DEGREE SIGN} ?[CFKcfk]\b"
    r"|\d{1,20}(?:[.,:]\d{1,20}){0,4}"
    r"|[^\W\d_]{1,40}(?:'[a-zA-Z]{1,3}\b)?(?:\+\+|#)?"
)
_LINKS_TO = frozenset(("to", "into", "->", "\u2192", "=>"))
_CLAUSE_ENDS = frozenset(("how", "what", "which", "where", "when", "why", "who"))
# fmt: off
_NUMBER_WORDS = {word: words(word)[0] for word in (  # "one" often stands for a noun
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "twenty", "thirty",
)}
# fmt: on
_LETTER_LANGUAGES = frozenset("CR")  # as a language only after one of these
_BEFORE_LANGUAGE = frozenset(("in", "with", "for", "of", "using"))


Thing = frozenset[str]
"""The name of a thing, and of what it is an instance of."""


class Parts(NamedTuple):
    """A question taken apart."""

    content: tuple[str, ...]  # base forms of the words that say what is asked, in order
    all_words: Counter[str]  # in lower case, for opposites such as up and down
    shown: frozenset[str]  # the words as written, to see case
    numbers: frozenset[str]
    flags: frozenset[str]
    things: dict[str, frozenset[Thing]]  # what is named, by kind
    order: tuple[Thing, ...]  # the things named, in order
    sources: frozenset[str]  # base forms of what stands before "to" or after "from"
    targets: frozenset[str]  # of what stands after "to"
    negated: bool


@functools.lru_cache(RECENT)
def parts_of(text: str) -> Parts:
    """Take a question apart."""
    found = _WORD.findall(straighten_quotes(text))[:MOST_WORDS]
    low = [word.lower() for word in found]
    content, bases, everything = [], [], []
    numbers, flags = set(), set()
    things: dict[str, set[Thing]] = {}
    order: list[Thing] = []
    for before, shown, word in zip(["", *low], found, low, strict=False):
        if word[0] in "+-":
            if word in _LINKS_TO:
                continue
            flags.add(shown)
            word = word.strip("+-")  # `--hard` is a word, too
            if len(word) < 3:
                continue
        if number := word if word[0].isdigit() else _NUMBER_WORDS.get(word):
            numbers.add(number)
            continue
        stem = word.partition("'")[0] if not word.endswith("n't") else word.replace("'", "")
        stem = stem.replace(" ", "")
        base = lexicon.base(stem)
        bases.append(base)
        everything.append(stem)
        named = None if len(stem) == 1 and not _is_language(before, shown) else kind_of(stem)
        if named:
            things.setdefault(named[0], set()).add(named[1])
            order.append(named[1])
            base = min(named[1])
        if base and stem not in SCAFFOLD:
            content.append(base)
    content = content or bases  # "its or it's" asks about words that elsewhere say nothing
    sources, targets = _directions(low)
    negations = sum(word.replace("'", "") in lexicon.NEGATIONS for word in low)
    return Parts(
        tuple(content), Counter(everything), frozenset(found), frozenset(numbers), frozenset(flags),
        {kind: frozenset(named) for kind, named in things.items()}, tuple(order), sources, targets,
        negations % 2 == 1,
    )  # fmt: skip


def _is_language(before: str, shown: str) -> bool:
    return shown in _LETTER_LANGUAGES and before in _BEFORE_LANGUAGE


def _directions(low: list[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words that something comes from, and those it goes to: json and yaml in "from json to yaml"."""
    sources: set[str] = set()
    targets: set[str] = set()
    for place, word in enumerate(low):
        if word in _LINKS_TO or word == "from":
            after = next((base for base in _bases(low[place + 1 : place + 4])), None)
            if after:
                (sources if word == "from" else targets).add(after)
            if word != "from" and (before := next(_bases(reversed(low[max(place - 3, 0) : place])), None)):
                sources.add(before)
    return frozenset(sources), frozenset(targets)


def _bases(found: Iterable[str]) -> Iterator[str]:
    """Yield the base forms of the words that say something; things under their first name."""
    for word in found:
        if word in _CLAUSE_ENDS:
            return
        if word not in SCAFFOLD and not word[0].isdigit():
            named = kind_of(word.replace(" ", ""))
            yield min(named[1]) if named else lexicon.base(word)
