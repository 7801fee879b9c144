"""What a home spent and saved: by month and model, with requests passed on, and never with an unknown price as 0."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.events import Draft, Interaction, Query, Reply, Request, Route, ScoredDraft, Verdict
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.ledger import Block, PassedOn, month_start
from shammah_mlx.home.schema import MIGRATIONS, open_database

MAY, JUNE = (datetime(2026, month, 15, tzinfo=UTC).timestamp() for month in (5, 6))
SONNET, HAIKU = "claude-sonnet-5-5", "claude-haiku-5-5"


def asked(at: float, model: str = SONNET, row: str | None = None) -> Request:
    query = Query("how do I list files?", model=model, max_tokens=100, at=at, row=row)
    return Request(1, 100, query, None, audit_draw=0.9, audit_rate=0.1, shadow_rates={})


def by_claude(at: float, usd: float | None, model: str = SONNET, row: str | None = None) -> Interaction:
    route = Route({"recall": 0.1}, 0.5)
    return Interaction.forwarded(asked(at, model, row), route, Reply("ls", model, "end_turn", cost_usd=usd))


def from_memory(at: float, entry: int | None, model: str = SONNET) -> Interaction:
    route = Route({"recall": 0.9}, 0.5, ("recall",))
    return Interaction.approved(asked(at, model), route, (ScoredDraft(Draft("ls", "recall", entry=entry), 0.9),), 0.1)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "journal.db")) as journal:
        yield journal


def test_money_is_summed_by_month_and_model(journal: Journal) -> None:
    for interaction in (
        by_claude(MAY, 0.01),
        by_claude(JUNE, 0.02),
        by_claude(JUNE, 0.03),
        by_claude(JUNE, 0.001, HAIKU),
    ):
        journal.write(interaction)
    found = {(line.month, line.model): (line.calls, round(line.spent_usd, 6)) for line in journal.ledger.money()}
    assert found == {
        ("2026-05", SONNET): (1, 0.01),
        ("2026-06", SONNET): (2, 0.05),
        ("2026-06", HAIKU): (1, 0.001),
    }
    assert journal.ledger.spent_since(month_start(JUNE)) == pytest.approx(0.051)


def test_an_unknown_price_is_unpriced_and_not_nothing(journal: Journal) -> None:
    journal.write(by_claude(MAY, None))
    (line,) = journal.ledger.money()
    assert (line.calls, line.unpriced, line.spent_usd) == (1, 1, 0.0)
    journal.write(from_memory(MAY, 1))
    (line,) = journal.ledger.money()
    assert (line.saved_calls, line.saved_usd) == (1, None)


def test_a_local_answer_saves_what_the_reply_it_comes_from_cost_or_else_the_mean(journal: Journal) -> None:
    journal.write(by_claude(MAY, 0.01))
    journal.write(by_claude(MAY, 0.03))
    journal.write(from_memory(MAY, 1))  # the answer of number 1
    (line,) = journal.ledger.money()
    assert line.saved_usd == pytest.approx(0.01)
    journal.write(from_memory(MAY, None))  # a new text
    (line,) = journal.ledger.money()
    assert line.saved_calls == 2
    assert line.saved_usd == pytest.approx(0.01 + 0.02)


def test_an_audited_answer_saves_nothing(journal: Journal) -> None:
    journal.write(by_claude(MAY, 0.01))
    stood = msgspec.structs.replace(from_memory(MAY, 1), request=msgspec.structs.replace(asked(MAY), audit_draw=0.01))
    scored = (msgspec.structs.replace(stood.drafts[0], divergence=0.1),)
    reply = Reply("ls", SONNET, "end_turn", cost_usd=0.02)
    journal.write(Interaction.audited(stood, scored, reply, good=True))
    (line,) = journal.ledger.money()
    assert (line.calls, line.saved_calls) == (2, 0)
    assert journal.ledger.history(10) == [Block(queries=2, calls=2, local=1)]


def test_verdicts_count_under_the_judges_model_and_once(journal: Journal) -> None:
    verdict = Verdict(True, HAIKU, "1", with_reply=False, cost_usd=0.0001)
    served = from_memory(MAY, None)
    missed = msgspec.structs.replace(
        served,
        request=msgspec.structs.replace(served.request, audit_draw=0.01),
        drafts=(served.drafts[0].judged(verdict),),
    )
    written = journal.write(missed)
    assert missed.audit_open
    late = Interaction.late(written.request, written, written.drafts, Reply("ls", SONNET, "end_turn", cost_usd=0.02))
    assert journal.write_late(late)
    lines = {line.model: line for line in journal.ledger.money()}
    assert lines[HAIKU].verdicts == 1
    assert lines[HAIKU].spent_usd == pytest.approx(0.0001)
    assert lines[SONNET].spent_usd == pytest.approx(0.02)
    assert journal.totals(0).spent_usd == pytest.approx(0.0201)


def test_what_was_bought_later_counts_in_the_month_in_which_it_was_bought(journal: Journal) -> None:
    stood = from_memory(MAY, None)
    missed = msgspec.structs.replace(stood, request=msgspec.structs.replace(stood.request, audit_draw=0.01))
    written = journal.write(missed)
    reply = Reply("ls", SONNET, "end_turn", cost_usd=0.02)
    assert journal.write_late(Interaction.late(written.request, written, written.drafts, reply, JUNE))
    verdict = Verdict(True, HAIKU, "1", with_reply=True, cost_usd=0.0001)
    shadow = ScoredDraft(Draft("ls", "recall"), 0.5, 0.5).judged(verdict)
    journal.write(msgspec.structs.replace(by_claude(MAY, 0.03), drafts=(shadow,), judged_at=JUNE))
    found = {(line.month, line.model): round(line.spent_usd, 6) for line in journal.ledger.money()}
    assert found == {("2026-05", SONNET): 0.03, ("2026-06", SONNET): 0.02, ("2026-06", HAIKU): 0.0001}
    assert journal.ledger.spent_since(month_start(JUNE)) == pytest.approx(0.0201)


def test_imported_answers_do_not_lower_what_an_answer_usually_costs(journal: Journal) -> None:
    for model in (SONNET, HAIKU):
        free = by_claude(MAY, 0.0, model)
        journal.write(msgspec.structs.replace(free, request=msgspec.structs.replace(free.request, imported_from="llm")))
    journal.write(by_claude(MAY, 0.01))
    for model in (SONNET, HAIKU):  # the second has no price of its own here
        journal.write(from_memory(MAY, 1, model))
    assert [line.saved_usd for line in journal.ledger.money()] == [pytest.approx(0.01)] * 2


def test_requests_passed_on_count_and_those_of_other_accounts_are_unpriced(journal: Journal) -> None:
    mine = PassedOn(JUNE, SONNET, 100, 50, 0.5, own_account=False)
    theirs = PassedOn(JUNE, SONNET, 100, 50, None, own_account=True)
    journal.ledger.add([mine, theirs])
    (line,) = journal.ledger.money()
    assert (line.calls, line.passed_on, line.spent_usd, line.unpriced, line.own_account) == (2, 2, 0.5, 1, 1)
    assert journal.ledger.spent_since(month_start(JUNE)) == 0.5
    totals = journal.totals(0)
    assert (totals.spent_usd, totals.unpriced_calls, totals.calls) == (0.5, 1, 0)


def test_what_is_erased_is_gone_from_the_ledger_and_what_is_archived_still_costs(journal: Journal) -> None:
    journal.write(by_claude(MAY, 0.01))
    journal.write(by_claude(MAY, 0.02))
    journal.go_back(journal.progress(), archive=True)
    assert journal.ledger.history(10) == []
    assert journal.ledger.spent_since(0.0) == pytest.approx(0.03)
    journal.erasures.erase([1])
    assert journal.ledger.spent_since(0.0) == pytest.approx(0.02)


def test_a_recorded_stream_is_known(journal: Journal) -> None:
    assert not journal.ledger.is_recorded()
    journal.write(by_claude(MAY, 0.01, row="r1"))
    assert journal.ledger.is_recorded()


def test_an_older_journal_gets_the_ledger_of_its_interactions(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    before = next(n for n, script in enumerate(MIGRATIONS) if "CREATE TABLE ledger" in script)
    with closing(sqlite3.connect(path)) as old, old:
        for script in MIGRATIONS[:before]:
            old.execute(script)
        old.execute(f"PRAGMA user_version = {before}")
        record = msgspec.json.encode(by_claude(MAY, 0.01)).decode()
        old.execute("INSERT INTO interactions (number, record) VALUES (1, ?)", (record,))
    with closing(open_database(path)) as migrated:
        columns = "number, usd, by_client, judged_at"
        assert migrated.execute(f"SELECT {columns} FROM ledger").fetchall() == [(1, 0.01, 0, MAY)]


def test_months_begin_by_utc() -> None:
    assert (
        month_start(datetime(2026, 6, 1, 0, 0, 1, tzinfo=UTC).timestamp())
        == datetime(2026, 6, 1, tzinfo=UTC).timestamp()
    )
