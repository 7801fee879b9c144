"""Say whether the rules about wordings can read a question: they know English, and few words of other languages.

Function words and letters tell. Words that English shares with another language ("was", "no", "die") tell nothing.
"""

import re
import unicodedata

from shammah_mlx.text.question_words import SCAFFOLD

_ENGLISH = SCAFFOLD - {"was", "me", "no", "do", "on", "as", "a", "in", "am", "so", "one", "i"}
# fmt: off
_OTHERS = frozenset((
    # German and Dutch
    "wie", "wer", "wo", "warum", "wann", "welche", "welcher", "welches", "ist", "sind", "ich", "mein", "meine",
    "mir", "mich", "der", "das", "dem", "ein", "eine", "und", "nicht", "auf", "mit", "bei", "heute", "jetzt",
    "gerade", "noch", "hoe", "wat", "waarom", "wanneer", "het", "een", "niet", "mijn", "ik",
    # French
    "quel", "quelle", "quels", "quelles", "comment", "pourquoi", "quand", "est", "sont", "je", "mon", "le",
    "la", "des", "une", "pas", "dans", "pour", "avec",
    # Spanish, Portuguese and Italian
    "que", "qual", "quale", "quando", "como", "cuando", "cual", "quien", "donde", "es", "el", "los", "las",
    "del", "por", "para", "una", "os", "qui", "perche", "chi", "che", "il", "gli", "della", "sono", "mio",
))
# fmt: on
_WORD = re.compile(r"[^\W\d_]+")


def is_read(question: str) -> bool:
    """Say whether a question is in English, as far as its letters and function words tell.

    One without function words counts as English if its letters are Latin ones without accents.
    """
    words = _WORD.findall(unicodedata.normalize("NFC", question).casefold())
    english = sum(word in _ENGLISH for word in words)
    others = sum(word in _OTHERS or not word.isascii() for word in words)
    return others <= english
