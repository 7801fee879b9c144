"""The data export of claude.ai: conversations.json, a list of conversations with their messages.

Read from exports as users describe them: `chat_messages` with `sender` human or assistant, `content` blocks or `text`,
`attachments` and `files`; newer ones name the message before each in `parent_message_uuid`. The system prompt of
claude.ai is not in it, and mostly no model.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from shammah_mlx.transcripts.conversations import Message, exchanges
from shammah_mlx.transcripts.found import CUT, FILES, TOOLS, Finds, text_of, unix_time

_PLAIN = {"text", "thinking", "redacted_thinking", "token_budget", "flag"}  # blocks that lean on nothing outside
_NO_PARENT = "00000000-0000-4000-8000-000000000000"  # what the first message names


def read(conversations: Iterable[Any]) -> Finds:
    """Yield what is found in the conversations."""
    for conversation in conversations:
        if isinstance(conversation, dict) and isinstance(conversation.get("chat_messages"), list):
            yield from exchanges(_messages(conversation))


def _messages(conversation: dict[str, Any]) -> Iterator[Message]:
    """Yield the messages of a conversation; one that names none before it follows the last one."""
    said = [message for message in conversation["chat_messages"] if isinstance(message, dict)]
    known = {text_of(message.get("uuid")) for message in said}
    before: str | None = None
    for place, message in enumerate(said):
        name = text_of(message.get("uuid")) or f"message {place}"
        parent = text_of(message.get("parent_message_uuid"))
        yield Message(
            id=name,
            parent=parent if parent in known else None if parent == _NO_PARENT else before,
            role="user" if message.get("sender") == "human" else "assistant",
            text=_text(message),
            at=unix_time(message.get("created_at")),
            model=text_of(message.get("model") or conversation.get("model")) or None,
            stop_reason=text_of(message.get("stop_reason")) or None,
            problem=_problem(message),
            answer_key=name,
        )
        before = name


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _text(message: dict[str, Any]) -> str:
    blocks = [text_of(block.get("text")) for block in _blocks(message) if block.get("type") == "text"]
    return "".join(blocks) if blocks else text_of(message.get("text"))


def _problem(message: dict[str, Any]) -> str | None:
    if any(message.get(name) for name in ("attachments", "files", "files_v2", "sync_sources")):
        return FILES
    if any(block.get("type") not in _PLAIN for block in _blocks(message)):
        return TOOLS
    return CUT if message.get("truncated") is True else None
