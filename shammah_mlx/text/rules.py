"""What may not differ between two answers that say the same: numbers, negations, opposites, names, code.

Pure text: no model, no embedding. An embedding puts "safe" next to "not safe" and `--soft` next to `--hard`; these
rules do not. They err on the side of "differs".
"""

import re
from itertools import pairwise

from shammah_mlx.text import edits, lexicon, normalize, snippets

RULES = "3"  # the version of what follows: evidence measured by other rules is not evidence

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
NEAR = 4  # words before a stretch in which a negation still belongs to it

SHORT = 12  # words; a shorter text is compared by its words, since an embedding of it says little
BESIDE = 80  # words; beside the same block of code so much prose is compared by rules alone
LONGEST = 20_000  # characters; longer texts are the same to the letter or differ
CHUNK = 60  # words a chunk at the most: well under what an embedder reads


def same(one: str, other: str) -> bool | None:
    """Decide by the letter whether two answers say the same; None where only their meaning can tell.

    Code is the same if it reads the same or it differs. A short answer is the same as one that contains it.
    """
    if max(len(one), len(other)) > LONGEST:
        return one.split() == other.split()
    coded = snippets.is_code(one), snippets.is_code(other)
    if all(coded):
        return snippets.read(one) == snippets.read(other)
    if any(coded):
        code, text = (one, other) if coded[0] else (other, one)
        quoted = {tuple(snippets.read(piece)) for piece in snippets.said(text)}
        if quoted or (snippets.is_command(code) and len(code.split()) > 1):
            return quoted == {tuple(snippets.read(code))} and not _denied(text)
    return _same_prose(*prose(one, other), _same_blocks(one, other))


def _same_prose(one: str, other: str, blocks: bool | None) -> bool | None:
    """Do as `same` for what stands around blocks of code that are the same, or not, or cannot be compared."""
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
        return _says(a, b, one, other) and _says(b, a, other, one)
    return _says(a, b, one, other) if len(a) < len(b) else _says(b, a, other, one)


def _denied(text: str) -> bool:
    """Say whether what a text quotes as code is perhaps what not to do."""
    return _negations(normalize.words(snippets.without(text))) > 0


def _same_blocks(one: str, other: str) -> bool | None:
    """Say whether the blocks of code of two texts are the same; None if one has more, or none."""
    ours, theirs = ({tuple(snippets.read(block)) for block in snippets.blocks(text)} for text in (one, other))
    if ours - theirs and theirs - ours:
        return False
    return True if ours and ours == theirs else None


def prose(one: str, other: str) -> tuple[str, str]:
    """Return two texts without marks of layout, courtesies, and blocks of code if both have such."""
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
    """Return the words of a sentence, pieces of code as they are, and commas."""
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
    """Cut a text into sentences, and long ones into pieces an embedder can read whole."""
    pieces = []
    for sentence in re.split(r"(?<=[.!?])(?<!\n\d[.])(?<!\n\d\d[.])\s+|\n+", f"\n{text}"):
        found = sentence.split()
        pieces += [" ".join(found[i : i + CHUNK]) for i in range(0, len(found), CHUNK)]
    return pieces or [text]


def _says(short: list[str], long: list[str], short_text: str, long_text: str) -> bool:
    """Say whether the longer answer says what the short one does: its words together, or all of them close by."""
    if not _nested(set(_SIGN.findall(short_text)), set(_SIGN.findall(long_text))):
        return False
    turned = any(lexicon.OPPOSITE.get(word, set()) & (set(long) - set(short)) for word in short)
    if turned or not _nested(set(normalize.SIGNS.intersection(short)), set(normalize.SIGNS.intersection(long))):
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
    turned = edits.turned(tokens(short_text), tokens(long_text), lambda _, __: 0.0)
    return end - start <= 2 * len(wanted) + 3 and _unchanged(wanted, found, start, end) and not turned


def _worded_out(one: str, other: str) -> bool:
    """Say whether two texts have more than bare words, so that their order is free."""
    both = f"{one} {other}".lower()
    return re.search(r"[,\n&]", both) is not None or not lexicon.FILLER.isdisjoint(both.split())


def _known(found: list[str], wanted: set[str]) -> list[str]:
    """Put for each word the wanted one that means the same, if there is one."""
    return [
        word if word in wanted else next((known for known in wanted if lexicon.interchangeable(word, known)), word)
        for word in found
    ]


def _unchanged(short: list[str], long: list[str], start: int, end: int) -> bool:
    """Say whether nothing in or just before long[start:end] turns the short answer round."""
    stretch = long[max(start - NEAR, 0) : end]
    after, beyond = [*long[end : end + 2], "", ""][:2]
    counted = after in normalize.SIGNS and not beyond[:1].isdigit()  # 5 is not 5 %
    unit = bool(short) and short[-1][-1].isdigit() and counted
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
    return [lexicon.base(word) for word in found if word not in lexicon.GIVEN]


def differs(one: str, other: str) -> bool:
    """Say whether two texts contradict each other in a way that wording does not explain.

    What the text with less of a kind says of that kind, the other must say too: an answer may explain more.
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


def turned(one: str, other: str, close: edits.Close) -> bool:
    """Say whether a sentence is another but for a decisive change; `close` knows words that mean the same."""
    return edits.turned(tokens(one), tokens(other), close)


def is_negative(text: str) -> bool:
    """Say whether a text has an odd number of negations."""
    return _negations(normalize.words(text)) % 2 == 1


def _codes_differ(one: str, other: str) -> bool:
    """Say whether each text has a piece of code that the other lacks."""
    return _lacks(one, other) and _lacks(other, one)


def _lacks(one: str, other: str) -> bool:
    """Say whether a text lacks a piece of code that is in the other."""
    plain = " ".join(one.replace("`", " ").split())
    words = {word.strip(".,;:!?()\"'") for word in plain.split()} | {*_CODE.findall(plain)}
    pieces = (" ".join(piece.split()) for piece in snippets.said(other))
    return not {*_CODE.findall(snippets.without(other))} <= words or not all(
        piece in (plain if " " in piece else words) or plain == piece for piece in pieces
    )


def _nested(one: set[str], other: set[str]) -> bool:
    return one <= other or other <= one


def _numbers(found: list[str]) -> set[str]:
    return {word for word in found if normalize.is_number(word) or word in normalize.SIGNS}


def _units_differ(a: list[str], b: list[str]) -> bool:
    """Say whether the same number counts other units."""
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
    """Return words with a capital where no sentence begins."""
    inside = re.sub(r"(?:^|[.!?:\n]\s*+|^[-*]\s*+)[\"'(]*+[A-Z]\w*", " ", text)
    return {word.lower() for word in re.findall(r"\b[A-Z][a-zA-Z]+\b", inside)} - lexicon.FILLER
