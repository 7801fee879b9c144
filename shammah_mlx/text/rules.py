"""Find differences that equivalent answers never have: in numbers, negations, opposites, names, code.

Pure text: no model, no embedding. An embedding puts "safe" next to "not safe" and `--soft` next to `--hard`; these
rules tell them apart. When in doubt, they say that the answers differ.
"""

import re
from itertools import pairwise

from shammah_mlx.text import edits, lexicon, normalize, snippets

RULES = "3"  # version of these rules: labels made with another version do not count

_CODE = re.compile(
    r"(?<![\w-])--?[A-Za-z][\w-]*"  # -x, --long
    r"|\w+://[^\s)>\]]+|\b[A-Z]:\\[\w\\.]+"  # an address, a path of Windows
    r"|(?<![\w.~/-])(?:~|\.{1,2})?/[\w.*~/-]+"  # a path
    r"|(?<![\w.])[\w.]+\([^)\n]*\)"  # a call
    r"|\b\w+_\w+\b|\b[a-z]+[A-Z]\w*\b"  # snake_case, camelCase
    r"|(?<![\w-])\w[\w-]*\.(?!\d)[a-z]\w+\b"  # a file or a dotted name
    r"|[<>=!]=|=>|->|&&|\|\||[|<>^*+=%&](?=\s|\w|$)"  # operators
)
_SIGN = re.compile(
    r"(?<=\s)[-+*/%=<>^|&]+(?=\s)|[<>=!]="  # between spaces
    r"|(?<=\w)[+*=<>^|&](?=\w)|(?<=\b\w)-(?=\w\b)"  # a+b, a-b
    r"|(?<=\b[A-Z])[+-](?![\w+-])"  # A+, A-
)
_LAYOUT = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|[-*•][ \t]+(?=\S)|\d{1,2}[.)][ \t]+(?=\D))|\*\*", re.MULTILINE)
_STEP = re.compile(
    r"(?:^|[.!?]\s)[ \t]*(?:\d{1,2}[.)]\s|(?:First|Second|Third|Then|Next|Finally|After that)\b)", re.MULTILINE
)
_COURTESY = re.compile(
    r"\A\s*(?:sure|certainly|of course|(?:great|good) question|happy to help)[!.,:]\s+(?:here you go[!.:]\s+)?"
    r"|(?:\A|(?<=[.!?\])\s]))\s*\[*(?:let me know if|(?:i )?hope (?:this|that) helps|feel free to ask"
    r"|would you like (?:more|to know)|if you have (?:any )?(?:other|more|further)? ?questions|is there anything else)"
    r"[^.!?\n]*+(?:[.!?]\]*|\Z)",
    re.IGNORECASE,
)
NEAR = 4  # words; a negation this close before a stretch belongs to it

SHORT = 12  # words; a shorter text is compared by its words, since its embedding says little
BESIDE = 80  # words; up to this much prose around equal code blocks is compared by rules alone
LONGEST = 20_000  # characters; longer texts are equal word for word, or differ
CHUNK = 60  # words; no chunk is longer: well under what an embedder reads


def same(one: str, other: str) -> bool | None:
    """Decide by rules whether two answers are equivalent; return None where only their meaning can tell.

    Code is always decided: it is equivalent if it reads the same. A short answer is equivalent to one that contains it.
    """
    if max(len(one), len(other)) > LONGEST:
        return one.split() == other.split()
    coded = snippets.is_code(one), snippets.is_code(other)
    if all(coded):
        return snippets.read(one) == snippets.read(other)
    if any(coded):
        code, text = (one, other) if coded[0] else (other, one)
        quoted = {tuple(snippets.read(piece)) for piece in snippets.quoted(text)}
        if quoted or (snippets.is_command(code) and len(code.split()) > 1):
            return quoted == {tuple(snippets.read(code))} and not _denied(text)
    return _same_prose(*prose(one, other), _same_blocks(one, other))


def _same_prose(one: str, other: str, blocks: bool | None) -> bool | None:
    """Compare the prose of two answers as `same` does; `blocks` says what `_same_blocks` says of their code."""
    if blocks is False:
        return False
    a, b = normalize.words(one), normalize.words(other)
    if not a or not b:
        return one.strip() == other.strip()
    if a == b:
        return _SIGN.findall(one) == _SIGN.findall(other) and not _codes_differ(one, other)
    if min(len(a), len(b)) > SHORT or blocks:
        if differs(one, other):
            return False
        return True if blocks and max(len(a), len(b)) <= BESIDE else None
    if len(a) == len(b):
        return _contains(a, b, one, other) and _contains(b, a, other, one)
    return _contains(a, b, one, other) if len(a) < len(b) else _contains(b, a, other, one)


def _denied(text: str) -> bool:
    """Say whether a text may quote its code as something not to do."""
    return _negations(normalize.words(snippets.without_quoted(text))) > 0


def _same_blocks(one: str, other: str) -> bool | None:
    """Say whether the code blocks of two texts are the same; None if one text has more, or neither has any."""
    ours, theirs = ({tuple(snippets.read(block)) for block in snippets.blocks(text)} for text in (one, other))
    if ours - theirs and theirs - ours:
        return False
    return True if ours and ours == theirs else None


def prose(one: str, other: str) -> tuple[str, str]:
    """Return two texts without layout marks and courtesies, and without code blocks if both have some."""
    if snippets.blocks(one) and snippets.blocks(other):
        return _bare(snippets.without_blocks(one)), _bare(snippets.without_blocks(other))
    return _bare(one), _bare(other)


def _bare(text: str) -> str:
    bare = _LAYOUT.sub("", text)
    return _COURTESY.sub("", bare).strip() or bare


def in_steps(text: str) -> bool:
    """Say whether a text is an ordered list of steps."""
    return len(_STEP.findall(text)) > 1


def tokens(sentence: str) -> list[str]:
    """Return the words and commas of a sentence, with its pieces of code unchanged."""
    found: list[str] = []
    end = 0
    sentence = sentence.replace("`", "")
    for match in re.finditer(rf"{_CODE.pattern}|[,;:](?!\d)|\n", sentence):
        found += [*_worded(sentence[end : match.start()]), "," if match[0] in ",;:\n" else match[0]]
        end = match.end()
    return [*found, *_worded(sentence[end:])]


def _worded(text: str) -> list[str]:
    return normalize.words(text) if any(character.isalnum() for character in text) else []


def chunks(text: str) -> list[str]:
    """Cut a text into sentences, and long sentences into pieces that an embedder can read whole."""
    pieces = []
    for sentence in re.split(r"(?<=[.!?])(?<!\n\d[.])(?<!\n\d\d[.])\s+|\n+", f"\n{text}"):
        found = sentence.split()
        pieces += [" ".join(found[i : i + CHUNK]) for i in range(0, len(found), CHUNK)]
    return pieces or [text]


def _contains(short: list[str], long: list[str], short_text: str, long_text: str) -> bool:
    """Say whether the longer answer contains the short one: its words together, or all of them close by."""
    if not _nested(set(_SIGN.findall(short_text)), set(_SIGN.findall(long_text))):
        return False
    has_opposite = any(lexicon.OPPOSITE.get(word, set()) & (set(long) - set(short)) for word in short)
    if has_opposite or not _nested(set(normalize.SIGNS.intersection(short)), set(normalize.SIGNS.intersection(long))):
        return False
    if _codes_differ(short_text, long_text):
        return False
    together = _find(long, short)
    if together is not None:
        return _unchanged(short, long, *together)
    wanted, found = _stems(short), _known(_stems(long), {*_stems(short)})
    if not wanted or not set(wanted) <= set(found):
        return False
    if wanted != [word for word in found if word in wanted] and not _worded_out(short_text, long_text):
        return False  # bare words in another order
    start, end = _window(found, set(wanted))
    changed = edits.has_decisive_change(tokens(short_text), tokens(long_text), lambda _, __: 0.0)
    return end - start <= 2 * len(wanted) + 3 and _unchanged(wanted, found, start, end) and not changed


def _worded_out(one: str, other: str) -> bool:
    """Say whether two texts are more than bare words, so that their order is free."""
    both = f"{one} {other}".lower()
    return re.search(r"[,\n&]", both) is not None or not lexicon.FILLER.isdisjoint(both.split())


def _known(found: list[str], wanted: set[str]) -> list[str]:
    """Replace each word by the wanted word that means the same, if there is one."""
    return [
        word if word in wanted else next((known for known in wanted if lexicon.interchangeable(word, known)), word)
        for word in found
    ]


def _unchanged(short: list[str], long: list[str], start: int, end: int) -> bool:
    """Say whether nothing in or just around long[start:end] changes the short answer."""
    stretch = long[max(start - NEAR, 0) : end]
    after, beyond = [*long[end : end + 2], "", ""][:2]
    counted = after in normalize.SIGNS and not beyond[:1].isdigit()  # 5 is not 5 %
    unit = bool(short) and short[-1][-1].isdigit() and counted
    return _negations(short) % 2 == _negations(stretch) % 2 and not unit


def _find(long: list[str], short: list[str]) -> tuple[int, int] | None:
    """Return where the words of `short` stand together, in order, in `long`."""
    size = len(short)
    return next(((i, i + size) for i in range(len(long) - size + 1) if long[i : i + size] == short), None)


def _window(found: list[str], wanted: set[str]) -> tuple[int, int]:
    """Return the shortest stretch with every wanted word."""
    best = (0, len(found))
    last: dict[str, int] = {}
    for place, word in enumerate(found):
        if word in wanted:
            last[word] = place
            if len(last) == len(wanted):
                best = min(best, (min(last.values()), place + 1), key=lambda span: span[1] - span[0])
    return best


def _stems(found: list[str]) -> list[str]:
    return [lexicon.base(word) for word in found if word not in lexicon.GIVEN]


def differs(one: str, other: str) -> bool:
    """Say whether two texts contradict each other in a way that wording does not explain.

    One text may have more numbers, names or pieces of code than the other: an answer may explain more. They differ
    if each has one that the other lacks.
    """
    a, b = normalize.words(one), normalize.words(other)
    return (
        not _nested(_numbers(a), _numbers(b))
        or _units_differ(a, b)
        or (len(chunks(one)) == len(chunks(other)) and is_negative(one) != is_negative(other))
        or _has_opposites(set(a), set(b))
        or bool(_names(one) - set(b) and _names(other) - set(a))
        or _codes_differ(one, other)
    )


def has_decisive_change(one: str, other: str, close: edits.Close) -> bool:
    """Say whether two sentences are alike except for a decisive change; `close` compares phrases by meaning."""
    return edits.has_decisive_change(tokens(one), tokens(other), close)


def is_negative(text: str) -> bool:
    """Say whether a text has an odd number of negations."""
    return _negations(normalize.words(text)) % 2 == 1


def _codes_differ(one: str, other: str) -> bool:
    """Say whether each text has a piece of code that the other lacks."""
    return _lacks(one, other) and _lacks(other, one)


def _lacks(one: str, other: str) -> bool:
    """Say whether `one` lacks a piece of code that `other` has."""
    plain = " ".join(one.replace("`", " ").split())
    words = {word.strip(".,;:!?()\"'") for word in plain.split()} | {*_CODE.findall(plain)}
    pieces = (" ".join(piece.split()) for piece in snippets.quoted(other))
    return not {*_CODE.findall(snippets.without_quoted(other))} <= words or not all(
        piece in (plain if " " in piece else words) or plain == piece for piece in pieces
    )


def _nested(one: set[str], other: set[str]) -> bool:
    return one <= other or other <= one


def _numbers(found: list[str]) -> set[str]:
    return {word for word in found if normalize.is_number(word) or word in normalize.SIGNS}


def _units_differ(a: list[str], b: list[str]) -> bool:
    """Say whether the same number has different units in the two texts."""
    ours, theirs = _measured(a), _measured(b)
    return any(not ours[number] & theirs[number] for number in ours.keys() & theirs.keys())


def _measured(found: list[str]) -> dict[str, set[str]]:
    units: dict[str, set[str]] = {}
    for number, unit in pairwise(found):
        if number[-1].isdigit() and unit in normalize.UNIT:
            units.setdefault(number, set()).add(unit)
    return units


def _negations(found: list[str]) -> int:
    return sum(word in lexicon.NEGATIONS for word in found)


def _has_opposites(a: set[str], b: set[str]) -> bool:
    return any(word in lexicon.OPPOSITE and lexicon.OPPOSITE[word] & (b - a) for word in a - b)


def _names(text: str) -> set[str]:
    """Return, in lower case, the capitalised words that do not begin a sentence."""
    inside = re.sub(r"(?:^|[.!?:\n]\s*+|^[-*]\s*+)[\"'(]*+[A-Z]\w*", " ", text)
    return {word.lower() for word in re.findall(r"\b[A-Z][a-zA-Z]+\b", inside)} - lexicon.FILLER
