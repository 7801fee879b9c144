"""Read how often the question behind a remembered answer was asked, and since when."""

from contextlib import closing
from pathlib import Path

import msgspec

from shammah_mlx.events import Interaction, text_hash
from shammah_mlx.home.schema import open_database


class Recollection(msgspec.Struct, frozen=True):
    """What is known of the question whose answer was given again."""

    question: str
    times: int  # it was asked here in these words, this time included
    since: float  # first time it was asked here, Unix time, seconds; 0: unknown, or only imported
    model: str | None = None  # that was asked then
    imported_from: str | None = None  # kind of the record that the answer comes from; None: it was given here


def recollect(home: Path, answered: Interaction) -> Recollection | None:
    """Return how often the question was asked that an answer comes from; None if the answer is not from memory.

    Raises:
        sqlite3.Error: the journal cannot be read.
        BadStateError: likewise.
    """
    draft = answered.draft
    if not answered.served_local or draft is None or draft.entry is None:
        return None
    with closing(open_database(home / "journal.db")) as database:
        row = database.execute(_ASKED, {"entry": draft.entry, **_same_text(answered)}).fetchone()
    if row is None:  # it was erased meanwhile
        return None
    question, times, since, model, imported_from = row
    return Recollection(question, times + (not answered.request.stored), since or 0.0, model, imported_from)


def _same_text(answered: Interaction) -> dict[str, int]:
    """Return what finds the answers to the same text: the entry alone does not, until it is learnt."""
    if answered.source != "repeat":
        return {"context": 0, "text": 0}
    query = answered.answered_query
    return {"context": query.context, "text": text_hash(query.text)}


_ASKED = """
    WITH given AS (                             -- the answer, and what it is about if the user gave it himself
        SELECT :entry AS number UNION
        SELECT about FROM feedback WHERE number = :entry
    ), same AS (                                -- answers to this text in this context
        SELECT number FROM given UNION
        SELECT other.number FROM memory AS asked JOIN memory AS other USING (context, text)
        WHERE asked.number IN (SELECT number FROM given) AND asked.text != 0 UNION
        SELECT number FROM memory WHERE context = :context AND text = :text AND text != 0
    ), here AS (
        SELECT number, record FROM interactions
        WHERE number IN (SELECT number FROM same) AND record ->> '$.turn.imported_from' IS NULL
        AND record ->> '$.late_for' IS NULL     -- an audit that was made later is no question
    )
    SELECT
        (SELECT record ->> '$.turn.query.text' FROM interactions WHERE number IN (SELECT number FROM given)),
        (SELECT count(*) FROM here) + (
            SELECT count(*) FROM interactions
            WHERE json_extract(record, '$.drafts[0].draft.entry') IN (SELECT number FROM same)
            AND record ->> '$.drafts[0].draft.source' = 'repeat' AND record ->> '$.served_local'
            AND record ->> '$.late_for' IS NULL AND NOT set_aside
        ),
        (SELECT min(record ->> '$.turn.query.at') FROM here),
        (SELECT record ->> '$.turn.query.model' FROM interactions WHERE number = :entry),
        (SELECT record ->> '$.turn.imported_from' FROM interactions WHERE number = :entry)
    WHERE EXISTS (SELECT 1 FROM interactions WHERE number IN (SELECT number FROM given))
"""
