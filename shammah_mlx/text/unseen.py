"""Find differences between two questions that an embedding does not see, although the answer may depend on them.

The embedder reads letters without case and accents, takes all signs that it does not know for one, and skips white
space and whatever is invisible. What is usual in careless writing is no difference: sentences without capitals, an
acronym in small letters, or more blanks than one between words.
"""

import re
import unicodedata
from collections import Counter

import msgspec

from shammah_mlx.text.question_words import SCAFFOLD

LEAST_ACRONYM = 3  # letters; many a shorter one is a word or a unit too: IT, US, MW
_SENTENCE_END = tuple(".!?:)]}>-")  # or the end of what stands before one
_WORD = re.compile(r"[^\W_]+(['\N{RIGHT SINGLE QUOTATION MARK}-][^\W_]+)*")  # of prose: no flag, path or code
_AROUND = ".,;!?()"  # signs beside a word of prose; a colon may be YAML
_INDENTED = re.compile(r"\n[ \t]+\S")
_INVISIBLE = {"Mn", "Me", "Cf", "Cc"}  # accents; zero-width signs, soft hyphens, tags; controls
_SIGNS = {"So", "Sk", "Co", "Cn"}  # emoji, flags, chess pieces and the like: mostly unknown to the embedder
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


class _Token(msgspec.Struct, frozen=True):
    text: str
    begins: bool  # a sentence


def same_text(one: str, other: str) -> bool:
    """Say whether two texts are the same, but for white space that means nothing."""
    one, other = unicodedata.normalize("NFC", one).strip(), unicodedata.normalize("NFC", other).strip()
    return one == other or (one.split() == other.split() and _is_prose(one) and _is_prose(other))


def differs_unseen(one: str, other: str, *, looks_same: bool) -> bool:
    """Say whether the texts differ in what an embedding does not see; `looks_same` if theirs are the same."""
    ours, theirs = _tokens(one), _tokens(other)
    if [token.text for token in ours] == [token.text for token in theirs]:
        is_white_space_alone = "".join(one.split()) == "".join(other.split())
        return is_white_space_alone and not (_is_prose(one) and _is_prose(other)) and not same_text(one, other)
    careless = _has_no_capitals(one, other) or _has_no_capitals(other, one)
    came = {_seen(token.text): token for token in _lacking(ours, theirs)}
    gone = {_seen(token.text): token for token in _lacking(theirs, ours)}
    pairs = [(came[seen], gone[seen]) for seen in came.keys() & gone.keys()]
    return any(not _is_usual(*pair, careless=careless) for pair in pairs) or (looks_same and came.keys() != gone.keys())


def _has_no_capitals(text: str, other: str) -> bool:
    """Say whether the capitals of a text mean nothing: it has none or only such, and the other one's writer sets them.

    Whoever begins a sentence small and still writes "Polish" means the language.
    """
    return text == text.upper() or (text == text.lower() and _begins_with_capital(other))


def _begins_with_capital(text: str) -> bool:
    """Say whether the first letter is a capital."""
    return next(filter(str.isalpha, text), "a").isupper()


def _is_prose(text: str) -> bool:
    """Say whether white space only separates the words of a text, however much of it there is."""
    return not _INDENTED.search(text) and all(map(_is_word, text.split()))


def _is_word(token: str) -> bool:
    bare = token.strip(_AROUND)
    return not bare or _WORD.fullmatch(bare) is not None


def _tokens(text: str) -> list[_Token]:
    """Return the words without the signs at their ends, which an embedding sees."""
    words = unicodedata.normalize("NFC", text).split()
    begins = (not at or words[at - 1].endswith(_SENTENCE_END) for at in range(len(words)))
    tokens = (_Token(word.strip(_AROUND), first) for word, first in zip(words, begins, strict=True))
    return [token for token in tokens if token.text]


def _lacking(ours: list[_Token], theirs: list[_Token]) -> list[_Token]:
    """Return our tokens that they lack, as often as they lack them."""
    left = Counter(token.text for token in theirs)
    lacking = []
    for token in ours:
        left[token.text] -= 1
        if left[token.text] < 0:
            lacking.append(token)
    return lacking


def _seen(word: str) -> str:
    """Return what an embedding sees of a word."""
    kinds = ((sign, unicodedata.category(sign)) for sign in unicodedata.normalize("NFD", word.casefold()))
    return "".join(_UNKNOWN if kind in _SIGNS else sign for sign, kind in kinds if kind not in _INVISIBLE)


def _is_usual(one: _Token, other: _Token, *, careless: bool) -> bool:
    """Say whether two words differ as they do in careless writing: in capitals, where these say nothing."""
    a, b = one.text, other.text
    if a.lower() != b.lower():
        return False
    if a in "iI" or ((one.begins or other.begins) and a[1:] == b[1:]):
        return True
    if not _is_word(a) or len(a) == 1:  # a flag; a name, as that of the language C
        return False
    is_acronym = len(a) >= LEAST_ACRONYM and (a.isupper() or b.isupper()) and a.lower() not in SCAFFOLD
    return careless or is_acronym
