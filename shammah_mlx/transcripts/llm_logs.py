"""The logs of simonw/llm, logs.db: the table `responses`, or `logs` and `log` of versions before 0.9.

Columns came with time, so each is read only if it is there. Newer versions write to other tables: see `llm_turns`.
"""

import json
import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple

from shammah_mlx.events import Exchange
from shammah_mlx.transcripts.found import (
    AFTER_UNANSWERED,
    FILES,
    SPECIAL,
    TOOLS,
    UNANSWERED,
    Finds,
    Found,
    Skipped,
    unix_time,
)
from shammah_mlx.transcripts.found import text_of as text

_SPECIAL_OPTIONS = {"prefill", "hide_prefill", "stop_sequences"}  # with these, the same question has another answer


class _Conversation(NamedTuple):
    """What was said in one conversation so far."""

    history: tuple[Exchange, ...] = ()
    problem: str | None = None


def read(database: sqlite3.Connection) -> Finds:
    """Yield what is found in the tables that are there."""
    for table in ("log", "logs", "responses"):
        if columns := columns_of(database, table):
            yield from _read(database, table, columns)


def columns_of(database: sqlite3.Connection, table: str) -> set[str]:
    """Return the names of a table's columns; none if there is no such table."""
    return {row[1] for row in database.execute(f"PRAGMA table_info([{table}])")}


def _read(database: sqlite3.Connection, table: str, columns: set[str]) -> Finds:
    questions = _fragments(database, "prompt_fragments") if table == "responses" else {}
    systems = _fragments(database, "system_fragments") if table == "responses" else {}
    problems = _problems(database) if table == "responses" else {}
    talks: dict[str, _Conversation] = {}
    for row in _rows(database, table, columns):
        name = text(row.get("id"))
        question = "\n".join([*questions.get(name, []), *filter(None, [text(row.get("prompt"))])])
        system = "\n\n".join([*systems.get(name, []), *filter(str.strip, [text(row.get("system"))])])
        talk = text(row.get("conversation_id") or row.get("chat_id")) or f"alone {name}"
        before = talks.get(talk, _Conversation())
        answer, problem = text(row.get("response")), before.problem or problems.get(name)
        problem = problem or (SPECIAL if row.get("schema_id") or _options(row) & _SPECIAL_OPTIONS else None)
        is_said = bool(question.strip()) and bool(answer.strip())
        yield (
            _found(row, question, system, before.history) if is_said and not problem else Skipped(problem or UNANSWERED)
        )
        said = (Exchange(question.strip(), answer),) if is_said else ()
        talks[talk] = _Conversation((*before.history, *said), problem or (None if is_said else AFTER_UNANSWERED))


def _found(row: dict[str, Any], question: str, system: str, history: tuple[Exchange, ...]) -> Found:
    return Found(
        question=question,
        answer=text(row.get("response")),
        at=unix_time(row.get("datetime_utc") or row.get("timestamp_utc") or row.get("timestamp")),
        model=text(row.get("resolved_model")) or text(row.get("model")) or None,
        system=system or None,
        history=history,
        stop_reason=text(_object(row.get("response_json")).get("stop_reason")) or None,
        key=text(row.get("id")) or None,
    )


def _rows(database: sqlite3.Connection, table: str, columns: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows in the order of their time, with text where there are numbers for names."""
    date = next((name for name in ("datetime_utc", "timestamp_utc", "timestamp") if name in columns), "rowid")
    cursor = database.execute(f"SELECT rowid AS place, * FROM [{table}] ORDER BY {date}, place")
    names = [column[0] for column in cursor.description]
    for values in cursor:
        row = dict(zip(names, values, strict=True))
        for name in ("id", "conversation_id", "chat_id"):
            row[name] = None if row.get(name) is None else str(row[name])
        if table != "responses":  # a chat of the old tables is named by its first question
            row["id"] = f"{table} {row['id'] or row['place']}"
            row["chat_id"] = row["id"] if row["chat_id"] is None else f"{table} {row['chat_id']}"
        yield row


def _fragments(database: sqlite3.Connection, table: str) -> dict[str, list[str]]:
    """Return the texts that each question begins with, in their order."""
    found: dict[str, list[str]] = {}
    if columns_of(database, table) and columns_of(database, "fragments"):
        rows = database.execute(
            f"SELECT response_id, content FROM [{table}] JOIN fragments ON fragments.id = fragment_id"
            " ORDER BY response_id, [order]"
        )
        for name, content in rows:
            found.setdefault(str(name), []).append(text(content))
    return found


def _problems(database: sqlite3.Connection) -> dict[str, str]:
    """Return, by response, why it cannot be learnt: it has attachments, or leans on tools."""
    tables = {"prompt_attachments": FILES, "tool_calls": TOOLS, "tool_results": TOOLS}
    return {
        str(name): problem
        for table, problem in tables.items()
        if columns_of(database, table)
        for (name,) in database.execute(f"SELECT DISTINCT response_id FROM [{table}]")
    }


def _options(row: dict[str, Any]) -> set[str]:
    return {name for name, value in _object(row.get("options_json")).items() if value not in (None, False, "", [])}


def _object(value: object) -> dict[str, Any]:
    try:
        found = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
