"""What may not differ between two answers that say the same: numbers, negations, opposites, names, code.

Pure text: no model, no embedding. An embedding puts "safe" next to "not safe" and `--soft` next to `--hard`; these
rules do not. They err on the side of "differs".
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

RULES = "1"  # the version of what follows: evidence measured by other rules is not evidence

# fmt: off
_TO_TWENTY = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)
_TENS = {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90"}
_NUMBER_WORDS = {word: str(value) for value, word in enumerate(_TO_TWENTY)} | _TENS
_SCALES = {"thousand": "000", "million": "000000", "billion": "000000000"}
_SPELLED = {"k": "thousand", "m": "million", "bn": "billion"}
_NEGATIONS = frozenset((
    "not", "no", "never", "none", "nothing", "neither", "nor", "cannot", "without", "nobody", "nowhere", "hardly",
    "unable", "isnt", "arent", "wasnt", "werent", "dont", "doesnt", "didnt", "cant", "couldnt", "wont", "wouldnt",
    "shouldnt", "mustnt", "hasnt", "havent", "hadnt", "false", "incorrect", "avoid",
))
_SEQUENCE = frozenset(("first", "then", "before", "after", "next", "finally", "from"))
_OPPOSITES = (
    ("before", "after"), ("increase", "decrease"), ("increases", "decreases"), ("minimum", "maximum"), ("min", "max"),
    ("more", "less"), ("more", "fewer"), ("larger", "smaller"), ("bigger", "smaller"), ("greater", "less"),
    ("greater", "smaller"), ("higher", "lower"), ("first", "last"), ("left", "right"), ("on", "off"), ("yes", "no"),
    ("enable", "disable"), ("enabled", "disabled"), ("true", "false"), ("allow", "deny"), ("above", "below"),
    ("soft", "hard"), ("open", "close"), ("opened", "closed"), ("open", "closed"), ("start", "stop"), ("up", "down"),
    ("north", "south"), ("east", "west"), ("hot", "cold"), ("odd", "even"), ("ascending", "descending"),
    ("public", "private"), ("safe", "unsafe"), ("safe", "dangerous"), ("add", "remove"), ("add", "subtract"),
    ("plus", "minus"), ("import", "export"), ("upper", "lower"), ("uppercase", "lowercase"), ("inner", "outer"),
    ("legal", "illegal"), ("read", "write"), ("positive", "negative"), ("buy", "sell"), ("win", "lose"),
    ("won", "lost"), ("local", "remote"), ("push", "pull"), ("upload", "download"), ("always", "never"),
    ("synchronous", "asynchronous"), ("mutable", "immutable"), ("encrypt", "decrypt"), ("lock", "unlock"),
    ("zip", "unzip"), ("older", "newer"), ("oldest", "newest"), ("earlier", "later"), ("faster", "slower"),
    ("longer", "shorter"), ("inside", "outside"), ("early", "late"), ("include", "exclude"), ("parent", "child"),
    ("input", "output"), ("internal", "external"), ("morning", "evening"), ("male", "female"), ("wet", "dry"),
    ("high", "low"), ("top", "bottom"), ("front", "back"), ("horizontal", "vertical"), ("row", "column"),
)
_FILLER = frozenset((
    "a", "an", "the", "is", "are", "was", "were", "be", "it", "its", "this", "that", "of", "to", "in", "and", "or",
    "by", "as", "at", "with", "for", "on", "you", "your",
))
# fmt: on
_OPPOSITE: dict[str, set[str]] = {}
for _one, _other in _OPPOSITES:
    _OPPOSITE.setdefault(_one, set()).add(_other)
    _OPPOSITE.setdefault(_other, set()).add(_one)

_CODE = re.compile(
    r"`[^`]+`"  # quoted as code
    r"|(?<![\w-])--?[A-Za-z][\w-]*"  # -x, --long
    r"|(?<![\w.~/-])(?:~|\.{1,2})?/[\w.*~/-]+"  # a path
    r"|(?<![\w.])[\w.]+\([^)\n]*\)"  # a call
    r"|\b\w+_\w+\b|\b[a-z]+[A-Z]\w*\b"  # snake_case, camelCase
    r"|(?<![\w-])\w[\w-]*\.(?!\d)[a-z]\w+\b"  # a file or a dotted name
    r"|[<>=!]=|=>|->|&&|\|\||[|<>^*+=%&](?=\s|\w|$)"  # operators
)
_MARKS = r"\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u3099\u309a"  # signs that are parts of words in other scripts
_WORD = re.compile(rf"-?\.?\d+(?:\.\d+)*|(?:[^\W\d_]|[\d_{_MARKS}])+(?:\+\+|#)?|[%€£$°]")
_SIGN = re.compile(
    r"(?<=\s)[-+*/%=<>^|&]+(?=\s)|[<>=!]="  # between spaces
    r"|(?<=\w)[+*=<>^|&](?=\w)|(?<=\b\w)-(?=\w\b)"  # a+b, a-b
    r"|(?<=\b[A-Z])[+-](?![\w+-])"  # A+, A-
)
_SHELL = re.compile(r"[|<>;{}\\*]|\$(?!\d)|(?<!\w)--?[A-Za-z]|(?<!\w)/\w|\w/\w")
_UNITS = frozenset("%€£$°")
NEAR = 4  # words before a stretch in which a negation still belongs to it

SHORT = 12  # words; a shorter text is compared by its words, since an embedding of it says little
LONGEST = 20_000  # characters; longer texts are the same to the letter or differ
CHUNK = 60  # words a chunk at the most: well under what an embedder reads


def same(one: str, other: str) -> bool | None:
    """Decide by the letter whether two answers say the same; None where only their meaning can tell.

    Code is the same but for white space and quotes or it differs. A short answer is the same as one that contains it.
    """
    if is_code(one) or is_code(other) or max(len(one), len(other)) > LONGEST:
        return _same_code(one, other)
    a, b = words(one), words(other)
    if not a or not b:
        return one.strip() == other.strip()
    if a == b:
        return _SIGN.findall(one) == _SIGN.findall(other)
    if min(len(a), len(b)) > SHORT:
        return False if differs(one, other) else None
    if len(a) == len(b):
        return _says(a, b, one, other) and _says(b, a, other, one)
    return _says(a, b, one, other) if len(a) < len(b) else _says(b, a, other, one)


def chunks(text: str) -> list[str]:
    """Cut a text into sentences, and long ones into pieces an embedder can read whole."""
    pieces = []
    for sentence in re.split(r"(?<=[.!?])\s+|\n+", text):
        found = sentence.split()
        pieces += [" ".join(found[i : i + CHUNK]) for i in range(0, len(found), CHUNK)]
    return pieces or [text]


def _says(short: list[str], long: list[str], short_text: str, long_text: str) -> bool:
    """Say whether the longer answer says what the short one does: its words together, or all of them close by."""
    if not _nested(set(_SIGN.findall(short_text)), set(_SIGN.findall(long_text))):
        return False
    turned = any(_OPPOSITE.get(word, set()) & (set(long) - set(short)) for word in short)
    if turned or not _nested(set(_UNITS.intersection(short)), set(_UNITS.intersection(long))):
        return False
    together = _find(long, short)
    if together is not None:
        return _unchanged(short, long, *together)
    wanted, found = _stems(short), _stems(long)
    if not wanted or not set(wanted) <= set(found):
        return False
    is_list = re.search(r",| and |&|\n", short_text) is not None and not _SEQUENCE & {*short, *long}
    if len(found) <= len(wanted) + 1 and found != wanted and not is_list:
        return False  # the same words in another order
    start, end = _window(found, set(wanted))
    return end - start <= 2 * len(wanted) + 3 and _unchanged(wanted, found, start, end)


def _unchanged(short: list[str], long: list[str], start: int, end: int) -> bool:
    """Say whether nothing in or just before long[start:end] turns the short answer round."""
    stretch = long[max(start - NEAR, 0) : end]
    after = long[end : end + 1]
    unit = bool(short) and short[-1][-1].isdigit() and bool(_UNITS & set(after))  # 5 is not 5 %
    return _negations(short) % 2 == _negations(stretch) % 2 and not unit


def _find(long: list[str], short: list[str]) -> tuple[int, int] | None:
    """Return where the words of one text stand together, in order, in the other."""
    size = len(short)
    return next(((i, i + size) for i in range(len(long) - size + 1) if long[i : i + size] == short), None)


def _window(found: list[str], wanted: set[str]) -> tuple[int, int]:
    """Return the shortest stretch that has every wanted word."""
    best = (0, len(found))
    last: dict[str, int] = {}
    for place, word in enumerate(found):
        if word in wanted:
            last[word] = place
            if len(last) == len(wanted):
                best = min(best, (min(last.values()), place + 1), key=lambda span: span[1] - span[0])
    return best


def _stems(found: list[str]) -> list[str]:
    return [_stem(word) for word in found if word not in _FILLER]


def _stem(word: str) -> str:
    """Take off a plural's ending, roughly: boxes and box become box, mosses and moss become moss."""
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def words(text: str) -> list[str]:
    """Return the words, numbers and units of a text without case, accents, punctuation, articles."""
    text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("\N{MINUS SIGN}", "-")
    text = re.sub(r"[⁰¹⁴-⁹]", lambda power: f"^{unicodedata.digit(power[0])}", text)  # 10⁶ is not 106
    text = text.replace("²", "^2").replace("³", "^3")
    plain = unicodedata.normalize("NFC", "".join(c for c in unicodedata.normalize("NFKD", text) if not _is_accent(c)))
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", plain.lower().replace("n't", "nt").replace("'s ", " "))
    plain = re.sub(r"([€£$]\s?\d[\d.]*)\s?(k|m|bn)\b", lambda sum_: f"{sum_[1]} {_SPELLED[sum_[2]]}", plain)
    plain = re.sub(r"(?<=[^\s(])-(?=\d)", " ", re.sub(r"(?<=\d)(?=[a-z])", " ", plain))  # 1723-1792 is no sign
    found = [_NUMBER_WORDS.get(word, word) for word in _WORD.findall(plain.replace("^", " ^ "))]
    return [word for word in _scaled(found) if word not in ("a", "an", "the")] or found


def _is_accent(character: str) -> bool:
    return "\u0300" <= character <= "\u036f"  # of Latin, Greek and Cyrillic; other scripts' marks are letters


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


def is_code(text: str) -> bool:
    """Say whether a text is a command or code rather than prose: then every sign counts."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return (
        len(lines) <= 3
        and len(_SHELL.findall(text)) >= max(1, len(text.split()) // 6)
        and not text.rstrip().endswith(".")
    )


def _same_code(one: str, other: str) -> bool:
    """Say whether two pieces of code are the same but for white space and the kind of quotes."""

    def plain(text: str) -> str:
        return " ".join(text.strip().strip("`").replace('"', "'").split())

    return plain(one) == plain(other)


def differs(one: str, other: str) -> bool:
    """Say whether two texts contradict each other in a way that wording does not explain.

    What the text with less of a kind says of that kind, the other must say too: an answer may explain more.
    """
    a, b = words(one), words(other)
    return (
        not _nested(_numbers(a), _numbers(b))
        or _negations(a) % 2 != _negations(b) % 2
        or _has_opposites(set(a), set(b))
        or not _nested(_names(one), _names(other))
        or not _nested(set(_CODE.findall(one)), set(_CODE.findall(other)))
    )


def _nested(one: set[str], other: set[str]) -> bool:
    return one <= other or other <= one


def _numbers(found: list[str]) -> set[str]:
    return {word for word in found if word.lstrip("-.")[:1].isdigit() or word in _UNITS}


def _negations(found: list[str]) -> int:
    return sum(word in _NEGATIONS for word in found)


def _has_opposites(a: set[str], b: set[str]) -> bool:
    return any(word in _OPPOSITE and _OPPOSITE[word] & (b - a) for word in a - b)


def _names(text: str) -> set[str]:
    """Return words with a capital where no sentence begins."""
    inside = re.sub(r"(?:^|[.!?:\n]\s*+|^[-*]\s*+)[\"'(]*+[A-Z]\w*", " ", text)
    return {word.lower() for word in re.findall(r"\b[A-Z][a-zA-Z]+\b", inside)} - _FILLER
