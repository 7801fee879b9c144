"""Read the marks inside a line of Markdown: emphasis, code, links. Pure.

A line may still be arriving. What its end could change is left for later, so that a reader sees each word once, in its
final shape.
"""

import re
from typing import NamedTuple

LONGEST = 240  # characters between two marks that belong together: what is held back must end soon
_SPECIAL = re.compile(r"[\\`*_\[]|!(?=\[|$)")
_LINK = re.compile(r"\[([^\[\]\n]+)\]\(([^()\s]+)\)")
_IMAGE = re.compile(r"!\[([^\[\]\n]*)\]\(([^()\s]+)\)")
_PART_OF_LINK = re.compile(r"\[[^\[\]\n]*(\](\([^()\s]*)?)?$")
_STYLES = {1: ("italic",), 2: ("bold",), 3: ("bold", "italic")}  # by the number of asterisks


class Look(NamedTuple):
    """What the terminal can show."""

    has_styles: bool = True  # False (NO_COLOR): no escape codes, and the marks of emphasis and code stay
    has_unicode: bool = True  # False: bullets and lines in ASCII


class Span(NamedTuple):
    """A piece of text that looks the same throughout."""

    text: str
    styles: tuple[str, ...] = ()  # of "bold", "italic", "code", "link"


class _Mark(NamedTuple):
    """What stands at one place of a line: its spans, and where the rest begins."""

    spans: list[Span]
    end: int


def read_spans(line: str, start: int = 0, *, is_whole: bool = True) -> tuple[list[Span], int]:
    """Return the spans of a line from `start` on, as far as they are certain, and where the uncertain rest begins.

    Of a whole line everything is certain. A mark without its partner is text.
    """
    found: list[Span] = []
    while start < len(line):
        special = _SPECIAL.search(line, start)
        if special is None or special.start() > start:
            end = special.start() if special else len(line)
            found.append(Span(line[start:end]))
            start = end
            continue
        mark = _read_mark(line, start, is_whole=is_whole)
        if mark is None:
            break
        found += mark.spans
        start = mark.end
    return found, start


def _read_mark(line: str, start: int, *, is_whole: bool) -> _Mark | None:
    """Read what begins with a special character; None if the rest of the line decides what it is."""
    read = {"\\": _read_escape, "`": _read_code, "[": _read_link, "!": _read_image}.get(line[start], _read_emphasis)
    is_open = not is_whole and len(line) - start <= LONGEST
    return read(line, start, is_open)


def _literally(line: str, start: int, end: int) -> _Mark:
    return _Mark([Span(line[start:end])], end)


def _read_escape(line: str, start: int, is_open: bool) -> _Mark | None:
    following = line[start + 1 : start + 2]
    if not following and is_open:
        return None
    if following and re.match(r"[!-/:-@\[-`{-~]", following):
        return _Mark([Span(following)], start + 2)
    return _literally(line, start, start + 1)


def _read_code(line: str, start: int, is_open: bool) -> _Mark | None:
    end = _run_end(line, start)
    fence = line[start:end]
    for found in re.finditer(r"`+", line[end : start + LONGEST]):
        begin, after = end + found.start(), end + found.end()
        if found.group() == fence:
            if after == len(line) and is_open:
                return None  # one more would make it a longer run
            inside = line[end:begin]
            if len(inside) > 2 and inside.startswith(" ") and inside.endswith(" ") and inside.strip():
                inside = inside[1:-1]
            return _Mark([Span(inside, ("code",))], after)
    return None if is_open else _literally(line, start, end)


def _read_link(line: str, start: int, is_open: bool) -> _Mark | None:
    if (link := _LINK.match(line, start, start + LONGEST)) is not None:
        text, address = link.groups()
        shown = [Span(text, ("link",))]
        if address not in (text, f"mailto:{text}"):
            shown.append(Span(f" ({address})"))
        return _Mark(shown, link.end())
    if is_open and _PART_OF_LINK.match(line, start):
        return None
    return _literally(line, start, start + 1)


def _read_image(line: str, start: int, is_open: bool) -> _Mark | None:
    if (image := _IMAGE.match(line, start, start + LONGEST)) is not None:
        name = f"image: {image[1]}" if image[1] else "image"
        return _Mark([Span(name, ("link",)), Span(f" ({image[2]})")], image.end())
    if is_open and (start + 1 == len(line) or _PART_OF_LINK.match(line, start + 1)):
        return None
    return _literally(line, start, start + 1)


def _read_emphasis(line: str, start: int, is_open: bool) -> _Mark | None:
    end = _run_end(line, start)
    if end == len(line) and is_open:
        return None
    styles = _STYLES.get(end - start)
    if styles is None or not _opens(line, start, end):
        return _literally(line, start, end)
    closing = _find_closing(line, start, end)
    if closing is None:
        return None if is_open else _literally(line, start, end)
    after = closing + end - start
    if after == len(line) and is_open:
        return None
    inner, _ = read_spans(line[end:closing])
    return _Mark([Span(span.text, (*styles, *span.styles)) for span in inner], after)


def _opens(line: str, start: int, end: int) -> bool:
    """Say whether a run of `*` or `_` can begin an emphasis: a word follows it, and `_` is not inside one."""
    before, after = line[start - 1 : start] if start else "", line[end : end + 1]
    if not after or after.isspace():
        return False
    if line[start] == "_":  # `__init__` and its like are names
        return end - start == 1 and not before.isalnum()
    return after.isalnum() or after in "`\"'([\\$_<" or not before.isalnum()


def _find_closing(line: str, start: int, end: int) -> int | None:
    """Return where the run begins that ends the emphasis opened by the run from `start` to `end`."""
    at, mark, length = end, line[start], end - start
    while at < min(len(line), start + LONGEST):
        if line[at] == "\\":
            at += 2
        elif line[at] == "`":
            code = _read_code(line, at, False)
            at = code.end if code else at + 1
        elif line[at] == mark:
            run = _run_end(line, at)
            is_inside_a_word = mark == "_" and line[run : run + 1].isalnum()
            if run - at == length and not line[at - 1].isspace() and not is_inside_a_word:
                return at
            at = run
        else:
            at += 1
    return None


def _run_end(line: str, start: int) -> int:
    end = start
    while end < len(line) and line[end] == line[start]:
        end += 1
    return end
