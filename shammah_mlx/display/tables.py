"""Render one table of Markdown, with rich: it divides the columns of a narrow terminal among those of the table."""

import io
import re
from collections.abc import Sequence
from typing import Literal

from rich.box import ASCII2, SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shammah_mlx.display.inline import Look, read_spans

_RICH = {"code": "cyan", "link": "underline"}  # names of styles in rich, where they differ
_SEPARATOR = re.compile(r"\s*:?-+:?\s*")


def render_table(rows: Sequence[str], columns: int, look: Look) -> str | None:
    """Return the table as lines, at most `columns` wide; None if these rows are no table."""
    cells = [_cells(row) for row in rows]
    if len(cells) < 2 or not all(_SEPARATOR.fullmatch(cell) for cell in cells[1]):
        return None
    table = Table(box=SIMPLE_HEAD if look.has_unicode else ASCII2, pad_edge=False)
    for head, separator in zip(cells[0], [*cells[1], *[""] * len(cells[0])], strict=False):
        table.add_column(_text(head), justify=_alignment(separator.strip()), overflow="fold")
    for row in cells[2:]:
        table.add_row(*[_text(cell) for cell in row[: len(cells[0])]])
    shown = io.StringIO()
    console = Console(
        file=shown,
        width=columns,
        force_terminal=look.has_styles,
        color_system="standard" if look.has_styles else None,
        legacy_windows=False,
    )
    console.print(table)
    return "".join(line.rstrip() + "\n" for line in shown.getvalue().splitlines() if line.strip())


def _cells(row: str) -> list[str]:
    inside = row.strip().removeprefix("|")
    if inside.endswith("|") and not inside.endswith("\\|"):
        inside = inside[:-1]
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inside)]


def _text(cell: str) -> Text:
    text = Text()
    for span in read_spans(cell)[0]:
        text.append(span.text, " ".join(_RICH.get(style, style) for style in span.styles))
    return text


def _alignment(separator: str) -> Literal["left", "center", "right"]:
    if separator.endswith(":"):
        return "center" if separator.startswith(":") else "right"
    return "left"
