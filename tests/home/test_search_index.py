"""Questions are found by words of question and answer, and what was erased is nowhere in the index."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.events import Draft, Feedback, Interaction, Query, Route, ScoredDraft
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.schema import MIGRATIONS, open_database
from tests.fakes import make_request, reply


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "journal.db")) as opened:
        yield opened


def asked(question: str, answer: str) -> Interaction:
    request = msgspec.structs.replace(make_request(), query=Query(question, at=1e9))
    return Interaction.forwarded(request, Route({}, None), reply(answer))


def numbers(journal: Journal, words: str | None = None, count: int = 0) -> list[int]:
    found = [each.number for each in journal.index.latest(count, words)]
    assert journal.index.count(words) >= len(found)
    return found


def terms(path: Path) -> set[str]:
    """Return every word that the index holds, in whatever segment."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, words, row)")
        return {term for (term,) in db.execute("SELECT term FROM temp.terms")}


def test_words_are_found_in_questions_and_answers_the_latest_first(journal: Journal) -> None:
    for question, answer in (
        ("list files", "Use ls."),
        ("show hidden files", "Use ls -a."),
        ("what is a café?", "A bar."),
    ):
        journal.write(asked(question, answer))
    assert numbers(journal) == [3, 2, 1]
    assert numbers(journal, count=2) == [3, 2]
    assert numbers(journal, "FILE") == [2, 1]
    assert numbers(journal, "ls hidden") == [2]
    assert numbers(journal, "cafe") == [3]
    assert numbers(journal, "files bar") == []


@pytest.mark.parametrize("words", ['"', "AND", "files OR bar)", "*", "question:files", "-a", "NEAR(", "\0", "'"])
def test_signs_of_the_search_language_are_plain_text(journal: Journal, words: str) -> None:
    journal.write(asked("list files", "Use ls."))
    assert numbers(journal, words) in ([], [1])


def test_a_local_answer_is_found_by_its_own_text(journal: Journal) -> None:
    stood = ScoredDraft(Draft("A mongoose.", "decoder"), 0.9)
    request = msgspec.structs.replace(make_request(), query=Query("which animal?"))
    journal.write(Interaction.approved(request, Route({"decoder": 0.9}, 0.5, ("decoder",)), (stood,), 0.1))
    assert numbers(journal, "mongoose") == [1]


def test_a_changed_record_is_found_by_its_new_text_only(journal: Journal) -> None:
    stored = journal.write(asked("list files", "Use dir."))
    journal.complete(msgspec.structs.replace(stored, reply=reply("Use ls.")))
    journal.commit(journal.progress())
    assert (numbers(journal, "dir"), numbers(journal, "ls")) == ([], [1])


def test_what_was_erased_is_in_no_table_and_no_page_of_the_index(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    for number in range(40):  # several segments
        journal.write(asked(f"the quetzal number {number}", "It is a zebrafinch."))
        journal.write(asked(f"plain {number}", "Nothing."))
    journal.erasures.erase(range(1, 81, 2))
    assert numbers(journal, "quetzal") == []
    held = path.read_bytes() + path.with_name("journal.db-wal").read_bytes()
    assert b"uetzal" in held  # what follows must remove it
    journal.erasures.scrub()
    assert terms(path).isdisjoint({"quetzal", "zebrafinch"})
    for word in (b"uetzal", b"ebrafinch"):
        assert word not in path.read_bytes() + path.with_name("journal.db-wal").read_bytes()
    assert len(numbers(journal, "plain")) == 40


def test_a_journal_of_an_earlier_version_is_indexed_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    before = next(number for number, script in enumerate(MIGRATIONS) if "VIEW texts" in script)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for script in MIGRATIONS[:before]:
            db.execute(script)
        db.execute(f"PRAGMA user_version = {before}")
        record = msgspec.json.encode(asked("list files", "Use ls.")).decode()
        db.execute("INSERT INTO interactions (number, record) VALUES (1, ?)", (record,))
    open_database(path).close()
    with closing(Journal(path)) as journal:
        assert numbers(journal, "files") == [1]


def test_an_answer_of_the_users_own_is_found_with_its_question_and_erased_with_it(
    journal: Journal, tmp_path: Path
) -> None:
    path = tmp_path / "journal.db"
    for answer in ("Use ls.", "Use quetzal."):
        journal.write(asked("list files", answer))
    with journal.writing():
        journal.feedback.insert(Feedback(3, 1, good=False, at=1e9, answer="Use zebrafinch."))
    assert numbers(journal, "files zebrafinch") == [1]
    assert numbers(journal, "zebrafinch quetzal") == []
    journal.erasures.erase([1])
    assert numbers(journal, "zebrafinch") == []
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
    journal.erasures.scrub()
    assert terms(path).isdisjoint({"zebrafinch"})
