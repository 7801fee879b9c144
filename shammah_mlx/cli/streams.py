"""Say what a stream's terminal can show: how many columns, and which characters."""

import os
from typing import TextIO

USUAL_COLUMNS = 80  # where the terminal does not say


def columns_of(stream: TextIO) -> int:
    """Return how many columns the terminal of a stream has."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL_COLUMNS
    except (OSError, ValueError):  # it is no terminal, or closed
        return USUAL_COLUMNS


def can_show(text: str, encoding: str | None) -> bool:
    """Say whether a stream of this encoding can show a text."""
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
