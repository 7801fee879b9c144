"""Questions that only Claude may answer, and of which nothing is learnt. Pure.

An image says nothing to these models. A text longer than they read may differ from another one in the part that they
do not read, and screening, comparing and rehearsing it would keep the next question waiting.
"""

import msgspec
from msgspec import UNSET

from shammah_mlx.events import ClaudeOnly, Interaction, Outage, Query

NOT_HERE: dict[ClaudeOnly, Outage] = {
    "files": Outage("nothing_local", "No model on this machine reads images or PDFs.", "ask without --local"),
    "length": Outage(
        "nothing_local",
        "The question is too long to be answered on this machine.",
        "shorten it, or ask without --local",
    ),
}


def why_claude_only(query: Query, max_bytes: int) -> ClaudeOnly | None:
    """Return why only Claude may answer; None if a local answer may do.

    `max_bytes` is how long the text may be, with its system prompt and the earlier turns.
    """
    if query.attachments:
        return "files"
    return "length" if query.size > max_bytes else None


def without_data(answered: Interaction) -> Interaction:
    """Return an interaction without the bytes of its attachments, as it may be stored."""
    request = answered.request
    if not request.query.attachments:
        return answered
    bare = tuple(msgspec.structs.replace(attached, data=UNSET) for attached in request.query.attachments)
    query = msgspec.structs.replace(request.query, attachments=bare)
    return msgspec.structs.replace(answered, request=msgspec.structs.replace(request, query=query))
