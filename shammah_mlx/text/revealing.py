"""Recognise replies that reveal a secret, such as a password made for the user.

A reply has many values that only stand for one: placeholders, words such as `mysecretpassword`, numbers that are
published for tests. They do not count, or no answer about configuration would be learnt. Patterns, no model.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from shammah_mlx.text.sensitive import found_secrets

_I = re.IGNORECASE
_EMPHASIS = re.compile(r"\*\*|`")  # Markdown's marks, which stand between a name and its value
_NO_VALUE = re.compile(  # a path, an address, a range; the header, the content or the signature of the usual JWT
    r"^~?/[\w.${-]|^https?:|^\d{1,2}[-+]\d{0,3}$|eyJzdWIiOiIxMjM0NTY3ODkw|^eyJhbGci[\w-]*$|SflKxwRJSMeKKF2QT4fw", _I
)
_PUBLISHED = re.compile(r"EXAMPLE(?:KEY)?\Z")  # so end the keys in AWS' documentation
_MASK = re.compile(r"x{3,}", _I)
_PUBLIC = re.compile(  # a commit in an address, a colour, the beginning of a picture
    r"/(?:commits?|blob|tree|raw)/[0-9a-f]{7,40}\b|^#[0-9a-f]{3,8}$|iVBORw0KGgo|/9j/4AAQ|R0lGOD|PHN2Zy", _I
)
_WORDS = frozenset(  # what examples of passwords, keys and names are made of, in all orders
    re.findall(
        r"\w+",
        """
    my the user name admin administrator root toor db database sql postgres mariadb mongo redis rabbitmq guest
    grafana jenkins docker django flask laravel spring node express server client web app api test testing demo dev
    prod production staging local localhost default public private access auth oauth bearer jwt session signing
    encryption super very strong secure insecure safe secret secrets pass passw passwort passwd passphrase pwd pw
    key token hash here some any real actual long random value string text word words put set enter insert fill use
    this that it is isa in not old new foo bar baz qux abc xyz qwerty qwertz azerty asdf letmein welcome monkey
    dragon hunter swordfish sesame open correct horse battery staple troubador troubadour hello world alice bob john
    doe smith company corp service account sha md live sk pk ant proj ghp gho glpat xoxb hf npm whsec id and or of
    for from to with at end only goes change changeme replace example sample dummy placeholder your
    redacted bit char characters com org net openai anthropic github gitlab google aws azure stripe slack discord
    """,
    )
)
_SMALL_WORDS = {"a", "me", "on", "by", "as", "be"}  # only between other signs: among letters they occur by chance
_LENGTHS = {len(word) for word in _WORDS}
_LEET = str.maketrans("013457@$!", "oieastasi")
_TO_FILL_IN = {"your", "placeholder", "redacted", "dummy", "changeme"}  # in no list of words for passphrases
_CASED = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_SHORTEST_WORD = 3  # letters of a word that is in no list: your-stripe-key
_PIECES = re.compile(r"(?:[a-z]\d){3,}[a-z]?|(?:\d[a-z]){3,}\d?|[a-z]+|\d+")  # the first two alternate: a1b2c3
_SHORT_NUMBER = 4  # digits that may stand beside words: password123, secret2024
_RUN = 3  # letters or digits in order, or alike, that are no accident
_FEW_DIGITS = 5  # different ones; test cards repeat theirs
_KNOWN = {  # numbers that their issuers publish for tests and documentation
    *("378282246310005", "371449635398431", "30569309025904", "38520000023237", "078051120", "219099999", "111223333"),
    *("GB82WEST12345698765432", "GB29NWBK60161331926819", "DE89370400440532013000", "NL91ABNA0417164300"),
    *("FR1420041010050500013M02606", "FR7630006000011234567890189", "ES9121000418450200051332"),
    *("IT60X0542811101000000123456", "CH9300762011623852957", "BE68539007547034"),
}
_NAMES = re.compile(r"\b(?:pass(?:word|phrase|code)|secret|token|api[ _-]?key|access key|credential|recovery code)", _I)
_ALONE = re.compile(
    r"`([^`\s]+)`|\*\*([^*\s]+)\*\*|^[ \t]{0,8}(?:[-*]|\d+[.)])?[ \t]{0,8}([^\s`*]+)[ \t]{0,8}$"
    r"|[:=][ \t]{1,8}(\S{8,128})[ \t]{0,8}$",
    re.MULTILINE,
)
_RANDOM_SIGNS = re.compile(  # letters of both cases and digits; names of models and versions have dots
    r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?:[A-Za-z\d]|(?=.*[!@#$%^&*+=?~])[._!@#$%^&*+=?~-]){8,128}"
)
_MOST_PIECE = {True: 2.5, False: 2.0}  # mean characters of a piece, with other signs or without; names have 3
_OTHER_SIGNS = re.compile(r"[^A-Za-z\d]")
_VERSION = re.compile(r"[A-Z]\d")  # S3V4Auth
_IDENTITY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", _I)


def reveals_secret(question: str, reply: str) -> bool:
    """Return whether a reply seems to hold a secret that is not merely an example.

    Beside what a question is searched for, a string of mixed signs that stands alone counts where question or reply
    speak of passwords or keys.
    """
    plain = _EMPHASIS.sub("", reply)
    if any(not is_example(value) for value in found_secrets(plain)):
        return True
    return bool(_NAMES.search(question) or _NAMES.search(reply)) and any(map(_is_random, _standing_alone(reply)))


def is_example(value: str) -> bool:
    """Return whether a value only stands for a secret: a placeholder, usual words, a number in order, a test card."""
    if any(rule.search(value) for rule in (_NO_VALUE, _PUBLIC, _PUBLISHED)):
        return True
    if re.sub(r"[\s-]", "", value).upper() in _KNOWN or _is_cut(value) or _is_masked(value) or _is_to_fill_in(value):
        return True
    digits = re.sub(r"\D", "", value)
    if re.fullmatch(r"[\d -]+", value):
        return (
            all(map(_is_run, re.findall(r"\d+", value)))
            or _is_run(digits)
            or (len(digits) > 2 * _FEW_DIGITS and len(set(digits)) <= _FEW_DIGITS)
        )
    words = re.findall(r"[a-z]+", value.lower())
    if " " in value and len(words) > 2 * len(set(words)):
        return True  # "abandon abandon ... about"
    if _IDENTITY.fullmatch(value) and _is_made_of_words(value.lower().replace("-", "")):
        return True
    spelt = re.sub(r"[\W\d_]+$", "", value.lower()).translate(_LEET)
    ending = value[len(spelt) :]
    return _is_made_of_words(value.lower()) or (
        _is_made_of_words(spelt) and len(re.sub(r"\D", "", ending)) <= _SHORT_NUMBER
    )


def _is_cut(value: str) -> bool:
    """Return whether dots stand for a part of a value, or of its first or last word."""
    words = value.split()
    return any(dots in word for dots in ("...", "…") for word in (*words[:1], *words[-1:]))


def _is_masked(value: str) -> bool:
    """Return whether at least half of a value is covered by x."""
    return 2 * sum(map(len, _MASK.findall(value))) >= len(value)


def _is_to_fill_in(value: str) -> bool:
    """Return whether a word of a value says that the reader puts in his own, and the others are words too.

    The word alone is not enough: it occurs in phrases, and by chance in keys.
    """
    pieces: list[str] = [] if re.search(r"\s", value) else _CASED.findall(value)
    return any(piece.lower() in _TO_FILL_IN for piece in pieces) and all(
        len(piece) <= _SHORT_NUMBER or _is_run(piece)
        if piece.isdigit()
        else len(piece) >= _SHORTEST_WORD or _is_words(piece.lower())
        for piece in pieces
    )


def _is_made_of_words(value: str) -> bool:
    """Return whether letters are words of examples or in order, and numbers short or in order."""
    pieces: list[str] = _PIECES.findall(value)
    return not all(piece.isdigit() for piece in pieces) and all(
        _is_run(piece)
        or piece in _SMALL_WORDS
        or (len(piece) <= _SHORT_NUMBER if piece.isdigit() else _is_words(piece) or _alternates(piece))
        for piece in pieces
    )


def _alternates(piece: str) -> bool:
    """Return whether every second sign is in order, and the others are."""
    return _is_run(piece[::2]) and _is_run(piece[1::2])


def _is_words(text: str) -> bool:
    """Return whether words of examples make up the letters, in time linear in them: some words begin another one."""
    ends = {0}  # where words may end
    for start in range(len(text)):
        if start in ends:
            ends.update(start + length for length in _LENGTHS if text[start : start + length] in _WORDS)
    return len(text) in ends


def _is_run(text: str) -> bool:
    """Return whether all signs are alike, or follow each other up or down; after the last one comes the first."""
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    wraps = {ord("a") - ord("z"), ord("0") - ord("9")}
    return len(text) >= _RUN and (steps <= {0} or steps <= {1, *wraps} or steps <= {-1})


def _standing_alone(text: str) -> Iterator[str]:
    """Yield the strings without white space that are alone: in a code span, in bold, on a line."""
    return (group for found in _ALONE.finditer(text) for group in found.groups() if group)


def _is_random(text: str) -> bool:
    """Return whether a string is mixed like a generated password, in short pieces."""
    if (
        not _RANDOM_SIGNS.fullmatch(text)
        or _IDENTITY.fullmatch(text)
        or is_example(text)
        or _is_words(_VERSION.sub("", text).lower())
    ):
        return False
    pieces = re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", text)
    return sum(map(len, pieces)) < _MOST_PIECE[_OTHER_SIGNS.search(text) is not None] * len(pieces)
