"""Decide without a model: code, labels and numbers exactly; and name what equivalent answers never differ in.

Pure text. An embedding puts `--soft` next to `--hard`, and 20 minutes next to 20 seconds; these rules tell them apart.
"""

import re
from itertools import pairwise

from shammah_mlx.text import lexicon, normalize, reading, snippets, wording
from shammah_mlx.text.reading import CODE, Reading

RULES = "7"  # version of the meter's rules, features and weights: labels made with another version do not count

_SIGN = re.compile(
    r"(?<=\s)[-+*/%=<>^|&]+(?=\s)|[<>=!]="  # between spaces
    r"|(?<=\w)[+*=<>^|&](?=\w)|(?<=\b\w)-(?=\w\b)"  # a+b, a-b
    r"|(?<=\b[A-Z])[+-](?![\w+-])"  # A+, A-
)
_MARK = re.compile(r"\d{1,2}[.)]|[^\w\s]+")
_LABEL = re.compile(r"[a-z0-9]+(?:[_ -][a-z0-9]+){0,3}")
_FACT = re.compile(  # a question whose answer is a word or two; whatever follows explains it
    r"\b(?:who|whom|whose|which|when|where|how (?:many|much|old|long|far|tall|high|big|often)"
    r"|what (?!is\b(?! the (?:name|term|word|most|\w+est)\b)|are|do|does|did|should|can|could|if|to|happens|would|will"
    r"|about)\w+)\b|\bwhat\W*\Z|\b(?:called|known as)\b",
    re.IGNORECASE,
)
VETOES = frozenset(("number", "number alone", "number moved", "code", "opposite"))
"""Kinds of change in a sentence after which two answers are not equivalent."""
BESIDE = 80  # words; up to this much prose around equal code blocks is compared by rules alone
LONGEST = 20_000  # characters; longer texts are equal word for word, or differ
CUT = 10  # words; a shorter text that begins another one may be all that was asked for
FACT = 20  # words; a sentence that answers a question about a fact is no longer
CUT_SHARE = 0.75  # of the longer text; a text that lacks less of its end is not called cut


def decided(one: str, other: str) -> bool | None:
    """Decide whether two texts are equivalent where signs alone tell: code, labels, too long a text; else None."""
    if one == other:
        return True
    if max(len(one), len(other)) > LONGEST:
        return one.split() == other.split()
    one, other = reading.plain(one), reading.plain(other)
    coded = snippets.is_code(one), snippets.is_code(other)
    if all(coded):
        return snippets.read(one) == snippets.read(other)
    if any(coded):
        code, text = (one, other) if coded[0] else (other, one)
        quoted = {tuple(snippets.read(piece)) for piece in snippets.quoted(text)}
        if quoted or (snippets.is_command(code) and len(code.split()) > 1):
            return quoted == {tuple(snippets.read(code))} and not _denied(text)
    if _LABEL.fullmatch(one) and _LABEL.fullmatch(other):
        return _labelled(one) == _labelled(other)
    return None


def _labelled(text: str) -> list[str]:
    return [lexicon.base(word) for word in normalize.words(re.sub("[_-]", " ", text))]


def _denied(text: str) -> bool:
    """Say whether a text may quote its code as something not to do."""
    found = normalize.words(snippets.without_quoted(text))
    return any(word in lexicon.NEGATIONS for word in found)


def same_words(one: Reading, other: Reading) -> bool | None:
    """Say whether two answers with the same words, yes or no, or numbers alone are equivalent; None for all others."""
    if not one.words or not other.words:
        return one.text.strip() == other.text.strip()
    if one.words == other.words or ((same := wording.core(one)) and same == wording.core(other)):
        return _SIGN.findall(one.text) == _SIGN.findall(other.text) and not codes_differ(one.text, other.text)
    if one.yes_no == other.yes_no != 0 and min(len(one.words), len(other.words)) == 1:
        return True
    if _only_numbers(one) and _only_numbers(other):
        return False
    lacks = (_only_numbers(a) and not a.numbers <= b.numbers for a, b in ((one, other), (other, one)))
    return False if any(lacks) else None


def _only_numbers(answer: Reading) -> bool:
    return all(
        normalize.is_number(word) or word in normalize.SIGNS or word in normalize.UNIT.values() for word in answer.words
    )


def vetoed(one: Reading, other: Reading, question: str, changes: set[str]) -> bool:
    """Say whether two answers contradict each other in code, a number, a unit or an opposite, or one is the other cut.

    `changes` are the kinds of change between their sentences.
    """
    fatal = changes & VETOES
    if fatal == {"number"} and (one.numbers <= other.numbers or other.numbers <= one.numbers):
        fatal = set()  # each text has the number that the other sentence has
    return bool(
        fatal
        or one.yes_no * other.yes_no < 0
        or _opposed(one, other)
        or units_differ(one.words, other.words)
        or codes_differ(one.text, other.text)
        or _blocks_differ(one.text, other.text)
        or _is_cut(one, other, question)
        or _is_cut(other, one, question)
    )


def _opposed(one: Reading, other: Reading) -> bool:
    """Say whether the first sentences say the opposite: a light is on, a light is off."""
    ours, theirs = ({lexicon.base(word) for word in answer.tokens[0]} for answer in (one, other))
    return lexicon.opposites(ours - theirs, theirs - ours)


def _is_cut(short: Reading, long: Reading, question: str) -> bool:
    """Say whether one text is no more than the beginning of the other, and not all that was asked for."""
    ours, theirs = _unmarked(short.text), _unmarked(long.text)
    if not CUT <= len(ours) < CUT_SHARE * len(theirs) or ours[:-1] != theirs[: len(ours) - 1]:
        return False
    ends = ours[-1] != theirs[len(ours) - 1] or ours[-1][-1] in ".!?:"
    return not ends or len(short.sentences) > 1 or len(ours) > FACT or not _FACT.search(question)


def _unmarked(text: str) -> list[str]:
    """Return the words of a text with their punctuation, without the marks of lists and headings."""
    return [word for word in text.split() if not _MARK.fullmatch(word)]


def _blocks_differ(one: str, other: str) -> bool:
    """Say whether each text has a code block that the other lacks."""
    ours, theirs = ({tuple(snippets.read(block)) for block in snippets.blocks(text)} for text in (one, other))
    return bool(ours - theirs and theirs - ours)


def codes_differ(one: str, other: str) -> bool:
    """Say whether each text has a piece of code that the other lacks."""
    return _lacks(one, other) and _lacks(other, one)


def _lacks(one: str, other: str) -> bool:
    """Say whether `one` lacks a piece of code that `other` has."""
    plain = " ".join(one.replace("`", " ").split())
    words = {word.strip(".,;:!?()\"'") for word in plain.split()} | {*CODE.findall(plain)}
    pieces = (" ".join(piece.split()) for piece in snippets.quoted(other))
    return not {*CODE.findall(snippets.without_quoted(other))} <= words or not all(
        piece in (plain if " " in piece else words) or plain == piece for piece in pieces
    )


def units_differ(a: list[str], b: list[str]) -> bool:
    """Say whether the same number has different units in the two texts, or each has a sign that the other lacks."""
    signs, signs_too = normalize.SIGNS.intersection(a), normalize.SIGNS.intersection(b)
    if signs - signs_too and signs_too - signs:
        return True
    ours, theirs = _measured(a), _measured(b)
    return any(not ours[number] & theirs[number] for number in ours.keys() & theirs.keys())


def _measured(found: list[str]) -> dict[str, set[str]]:
    units: dict[str, set[str]] = {}
    for number, unit in pairwise(found):
        if number[-1].isdigit() and unit in normalize.UNIT:
            units.setdefault(number, set()).add(unit)
    return units
