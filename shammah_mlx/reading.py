"""A text as its words, numbers and units, each written in one way: Three metres is 3 meter, 5,000 is 5 thousand.

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
_SPELLINGS = (  # of units: one name, then what else is written behind a number
    "kilometer km kilometre", "meter m metre", "centimeter cm centimetre", "millimeter mm millimetre", "mile mi",
    "foot ft feet", "inch inches", "kilogram kg kilo", "gram g gramme", "milligram mg", "pound lb lbs", "ounce oz",
    "liter l litre", "cup", "milliliter ml millilitre", "teaspoon tsp", "tablespoon tbsp", "millisecond ms",
    "second s sec secs", "minute min mins", "hour h hr hrs", "day", "week", "month", "year", "byte", "bit",
    "kilobyte kb", "megabyte mb", "gigabyte gb", "terabyte tb", "celsius", "fahrenheit", "kelvin", "watt",
    "kilowatt kw", "volt", "% percent", "€ euro eur", "$ dollar usd", "£ gbp", "°",
)
# fmt: on
_DEGREES = {"c": "celsius", "f": "fahrenheit"}
UNIT = {unit: names.split()[0] for names in _SPELLINGS for unit in names.split()}
_TENS_AND_ONES = re.compile(rf"\b({'|'.join(['twenty', *_TENS])})[- ]({'|'.join(_TO_TWENTY[1:10])})\b")
_MARKS = r"\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u3099\u309a"  # signs that are parts of words in other scripts
_WORD = re.compile(rf"-?\.?\d+(?:\.\d+)*|(?:[^\W\d_]|[\d_{_MARKS}])+(?:\+\+|#)?|[%€£$°]")
SIGNS = frozenset("%€£$°")  # units that are no words


def words(text: str) -> list[str]:
    """Return the words, numbers and units of a text without case, accents, punctuation, articles."""
    text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("\N{MINUS SIGN}", "-")
    text = re.sub(r"[⁰¹⁴-⁹]", lambda power: f"^{unicodedata.digit(power[0])}", text)  # 10⁶ is not 106
    text = text.replace("²", "^2").replace("³", "^3")
    plain = unicodedata.normalize("NFC", "".join(c for c in unicodedata.normalize("NFKD", text) if not _is_accent(c)))
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", plain.lower().replace("n't", "nt").replace("'s ", " "))
    plain = re.sub(r"([€£$]\s?\d[\d.]*)\s?(k|m|bn)\b", lambda sum_: f"{sum_[1]} {_SPELLED[sum_[2]]}", plain)
    plain = re.sub(r"(?<=[^\s(])-(?=\d)", " ", re.sub(r"(?<=\d)(?=[a-z])", " ", plain))  # 1723-1792 is no sign
    plain = _TENS_AND_ONES.sub(lambda both: str(int(_NUMBER_WORDS[both[1]]) + int(_NUMBER_WORDS[both[2]])), plain)
    plain = re.sub(r"(?:°\s?|\bdegrees )(c|f|celsius|fahrenheit)\b", lambda unit: f" {_DEGREES[unit[1][0]]}", plain)
    plain = re.sub(r"\bper cent\b", "percent", re.sub(r"(?<=\d):00(?=\s?[ap]\.?m\b)|(?<=[€£$]\d)\.00\b", "", plain))
    found = [_NUMBER_WORDS.get(word, word) for word in _WORD.findall(plain.replace("^", " ^ "))]
    return [word for word in _scaled(_measured_alike(found)) if word not in ("a", "an", "the")] or found


def _is_accent(character: str) -> bool:
    return "\u0300" <= character <= "\u036f"  # of Latin, Greek and Cyrillic; other scripts' marks are letters


def _measured_alike(found: list[str]) -> list[str]:
    """Write the units behind numbers in one way: 5 km and 5 kilometres are 5 kilometer."""
    return [
        UNIT.get(word, UNIT.get(word.removesuffix("s"), word)) if before[-1:].isdigit() else word
        for before, word in pairwise(["", *found])
    ]


def _scaled(found: list[str]) -> Iterator[str]:
    """Join a number and its scale: 50 million is 50000000."""
    skip = False
    for word, after in pairwise([*found, ""]):
        if skip:
            skip = False
        elif after in _SCALES and word.isdigit():
            yield word + _SCALES[after]
            skip = True
        else:
            yield word
