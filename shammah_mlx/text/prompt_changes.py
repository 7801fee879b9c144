"""Say what kind of thing changes between texts that are otherwise alike, and where; never what it says."""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import pairwise

import msgspec

_PART_OF_A_VALUE = re.compile(r"[A-Za-z0-9:.+/_-]")
_LONGEST = 80  # characters of a value: enough for any time, date or identifier
_CLOCK = r"\d{1,2}:\d\d(:\d\d([.,]\d+)?)?"
_DAY = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d\d)"
_ZONE = r"(Z|UTC|GMT|[AaPp]\.?[Mm]|[+-]\d\d:?\d\d)?"
_NAMES = (  # of days and months, whole or cut to three letters or more
    r"(mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)(day)?"
    r"|jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|dec(ember)?"
)
_KINDS = tuple(  # the first that matches a whole value counts
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("a time", rf"(({_DAY})[T_-])?{_CLOCK}{_ZONE}"),
        ("a time", r"1\d{9}(\d{3})?(\.\d+)?|[ap]m"),  # seconds or milliseconds since 1970
        ("a date", rf"{_DAY}|{_NAMES}"),
        ("a number", r"[+-]?\d+([.,]\d+)*"),
        ("an identifier", r"(?=.*\d)[\w.:+/-]{6,}|[0-9a-f]{8,}"),
    )
)


class Change(msgspec.Struct, frozen=True):
    """A kind of thing that changes, and where it begins: both count from 1."""

    kind: str  # "a time", "a date", "a number", "an identifier" or "the wording"
    line: int
    character: int

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.kind} at line {self.line}, character {self.character}"


def usual_changes(texts: Collection[str]) -> list[Change]:
    """Return what changes between most of these texts: the first place, and the last one if it is another."""
    alike = sorted(texts)  # so that neighbours are of one kind, if several programs wrote them
    found = [list(_changes(*pair)) for pair in pairwise(alike) if pair[0] != pair[1]]
    firsts, lasts = Counter(some[0] for some in found), Counter(some[-1] for some in found)
    return list(dict.fromkeys(change for counts in (firsts, lasts) for change, _ in counts.most_common(1)))


def _changes(one: str, other: str) -> Iterator[Change]:
    """Yield the first and the last change from one text to another one, which may be the same."""
    start = _same(one, other)
    yield _change_at(one, start, other, start)
    most = min(len(one), len(other)) - start
    end = _same(one[::-1][:most], other[::-1][:most])
    yield _change_at(one, max(start, len(one) - end - 1), other, max(start, len(other) - end - 1))


def _same(one: str, other: str) -> int:
    """Return how many characters are the same from the start."""
    differing = (place for place, (mine, theirs) in enumerate(zip(one, other, strict=False)) if mine != theirs)
    return next(differing, min(len(one), len(other)))


def _change_at(one: str, place: int, other: str, other_place: int) -> Change:
    (begin, value), (_, other_value) = _value_at(one, place), _value_at(other, other_place)
    kind = _kind_of(value)
    before = one[:begin]
    at = before.count("\n") + 1, begin - before.rfind("\n")
    return Change(kind if kind == _kind_of(other_value) else "the wording", *at)


def _value_at(text: str, place: int) -> tuple[int, str]:
    """Return the value that contains a place: where it begins, and its text."""
    begin, end = place, place
    while begin and place - begin < _LONGEST and _PART_OF_A_VALUE.match(text[begin - 1]):
        begin -= 1
    while end < len(text) and end - place < _LONGEST and _PART_OF_A_VALUE.match(text[end]):
        end += 1
    return begin, text[begin:end].rstrip(".:")


def _kind_of(value: str) -> str:
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(value)), "the wording")
