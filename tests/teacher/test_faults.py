"""Claude failing in every way the server knows, in the middle of a run: each query is answered or clearly refused."""

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from shammah_mlx.config import JudgeConfig, TeacherConfig
from shammah_mlx.events import AskOptions, Interaction, Outage, Query, Reply, Show, Verdict
from shammah_mlx.framework import policy
from shammah_mlx.framework.targets import make_targets
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.recovery import rebuild
from shammah_mlx.home.schema import open_database
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.claude import Claude
from shammah_mlx.teacher.keys import Credential
from shammah_mlx.teacher.recordings import Row, read_stream
from tests import loopback
from tests.command import Shammah, run
from tests.loopback import Behaviour, Loopback, Message, Request, Wire, fail, hang, page, reply, stall
from tests.served import BOLD
from tests.teacher.test_claude import ENDINGS

STREAM = Path(__file__).parents[2] / "examples" / "questions.jsonl"
ROWS = [row for row, _ in read_stream(STREAM, None, None)]
RECORDED = {row.query: row.reply for row in ROWS}
QUERIES, BAD_DAYS, LAST_DAYS = 400, (range(200, 220), range(300, 320), range(385, 400)), 12
SEED, GOOD = 1, 0.7  # share of requests that are answered in full
KEY = "sk-test-secret"
CREDENTIAL = Credential(KEY, is_token=False, found_in="this test")
MARK = "Not all of it: "  # begins whatever is no whole reply
CONFIG = msgspec.structs.replace(
    PRESETS["default"],
    generator="recall",
    policy=msgspec.structs.replace(
        PRESETS["default"].policy, audits=((0, 0.5),), audit_evenly=1.0, max_other_answer=1.0
    ),
    risk=msgspec.structs.replace(PRESETS["default"].risk, known=15.0),
    teacher=TeacherConfig(max_retries=0, timeout_s=0.5),
    judge=JudgeConfig(share=0.0),  # the recordings hold no verdicts; test_judge.py has the judge's own failures
)
KINDS = {
    *("bad_request", "billing", "cut", "key_refused", "overloaded", "rate_limited", "server", "timeout"),
    *("unknown_model", "unreachable"),
}


def half(query: str) -> str:
    return MARK + RECORDED[query][:60]


def events(*told: object) -> Behaviour:
    """Send these events, whatever they are."""

    def behave(wire: Wire, request: Request) -> None:
        wire.begin_stream()
        for event in told:
            name = event.get("type", "message_start") if isinstance(event, dict) else "message_start"
            wire.chunk(f"event: {name}\ndata: {json.dumps(event)}\n\n".encode())
        wire.end_stream()

    return behave


def ended(ending: str, text: str | None) -> Behaviour:
    return lambda wire, request: ENDINGS[ending](half(request.last_user_text) if text is None else text)(wire, request)


def hang_up(wire: Wire, request: Request) -> None:
    raise ConnectionError


FAULTS: dict[str, Behaviour] = {
    **{f"status {status}": fail(status, RECORDED.__getitem__) for status in loopback.ERROR_TYPES},
    "out of credit": fail(400, loopback.OUT_OF_CREDIT),
    "over the limit": fail(400, loopback.OVER_LIMIT),
    "come back in a month": fail(429, retry_after=2_600_000),
    **{f"{ending} in the middle": ended(ending, None) for ending in ENDINGS},
    **{f"{ending} before any text": ended(ending, "") for ending in ENDINGS},
    **{stop: reply(half, stop_reason=stop) for stop in ("max_tokens", "refusal", "pause_turn", "tool_use")},
    "refusal without a word": reply("", stop_reason="refusal"),
    "nothing to say": reply(" \n"),
    "a captive portal": page("<html>Log in to the train's Wi-Fi</html>"),
    "events of another kind": events(*Message(MARK, "m").opening(), {"type": "message_delta", "delta": 7}),
    "no events at all": lambda wire, request: wire.json(200, Message(MARK, "m").whole()),
    "silence": hang(),
    "hanging up": hang_up,
}


class Moody:
    """The recorded reply, or a failure: by chance in the shares of `GOOD`, or always while it `works` or `is_out`."""

    def __init__(self) -> None:
        self._random, self._deck = random.Random(SEED), list[str]()
        self.did: list[str] = []
        self.works = self.is_out = False

    def __call__(self, wire: Wire, request: Request) -> None:
        if self.works or (not self.is_out and self._random.random() < GOOD):
            self.did.append("good")
            return reply(RECORDED.__getitem__)(wire, request)
        self._deck = self._deck or self._random.sample(sorted(FAULTS), len(FAULTS))  # so that each has its turn
        self.did.append(self._deck.pop())
        return FAULTS[self.did[-1]](wire, request)


class Counted:
    """Claude, and how often it was asked: what a server hears comes later."""

    def __init__(self, claude: Claude) -> None:
        self._claude, self.asked = claude, 0

    def ask(self, query: Query, show: Show | None = None) -> Reply | Outage:
        self.asked += 1
        return self._claude.ask(query, show)

    def judge(self, query: Query, draft: str, reply: str | None) -> Verdict | Outage:
        return self._claude.judge(query, draft, reply)


@dataclass(frozen=True)
class Asked:
    """One question of the run."""

    row: Row
    outcome: Interaction | Outage
    open_before: int  # audits that were due and not made when it was asked
    was_sent: bool  # to Claude
    is_out: bool  # whether nothing works at the time


class Run:
    """A home whose user asks every minute, and whose Claude is moody."""

    def __init__(self, home: Path, weights: Weights, moody: Moody, url: str) -> None:
        self.home, self.weights, self.moody, self.url = home, weights, moody, url
        self.asked: list[Asked] = []
        self.now = 1e9
        self.due = self.late = self.late_tries = 0

    @contextmanager
    def opened(self, config: TeacherConfig) -> Iterator[Assistant]:
        self.claude = Counted(Claude(config, CREDENTIAL, self.url))
        with Assistant(
            self.home, CONFIG, self.claude, self.weights, options=AssistantOptions(clock=lambda: self.now)
        ) as assistant:
            yield assistant

    def ask(self, assistant: Assistant, row: Row, **forced_source: Any) -> None:
        self.now += 60.0
        before = self.claude.asked
        outcome = assistant.ask(Query(row.query, row=row.id), **forced_source)
        sent = self.claude.asked - before
        self.asked.append(Asked(row, outcome, self.due - self.late, sent == 1, self.moody.is_out))
        assert sent <= 1
        assert isinstance(outcome, Outage) or outcome.request.open_audits == self.due - self.late
        self.due += isinstance(outcome, Interaction) and outcome.audit_open
        before += sent
        self.late += assistant.make_late_audits(reached=assistant.has_reached_claude())  # as `ask` does behind it
        self.late_tries += self.claude.asked - before
        assistant.learn_pending()
        self.check_late_audits()

    def check_late_audits(self) -> None:
        """Check that every missed audit is still due, or was made once."""
        with closing(Journal(self.home / "journal.db")) as journal:
            still_due = [number for number, _ in journal.open_audits()]
            made = [late.late_for for late in journal.after(0) if late.late_for is not None]
        assert len(made) == len(set(made)) == self.late
        assert not set(made) & set(still_due)
        assert len(still_due) == self.due - self.late


def test_through_every_failure_each_query_is_answered_or_refused_and_no_failed_reply_is_learnt(
    tmp_path: Path, weights: Weights
) -> None:
    moody = Moody()
    with Loopback(default=moody) as server:
        home = Run(tmp_path / "home", weights, moody, server.url)
        home.home.mkdir()
        with home.opened(CONFIG.teacher) as assistant:
            for number, row in enumerate(ROWS[:QUERIES]):
                moody.is_out = any(number in days for days in BAD_DAYS)
                home.ask(assistant, row)
        moody.is_out, moody.works = False, True
        assert home.due > home.late
        with home.opened(TeacherConfig()) as assistant:
            for row in ROWS[QUERIES : QUERIES + LAST_DAYS]:
                home.ask(assistant, row, options=AskOptions(forced_source="claude"))
        assert home.due == home.late

    for asked in home.asked:
        check_that_it_was_answered_or_clearly_refused(asked)
        check_that_what_was_served_here_stood(asked)
    check_that_it_all_happened(home)
    check_that_no_failed_reply_was_learnt(home)
    rebuilt = rebuild(home.home, CONFIG, weights)
    assert rebuilt.before == rebuilt.after


def check_that_it_was_answered_or_clearly_refused(asked: Asked) -> None:
    outcome = asked.outcome
    if isinstance(outcome, Outage):
        assert outcome.kind in KINDS
        assert outcome.message.endswith(".")
        assert outcome.hint
        assert asked.was_sent
        for secret in (KEY, asked.row.query, asked.row.reply, MARK):
            assert secret not in repr(msgspec.structs.replace(outcome, said=UNSET))  # that one is for the user's eyes
    elif outcome.served_local:
        assert outcome.answer in RECORDED.values()
    elif outcome.reply is not None and outcome.reply.complete:
        assert outcome.answer == asked.row.reply
    else:
        assert outcome.answer.startswith(MARK) or not outcome.answer.strip()


def check_that_what_was_served_here_stood(asked: Asked) -> None:
    """Check that a local answer was above its threshold, and marked if its audit, or an earlier one, is missing."""
    outcome = asked.outcome
    if isinstance(outcome, Outage) or not outcome.served_local:
        return
    best, request = outcome.drafts[0], outcome.request
    threshold = policy.required_p_accept(best, request, CONFIG.policy)
    assert outcome.accepted
    assert threshold is not None
    assert best.p_accept > threshold >= request.thresholds[best.draft.source].serve
    assert outcome.audit == asked.was_sent
    was_checked = outcome.outcome == "audited"
    assert outcome.uncovered == (not was_checked and (asked.was_sent or asked.open_before > 0))
    assert outcome.covered == (not outcome.uncovered)
    assert not (asked.is_out and was_checked)


def check_that_it_all_happened(home: Run) -> None:
    assert set(home.moody.did) == {"good", *FAULTS}
    served = [asked.outcome for asked in home.asked if isinstance(asked.outcome, Interaction)]
    here = [outcome for outcome in served if outcome.served_local]
    assert len(here) >= 30
    assert sum(outcome.uncovered for outcome in here) >= 10
    assert sum(outcome.audit_open for outcome in here) >= 10
    assert {outcome.covered for outcome in here} == {True, False}
    assert sum(outcome.outcome == "audited" for outcome in served) >= 5
    assert len({asked.outcome.kind for asked in home.asked if isinstance(asked.outcome, Outage)}) >= 8
    assert any(asked.is_out and asked.outcome in here for asked in home.asked)
    assert sum(bool(outcome.reply) and outcome.answer.startswith(MARK) for outcome in served) >= 10
    assert home.late >= 10
    assert home.late_tries > home.late  # some of them in vain: they were made again


def check_that_no_failed_reply_was_learnt(home: Run) -> None:
    with closing(Journal(home.home / "journal.db")) as journal:
        journalled = {interaction.request.number: interaction for interaction in journal.after(0)}
    with closing(open_database(home.home / "journal.db")) as database:
        remembered = dict(database.execute("SELECT number, answer FROM memory").fetchall())
    whole = {number for number, found in journalled.items() if found.reply is not None and found.reply.complete}
    assert remembered.keys() == whole
    assert set(remembered.values()) <= whole
    assert whole >= {number for number, found in journalled.items() if found.late_for}  # no audit was given up
    for number, interaction in journalled.items():
        if interaction.reply is not None and number in whole:
            assert interaction.reply.text == RECORDED[interaction.request.query.text]
        targets = make_targets(interaction, CONFIG)
        assert [target.role for target in targets].count("generator") == (number in whole)
        assert not any((target.response or "").startswith(MARK) for target in targets)
        assert not any(scored.draft.text.startswith(MARK) for scored in interaction.drafts)


def mutants(value: object) -> Iterator[object]:
    """Yield what JSON becomes if one thing in it is missing, or is something else."""
    yield from (None, True, -7, 10**30, [], {}, "\ud800")
    if isinstance(value, dict):
        for name in value:
            yield {other: part for other, part in value.items() if other != name}
            yield from ({**value, name: mutant} for mutant in mutants(value[name]))


def test_an_event_of_any_shape_makes_a_reply_or_an_outage_that_can_be_kept() -> None:
    message = Message("Lima", "claude-haiku-5-5")
    whole = [*message.opening(), *message.closing()]
    sent = [
        [*whole[:place], mutant, *whole[place + 1 :]]
        for place, event in enumerate(whole)
        if event["type"] in ("message_start", "content_block_delta", "message_delta")
        for mutant in mutants(event)
    ]
    outcomes = []
    with Loopback(*(events(*stream) for stream in sent)) as server:
        for _ in sent:
            outcome = Claude(TeacherConfig(max_retries=0), CREDENTIAL, server.url).ask(
                Query("What is the capital of Peru?")
            )
            assert msgspec.json.decode(msgspec.json.encode(outcome), type=type(outcome)) == outcome
            outcomes.append(outcome)
    assert {type(outcome) for outcome in outcomes} == {Reply, Outage}
    assert {outcome.complete for outcome in outcomes if isinstance(outcome, Reply)} == {True, False}


AUDITED = (
    BOLD.replace("audits = []", "audits = [[0, 0.8]]\naudit_evenly = 1.0").replace(
        "max_bad_rate = 1.0", "max_bad_rate = 0.99\nknown = 0"
    )
    + "[teacher]\nmax_retries = 0\ntimeout_s = 1\n[judge]\ntimeout_s = 1\n"
)
LEARNT = [f"how do I {verb} a {thing}" for verb in ("boil", "paint", "sell") for thing in ("egg", "car")]
DUE = next(text for text in LEARNT if policy.audit_draw(0, len(LEARNT) + 1, text) < 0.8)  # for an audit, if asked next

pytestmark = [pytest.mark.settings(AUDITED), pytest.mark.taught(*LEARNT), pytest.mark.slow]


@pytest.fixture
def known_draws(home: Path, shammah: Shammah) -> None:
    """Give the home the seed that DUE is chosen by."""
    with closing(sqlite3.connect(home / "journal.db")) as db, db:
        db.execute("UPDATE audit_seed SET seed = '0'")


def audits_missed() -> int:
    return int(json.loads(run("status", "--json").stdout)["audits_missed"])


AWAY = {  # and what comes of it
    "overloaded": (fail(529), ""),
    "cut": (loopback.cut("You as"), "You as\n"),
    "silent": (stall("You as"), "You as\n"),
    "refused": (reply("I would rather not.", stop_reason="refusal"), "I would rather not.\n"),
}


@pytest.mark.usefixtures("known_draws")
@pytest.mark.parametrize("away", AWAY)
def test_a_draft_whose_audit_cannot_be_had_is_given_marked_and_with_strict_it_is_not(
    shammah: Shammah, claude: Loopback, away: str
) -> None:
    behaviour, came = AWAY[away]
    claude.default_to(behaviour)
    refused = shammah("ask", "--strict", DUE)
    assert (refused.exit_code, refused.stdout) == (4, came)
    assert "Nothing was learnt from it." in refused.stderr if came else "Hint: " in refused.stderr
    assert audits_missed() == 0  # what was not served needs none
    given = shammah("ask", DUE)
    assert (given.exit_code, given.stdout) == (3, f"You asked: {DUE}\n")
    assert "Not covered: Claude could not be asked to check this local answer." in given.stderr
    assert audits_missed() == 1


@pytest.mark.usefixtures("known_draws")
def test_while_an_earlier_audit_is_due_strict_asks_claude_and_gives_nothing_else(
    shammah: Shammah, claude: Loopback
) -> None:
    claude.default_to(fail(529))
    assert shammah("ask", DUE).exit_code == 3
    uncovered = [shammah("ask", "--json", text) for text in LEARNT]
    assert {asked.exit_code for asked in uncovered} == {3}
    assert {json.loads(asked.stdout)["audit"] for asked in uncovered} == {True, False}  # some only wait for others'
    refused = shammah("ask", "--strict", DUE)
    assert (refused.exit_code, refused.stdout) == (4, "")
    claude.default_to(reply("So it is."))
    told = json.loads(shammah("ask", "--strict", "--json", DUE).stdout)
    assert (told["answer"], told["source"], told["audit"]) == ("So it is.", "claude", False)


def test_strict_and_local_exclude_each_other(shammah: Shammah, claude: Loopback) -> None:
    before = len(claude.requests)
    failed = shammah("ask", "--strict", "--local", DUE)
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert "exclude each other" in failed.stderr
    assert len(claude.requests) == before


@pytest.mark.parametrize("options", [(), ("--strict",)])
def test_where_no_draft_stands_there_is_no_answer(
    shammah: Shammah, claude: Loopback, home: Path, options: tuple[str, ...]
) -> None:
    (home / "config.toml").write_text(
        AUDITED.replace("accept_thresholds = [[0, 0.0]]", "accept_thresholds = [[0, 1.0]]")
    )
    claude.default_to(fail(500))
    refused = shammah("ask", *options, f"please tell me: {DUE}")  # in the same words it would be a repeat
    assert (refused.exit_code, refused.stdout) == (4, "")
    assert "Error: Anthropic's server failed." in refused.stderr
    assert audits_missed() == 0
