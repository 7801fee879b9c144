"""Render Markdown for a terminal while it arrives. Pure: text in, text with escape codes out.

It only ever adds to what is shown. Redrawing would flicker, and leaves rests behind where a line is wider than counted.
A word is shown when it is whole; a table when its last row has come.
"""

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable

from shammah_mlx.display.inline import Look, Span, read_spans

_CODES = {"bold": "1", "italic": "3", "code": "36", "link": "4", "heading": "1", "title": "1;4", "dim": "2"}
_UNDECIDED = re.compile(r"[`~]{0,2}|#{0,6}|[-*_+\s]*|\d{0,9}[.)]?")  # what may, stripped, still become another block
_FENCE = re.compile(r"\s*(`{3,}|~{3,})(.*)")
_RULE = re.compile(r"\s{0,3}([-*_])(\s*\1){2,}\s*")
_HEADING = re.compile(r"(#{1,6})\s+")
_ITEM = re.compile(r"(\s*)([-*+]|\d{1,9}[.)])(\s+)(?=\S)")
_QUOTE = re.compile(r"\s*((?:>\s?)+)")
NARROWEST = 20  # columns to wrap at; with fewer, the terminal does it


class Renderer:
    """Renders one text: `feed` returns what to write for each piece, `finish` the rest."""

    def __init__(self, columns: Callable[[], int], look: Look) -> None:
        self._columns, self._look = columns, look
        self._line = ""  # what has come of the present line
        self._read = 0  # how many of its characters are rendered or passed over
        self._fence: str | None = None  # what opened the code block that the line is in
        self._has_begun = False  # whether the line's block is known
        self._table: list[str] = []  # rows that wait for the end of their table
        self._flow = _Flow(columns, look)

    def feed(self, piece: str) -> str:
        """Return what to write now that this piece has come."""
        *ended, rest = piece.split("\n")
        shown = ""
        for part in ended:
            self._line += part
            shown += self._advance(is_whole=True)
        self._line += rest
        return shown + self._advance(is_whole=False)

    def finish(self) -> str:
        """Return the rest; the line that was begun is ended."""
        shown = self._advance(is_whole=True) if self._line else ""
        return shown + self._end_table()

    def _advance(self, *, is_whole: bool) -> str:
        """Render what is certain of the present line; begin the next one if it is whole."""
        shown = self._code_line(is_whole) if self._fence else self._text_line(is_whole)
        if is_whole:
            self._line, self._read, self._has_begun = "", 0, False
        return shown

    def _code_line(self, is_whole: bool) -> str:
        """Render a line of a code block, which is never wrapped: it may be copied."""
        fence = self._fence or ""
        bare = self._line.strip()
        if is_whole and bare.startswith(fence) and not bare.strip(fence[0]):
            self._fence = None
            return "" if self._look.has_styles else self._line + "\n"
        if not is_whole and not bare.strip(fence[0]):
            return ""  # it may end the block
        shown, self._read = self._line[self._read :], len(self._line)
        return _styled(shown, ("code",), self._look) + ("\n" if is_whole else "")

    def _text_line(self, is_whole: bool) -> str:
        line = self._line
        if not self._has_begun:
            if line.lstrip().startswith("|"):
                if is_whole:
                    self._table.append(line)
                return ""
            if not is_whole and (_UNDECIDED.fullmatch(line.strip()) or _FENCE.match(line)):
                return ""
        before = "" if self._has_begun else self._end_table() + self._begin(line, is_whole)
        if self._fence or not self._has_begun:
            return before
        spans, self._read = read_spans(line, self._read, is_whole=is_whole)
        return before + self._flow.add(spans) + (self._flow.end_line() if is_whole else "")

    def _begin(self, line: str, is_whole: bool) -> str:
        """Render the beginning of a line, which says what block it is; a fence or a rule is the whole line."""
        if is_whole and not line.strip():
            return "\n"
        if is_whole and (fence := _FENCE.fullmatch(line)) and "`" not in fence[2]:
            self._fence = fence[1]
            return "" if self._look.has_styles else line + "\n"
        if is_whole and _RULE.fullmatch(line):
            return ("─" if self._look.has_unicode else "-") * max(3, self._columns() - 1) + "\n"
        self._has_begun = True
        return self._begin_text(line)

    def _begin_text(self, line: str) -> str:
        """Render the mark that a line of text begins with; set how its words look, and where they are wrapped to."""
        if heading := _HEADING.match(line):
            self._read = heading.end()
            mark = "" if self._look.has_styles else heading[0]
            return self._flow.begin(mark, style="title" if len(heading[1]) == 1 else "heading")
        if quote := _QUOTE.match(line):
            self._read = quote.end()
            bar = ("│ " if self._look.has_unicode else "> ") * quote[1].count(">")
            return self._flow.begin(bar, again=bar, style="dim")
        if item := _ITEM.match(line):
            self._read = item.end()
            is_bullet = not item[2][0].isdigit()
            mark = "•" if is_bullet and self._look.has_unicode else item[2]
            return self._flow.begin(f"{item[1]}{mark} ")
        indent = line[: len(line) - len(line.lstrip())]
        self._read = len(indent)
        return self._flow.begin(indent)

    def _end_table(self) -> str:
        rows, self._table = self._table, []
        if not rows:
            return ""
        from shammah_mlx.display.tables import render_table  # imports rich, which few answers need

        table = render_table(rows, self._columns(), self._look)
        return "".join(row + "\n" for row in rows) if table is None else table


class _Flow:
    """Wraps words at the terminal's width, with the later lines of a list item below its first word."""

    def __init__(self, columns: Callable[[], int], look: Look) -> None:
        self._columns, self._look = columns, look
        self._again = ""  # what each further line of the paragraph begins with
        self._style: tuple[str, ...] = ()
        self._word: list[Span] = []  # which is not whole yet
        self._column, self._space, self._is_first = 0, "", True

    def begin(self, mark: str, again: str | None = None, style: str | None = None) -> str:
        """Begin a line with `mark`; further lines begin with `again`, or below the first word."""
        self._again = " " * text_width(mark) if again is None else again
        self._style = (style,) if style else ()
        self._column, self._space, self._is_first = text_width(mark), "", True
        return mark

    def add(self, spans: Iterable[Span]) -> str:
        """Return the words that are whole now."""
        shown = ""
        for span in spans:
            if "code" in span.styles:  # its spaces are its own, and a command must not be broken
                self._word.append(span)
                continue
            for part in re.findall(r"\s+|[^\s]+", span.text):
                if part.isspace():
                    shown += self._end_word()
                    self._space = " " if self._space or not self._is_first else ""
                else:
                    shown += self._add_part(Span(part, span.styles))
        return shown

    def _add_part(self, part: Span) -> str:
        """Add to the present word; scripts without spaces may be broken behind each wide character."""
        shown, begun = "", ""
        for character in part.text:
            begun += character
            if text_width(character) > 1:
                self._word.append(Span(begun, part.styles))
                shown, begun = shown + self._end_word(), ""
        if begun:
            self._word.append(Span(begun, part.styles))
        return shown

    def end_line(self) -> str:
        """Return the last word and the end of the line."""
        return self._end_word() + "\n"

    def _end_word(self) -> str:
        if not self._word:
            return ""
        width = sum(text_width(_marked(span, self._look)) for span in _joined(self._word))
        shown, columns = self._space, max(NARROWEST, self._columns())
        if not self._is_first and self._column + len(self._space) + width > columns:
            shown, self._column = "\n" + self._again, text_width(self._again)
        else:
            self._column += len(self._space)
        shown += "".join(
            _styled(_marked(span, self._look), (*self._style, *span.styles), self._look) for span in _joined(self._word)
        )
        self._column, self._space, self._is_first = self._column + width, "", False
        self._word = []
        return shown


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Return the spans with neighbours of the same styles joined."""
    groups = itertools.groupby(spans, key=lambda span: span.styles)
    return [Span("".join(span.text for span in same), styles) for styles, same in groups]


def _marked(span: Span, look: Look) -> str:
    """Return a span's text, with the marks of Markdown where nothing else can show what it is."""
    if look.has_styles:
        return span.text
    mark = "`" if "code" in span.styles else "".join({"bold": "**", "italic": "*"}.get(one, "") for one in span.styles)
    return f"{mark}{span.text}{mark[::-1]}"


def _styled(text: str, styles: Iterable[str], look: Look) -> str:
    codes = [_CODES[style] for style in styles]
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes and text and look.has_styles else text


def text_width(text: str) -> int:
    """Return how many columns a text takes."""
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Me", "Mn"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
