"""The journal's file: its tables, their migrations, and the pragmas that make commits durable."""

import sqlite3
import time
from pathlib import Path

from shammah_mlx.errors import BadStateError

BUSY_S = 30.0  # seconds to wait for another process's transaction; VACUUM takes longest


def _texts(row: str = "") -> str:
    """Return SQL for what can be searched of a row: its question, and the answer that the user got."""
    answer = f"CASE WHEN {row}record ->> '$.served_local' THEN {row}record ->> '$.drafts[0].draft.text'"
    return f"{row}record ->> '$.turn.query.text', {answer} ELSE {row}record ->> '$.reply.text' END"


def _own_texts(row: str) -> str:
    """Return SQL for what can be searched of an answer that the user gave, a row of feedback: it and its question."""
    tables = "interactions AS about" + (", feedback AS said" if row == "said" else "")
    texts = f"about.record ->> '$.turn.query.text', {row}.record ->> '$.answer'"
    return f"{texts} FROM {tables} WHERE about.number = {row}.about"


_ADD = f"INSERT INTO words (rowid, question, answer) SELECT new.number, {_texts('new.')}"
_REMOVE = f"INSERT INTO words (words, rowid, question, answer) SELECT 'delete', old.number, {_texts('old.')}"
_HAS_CHANGED = f"({_texts('new.')}) IS NOT ({_texts('old.')})"

_VERDICTS = """
    FROM json_each(source.record, '$.drafts') AS scored, json_each(scored.value, '$.verdicts') AS made
    WHERE (source.record ->> '$.late_for' IS NULL OR made.value ->> '$.with_reply')
"""  # that were bought; a late audit repeats those of the answer that it measures
_TO_LEDGER = f"""
    SELECT
        number,
        coalesce(record ->> '$.late_at', record ->> '$.turn.query.at', 0.0),
        coalesce(record ->> '$.turn.query.model', record ->> '$.reply.model', ''),
        record ->> '$.late_for' IS NULL AND record ->> '$.turn.imported_from' IS NULL,
        record ->> '$.late_for' IS NULL AND record ->> '$.turn.imported_from' IS NULL
            AND coalesce(record ->> '$.served_local', 0),
        record ->> '$.reply' IS NOT NULL AND record ->> '$.turn.imported_from' IS NULL,
        record ->> '$.drafts[0].draft.entry',
        record ->> '$.reply.cost_usd',
        (SELECT max(made.value ->> '$.model') {_VERDICTS}),
        (SELECT count(*) {_VERDICTS}),
        (SELECT count(*) {_VERDICTS} AND made.value ->> '$.cost_usd' IS NULL),
        (SELECT coalesce(sum(made.value ->> '$.cost_usd'), 0.0) {_VERDICTS}),
        coalesce(record ->> '$.turn.own_account', 0),
        record ->> '$.turn.query.row' IS NOT NULL,
        record ->> '$.turn.imported_from' IS NOT NULL,
        set_aside,
        coalesce(record ->> '$.turn.by_client', 0),
        coalesce(record ->> '$.judged_at', record ->> '$.late_at', record ->> '$.turn.query.at', 0.0)
    FROM {{source}} AS source WHERE json_valid(record)
"""  # what the record of an interaction says of money
_NEW = "(SELECT NEW.number AS number, NEW.record AS record, NEW.set_aside AS set_aside)"
_NEW_TO_LEDGER = _TO_LEDGER.format(source=_NEW)
MIGRATIONS = (
    """
    CREATE TABLE interactions (
        number INTEGER PRIMARY KEY,
        record TEXT NOT NULL,                   -- an Interaction as JSON
        set_aside INTEGER NOT NULL DEFAULT 0    -- 1: a rollback went back to before it; 2: one that can be undone
    )
    """,
    """
    CREATE TABLE memory (
        number INTEGER PRIMARY KEY,             -- of the interaction
        answer INTEGER NOT NULL,                -- number of the first one that had this answer
        context INTEGER NOT NULL,
        at REAL NOT NULL,                       -- when it was asked, Unix time
        until REAL NOT NULL,                    -- when its answer runs out
        made_by TEXT NOT NULL,                  -- versions of embedder and meter
        vector BLOB NOT NULL,                   -- fp32
        words BLOB NOT NULL
    )
    """,
    """
    CREATE TABLE forgotten (
        last INTEGER NOT NULL,                  -- the highest number that was erased: it stays taken
        first INTEGER                           -- what was learnt from this one on is to go; NULL once it is gone
    )
    """,
    """
    CREATE TABLE missed_audits (
        number INTEGER PRIMARY KEY,             -- of an interaction whose audit was due and could not be had
        at REAL NOT NULL                        -- when it was asked, Unix time
    )
    """,
    """
    CREATE INDEX late ON interactions (json_extract(record, '$.late_for'))
        WHERE json_extract(record, '$.late_for') IS NOT NULL
    """,
    """
    CREATE TABLE learnt (
        cursor INTEGER NOT NULL,                -- number of the last interaction trained on
        state TEXT NOT NULL                     -- what that made: sha256 of its manifest
    )
    """,
    """
    ALTER TABLE memory ADD COLUMN text INTEGER NOT NULL DEFAULT 0
    """,
    "ALTER TABLE memory ADD COLUMN reply BLOB",  # fp32; NULL in rows of older versions, which nobody reads
    """
    CREATE TABLE audit_seed AS SELECT lower(hex(randomblob(16))) AS seed    -- from the system's randomness
    """,
    """
    CREATE TABLE feedback (
        number INTEGER PRIMARY KEY,             -- in one row with those of the interactions
        about INTEGER NOT NULL,                 -- number of the interaction whose answer it is about
        record TEXT NOT NULL,                   -- a Feedback as JSON
        set_aside INTEGER NOT NULL DEFAULT 0    -- as of an interaction
    )
    """,
    "CREATE INDEX feedback_about ON feedback (about)",
    f"""
    CREATE VIEW texts (number, question, answer) AS
        SELECT number, {_texts()} FROM interactions
        UNION ALL SELECT said.number, {_own_texts("said")} AND said.record ->> '$.answer' IS NOT NULL
    """,
    """
    CREATE VIRTUAL TABLE words USING fts5 (     -- an index; it reads the texts from the journal itself
        question, answer, content = 'texts', content_rowid = 'number', tokenize = 'unicode61 remove_diacritics 2'
    )
    """,
    f"CREATE TRIGGER words_added AFTER INSERT ON interactions BEGIN {_ADD}; END",
    f"CREATE TRIGGER words_removed AFTER DELETE ON interactions BEGIN {_REMOVE}; END",
    f"""
    CREATE TRIGGER words_changed AFTER UPDATE OF record ON interactions WHEN {_HAS_CHANGED} BEGIN
        {_REMOVE};
        {_ADD};
    END
    """,
    f"""
    CREATE TRIGGER own_words_added AFTER INSERT ON feedback WHEN new.record ->> '$.answer' IS NOT NULL BEGIN
        INSERT INTO words (rowid, question, answer) SELECT new.number, {_own_texts("new")};
    END
    """,
    f"""
    CREATE TRIGGER own_words_removed AFTER DELETE ON feedback WHEN old.record ->> '$.answer' IS NOT NULL BEGIN
        INSERT INTO words (words, rowid, question, answer) SELECT 'delete', old.number, {_own_texts("old")};
    END
    """,
    "INSERT INTO words (words) VALUES ('rebuild')",
    """
    CREATE TABLE ledger (                       -- one line for each interaction, kept by triggers: sums need no JSON
        number INTEGER PRIMARY KEY,             -- of the interaction
        at REAL NOT NULL,                       -- when it was asked, or its late audit made; Unix time
        model TEXT NOT NULL,                    -- of Claude's that was asked, or would have been
        asked INTEGER NOT NULL,                 -- 0: a late audit, which nobody asked for, or imported
        local INTEGER NOT NULL,                 -- 1: a local answer was served
        called INTEGER NOT NULL,                -- 1: Claude gave a whole answer
        entry INTEGER,                          -- the interaction that a recalled answer came from
        usd REAL,                               -- what Claude's answer cost; NULL: unpriced, or none
        judge TEXT,                             -- model that gave the verdicts
        verdicts INTEGER NOT NULL,
        unpriced_verdicts INTEGER NOT NULL,
        verdicts_usd REAL NOT NULL,
        own_account INTEGER NOT NULL,           -- 1: a client's own credential paid
        recorded INTEGER NOT NULL,              -- 1: from a recorded stream; nobody paid
        imported INTEGER NOT NULL,              -- 1: asked elsewhere, before
        set_aside INTEGER NOT NULL,             -- as in interactions
        by_client INTEGER NOT NULL,             -- 1: it came through the Messages API
        judged_at REAL NOT NULL                 -- when its last verdict was bought, Unix time
    )
    """,
    "CREATE INDEX ledger_by_time ON ledger (at)",
    "CREATE INDEX ledger_judged ON ledger (judged_at) WHERE verdicts",
    "CREATE INDEX ledger_asked ON ledger (number) WHERE asked AND NOT set_aside",
    f"""
    CREATE TRIGGER interaction_written AFTER INSERT ON interactions BEGIN
        INSERT INTO ledger {_NEW_TO_LEDGER};
    END
    """,
    f"""
    CREATE TRIGGER interaction_changed AFTER UPDATE ON interactions BEGIN
        DELETE FROM ledger WHERE number = OLD.number;
        INSERT INTO ledger {_NEW_TO_LEDGER};
    END
    """,
    """
    CREATE TRIGGER interaction_erased AFTER DELETE ON interactions BEGIN
        DELETE FROM ledger WHERE number = OLD.number;
    END
    """,
    f"INSERT OR REPLACE INTO ledger {_TO_LEDGER.format(source='interactions')}",
    """
    CREATE TABLE passed_on (                    -- requests that Claude answered and this program did not read
        at REAL NOT NULL,                       -- Unix time
        model TEXT NOT NULL,
        read INTEGER,                           -- tokens, with those of the cache; NULL: not known
        written INTEGER,                        -- likewise
        usd REAL,                               -- NULL: unpriced
        own_account INTEGER NOT NULL            -- 1: a client's own credential paid
    )
    """,
    "CREATE INDEX passed_on_by_time ON passed_on (at)",
    "ALTER TABLE missed_audits ADD COLUMN unpaid INTEGER NOT NULL DEFAULT 0",  # 1: the month's budget was spent
    """
    CREATE INDEX conversations ON interactions (json_extract(record, '$.turn.query.conversation'))
        WHERE json_extract(record, '$.turn.query.conversation') IS NOT NULL
    """,
    """
    CREATE INDEX terminals ON interactions (json_extract(record, '$.turn.terminal'), number)
        WHERE json_extract(record, '$.turn.terminal') IS NOT NULL
    """,
    """
    CREATE INDEX given_again ON interactions (json_extract(record, '$.drafts[0].draft.entry'))
        WHERE json_extract(record, '$.drafts[0].draft.entry') IS NOT NULL
    """,
    "ALTER TABLE memory ADD COLUMN unlike TEXT",  # answers that an entry's was compared with, and is another; as JSON
    "ALTER TABLE memory ADD COLUMN gone INTEGER",  # number of what an entry was removed by; NULL: it is there
    """
    CREATE TABLE rolled_back (
        cursor INTEGER NOT NULL,                -- what was learnt when the last rollback was made
        state TEXT NOT NULL                     -- the state then: sha256 of its manifest
    )
    """,
    """
    CREATE TABLE pace (
        one INTEGER PRIMARY KEY,                -- there is one row
        learnt INTEGER NOT NULL,                -- how many interactions were learnt here,
        seconds REAL NOT NULL                   -- and how long that took
    )
    """,
    "CREATE TABLE memory_before AS SELECT * FROM memory WHERE 0",  # entries that a rollback or `forget` took back
    """
    CREATE TABLE last_asked (
        terminal INTEGER PRIMARY KEY,           -- hash of a terminal
        next INTEGER NOT NULL                   -- number of the next event when a question was last asked in it
    )
    """,
    "CREATE INDEX memory_texts ON memory (context, text)",
)


def open_database(path: Path, patience_s: float = BUSY_S) -> sqlite3.Connection:
    """Open the journal at `path`, creating or migrating it; its connection waits for others' transactions so long.

    Raises:
        BadStateError: the file is not a journal, is damaged, or was written by a newer version.
    """
    database = sqlite3.connect(path, isolation_level=None, timeout=patience_s)
    try:
        _use_log(database)
        database.execute("PRAGMA synchronous = FULL")  # a committed interaction survives power loss,
        database.execute("PRAGMA fullfsync = 1")  # on macOS too
        database.execute("PRAGMA secure_delete = ON")  # what is deleted or replaced is overwritten
        _migrate(database, path)
    except sqlite3.DatabaseError as error:
        database.close()
        hint = "make room on the disk if it is full, check that you may write there, or use another --home"
        if error.sqlite_errorcode in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            hint = "restore it from a backup, or use another --home"
        raise BadStateError(f"{path} cannot be used: {error}", hint) from error
    except BadStateError:
        database.close()
        raise
    return database


def _use_log(database: sqlite3.Connection) -> None:
    """Use a write-ahead log, so that others can read while one writes.

    SQLite does not wait by itself when two processes create the file at the same time, so wait here.
    """
    until = time.monotonic() + BUSY_S
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.01)


def _migrate(database: sqlite3.Connection, path: Path) -> None:
    if _version(database) == len(MIGRATIONS):
        return
    with database:
        database.execute("BEGIN IMMEDIATE")
        version = _version(database)  # again: another process may have migrated it meanwhile
        if version > len(MIGRATIONS):
            raise BadStateError(f"{path} was written by a newer shammah-mlx", "upgrade, or use another --home")
        for script in MIGRATIONS[version:]:
            database.execute(script)
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _version(database: sqlite3.Connection) -> int:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)
