"""Say whether the rules about wordings can read a question: they know English, and few words of other languages.

Function words and letters tell. Words that English shares with another language ("was", "no", "die") tell nothing.
"""

import re
import unicodedata

from shammah_mlx.text.question_words import SCAFFOLD

_ENGLISH = SCAFFOLD - {"was", "me", "no", "do", "on", "as", "a", "in", "am", "so", "one", "i"}
# fmt: off
_REQUESTED = frozenset((  # what is mostly asked for in few words
    "account", "add", "all", "bank", "book", "card", "change", "check", "convert", "copy", "count", "create",
    "date", "define", "delete", "each", "explain", "file", "files", "find", "first", "folder", "give", "image",
    "last", "light", "lights", "line", "list", "move", "movie", "name", "new", "next", "number", "open", "page",
    "pause", "phone", "play", "print", "remove", "rename", "restaurant", "run", "search", "send", "server",
    "set", "show", "skip", "song", "start", "stop", "switch", "table", "test", "text", "time", "today",
    "translate", "turn", "update", "volume", "weather", "word", "words", "write",
))
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
LEAST_TOLD = 3  # words, of which an English question has at least one common one
_WORD = re.compile(r"[^\W\d_]+")


def is_read(question: str) -> bool:
    """Say whether a question is in English, as far as its letters and commonest words tell.

    One or two words that are in no list count as English if their letters are Latin ones without accents.
    """
    words = _WORD.findall(unicodedata.normalize("NFC", question).casefold())
    english = sum(word in _ENGLISH or word in _REQUESTED for word in words)
    others = sum(word in _OTHERS or not word.isascii() for word in words)
    return others <= english and (english > 0 or len(words) < LEAST_TOLD)
