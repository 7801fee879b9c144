"""Say what a stream's terminal can show: how many columns, and which characters; break lines to fit."""

import os
import textwrap
from typing import TextIO

USUAL_COLUMNS = 80  # where the terminal does not say


def columns_of(stream: TextIO) -> int:
    """Return how many columns the terminal of a stream has."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL_COLUMNS
    except (OSError, ValueError):  # it is no terminal, or closed
        return USUAL_COLUMNS


def at_words(text: str, stream: TextIO | None, indent: int = 0) -> str:
    """Return a text with its lines broken between words where the terminal of a stream would break them in one.

    What is no terminal gets the lines as they are. A word that is longer than a line stays whole, to be copied. A line
    goes on behind `indent` columns, unless that is more than half of them.
    """
    if stream is None or not stream.isatty():
        return text
    columns = columns_of(stream)
    if indent > columns // 2:
        indent = 0
    wrapper = textwrap.TextWrapper(
        columns, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join("\n".join(wrapper.wrap(line)) for line in text.split("\n"))


def can_show(text: str, encoding: str | None) -> bool:
    """Say whether a stream of this encoding can show a text."""
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
