"""Write small records as other programs keep them."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any


def claude_code(path: Path, *records: Mapping[str, Any]) -> Path:
    """Write a session of Claude Code; the records follow each other unless they say otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines, before = [json.dumps({"type": "summary", "summary": "A session", "leafUuid": "x"})], None
    for number, record in enumerate(records, 1):
        name = f"{path.stem}-{number}"
        date = f"2026-03-01T00:00:{number:02d}.000Z"
        lines.append(
            json.dumps({"uuid": name, "parentUuid": before, "isSidechain": False, "timestamp": date, **record})
        )
        before = name
    path.write_text("\n".join(lines) + '\n{"cut off')
    return path


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "user", "message": {"role": "user", "content": content}, **more}


def assistant(*blocks: Any, model: str = "claude-sonnet-5-5", stop_reason: str | None = "end_turn") -> dict[str, Any]:
    content = [{"type": "text", "text": block} if isinstance(block, str) else block for block in blocks]
    message = {"role": "assistant", "model": model, "content": content, "stop_reason": stop_reason}
    return {"type": "assistant", "message": message}


def llm_logs(path: Path, *responses: Mapping[str, Any]) -> Path:
    """Write the logs of llm in the tables of 0.26; each response has an id, a model, a prompt, and so on."""
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript("""
            CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT);
            CREATE TABLE responses (
                id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT, prompt_json TEXT, options_json TEXT,
                response TEXT, response_json TEXT, conversation_id TEXT, duration_ms INTEGER, datetime_utc TEXT,
                input_tokens INTEGER, output_tokens INTEGER, token_details TEXT, schema_id TEXT, resolved_model TEXT
            );
            CREATE TABLE prompt_attachments (response_id TEXT, attachment_id TEXT, "order" INTEGER);
            CREATE TABLE fragments (id INTEGER PRIMARY KEY, hash TEXT, content TEXT, datetime_utc TEXT, source TEXT);
            CREATE TABLE prompt_fragments (response_id TEXT, fragment_id INTEGER, "order" INTEGER);
            CREATE TABLE tool_calls (id INTEGER PRIMARY KEY, response_id TEXT, name TEXT);
        """)
        for number, response in enumerate(responses, 1):
            row = {
                "id": f"r{number}",
                "conversation_id": f"c{number}",
                "model": "anthropic/claude-sonnet-5-5",
                **response,
            }
            row.setdefault("datetime_utc", f"2026-01-{number:02d}T10:00:00")
            names, marks = ", ".join(row), ", ".join("?" * len(row))
            db.execute(f"INSERT INTO responses ({names}) VALUES ({marks})", tuple(row.values()))
    return path


def llm_turns(path: Path) -> Path:
    """Write the logs of llm in the tables of 0.32: a conversation of two turns, and a third turn that used a tool."""
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript("""
            CREATE TABLE messages (hash TEXT PRIMARY KEY, parent_hash TEXT, role TEXT, provider_metadata TEXT);
            CREATE TABLE parts (
                id INTEGER PRIMARY KEY, message_hash TEXT, position INTEGER, type TEXT, tool_name TEXT, text TEXT,
                payload TEXT
            );
            CREATE TABLE turns (
                id TEXT PRIMARY KEY, thread_id TEXT, parent_message_hash TEXT, tip_message_hash TEXT, model TEXT,
                resolved_model TEXT, schema_id TEXT, datetime_utc TEXT
            );
        """)
        said = [
            ("s", None, "system", "be brief"),
            ("a", "s", "user", "what is a monad?"),
            ("b", "a", "assistant", "A monoid."),
        ]
        said += [("c", "b", "user", "and a functor?"), ("d", "c", "assistant", "A map.")]
        for hash_, parent, role, text in said:
            db.execute("INSERT INTO messages VALUES (?, ?, ?, NULL)", (hash_, parent, role))
            db.execute("INSERT INTO parts (message_hash, position, type, text) VALUES (?, 0, 'text', ?)", (hash_, text))
        db.execute("INSERT INTO messages VALUES ('e', 'd', 'user', NULL), ('f', 'e', 'assistant', NULL)")
        db.execute("INSERT INTO parts (message_hash, position, type, text) VALUES ('e', 0, 'text', 'list my files')")
        db.execute("INSERT INTO parts (message_hash, position, type, tool_name) VALUES ('f', 0, 'tool_call', 'ls')")
        for name, parent, tip, date in (("t1", "a", "b", 1), ("t2", "c", "d", 2), ("t3", "e", "f", 3)):
            row = (name, "t", parent, tip, "claude-sonnet-5.5", "claude-sonnet-5-5", f"2026-05-0{date}T00:00:00+00:00")
            db.execute("INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?, NULL, ?)", row)
    return path


def claude_ai(*messages: tuple[str, str], **more: Any) -> dict[str, Any]:
    """Return a conversation of a claude.ai export, of pairs of sender and text."""
    said = [
        {
            "uuid": f"{number}",
            "sender": sender,
            "text": text,
            "content": [{"type": "text", "text": text}],
            "created_at": f"2026-02-14T10:00:{number:02d}.000Z",
            "attachments": [],
            "files": [],
        }
        for number, (sender, text) in enumerate(messages)
    ]
    return {"uuid": "c", "name": "A chat", "created_at": "2026-02-14T10:00:00Z", "chat_messages": said, **more}
