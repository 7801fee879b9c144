"""The logs of simonw/llm from 0.32 on: `turns` that point into a tree of `messages`, which consist of `parts`.

A turn was sent the messages up to `parent_message_hash`, and was answered by those from there to `tip_message_hash`.
"""

import sqlite3
from typing import NamedTuple

from shammah_mlx.events import Exchange
from shammah_mlx.transcripts.found import FILES, SPECIAL, TOOLS, UNANSWERED, Finds, Found, Skipped, text_of, unix_time
from shammah_mlx.transcripts.llm_logs import columns_of

_PROBLEMS = {"tool_call": TOOLS, "tool_result": TOOLS, "attachment": FILES}


class _Message(NamedTuple):
    """One message of the tree."""

    parent: str | None
    role: str
    text: str
    problem: str | None


def read(database: sqlite3.Connection) -> Finds:
    """Yield what is found in the table `turns`, if it is there."""
    needed = {"parent_message_hash", "tip_message_hash", "model", "datetime_utc"}
    if not needed <= columns_of(database, "turns"):
        return
    tree = _tree(database)
    rows = database.execute(
        "SELECT id, parent_message_hash, tip_message_hash, coalesce(nullif(resolved_model, ''), model), datetime_utc,"
        " schema_id FROM turns ORDER BY datetime_utc, id"
    )
    for name, parent, tip, model, date, schema in rows:
        sent, answered = _chain(tree, parent, None), _chain(tree, tip, parent)
        yield _found(sent, answered, str(name), model, date) if not schema else Skipped(SPECIAL)


def _tree(database: sqlite3.Connection) -> dict[str, _Message]:
    parts: dict[str, list[tuple[str, str | None]]] = {}
    for hash_, kind, text in database.execute(
        "SELECT message_hash, type, text FROM parts ORDER BY message_hash, position"
    ):
        parts.setdefault(hash_, []).append((kind, text))
    tree = {}
    for hash_, parent, role in database.execute("SELECT hash, parent_hash, role FROM messages"):
        said = parts.get(hash_, [])
        problem = next((_PROBLEMS[kind] for kind, _ in said if kind in _PROBLEMS), None)
        if any(kind == "text" and text is None for kind, text in said):
            problem = problem or FILES  # its text is kept in fragments
        tree[hash_] = _Message(parent, role, "".join(text or "" for kind, text in said if kind == "text"), problem)
    return tree


def _chain(tree: dict[str, _Message], last: str | None, before: str | None) -> list[_Message]:
    """Return the messages after `before` up to the `last` one."""
    chain: list[_Message] = []
    while last is not None and last != before and last in tree and len(chain) <= len(tree):
        chain.append(tree[last])
        last = tree[last].parent
    return chain[::-1]


def _found(sent: list[_Message], answered: list[_Message], name: str, model: object, date: object) -> Found | Skipped:
    system = "\n\n".join(message.text for message in sent if message.role == "system")
    turns = [message for message in sent if message.role != "system"]
    problem = next((message.problem for message in (*sent, *answered) if message.problem), None)
    roles = [message.role for message in (*turns, *answered)]
    if problem:
        return Skipped(problem)
    if not answered or roles != ["user", "assistant"] * (len(roles) // 2):
        return Skipped(UNANSWERED)
    texts = [message.text for message in turns]
    history = tuple(Exchange(asked.strip(), said) for asked, said in zip(texts[0:-1:2], texts[1::2], strict=True))
    return Found(
        question=texts[-1],
        answer=answered[-1].text,
        at=unix_time(date),
        model=text_of(model) or None,
        system=system or None,
        history=history,
        key=name,
    )
