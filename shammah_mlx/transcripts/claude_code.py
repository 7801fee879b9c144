"""Transcripts of Claude Code: one JSONL file a session, in ~/.claude/projects.

Read from transcripts as their readers describe them: records of the types user, assistant and others, each with `uuid`
and `parentUuid`. Results of tools come as user records too. What leans on tools, files or a summary of what was said is
no question that could be asked again, and neither is anything after it in the same session. Claude Code's own system
prompt is not recorded.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from shammah_mlx.transcripts.conversations import Message, exchanges
from shammah_mlx.transcripts.found import CUT, FILES, INJECTED, LOCAL, TOOLS, Finds, text_of, unix_time

_THOUGHT = {"thinking", "redacted_thinking"}
_COMMAND = re.compile(r"\s*<command-name>\s*/?([\w:-]+)")
_OUTPUT = re.compile(r"\s*(?:<local-command-(?:stdout|stderr|caveat)>|Caveat: The messages below)")
_WRITTEN = re.compile(r"\s*<(?:command-\w+|bash-\w+|task-notification|user-memory-input|system-reminder)>")
_INTERRUPTED = re.compile(r"\s*\[Request interrupted by user")
_REMINDER = re.compile(r"\s*<system-reminder>")
_IN_EDITOR = re.compile(r"\s*<ide_\w+>")
_LOCAL_COMMANDS = {  # they show or set something, and Claude does not answer them
    *("clear", "config", "context", "cost", "doctor", "effort", "exit", "export", "fast", "help", "hooks", "ide"),
    *("login", "logout", "mcp", "model", "permissions", "privacy-settings", "release-notes", "rename", "status"),
    *("statusline", "terminal-setup", "theme", "upgrade", "usage", "vim"),
}
_ADDS_FILES = re.compile(r"file|lines|directory|image|pdf|resource")  # kinds of attachments


def read(lines: Iterable[bytes]) -> Finds:
    """Yield what is found in the lines of one session; what subagents did is left out."""
    return exchanges(_messages(lines))


def _messages(lines: Iterable[bytes]) -> Iterator[Message]:
    for line in lines:
        try:
            record = msgspec.json.decode(line) if line.strip() else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue  # the last line of a session that was killed
        if isinstance(record, dict) and text_of(record.get("uuid")) and record.get("isSidechain") is not True:
            yield _message(record)


def _message(record: dict[str, Any]) -> Message:
    said = record.get("message")
    said = said if isinstance(said, dict) else {}
    place = {"id": record["uuid"], "parent": text_of(record.get("parentUuid")) or None}
    at = unix_time(record.get("timestamp"))
    if record.get("type") == "assistant":
        return Message(
            **place,
            role="assistant",
            text="".join(text_of(block.get("text")) for block in _blocks(said) if block.get("type") == "text"),
            at=at,
            model=text_of(said.get("model")) or None,
            stop_reason=text_of(said.get("stop_reason")) or None,
            problem=_problem_of_answer(record, said),
            answer_key=text_of(said.get("id")) or None,
        )
    if record.get("type") == "user":
        return _asked(Message(**place, role="user", at=at), record, said)
    kind = record["attachment"].get("type") if isinstance(record.get("attachment"), dict) else None
    return Message(**place, role="other", problem=FILES if _ADDS_FILES.search(text_of(kind)) else None)


def _asked(asked: Message, record: dict[str, Any], said: dict[str, Any]) -> Message:
    """Return a user's record as a question, or as what else it is."""
    blocks = _blocks(said)
    texts = [text for block in blocks if block.get("type") == "text" and (text := text_of(block.get("text")))]
    text = "\n".join(part for part in texts if not _REMINDER.match(part))
    command = _COMMAND.match(text)
    change = msgspec.structs.replace
    if any(block.get("type") == "tool_result" for block in blocks):
        return change(asked, role="other", problem=TOOLS)
    if _INTERRUPTED.match(text):
        return change(asked, role="other", problem=CUT)
    if _OUTPUT.match(text) or (command and command[1] in _LOCAL_COMMANDS) or not blocks:
        return change(asked, role="other")
    if record.get("isMeta") is True or record.get("isCompactSummary") is True or _WRITTEN.match(text):
        return change(asked, problem=INJECTED)
    has_files = any(block.get("type") != "text" for block in blocks) or any(map(_IN_EDITOR.match, texts))
    return change(asked, text=text, problem=FILES if has_files else None)


def _problem_of_answer(record: dict[str, Any], said: dict[str, Any]) -> str | None:
    if record.get("isApiErrorMessage") is True or said.get("model") == "<synthetic>":
        return LOCAL
    return TOOLS if any(block.get("type") not in {"text", *_THOUGHT} for block in _blocks(said)) else None


def _blocks(said: dict[str, Any]) -> list[dict[str, Any]]:
    content = said.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
