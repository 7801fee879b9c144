"""Normalise a text to its words, numbers and units: "Three metres" becomes "3 meter", "5,000" becomes "5000".

Pure text.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

# fmt: off
_TO_TWENTY = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)
_TENS = {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90"}
_NUMBER_WORDS = {word: str(value) for value, word in enumerate(_TO_TWENTY)} | _TENS
_SCALES = {"thousand": "000", "million": "000000", "billion": "000000000"}
_SPELLED = {"k": "thousand", "m": "million", "bn": "billion"}
_SPELLINGS = (  # of units: the name, then other spellings after a number
    "kilometer km kilometre", "meter m metre", "centimeter cm centimetre", "millimeter mm millimetre", "mile mi",
    "foot ft feet", "inch inches", "kilogram kg kilo", "gram g gramme", "milligram mg", "pound lb lbs", "ounce oz",
    "liter l litre", "cup", "milliliter ml millilitre", "teaspoon tsp", "tablespoon tbsp", "millisecond ms",
    "second s sec secs", "minute min mins", "hour h hr hrs", "day", "week", "month", "year", "byte", "bit",
    "kilobyte kb", "megabyte mb", "gigabyte gb", "terabyte tb", "celsius", "fahrenheit", "kelvin", "watt",
    "kilowatt kw", "megawatt", "milliwatt", "kilobit", "megabit", "gigabit", "terabit", "megagram", "volt",
    "% percent", "€ euro eur", "$ dollar usd", "£ gbp", "°",
)
_BY_CASE = {  # units that differ only in their capitals
    "MW": "megawatt", "mW": "milliwatt", "Kb": "kilobit", "kb": "kilobit", "Mb": "megabit", "Gb": "gigabit",
    "Tb": "terabit", "Mg": "megagram", "Mbps": "megabit per second", "MBps": "megabyte per second",
    "Mb/s": "megabit per second", "MB/s": "megabyte per second", "Gbps": "gigabit per second",
    "GBps": "gigabyte per second", "Mbit": "megabit", "Gbit": "gigabit",
}
_BOUNDS = {  # phrases that turn a number into a bound
    "<": ("less than", "fewer than", "lower than", "smaller than", "under", "below", "<"),
    ">": ("more than", "greater than", "higher than", "larger than", "over", "above", "exceeding", ">"),
    "≤": ("at most", "up to", "no more than", "not more than", "maximum of", "no later than", "≤", "<="),
    "≥": ("at least", "no less than", "not less than", "no fewer than", "minimum of", "≥", ">="),
}
# fmt: on
_DEGREES = {"c": "celsius", "f": "fahrenheit"}
UNIT = {unit: names.split()[0] for names in _SPELLINGS for unit in names.split()}
_TENS_AND_ONES = re.compile(rf"\b({'|'.join(['twenty', *_TENS])})[- ]({'|'.join(_TO_TWENTY[1:10])})\b")
_MARKS = r"\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u3099\u309a"  # marks that are parts of words in other scripts
_WORD = re.compile(rf"[<>≤≥]?-?\.?\d+(?:\.\d+)*|(?:[^\W\d_]|[\d_{_MARKS}])+(?:\+\+|#)?|[%€£$°]")
_UNIT_BY_CASE = re.compile(rf"(?<=\d)\s?({'|'.join(sorted(_BY_CASE, key=len, reverse=True))})(?![\w/])")
_FRACTION = re.compile(r"(?:(?<!\d)(\d{1,15})\s?)?([¼-¾⅐-⅞])")
_POWER = re.compile(r"(⁻?)([⁰¹²³⁴-⁹]+)")
_BOUND = {phrase: bound for bound, phrases in _BOUNDS.items() for phrase in phrases}
_BOUNDED = re.compile(
    rf"(?<![\w<>=])({'|'.join(sorted(map(re.escape, _BOUND), key=len, reverse=True))})\s?(?:an?\s|the\s)?"
    r"([€£$]?)\s?(?=\.?\d)"
)
SIGNS = frozenset("%€£$°")  # units that are not words
_STRAIGHT_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")


def straighten_quotes(text: str) -> str:
    """Replace typographic quotes by the plain ones."""
    return text.translate(_STRAIGHT_QUOTES)


def words(text: str) -> list[str]:
    """Return the words, numbers and units of a text, without case, accents, punctuation and articles."""
    text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("\N{MINUS SIGN}", "-")
    text = _POWER.sub(lambda power: f"^{'-' * len(power[1])}{_digits(power[2])}", text)  # 10⁶ is not 106
    text = _FRACTION.sub(lambda both: f" {int(both[1] or 0) + unicodedata.numeric(both[2]):.10g}", text)
    text = _UNIT_BY_CASE.sub(lambda unit: f" {_BY_CASE[unit[1]]}", text)
    text = re.sub(r"(?<![\w.])(\d+)k\b", r"\1 thousand", text)
    plain = unicodedata.normalize("NFC", "".join(c for c in unicodedata.normalize("NFKD", text) if not _is_accent(c)))
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", plain.lower().replace("n't", "nt").replace("'s ", " "))
    plain = re.sub(r"([€£$]\s?\d[\d.]*)\s?(k|m|bn)\b", lambda sum_: f"{sum_[1]} {_SPELLED[sum_[2]]}", plain)
    plain = re.sub(r"(?<=[^\s(^])-(?=\d)", " ", re.sub(r"(?<=\d)(?=[a-z])", " ", plain))  # 1723-1792 is no sign
    plain = _TENS_AND_ONES.sub(lambda both: str(int(_NUMBER_WORDS[both[1]]) + int(_NUMBER_WORDS[both[2]])), plain)
    plain = re.sub(r"(?:°\s?|\bdegrees )(c|f|celsius|fahrenheit)\b", lambda unit: f" {_DEGREES[unit[1][0]]}", plain)
    plain = re.sub(r"\bper cent\b", "percent", re.sub(r"(?<=\d):00(?=\s?[ap]\.?m\b)|(?<=[€£$]\d)\.00\b", "", plain))
    plain = re.sub(rf"\b({'|'.join(_NUMBER_WORDS)})\b", lambda word: _NUMBER_WORDS[word[1]], plain)
    plain = _BOUNDED.sub(lambda found: f" {found[2]}{_BOUND[found[1]]}", plain)  # less than 42 is <42
    found = _WORD.findall(plain.replace("^", " ^ "))
    return [word for word in _scaled(_with_unit_names(found)) if word not in ("a", "an", "the")] or found


def is_number(word: str) -> bool:
    """Say whether a word is a number, or a bound."""
    return word.lstrip("-.<>≤≥")[:1].isdigit()


def _digits(power: str) -> str:
    return "".join(str(unicodedata.digit(digit)) for digit in power)


def _is_accent(character: str) -> bool:
    return "\u0300" <= character <= "\u036f"  # of Latin, Greek and Cyrillic; other scripts' marks are letters


def _with_unit_names(found: list[str]) -> list[str]:
    """Spell each unit after a number in one way: 5 km and 5 kilometres become 5 kilometer."""
    return [
        UNIT.get(word, UNIT.get(word.removesuffix("s"), word)) if before[-1:].isdigit() else word
        for before, word in pairwise(["", *found])
    ]


def _scaled(found: list[str]) -> Iterator[str]:
    """Join a number and its scale: 50 million becomes 50000000."""
    skip = False
    for word, after in pairwise([*found, ""]):
        if skip:
            skip = False
        elif after in _SCALES and word.lstrip("<>≤≥").isdigit():
            yield word + _SCALES[after]
            skip = True
        else:
            yield word
