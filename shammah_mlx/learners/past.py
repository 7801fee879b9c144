"""Read past interactions by their journal number."""

from collections.abc import Callable

from shammah_mlx.events import Exchange, Interaction

Lookup = Callable[[int], Interaction]
"""Returns the interaction of a journal number."""


def past_exchange(lookup: Lookup, number: int) -> Exchange:
    """Return the question and Claude's answer of an interaction."""
    found = lookup(number)
    return Exchange(found.request.query.text, found.reply.text if found.reply else "")
