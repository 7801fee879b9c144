"""Records of other programs are known by content; what is no question with an answer of its own is left out."""

import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shammah_mlx.errors import BadInputError
from shammah_mlx.events import Exchange
from shammah_mlx.transcripts.found import (
    ARCHIVED,
    CUT,
    FILES,
    INJECTED,
    LOCAL,
    SPECIAL,
    TOOLS,
    UNANSWERED,
    Found,
    Skipped,
)
from shammah_mlx.transcripts.kinds import read
from tests.transcripts.records import assistant, claude_ai, claude_code, llm_logs, llm_turns, user

TOOL_CALL = {"type": "tool_use", "id": "t", "name": "Bash", "input": {}}
TOOL_RESULT = [{"type": "tool_result", "tool_use_id": "t", "content": "a.txt"}]


def founds(path: Path, kind: str) -> list[Found]:
    told = list(read(path))
    assert {name for name, _ in told} == {kind}
    return [each for _, each in told if isinstance(each, Found)]


def reasons(path: Path) -> list[str]:
    return [each.reason for _, each in read(path) if isinstance(each, Skipped)]


def test_lines_of_a_stream_and_of_an_export(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    whole = {
        "query": "and then?",
        "reply": "Rest.",
        "at": "2026-01-02T00:00:00.500Z",
        "model": "claude-opus-5-5",
        "system": "be brief",
        "history": [{"query": "what now?", "reply": "Run."}],
        "max_tokens": 99,
        "stop_sequences": ["END"],
        "stop_reason": "stop_sequence",
        "topic": "ignored",
    }
    local = {"query": "here?", "answer": "Here.", "source": "recall"}
    archived = {"query": "q", "reply": "r", "archived": True}
    rows = [json.dumps(row).encode() for row in (whole, local, archived)]
    path.write_bytes(b"\xef\xbb\xbf" + b"\n".join([b'{"query": "q", "reply": "r"}', b"", *rows, b'{"query": 3}']))
    first, second = founds(path, "jsonl")
    assert first == Found("q", "r")
    assert second == Found(
        "and then?",
        "Rest.",
        at=1767312000.5,
        model="claude-opus-5-5",
        system="be brief",
        history=(Exchange("what now?", "Run."),),
        stop_reason="stop_sequence",
        max_tokens=99,
        stop_sequences=("END",),
    )
    assert reasons(path) == [LOCAL, ARCHIVED, "field `query` is of another type"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ({"query": "what is a quetzal?"}, "field `reply` is missing"),
        ({"query": "what is a quetzal?", "response": "A bird."}, "field `reply` is missing"),
        ({"query": "what is a quetzal?", "reply": ["A bird."]}, "field `reply` is of another type"),
        ({"query": "q", "reply": "r", "history": [{"query": "quetzal"}]}, "field `reply` is missing inside `history`"),
        ({"query": "q", "reply": "r", "feedback": "quetzal"}, "field `feedback` is of another type"),
        (["quetzal"], "no JSON object"),
        ("quetzal", "no JSON object"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_its_field_and_not_its_text(
    tmp_path: Path, line: Any, fault: str
) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(f'{{"query": "q", "reply": "r"}}\n\n{json.dumps(line)}\n')
    assert [each for _, each in read(path) if isinstance(each, Skipped)] == [Skipped(fault, "line 3")]
    (tmp_path / "other.jsonl").write_text("{half\n")
    told = [each for _, each in read(tmp_path) if isinstance(each, Skipped)]
    assert told == [Skipped(fault, "s.jsonl, line 3")]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('\n{"question": "what is a quetzal?", "reply": "A bird."}\n', "line 2: field `query` is missing"),
        ("what is a quetzal?\n", "line 1: not valid JSON"),
        ("\n", "it is empty"),
    ],
)
def test_a_file_of_no_kind_is_refused_with_the_first_fault(tmp_path: Path, content: str, fault: str) -> None:
    (tmp_path / "s.jsonl").write_text(content)
    with pytest.raises(BadInputError, match=fault) as refused:
        list(read(tmp_path / "s.jsonl"))
    assert "quetzal" not in refused.value.message


def test_a_session_of_claude_code_gives_the_questions_that_needed_no_tool(tmp_path: Path) -> None:
    thought = assistant({"type": "thinking", "thinking": "hm"}, stop_reason=None)
    path = claude_code(
        tmp_path / "a.jsonl",
        user("<command-name>/model</command-name>"),
        user("<local-command-stdout>Set model</local-command-stdout>"),
        user("what is a monad?"),
        thought,
        assistant("A monoid."),
        {"type": "system", "subtype": "turn_duration"},
        user(
            [
                {"type": "text", "text": "<system-reminder>x</system-reminder>"},
                {"type": "text", "text": "and a functor?"},
            ]
        ),
        assistant("A map."),
        user("list my files"),
        assistant(TOOL_CALL, stop_reason="tool_use"),
        user(TOOL_RESULT),
        assistant("There is a.txt."),
        user("thanks"),
        assistant("Gladly."),
    )
    first, second = founds(path, "claude-code")
    assert (first.question, first.answer, first.model) == ("what is a monad?", "A monoid.", "claude-sonnet-5-5")
    assert first.at == 1772323205.0  # of the answer
    assert (second.question, second.history) == ("and a functor?", (Exchange("what is a monad?", "A monoid."),))
    assert reasons(path) == [TOOLS, TOOLS]


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ((user("q"), assistant("half"), user("[Request interrupted by user]")), CUT),
        ((user("q"), assistant("API Error", model="<synthetic>")), LOCAL),
        ((user([{"type": "image"}, {"type": "text", "text": "what is this?"}]), assistant("A cat.")), FILES),
        ((user("look at @a.py"), {"type": "attachment", "attachment": {"type": "file"}}, assistant("Fine.")), FILES),
        ((user("This session is being continued", isCompactSummary=True), assistant("Yes.")), INJECTED),
        ((user("Continue from where you left off.", isMeta=True), assistant("Yes.")), INJECTED),
        ((user("<command-name>/review</command-name>"), assistant("Fine.")), INJECTED),
        ((user("q"),), UNANSWERED),
    ],
)
def test_what_claude_code_records_and_nobody_asked_is_left_out(
    tmp_path: Path, records: tuple[dict[str, Any], ...], reason: str
) -> None:
    path = claude_code(tmp_path / "a.jsonl", *records)
    assert founds(path, "claude-code") == []
    assert reasons(path) == [reason]


def test_subagents_are_left_out(tmp_path: Path) -> None:
    path = claude_code(tmp_path / "a.jsonl", *({**each, "isSidechain": True} for each in (user("q"), assistant("a"))))
    assert list(read(path)) == []


def test_a_folder_is_read_with_all_its_sessions(tmp_path: Path) -> None:
    for project in ("one", "two"):
        claude_code(tmp_path / project / f"{project}.jsonl", user(f"what is {project}?"), assistant("A number."))
    (tmp_path / "one" / "other.jsonl").write_text('{"of": "no kind"}\n')
    assert [found.question for found in founds(tmp_path, "claude-code")] == ["what is one?", "what is two?"]


def test_llms_responses_in_their_conversations(tmp_path: Path) -> None:
    stopped = json.dumps({"stop_reason": "end_turn"})
    path = llm_logs(
        tmp_path / "logs.db",
        {
            "prompt": "what is a monad?",
            "system": "be brief",
            "response": "A monoid.",
            "response_json": stopped,
            "conversation_id": "c",
        },
        {"prompt": "and a functor?", "response": "A map.", "conversation_id": "c"},
        {
            "prompt": "explain",
            "response": "It adds.",
            "model": "claude-4-sonnet",
            "resolved_model": "claude-sonnet-4-0",
        },
        {"prompt": "what is this?", "response": "A cat."},
        {"prompt": "list files", "response": "a.txt", "conversation_id": "t"},
        {"prompt": "and then?", "response": "b.txt", "conversation_id": "t"},
        {"prompt": "as JSON", "response": "{}", "schema_id": "s"},
        {"prompt": "go on", "response": "on", "options_json": json.dumps({"prefill": "{"})},
        {"prompt": "nothing", "response": ""},
    )
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO fragments (id, content) VALUES (1, 'def add(a, b): ...')")
        db.execute("INSERT INTO prompt_fragments VALUES ('r3', 1, 0)")
        db.execute("INSERT INTO prompt_attachments VALUES ('r4', 'x', 0)")
        db.execute("INSERT INTO tool_calls (response_id, name) VALUES ('r5', 'ls')")
    first, second, third = founds(path, "llm")
    assert (first.question, first.system, first.model) == (
        "what is a monad?",
        "be brief",
        "anthropic/claude-sonnet-5-5",
    )
    assert (first.at, first.stop_reason) == (1767261600.0, "end_turn")
    assert (second.system, second.history) == (None, (Exchange("what is a monad?", "A monoid."),))
    assert (third.question, third.model) == ("def add(a, b): ...\nexplain", "claude-sonnet-4-0")
    assert reasons(path) == [FILES, TOOLS, TOOLS, SPECIAL, SPECIAL, UNANSWERED]


def test_llms_first_tables(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE log"
            " (provider TEXT, system TEXT, prompt TEXT, chat_id TEXT, response TEXT, model TEXT, timestamp TEXT)"
        )
        row = ("be brief", "what is a monad?", "A monoid.", "claude", "2023-05-01 10:00:00.123456")
        db.execute("INSERT INTO log VALUES (NULL, ?, ?, NULL, ?, ?, ?)", row)
        db.execute(
            "INSERT INTO log VALUES (NULL, NULL, 'and a functor?', '1', 'A map.', 'claude', '2023-05-01 10:01:00')"
        )
    first, second = founds(path, "llm")
    assert (first.system, first.at) == ("be brief", 1682935200.123456)
    assert second.history == (Exchange("what is a monad?", "A monoid."),)


def test_llms_turns_of_newer_versions(tmp_path: Path) -> None:
    path = llm_turns(tmp_path / "logs.db")
    first, second = founds(path, "llm")
    assert (first.question, first.answer, first.system, first.history) == (
        "what is a monad?",
        "A monoid.",
        "be brief",
        (),
    )
    assert (second.question, second.answer, second.system) == ("and a functor?", "A map.", "be brief")
    assert second.history == (Exchange("what is a monad?", "A monoid."),)
    assert second.model == "claude-sonnet-5-5"
    assert reasons(path) == [TOOLS]


@pytest.mark.parametrize("zipped", [False, True])
def test_an_export_of_claude_ai(tmp_path: Path, *, zipped: bool) -> None:
    chat = claude_ai(
        ("human", "what is a monad?"), ("assistant", "A monoid."), ("human", "and this?"), ("assistant", "A cat.")
    )
    chat["chat_messages"][2]["files"] = [{"file_name": "cat.png"}]
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([chat, {"uuid": "empty", "chat_messages": []}]))
    if zipped:
        with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
            archive.write(path, "data/conversations.json")
        path = tmp_path / "data.zip"
    (found,) = founds(path, "claude.ai")
    assert (found.question, found.answer, found.model, found.at) == (
        "what is a monad?",
        "A monoid.",
        None,
        1771063201.0,
    )
    assert reasons(path) == [FILES]


def zip_bytes(path: Path) -> bytearray:
    """Return an archive with a conversations.json that begins at byte 30 + 18, behind its name."""
    content = json.dumps([claude_ai(("human", "what is a monad?"), ("assistant", "A monoid."))])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", content)
    return bytearray(path.read_bytes())


ENTRY = b"PK\x01\x02"  # where the archive's list of files begins: flags 8 bytes behind it, the compression 10
DAMAGES: dict[str, Callable[[bytearray], bytearray]] = {
    "content": lambda content: content[:60] + b"\xff" * 20 + content[80:],
    "cut": lambda content: content[:100],
    "encrypted": lambda content: _with(content, 8, 1),
    "compression": lambda content: _with(content, 10, 12),
    "unknown compression": lambda content: _with(content, 10, 97),
    "offset": lambda content: _with(content, 44, 255),
}


def _with(content: bytearray, place: int, value: int) -> bytearray:
    content[content.index(ENTRY) + place] = value
    if place < 12:
        content[place - 2] = value  # the file's own header says it too
    return content


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_locked_archive_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "data.zip"
    path.write_bytes(DAMAGES[damage](zip_bytes(path)))
    with pytest.raises(BadInputError) as refused:
        list(read(path))
    assert str(path) in refused.value.message


@pytest.mark.parametrize("content", [b"", b"hello\n", b"[1, 2]", b"[", b"{}\n", b"PK\x03\x04", b"SQLite format 3\0"])
def test_what_is_no_record_is_refused_with_what_would_be_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="odd") as failed:
        list(read(path))
    assert "logs.db" in failed.value.hint


def test_a_database_of_another_program_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as db, db:
        db.execute("CREATE TABLE people (name TEXT)")
    for name in ("other.db", "missing"):
        with pytest.raises(BadInputError, match=name):
            list(read(tmp_path / name))
