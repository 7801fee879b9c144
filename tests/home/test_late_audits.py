"""An audit that Claude could not be had for is made later or counts as bad; an answer that one refutes is replaced."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET

from shammah_mlx.config import Config, PrivacyConfig, RiskConfig
from shammah_mlx.events import AskOptions, Interaction, Outage, Query, Reply
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.journal import Journal, Progress
from shammah_mlx.home.overview import read_overview
from shammah_mlx.home.recollection import recollect
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from shammah_mlx.risk.accounts import summarise
from shammah_mlx.teacher.outages import BUDGET_SPENT, outage
from shammah_mlx.teacher.recordings import Scripted
from tests.command import run
from tests.fakes import reply
from tests.loopback import Loopback, fail
from tests.loopback import reply as says
from tests.served import BOLD

LEARNT = [f"how do I {verb} a {thing}" for verb in ("boil", "paint", "sell") for thing in ("egg", "car")]
DAY = 86_400.0
AWAY = Outage("unreachable", "Claude could not be reached.", "check the network")
ALWAYS = msgspec.structs.replace(
    PRESETS["default"],
    generator="recall",
    policy=msgspec.structs.replace(
        PRESETS["default"].policy,
        forward_only=0,
        route_thresholds=((0, 0.0),),
        accept_thresholds=((0, 0.0),),
        audits=((0, 1.0),),
        audit_focus=0.0,
        first_doubt=1.0,
    ),
    risk=RiskConfig(),
)

PROMISING = msgspec.structs.replace(ALWAYS, risk=RiskConfig(max_bad_rate=0.9))


class Clock:
    now = 1e9

    def __call__(self) -> float:
        return self.now


class Opened:
    """A home with six questions learnt, whose teacher then follows a script."""

    def __init__(self, home: Path, weights: Weights, *outcomes: Reply | Outage) -> None:
        self.home, self.clock = home, Clock()
        self.teacher = Scripted(*(reply(f"This is how: {text}.") for text in LEARNT), *outcomes)
        self.assistant = Assistant(home, ALWAYS, self.teacher, weights, options=AssistantOptions(clock=self.clock))
        for text in LEARNT:
            self.assistant.ask(Query(text), options=AskOptions(forced_source="claude"))
            self.assistant.learn_pending()

    def ask(self, text: str) -> Interaction:
        asked = self.assistant.ask(Query(text))
        assert isinstance(asked, Interaction)
        self.assistant.learn_pending()
        return asked

    def late(self, *, reached: bool = True) -> int:
        made = self.assistant.make_late_audits(reached=reached)
        self.assistant.learn_pending()
        return made

    def journal(self) -> list[Interaction]:
        self.assistant.save()
        journal = Journal(self.home / "journal.db")
        found = list(journal.after(0))
        journal.close()
        return found


Open = Callable[..., Opened]


@pytest.fixture
def opened(tmp_path: Path, weights: Weights) -> Iterator[Open]:
    made: list[Opened] = []

    def make(*outcomes: Reply | Outage) -> Opened:
        (tmp_path / "home").mkdir()
        made.append(Opened(tmp_path / "home", weights, *outcomes))
        return made[-1]

    yield make
    for one in made:
        one.assistant.__exit__(None, None, None)


def test_nothing_is_covered_until_a_missed_audit_is_made(opened: Open) -> None:
    home = opened(AWAY, AWAY, reply("This is how: how do I boil a egg."), reply("This is how: how do I sell a car."))
    missed = home.ask("how to boil an egg")
    assert (missed.outcome, missed.audit_open, missed.uncovered) == ("approved", True, True)
    again = home.ask("how to sell a car")
    assert (again.request.open_audits, again.uncovered) == (1, True)
    assert home.late(reached=False) == 0
    assert home.late() == 2
    first, second = home.journal()[-2:]
    assert (first.outcome, first.late_for, second.late_for) == ("late", missed.request.number, again.request.number)
    assert first.divergence is not None
    assert home.late() == 0


def test_audits_are_made_while_much_is_learnt(opened: Open) -> None:
    home = opened(AWAY, reply("Green."), reply("This is how: how do I boil a egg."))
    missed = home.ask("how to boil an egg")
    assistant = home.assistant
    due: list[int] = []

    def advance() -> None:
        if not due:  # Claude is reached while the first interaction is being learnt
            assistant.ask(Query("which colour has grass?"), options=AskOptions(forced_source="claude"))
        due.append(read_overview(home.home, ALWAYS).open_audits)

    assistant.ask(Query("how to boil an egg"), options=AskOptions(forced_source="local"))
    assert assistant.learn_all(lambda _: nullcontext(advance), wait=True) == len(due)
    assert due[:2] == [1, 0]
    assert home.journal()[-1].late_for == missed.request.number


def test_an_audit_that_fails_while_much_is_learnt_is_tried_once(opened: Open) -> None:
    home = opened(AWAY, reply("Green."), reply("Blue."), AWAY)
    home.ask("how to boil an egg")
    for colour in ("grass", "sky"):
        home.assistant.ask(Query(f"which colour has the {colour}?"), options=AskOptions(forced_source="claude"))
    assert home.assistant.learn_all(lambda _: nullcontext(lambda: None), wait=True) == 2  # or the script would end
    assert read_overview(home.home, ALWAYS).open_audits == 1


def test_an_audit_that_a_spent_budget_forbade_waits_for_money_and_is_not_given_up(opened: Open) -> None:
    home = opened(outage(BUDGET_SPENT), AWAY, reply("This is how: how do I boil a egg."))
    missed = home.ask("how to boil an egg")
    assert (missed.audit_open, missed.unpaid) == (True, True)
    unreached = home.ask("how to sell a car")
    assert (unreached.audit_open, unreached.unpaid) == (True, UNSET)
    home.clock.now += 20 * DAY
    assert home.late() == 2  # one is made, the other is given up
    first, second = home.journal()[-2:]
    assert (first.late_for, first.divergence is not None) == (missed.request.number, True)
    assert (second.late_for, second.reply) == (unreached.request.number, None)


SECRET = "Use this password: Kw72-pm41-Zt09"


def test_an_audit_whose_reply_reveals_a_secret_counts_and_keeps_no_word_of_it(opened: Open) -> None:
    home = opened(reply(SECRET))
    asked = home.ask("how to boil an egg")
    assert (asked.outcome, asked.answer, asked.request.stored) == ("audited", SECRET, True)
    last = home.journal()[-1]
    assert last.reply
    assert (last.outcome, last.reply.text, last.reply.secret) == ("audited", "", True)
    assert last.divergence == asked.divergence
    assert summarise(home.journal(), ALWAYS).served.audits == 1
    assert not any(b"Kw72" in path.read_bytes() for path in home.home.rglob("*") if path.is_file())


def test_a_late_audit_whose_reply_reveals_a_secret_is_given_up_and_counts_as_bad(opened: Open) -> None:
    home = opened(AWAY, reply(SECRET))
    home.ask("how to boil an egg")
    assert home.late() == 1
    last = home.journal()[-1]
    assert (last.outcome, last.reply) == ("late", None)
    assert round(summarise(home.journal(), ALWAYS).served.bad, 2) == 1.0


def test_a_late_audit_does_not_count_as_asking(opened: Open) -> None:
    home = opened(AWAY, reply(f"This is how: {LEARNT[0]}."))
    again = home.ask(LEARNT[0])
    assert (again.source, home.late()) == ("repeat", 1)
    home.assistant.save()
    known = recollect(home.home, again)
    assert known is not None
    assert known.times == 2


def test_a_late_audit_counts_as_money_of_when_it_was_made(opened: Open) -> None:
    home = opened(AWAY, reply("This is how: how do I boil a egg."))
    home.ask("how to boil an egg")
    home.clock.now += 0.9 * DAY
    made_at = home.clock.now
    assert home.late() == 1
    assert home.journal()[-1].late_at == made_at
    assert home.assistant.ledger.spent_since(made_at) == pytest.approx(0.001)


@pytest.mark.parametrize("setting", ["never_forward", "never_store"])
def test_a_late_audit_that_the_settings_forbid_by_now_is_given_up(opened: Open, weights: Weights, setting: str) -> None:
    home = opened(AWAY)
    home.ask("how to boil an egg")
    home.assistant.save()
    patterns = {setting: ("boil an" if setting == "never_forward" else "Heron",)}
    config = msgspec.structs.replace(ALWAYS, privacy=msgspec.convert(patterns, PrivacyConfig))
    teacher = Scripted(*([] if setting == "never_forward" else [reply("Project Heron boils eggs.")]))
    with Assistant(home.home, config, teacher, weights, options=AssistantOptions(clock=home.clock)) as later:
        assert later.make_late_audits(reached=True) == 1
    with closing(Journal(home.home / "journal.db")) as journal:
        last = list(journal.after(0))[-1]
    assert (last.outcome, last.reply) == ("late", None)


def test_a_cut_audit_with_a_secret_stays_due(opened: Open) -> None:
    home = opened(reply(SECRET, stop_reason="max_tokens"))
    assert home.ask("how to boil an egg").audit_open
    last = home.journal()[-1]
    assert last.audit_open
    assert last.reply
    assert last.reply.text == ""


def test_a_late_audit_gives_labels_and_counts_as_no_query(opened: Open) -> None:
    home = opened(AWAY, reply("Do something else: fry it."), reply("fine"))
    missed = home.ask("how to boil an egg")
    labels = home.assistant.roles.state()["validator"]["recall.labels"].size
    home.late()
    home.assistant.save()
    assert home.assistant.roles.state()["validator"]["recall.labels"].size == labels + 1
    told = summarise(home.journal(), ALWAYS).served
    assert (told.local, told.audits, told.uncovered, round(told.bad, 2)) == (1, 1, 0, 1.0)
    asked = home.assistant.ask(Query("who was Bach?"), options=AskOptions(forced_source="claude"))
    assert isinstance(asked, Interaction)
    assert (asked.request.seen, asked.request.number) == (len(LEARNT) + 1, missed.request.number + 2)
    assert len((home.home / "metrics" / "training.jsonl").read_bytes().splitlines()) == len(LEARNT) + 1


def test_an_audit_is_given_up_after_a_day_and_counts_as_bad(opened: Open) -> None:
    home = opened(AWAY)
    home.ask("how to boil an egg")
    home.clock.now += DAY + 1
    assert home.late(reached=False) == 1
    last = home.journal()[-1]
    assert (last.outcome, last.reply, last.divergence) == ("late", None, None)
    told = summarise(home.journal(), ALWAYS).served
    assert (told.uncovered, told.bad) == (1, 1.0)
    assert home.late() == 0


@pytest.mark.parametrize(("config", "covered"), [(PROMISING, False), (ALWAYS, None)])
def test_the_overview_counts_what_is_due_apart_from_what_was_given_up(
    opened: Open, config: Config, covered: bool | None
) -> None:
    home = opened(AWAY, AWAY)
    home.ask("how to boil an egg")
    home.clock.now += DAY + 1
    home.late(reached=False)
    home.ask(LEARNT[0])
    home.assistant.save()
    found = read_overview(home.home, config)
    assert (found.audits_missed, found.open_audits, found.covered) == (2, 1, covered)


def test_learning_again_reopens_no_audit_and_a_rollback_does(opened: Open) -> None:
    home = opened(AWAY, reply("This is how: how do I boil a egg."))
    missed = home.ask("how to boil an egg")
    home.late()
    journal = Journal(home.home / "journal.db")
    assert journal.open_audits() == []
    journal.complete(journal.read(missed.request.number))  # as learning it again does
    journal.commit(journal.progress())
    assert journal.open_audits() == []
    journal.go_back(Progress(missed.request.number, journal.progress().state), archive=True)
    assert [number for number, _ in journal.open_audits()] == [missed.request.number]
    journal.close()


def test_a_cut_reply_leaves_the_audit_open(opened: Open) -> None:
    home = opened(AWAY, reply("This is", stop_reason=None), reply("This is how: how do I boil a egg."))
    home.ask("how to boil an egg")
    assert home.late() == 0
    assert home.late() == 1


def test_stopping_before_a_late_audit_loses_nothing(opened: Open, weights: Weights) -> None:
    home = opened(AWAY)
    home.ask("how to boil an egg")
    home.assistant.__exit__(None, None, None)
    found = Scripted(reply("This is how: how do I boil a egg."))
    with Assistant(home.home, ALWAYS, found, weights, options=AssistantOptions(clock=home.clock)) as assistant:
        assert assistant.make_late_audits(reached=True) == 1
        assert assistant.pending() == 1
    with Assistant(home.home, ALWAYS, Scripted(), weights, options=AssistantOptions(clock=home.clock)) as assistant:
        assert len(assistant.learn_pending()) == 1
        assert assistant.make_late_audits(reached=True) == 0


def test_an_answer_that_an_audit_refutes_is_replaced_until_claude_gives_it_again(opened: Open) -> None:
    new = "Do something else: fry it."
    old = "This is how: how do I boil a egg."
    home = opened(reply(new), reply(new), reply(old), reply(old))
    first = home.ask("how to boil an egg")
    assert (first.outcome, first.answer) == ("audited", new)
    second = home.ask("how to boil an egg")
    assert second.draft is not None
    assert second.draft.text == new
    third = home.assistant.ask(
        Query("please tell me how to boil an egg"), options=AskOptions(forced_source="claude")
    )  # Claude gives it again
    assert isinstance(third, Interaction)
    home.assistant.learn_pending()
    assert home.ask("how do I boil a egg").drafts[0].draft.text == old


def test_refuted_answers_are_remembered_across_a_restart(opened: Open, weights: Weights) -> None:
    new = "Do something else: fry it."
    home = opened(reply(new))
    home.ask("how to boil an egg")
    before = home.assistant.roles.state()["optimizer_state"]["refuted"].tolist()
    home.assistant.__exit__(None, None, None)
    with Assistant(
        home.home, ALWAYS, Scripted(reply(new)), weights, options=AssistantOptions(clock=home.clock)
    ) as assistant:
        assert assistant.roles.state()["optimizer_state"]["refuted"].tolist() == before
        assert str([1, ALWAYS.recall.refutations]) in str(before)
        asked = assistant.ask(Query("how to boil an egg"))
    assert isinstance(asked, Interaction)
    assert asked.draft is not None
    assert asked.draft.text == new


def test_an_answer_loses_trust_with_age(opened: Open) -> None:
    home = opened(*[AWAY] * 6)
    respaced = LEARNT[0].replace(" ", "  ")  # no repeat, yet no word has changed that could lower trust too
    asked = ("how to boil an egg", respaced, LEARNT[0])
    reworded, fresh, same = (home.ask(text).drafts[0] for text in asked)
    home.clock.now += 200 * DAY
    reworded_later, aged, later = (home.ask(text).drafts[0] for text in asked)
    assert {scored.draft.source for scored in (reworded, reworded_later, fresh, aged)} == {"recall"}
    assert aged.draft.features["trust"] == pytest.approx(fresh.draft.features["trust"] - 2.0, abs=1e-4)
    assert reworded_later.draft.features["trust"] < reworded.draft.features["trust"]
    assert (same.draft.features["days"], later.draft.features["days"]) == (0.0, 200.0)
    assert later.p_accept < same.p_accept


TOML = BOLD.replace("audits = []", "audits = [[0, 1.0]]") + "[teacher]\nmax_retries = 0\n"


def test_the_command_line_makes_a_missed_audit(tmp_path: Path, claude: Loopback) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(TOML)

    for text in LEARNT:
        assert run("ask", "--claude", text).exit_code == 0
    claude.default_to(fail(529))
    missed = run("ask", LEARNT[0])
    assert missed.exit_code == 3
    assert "Claude could not be asked to check this local answer" in missed.stderr
    assert json.loads(run("status", "--json").stdout)["audits_missed"] == 1
    claude.default_to(says("Whatever."))
    asked = len(claude.requests)
    assert run("ask", "--claude", "who was Bach?").exit_code == 0
    assert len(claude.requests) == asked + 2  # the question, and the audit that was due
    assert json.loads(run("status", "--json").stdout)["audits_missed"] == 0
    assert json.loads(run("why", "--json").stdout)["source"] == "claude"  # the last question, not the audit
