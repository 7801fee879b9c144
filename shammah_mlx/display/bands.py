"""Lay a run's table out for a narrow terminal: a block of words for each row, where the columns do not fit."""

import textwrap
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

INDENT = "  "  # of a row's values, below its name
CELL = "\N{NO-BREAK SPACE}"  # joins the name of a column and its value, so that no line ends between them


def print_table(table: Table, console: Console) -> None:
    """Print a table, or its rows as blocks if the terminal is narrower than the table."""
    if console.measure(table, options=console.options.update(max_width=10_000)).maximum <= console.width:
        console.print(table)
        return
    for line in _blocks(table, console.width):
        console.print(line, markup=False, highlight=False, no_wrap=True, crop=False)


def _blocks(table: Table, columns: int) -> Iterator[str]:
    """Yield for each row its first cell, then every other value after the name of its column; then the caption."""
    names = [str(column.header) for column in table.columns]
    for first, *others in zip(*(map(str, column.cells) for column in table.columns), strict=True):
        yield f"{names[0]} {first}"
        named = ", ".join(
            f"{name} {value}".replace(" ", CELL) for name, value in zip(names[1:], others, strict=True) if value
        )
        wrapped = textwrap.wrap(named, columns, initial_indent=INDENT, subsequent_indent=INDENT)
        yield from (line.replace(CELL, " ") for line in wrapped)
    if table.caption:
        yield from textwrap.wrap(str(table.caption), columns)
