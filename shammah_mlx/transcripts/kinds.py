"""Recognise a record by its content, and read it."""

import json
import os
import sqlite3
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from shammah_mlx.errors import BadInputError
from shammah_mlx.transcripts import claude_ai, claude_code, jsonl, llm_logs, llm_turns
from shammah_mlx.transcripts.found import Found, Skipped

JSONL, LLM, CLAUDE_CODE, CLAUDE_AI = "jsonl", "llm", "claude-code", "claude.ai"
_BOM = b"\xef\xbb\xbf"
_KINDS = (
    "give JSON Lines with `query` and `reply`, llm's logs.db, Claude Code's transcripts (a file or ~/.claude/projects),"
    " or the conversations.json of a claude.ai export, zipped or not"
)

Kind = str
"""One of the four above; it is stored with what was imported."""


def read(path: Path) -> Iterator[tuple[Kind, Found | Skipped]]:
    """Yield what is found in a file, or in all JSONL files below a folder, with the kind of its record.

    Raises:
        BadInputError: it cannot be read, or is no record that is known.
    """
    try:
        if path.is_dir():
            files = sorted(Path(folder) / name for folder, _, names in os.walk(path) for name in names)
            transcripts = [file for file in files if file.suffix == ".jsonl"]
            if not transcripts:
                raise BadInputError(f"{path} holds no JSONL file", _KINDS)
            for file in transcripts:
                yield from _read_lines(file, is_one_of_many=True)
        else:
            yield from _read_file(path)
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror or error}", _KINDS) from error
    except sqlite3.DatabaseError as error:
        raise BadInputError(f"cannot read {path}: {error}", _KINDS) from error


def _read_file(path: Path) -> Iterator[tuple[Kind, Found | Skipped]]:
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(b"SQLite format 3\0"):
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as database:
            database.text_factory = lambda content: content.decode("utf-8", "replace")
            yield from _read_llm(database, path)
    elif start.startswith(b"PK\x03\x04"):
        yield from _read_conversations(_unzip(path), path)
    elif start.removeprefix(_BOM).lstrip()[:1] == b"[":
        yield from _read_conversations(path.read_bytes(), path)
    else:
        yield from _read_lines(path, is_one_of_many=False)


def _unzip(path: Path) -> bytes:
    """Return the conversations.json of an archive.

    Raises:
        BadInputError: there is none, or it is damaged, encrypted, or packed as no export is.
    """
    hint = _KINDS
    try:
        with zipfile.ZipFile(path) as archive:
            hint = "unpack it with another program and give its conversations.json, or export it again"
            inner = [one for one in archive.infolist() if Path(one.filename).name == "conversations.json"]
            if not inner:
                raise BadInputError(f"{path} has no conversations.json", _KINDS)
            if inner[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise NotImplementedError("its compression is not known here")
            return archive.read(inner[0])
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError) as error:
        raise BadInputError(f"cannot read {path}: {error or 'it is cut short'}", hint) from error


def _read_llm(database: sqlite3.Connection, path: Path) -> Iterator[tuple[Kind, Found | Skipped]]:
    if not any(llm_logs.columns_of(database, table) for table in ("responses", "logs", "log", "turns")):
        raise BadInputError(f"{path} is a database, but not llm's logs", _KINDS)
    for reader in (llm_logs.read, llm_turns.read):
        for found in reader(database):
            yield LLM, found


def _read_conversations(content: bytes, path: Path) -> Iterator[tuple[Kind, Found | Skipped]]:
    try:
        conversations: Any = json.loads(content.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path} is not valid JSON: {error}", _KINDS) from error
    listed = conversations if isinstance(conversations, list) else []
    if not any(isinstance(one, dict) and "chat_messages" in one for one in listed):
        raise BadInputError(f"{path} has no conversations", _KINDS)
    for found in claude_ai.read(listed):
        yield CLAUDE_AI, found


def _read_lines(path: Path, *, is_one_of_many: bool) -> Iterator[tuple[Kind, Found | Skipped]]:
    """Yield what is found in a JSONL file; nothing if it is of no kind, and one of many."""
    lines = path.read_bytes().removeprefix(_BOM).split(b"\n")
    kind = next((kind for line in lines if (kind := _kind(line)) is not None), None)
    if kind is None and not is_one_of_many:
        raise BadInputError(f"{path} is no record that is known: {_first_fault(lines)}", _KINDS)
    for found in claude_code.read(lines) if kind == CLAUDE_CODE else jsonl.read(lines) if kind else ():
        if is_one_of_many and isinstance(found, Skipped) and found.place:
            found = Skipped(found.reason, f"{path.name}, {found.place}")
        yield kind or JSONL, found


def _first_fault(lines: list[bytes]) -> str:
    """Say what keeps the first line from being one of JSON Lines."""
    number, content = next(((number, line) for number, line in enumerate(lines, 1) if line.strip()), (0, b""))
    return f"line {number}: {jsonl.parse(content)}" if number else "it is empty"


def _kind(line: bytes) -> Kind | None:
    """Return the kind of record that a line belongs to; None if it does not say."""
    try:
        record = msgspec.json.decode(line) if line.strip() else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    return JSONL if "query" in record else CLAUDE_CODE if "uuid" in record and "type" in record else None
