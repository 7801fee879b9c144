import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.errors import BadStateError
from shammah_mlx.events import Draft, Feedback, Interaction, Route, ScoredDraft
from shammah_mlx.home.journal import Journal, Progress, Totals
from tests.fakes import make_request, reply

LOCAL, FORWARD = Route({"decoder": 0.9}, 0.5, ("decoder",)), Route({"decoder": 0.1}, 0.5)
DRAFT = Draft("a draft", "decoder")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.db")
    yield opened
    opened.close()


def numbered(number: int) -> Interaction:
    return Interaction.forwarded(msgspec.structs.replace(make_request(), number=number), FORWARD, reply())


def test_interactions_come_back_in_order_after_a_number(journal: Journal) -> None:
    for number in (1, 2, 3):
        assert journal.next_number() == number
        journal.write(numbered(number))
    assert list(journal.after(1)) == [numbered(2), numbered(3)]
    assert journal.count_after(1) == 2


def test_writing_again_completes_the_same_interaction(journal: Journal) -> None:
    journal.write(numbered(1))
    observed = msgspec.structs.replace(
        numbered(1), request=make_request(0, sampled=True), drafts=(ScoredDraft(DRAFT, 0.2, 0.4),)
    )
    journal.complete(observed)
    assert list(journal.after(0)) == [numbered(1)]  # until training has come so far
    journal.commit(Progress(1, "made of it"))
    assert journal.progress() == Progress(1, "made of it")
    assert list(journal.after(0)) == [observed]


def test_archived_interactions_do_not_count_but_keep_their_numbers(journal: Journal) -> None:
    for number in (1, 2, 3):
        journal.write(numbered(number))
    assert journal.go_back(Progress(1, "of then"), archive=True) == [2, 3]
    assert journal.count_after(0) == 1
    assert journal.next_number() == 4
    assert [interaction.request.number for interaction in journal.after(0)] == [1]
    assert journal.go_back(Progress(1, "of then"), archive=True) == []
    assert journal.totals(0).spent_usd == pytest.approx(0.003)  # the money is gone all the same


def test_of_two_concurrent_queries_the_one_written_later_gets_the_next_number(journal: Journal) -> None:
    first, second = (journal.write(numbered(1)) for _ in range(2))
    assert (first.request.number, second.request.number) == (1, 2)
    assert list(journal.after(1)) == [second]


def test_staged_rows_that_are_not_committed_are_lost(journal: Journal) -> None:
    journal.write(numbered(1))
    journal.complete(msgspec.structs.replace(numbered(1), ms=7.0))
    journal.unstage()
    journal.commit(Progress(1, "made of it"))
    assert list(journal.after(0)) == [numbered(1)]


def test_reading_starts_over_when_the_state_is_replaced_meanwhile(journal: Journal, tmp_path: Path) -> None:
    journal.commit(Progress(1, "old"))
    read = []

    def of(learnt: Progress) -> str | None:
        read.append(learnt.state)
        if learnt.state == "old":
            with closing(Journal(tmp_path / "journal.db")) as other:
                other.commit(Progress(2, "new"))
            raise BadStateError("it is gone", "")
        return learnt.state

    assert journal.of_current(of) == "new"
    assert read == ["old", "new"]


def test_events_that_are_written_while_others_are_read_leave_no_gap(journal: Journal, tmp_path: Path) -> None:
    journal.write(numbered(1))
    statements: list[str] = []
    with closing(Journal(tmp_path / "journal.db")) as other:

        def write_before_the_second(statement: str) -> None:
            statements.append(statement)
            if len(statements) == 2:
                with other.writing():
                    other.feedback.insert(Feedback(2, 1, good=False, at=1e9))
                other.write(numbered(3))

        journal._db.set_trace_callback(write_before_the_second)
        found = list(journal.events_after(0))
        journal._db.set_trace_callback(None)
    numbers = [each.number if isinstance(each, Feedback) else each.request.number for each in found]
    assert statements
    assert numbers == list(range(1, len(numbers) + 1))


def test_totals_add_up_calls_and_money(journal: Journal) -> None:
    stood = Interaction.approved(make_request(10, sampled=True), LOCAL, (ScoredDraft(DRAFT, 0.9),), 0.1)
    audited = Interaction.audited(stood, (ScoredDraft(DRAFT, 0.9, 0.1),), reply(), good=True)
    unpriced = msgspec.structs.replace(reply(), cost_usd=None)
    journal.write(numbered(1))
    journal.write(audited)
    journal.write(Interaction.approved(make_request(11), LOCAL, (ScoredDraft(DRAFT, 0.9),), 0.1))
    journal.write(Interaction.rejected(make_request(12), LOCAL, (ScoredDraft(DRAFT, 0.1),), unpriced))
    assert journal.totals(2) == Totals(
        journalled=4, pending=2, forwarded=2, calls=3, spent_usd=0.002, unpriced_calls=1, open_audits=0
    )


def test_a_file_that_is_not_a_journal_is_named_in_the_error(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(BadStateError, match=r"journal\.db"):
        Journal(path)
    assert path.read_bytes().startswith(b"this is not")


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(BadStateError, match="newer"):
        Journal(path)


def test_a_committed_interaction_survives_the_death_of_its_process(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    program = (
        "import os\nfrom pathlib import Path\nfrom shammah_mlx.home.journal import Journal\n"
        "from tests.home.test_journal import numbered\n"
        f"Journal(Path({str(path)!r})).write(numbered(1))\nos._exit(0)"  # nothing closed, nothing flushed
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
    with closing(Journal(path)) as journal:
        assert journal.totals(0).journalled == 1


def test_a_damaged_record_is_reported_with_file_and_number(journal: Journal, tmp_path: Path) -> None:
    journal.write(numbered(1))
    with sqlite3.connect(tmp_path / "journal.db") as db:
        db.execute("UPDATE interactions SET record = replace(record, 'outcome', 'outcame')")
    db.close()
    with pytest.raises(BadStateError, match=r"journal\.db: interaction 1"):
        list(journal.after(0))


def test_damaged_feedback_is_reported_with_the_file_and_the_way_out(journal: Journal, tmp_path: Path) -> None:
    journal.write(numbered(1))
    with journal.writing():
        journal.feedback.insert(Feedback(2, 1, good=False, at=1e9))
    with sqlite3.connect(tmp_path / "journal.db") as db:
        db.execute("UPDATE feedback SET record = replace(record, 'good', 'gold')")
    db.close()
    with pytest.raises(BadStateError, match=r"journal\.db: what was said of an answer is damaged") as raised:
        list(journal.events_after(0))
    assert "backup" in raised.value.hint
