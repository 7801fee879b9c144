"""Read an answer: cut it into sentences, and find its words, names, numbers and negations.

Pure text.
"""

import functools
import re
from typing import NamedTuple

from shammah_mlx.text import lexicon, normalize

Words = frozenset[str]

CHUNK = 60  # words; no chunk is longer: well under what an embedder reads
ROOT = 5  # letters; words that share so many at their start are forms of one word: Belgium and Belgian
LIKE = 0.6  # share of common letter triples from which two spellings are one word
SPELLING = 2  # letters by which two spellings of one name differ in length at most
MOST_ODD = 60  # words without an equal one that are compared by spelling; more would take too long
CODE = re.compile(
    r"(?<![\w-])--?[A-Za-z][\w-]*"  # -x, --long
    r"|(?<!\w)\w{1,20}://[^\s)>\]]+|\b[A-Z]:\\[\w\\.]+"  # an address, a path of Windows
    r"|(?<![\w.~/-])(?:~|\.{1,2})?/[\w.*~/-]+"  # a path
    r"|(?<![\w.])[\w.]+\([^)\n]*\)"  # a call
    r"|\b\w+_\w+\b|\b[a-z]+[A-Z]\w*\b"  # snake_case, camelCase
    r"|(?<![\w-])\w[\w-]*\.(?!\d)[a-z]\w+\b"  # a file or a dotted name
    r"|[<>=!]=|=>|->|&&|\|\||[|<>^*+=%&](?=\s|\w|$)"  # operators
)
_LAYOUT = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|[-*•][ \t]+(?=\S)|\d{1,2}[.)][ \t]+(?=\D))", re.MULTILINE)
_ESCAPED = re.compile(r"\\n(?=[A-Z\d\\\s-])")  # a line break that was written out
_BOLD = re.compile(r"(?<![\w*/{(,`'])\*\*(?=[^\s*/{(,'])([^*\n/{}`]+)(?<=[^\s/{(,])\*\*(?![\w*/{(,`'])")
_PIECE = re.compile(r"[^\n]*?(?:[.!?:](?=\s)[^\S\n]*\n*|\n+|\Z)")
_CLOSING = re.compile(  # the space before a courtesy: what stands there, such as an address, need not end a sentence
    r"(?<=\S)[ \t]+(?=(?:I hope|Hope) (?:this|that)\b|Let me know if\b|Feel free to\b|Is there anything else\b)"
)
_ADDRESSED = re.compile(  # a courtesy has one of these, and none but courteous words
    r"\b(?:hope (?:this|that)|let me (?:know|help|explain)|feel free|happy to|glad|thanks?|questions?|anything else"
    r"|further|more (?:detail|information)|just ask|good to ask|would you like|if anything|to know more"
    r"|if you(?:'d| would)? (?:like|want|need|have))\b"
    r"|^\W*(?:sure|certainly|of course)\b[^a-z]*$|^\W*(?:here|below)\b.*:\s*$"
    r"|^\W*(?:answer|overview|summary)\W*$",
    re.IGNORECASE,
)
# fmt: off
_COURTEOUS = frozenset(map(lexicon.base, (
    "help", "helps", "know", "question", "questions", "ask", "asked", "anything", "something", "else", "further",
    "detail", "details", "free", "feel", "hope", "assist", "assistance", "happy", "glad", "welcome", "thank",
    "thanks", "great", "good", "information", "clarify", "clarification", "explain", "elaborate", "unclear", "useful",
    "helpful", "answer", "part", "answers", "interested", "additional", "follow", "like", "sure", "okay", "d", "m",
    "ll", "im", "id",
)))
_LEADING = _COURTEOUS | frozenset(map(lexicon.base, (  # in a line that ends with a colon
    "tell", "found", "go", "overview", "main", "points", "quick", "brief", "short", "summary", "attempt", "following",
    "explanation", "result", "done",
)))
# fmt: on
MOST_COURTEOUS = 20  # words of a sentence that only addresses the reader
_YES_NO = {"yes": 1, "true": 1, "correct": 1, "no": -1, "false": -1, "incorrect": -1}
_LOST = re.compile(
    r"\b(?:i (?:do not|don't|cannot|can't|could not|couldn't|am not sure|apologi[sz]e)|(?:i'm|i am|am) (?:sorry"
    r"|not sure|not aware|not able)|as an ai|no information|not enough (?:information|context)|unable to"
    r"|does not (?:exist|specify)|there is no|could you (?:please )?(?:clarify|specify|provide)"
    r"|please (?:clarify|specify|provide))\b"
)


class Reading(NamedTuple):
    """An answer as the meter reads it."""

    text: str  # without layout marks and courtesies
    sentences: list[str]
    tokens: list[list[str]]  # words and commas of each sentence
    words: list[str]  # of the whole text, normalised
    content: list[Words]  # base forms of the words of each sentence that say something on their own
    all_content: Words
    names: Words  # base forms of the capitalised words inside sentences
    numbers: Words
    negations: list[int]  # in each sentence
    yes_no: int  # 1 if it begins with yes, -1 with no, else 0
    lost: bool  # it says that it does not know


@functools.lru_cache(4096)
def read(text: str) -> Reading:
    """Read an answer."""
    plain = bare(text)
    sentences = chunks(plain)
    found = [normalize.words(sentence) for sentence in sentences]
    flat = [word for words in found for word in words]
    said = [content(words) for words in found]
    return Reading(
        plain,
        sentences,
        [tokens(sentence) for sentence in sentences],
        flat,
        said,
        frozenset[str]().union(*said),
        frozenset(lexicon.base(name) for name in names(plain)),
        frozenset(word for word in flat if normalize.is_number(word)),
        [sum(word in lexicon.NEGATIONS for word in words) for words in found],
        _YES_NO.get(flat[0], 0) if flat else 0,
        _LOST.search(normalize.straighten_quotes(sentences[0].lower())) is not None,
    )


def bare(text: str) -> str:
    """Return a text without layout marks and courtesies. In a single line no mark is layout: 2. Mai."""
    text = _ESCAPED.sub("\n", text)
    return plain(_LAYOUT.sub("", text) if "\n" in text.strip() else text)


def plain(text: str) -> str:
    """Return a text without courtesies and bold type; other marks stay, and so do stars that may be code."""
    return _without_courtesies(_BOLD.sub(r"\1", text))


def _without_courtesies(text: str) -> str:
    """Leave out the sentences at both ends that only address the reader."""
    pieces = [piece for piece in _PIECE.findall(_CLOSING.sub("\n", text)) if piece.strip()]
    while len(pieces) > 1 and _is_courtesy(pieces[0]):
        pieces = pieces[1:]
    while len(pieces) > 1 and _is_courtesy(pieces[-1]):
        pieces = pieces[:-1]
    return "".join(pieces).strip()


def _is_courtesy(sentence: str) -> bool:
    """Say whether a sentence addresses the reader, and has no words but courteous ones that say something."""
    if not _ADDRESSED.search(normalize.straighten_quotes(sentence).strip()):
        return False
    found = normalize.words(sentence)
    said = [lexicon.base(word) for word in found if word not in lexicon.LIGHT]
    usual = _LEADING if sentence.rstrip().endswith(":") else _COURTEOUS
    return bool(said) and len(found) <= MOST_COURTEOUS and usual.issuperset(said)


def chunks(text: str) -> list[str]:
    """Cut a text into sentences, and long sentences into pieces that an embedder can read whole."""
    pieces = []
    for sentence in re.split(r"(?<=[.!?])(?<!\n\d[.])(?<!\n\d\d[.])\s+|\n+", f"\n{text}"):
        found = sentence.split()
        pieces += [" ".join(found[i : i + CHUNK]) for i in range(0, len(found), CHUNK)]
    return pieces or [text]


def tokens(sentence: str) -> list[str]:
    """Return the words and commas of a sentence, with its pieces of code unchanged."""
    found: list[str] = []
    end = 0
    sentence = sentence.replace("`", "")
    for match in re.finditer(rf"{CODE.pattern}|[,;:](?!\d)|\n", sentence):
        found += [*_worded(sentence[end : match.start()]), "," if match[0] in ",;:\n" else match[0]]
        end = match.end()
    return [*found, *_worded(sentence[end:])]


def _worded(text: str) -> list[str]:
    return normalize.words(text) if any(character.isalnum() for character in text) else []


def names(text: str) -> set[str]:
    """Return, in lower case, the capitalised words that do not begin a sentence."""
    inside = re.sub(r"(?:^|[.!?:\n]\s*+|^[-*]\s*+)[\"'(]*+[A-Z]\w*", " ", text)
    return {word.lower() for word in re.findall(r"\b[A-Z][a-zA-Z]+\b", inside)} - lexicon.FILLER


def content(words: list[str]) -> Words:
    """Return the base forms of the words that say something on their own."""
    return frozenset(lexicon.base(word) for word in words if word not in lexicon.LIGHT | lexicon.NEGATIONS)


@functools.lru_cache(4096)
def given(one: str, other: str) -> Words:
    """Return the content words of two questions, without the names and numbers that only one of them has."""
    a, b = normalize.words(one), normalize.words(other)
    apart = names(one) ^ names(other) | {w for w in {*a} ^ {*b} if normalize.is_number(w)}
    return content(a) | content(b) if not apart else content([w for w in (*a, *b) if w not in apart])


def found_in(words: Words, other: Words) -> Words:
    """Return those of `words` that are in `other`, perhaps in another form or spelling, or as a synonym."""
    odd, rest = (sorted(side)[:MOST_ODD] for side in (words - other, other - words))
    roots = {word[:ROOT] for word in rest if len(word) >= ROOT and not word[0].isdigit()}
    meant = {number for word in rest for number in lexicon.meanings(word)}
    return words & other | {
        word
        for word in odd
        if (len(word) >= ROOT and word[:ROOT] in roots)
        or not meant.isdisjoint(lexicon.meanings(word))
        or any(_spelt_alike(word, near) for near in rest if near[0] == word[0])
    }


def _spelt_alike(one: str, other: str) -> bool:
    """Say whether two words that begin alike may be spellings of one name."""
    if one[0].isdigit() or min(len(one), len(other)) < ROOT or abs(len(one) - len(other)) > SPELLING:
        return False
    ours, theirs = _triples(one), _triples(other)
    return 2 * len(ours & theirs) >= LIKE * (len(ours) + len(theirs))


@functools.lru_cache(4096)
def _triples(word: str) -> Words:
    return frozenset(f" {word} "[i : i + 3] for i in range(len(word)))
