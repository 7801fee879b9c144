"""Read commands and code as their interpreter does: white space, quotes and comments count only where it heeds them.

Pure text. Two snippets are the same if `read` returns the same for both.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

_FENCED = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")
_SIGNS = re.compile(r"[|<>;{}\\*]|\$(?!\d)|(?<!\w)--?[A-Za-z]|(?<!\w)/\w|\w/\w")
_LINE = re.compile(  # a line that is hardly prose
    r"\s*(?:(?:def|class|if|elif|for|while|with|try|except|else|func|fn|switch)\b.*[:{]$"
    r"|(?:import|from|const|let|var|return|print|raise|yield)\b.*|[\w.\[\]'\"]+\s*[-+*/|&]?=\s*\S.*"
    r"|[\w.]+\(.*\)[;:]?|.*(?:[;{(\[}]|[\"'\])}\d],)|[\])}]+[;,]?|(?:break|continue|pass)"
    r"|(?:SELECT|FROM|WHERE|(?:LEFT |RIGHT |INNER |OUTER )*JOIN|ORDER BY|GROUP BY|INSERT|UPDATE|SET|VALUES|LIMIT)\b.*)"
)
_OF_CODE = re.compile(r"\w\(|[=<>+*/%]|[:;{}]$|\s-|_")
_PROGRAM = re.compile(
    r"(?:return|if|elif|else|for|while|print|import|from|def|class|let|const|var|raise|function|fn)\b"
)
_QUERY = re.compile(r"\s*(?:select|insert|update|delete|create|alter|with)\s", re.IGNORECASE)
_SHELL = re.compile(r"(?:^|\s)--?[A-Za-z]|\$[\w({]|(?:^|\s)[~.]{0,2}/|\\;")
_COMMAND = re.compile(r"[a-z][\w.-]*[ \t]+[^\s=(+*/<>!%&^-]")  # a name, then a word
_QUOTING = re.compile(  # a command with a quoted argument
    r"[a-z][\w-]*[ \t](?:[^\n]*\s)?([\"'])[^\n]*\1(?:\s[^\n]*[^\s.!?]|)"
)

_STRING = r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\""
_PIECE = re.compile(rf"(?P<comment>#(?=\s|$)[^\n]*)|(?P<string>{_STRING})|(?P<word>\w+)|(?P<sign>\S)")
_WORD = re.compile(
    r"(?P<space>[ \t]+)|(?P<end>[\n;])|(?P<operator>\|\|?|&&|\d*>>?(?:&\d)?|&>|<<?|&)"
    r"|(?P<single>'[^']*')|(?P<double>\"(?:[^\"\\]|\\.)*\")|(?P<plain>(?:\\.|[^\s;|&<>'\"\\])+|.)",
    re.DOTALL,
)
LINE = 200  # characters; a one-line command with quotes is no longer

_CLOSING, _OPENING = frozenset(")]}"), frozenset("([{")


def is_code(text: str) -> bool:
    """Say whether a text is a command or code rather than prose, so that every sign counts."""
    stripped = text.strip()
    if _FENCED.fullmatch(stripped) or is_command(text) or _as_json(stripped) is not None:
        return True
    lines = [line.rstrip() for line in stripped.splitlines() if line.strip()]
    if len(stripped) <= LINE and _QUOTING.fullmatch(stripped):
        return True
    if stripped.endswith(".") or not any(_OF_CODE.search(line) for line in lines):
        return False
    return 3 * sum(_LINE.fullmatch(line) is not None for line in lines) >= 2 * len(lines)


def is_command(text: str) -> bool:
    """Say whether a text is a few lines with the signs of a shell."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    signs = len(_SIGNS.findall(text))
    return len(lines) <= 3 and signs >= max(1, len(text.split()) // 6) and not text.rstrip().endswith(".")


def quoted(text: str) -> list[str]:
    """Return the snippets that a text quotes as code."""
    return [*blocks(text), *_INLINE.findall(without_blocks(text))]


def blocks(text: str) -> list[str]:
    """Return the code blocks of a text."""
    return _FENCED.findall(text)


def without_blocks(text: str) -> str:
    """Return a text without its code blocks."""
    return _FENCED.sub("", text)


def without_quoted(text: str) -> str:
    """Return a text without the snippets that it quotes as code."""
    return _INLINE.sub("", without_blocks(text))


def read(text: str) -> list[str]:
    """Return the words and signs of a snippet, without those that its interpreter ignores."""
    block = _FENCED.fullmatch(text.strip())
    plain = (block[1] if block else text).strip("\n").rstrip()
    if (value := _as_json(plain)) is not None:
        return [value]
    plain = re.sub(r"^\s*\$ +", "", plain, flags=re.MULTILINE).strip("`")
    program = not _SHELL.search(plain) and (_PROGRAM.match(plain.lstrip()) or not _COMMAND.match(plain.lstrip()))
    if _QUERY.match(plain):
        return [piece if piece[0] == "'" else piece.lower() for piece in _without_ends(_pieces(plain))]
    return _without_ends(_lines(plain) if program else _words(plain))


def _as_json(text: str) -> str | None:
    """Return a JSON object or list in one form, whatever its white space and the order of its keys; None for others."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        value = json.loads(text, object_pairs_hook=unique_keys, parse_float=_number, parse_constant=_refuse)
        return json.dumps(value, sort_keys=True)
    except (ValueError, RecursionError):
        return None


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these keys and values.

    Raises:
        ValueError: a key stands twice; readers differ in which one they take.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _number(text: str) -> float:
    """Return the same for 1.0 as for 1."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _refuse(text: str) -> None:
    raise ValueError(f"JSON has no {text}")


def _without_ends(found: Iterator[str]) -> list[str]:
    """Drop the end of the last statement, and each comma before a closing bracket."""
    pieces = [*found]
    while pieces and pieces[-1] in (";", "\n"):
        pieces.pop()
    return [
        piece
        for piece, after in zip(pieces, [*pieces[1:], ""], strict=False)
        if not (piece == "," and after in _CLOSING)
    ]


def _words(text: str) -> Iterator[str]:
    """Yield the words as a shell reads them: quotes only where they matter, operators apart."""
    word = ""
    for match in _WORD.finditer(re.sub(r"\\\n", " ", text)):
        kind, piece = match.lastgroup, match[0]
        glued = kind == "operator" and piece[0].isdigit() and word  # a2>b is a2 and >b
        if kind in ("space", "end", "operator"):
            if glued:
                digits = re.match(r"\d+", piece)
                word, piece = word + (digits[0] if digits else ""), piece.lstrip("0123456789")
            if word:
                yield word
            word = ""
            if kind == "operator":
                yield piece
            elif kind == "end":
                yield ";"
        else:
            word += _unquoted(piece) if kind in ("single", "double") else piece
    if word:
        yield word


def _unquoted(piece: str) -> str:
    inner = piece[1:-1]
    if re.fullmatch(r"[\w./:=@%+,-]+", inner):
        return inner
    return piece if re.search(r"[$`\\!'\"]", inner) else f"'{inner}'"


def _lines(text: str) -> Iterator[str]:
    """Yield the pieces as a compiler reads them: no space between them; indentation only where brackets are missing."""
    if re.search(r"[{;]\s*$|^\s*[{\[]", text, re.MULTILINE):
        yield from _pieces(re.sub(r"^\s*//[^\n]*", "", text, flags=re.MULTILINE))
        return
    depths, opened, first = [0], 0, True
    for line in text.splitlines():
        pieces = [*_pieces(line)]
        if not pieces:
            continue
        if not opened:
            depth = len(line.expandtabs()) - len(line.expandtabs().lstrip())
            while depth < depths[-1]:
                depths.pop()
                yield "<"
            if depth > depths[-1]:
                depths.append(depth)
                yield ">"
            if not first:
                yield "\n"
        first = False
        yield from pieces
        opened = max(opened + sum((p in _OPENING) - (p in _CLOSING) for p in pieces), 0)


def _pieces(text: str) -> Iterator[str]:
    for match in _PIECE.finditer(text):
        if match.lastgroup == "string":
            inner = match[0][1:-1]
            yield match[0] if "'" in inner or '"' in inner else f"'{inner}'"
        elif match.lastgroup != "comment":
            yield match[0]
