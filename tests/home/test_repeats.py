"""Claude's own answer to the same text in the same context is given again from the second time on, with care."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shammah_mlx.config import Config, JudgeConfig
from shammah_mlx.events import AskOptions, Exchange, ForcedSource, Interaction, Outage, Query, Reply, Verdict
from shammah_mlx.framework.loop import NOTHING_LOCAL
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.forgetting import forget
from shammah_mlx.home.recovery import rebuild
from shammah_mlx.home.schema import MIGRATIONS, open_database
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Recorded, Row, Scripted
from tests.fakes import reply

DAY = 86_400.0
QUESTION = "Who painted the café terrace at night?"
ANSWER = "Vincent van Gogh painted it in Arles in 1888."
OTHER = "Claude Monet painted it in Giverny in 1904."
NO_JUDGE, FOR_AUDITS = JudgeConfig(share=0.0), JudgeConfig(doubt=1.0)
PASS, FAIL = (Verdict(good=good, model="judge", rubric="1", with_reply=False) for good in (True, False))


pytestmark = pytest.mark.slow


def config(audit_rate: float = 0.0, judge: JudgeConfig = NO_JUDGE) -> Config:
    """Return the default preset without a decoder, with a share of audits that does not change."""
    policy = msgspec.structs.replace(PRESETS["default"].policy, audits=((0, audit_rate),))
    return msgspec.structs.replace(PRESETS["default"], generator="recall", policy=policy, judge=judge)


class Opened:
    """A home whose teacher follows a script, and whose clock is set by hand."""

    def __init__(self, home: Path, config: Config, weights: Weights, teacher: Scripted) -> None:
        self.now, self.teacher = 1e9, teacher
        self.options = AssistantOptions(clock=lambda: self.now)
        self.assistant = Assistant(home, config, teacher, weights, self.options)

    def ask(
        self, text: str = QUESTION, forced_source: ForcedSource | None = None, stored: bool = True, **context: Any
    ) -> Interaction:
        options = AskOptions(forced_source=forced_source, stored=stored)
        asked = self.assistant.ask(Query(text, **context), options=options)
        assert isinstance(asked, Interaction)
        self.assistant.learn_pending()
        return asked


Open = Callable[..., Opened]


@pytest.fixture
def opened(home: Path, weights: Weights) -> Iterator[Open]:
    made: list[Opened] = []

    def make(
        *outcomes: Reply | Outage,
        audit_rate: float = 0.0,
        judge: JudgeConfig | None = None,
        verdicts: tuple[Verdict, ...] = (),
    ) -> Opened:
        """Open a home; without verdicts it has no judge."""
        chosen = judge or (JudgeConfig() if verdicts else NO_JUDGE)
        made.append(Opened(home, config(audit_rate, chosen), weights, Scripted(*outcomes, verdicts=verdicts)))
        return made[-1]

    yield make
    for one in made:
        one.assistant.__exit__(None, None, None)


def test_the_same_text_is_answered_from_the_second_time_on(opened: Open) -> None:
    home = opened(reply(ANSWER))
    assert home.ask().source == "claude"
    for seen in (1, 2):
        again = home.ask()
        assert (again.source, again.answer, again.request.seen) == ("repeat", ANSWER, seen)
        assert (again.called_claude, again.covered, again.draft and again.draft.entry) == (False, True, 1)


def test_composed_and_decomposed_letters_are_the_same_text(opened: Open) -> None:
    home = opened(reply(ANSWER))
    home.ask(QUESTION.replace("é", "e\N{COMBINING ACUTE ACCENT}"))
    assert home.ask(QUESTION).source == "repeat"


@pytest.mark.parametrize(
    "text",
    [
        QUESTION.lower(),
        QUESTION.replace("é", "e"),
        QUESTION.replace("café", "café\N{ZERO WIDTH SPACE}"),
        QUESTION.replace("night", "n\N{CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I}ght"),
        QUESTION.removesuffix("?"),
        f"{QUESTION} ",
    ],
    ids=["case", "accent", "invisible", "look-alike", "punctuation", "space"],
)
def test_a_text_that_differs_at_all_is_another_text(opened: Open, text: str) -> None:
    home = opened(reply(ANSWER), reply(ANSWER))
    home.ask()
    assert home.ask(text).source == "claude"


@pytest.mark.parametrize(
    "context",
    [
        {"system": "Answer in French."},
        {"model": "claude-opus-5-5"},
        {"max_tokens": 7},
        {"stop_sequences": ("\n",)},
        {"history": (Exchange("Which paintings hang in Otterlo?", "Many by van Gogh."),)},
    ],
    ids=["system", "model", "max_tokens", "stop_sequences", "history"],
)
def test_an_answer_from_another_context_is_not_given(opened: Open, context: dict[str, Any]) -> None:
    home = opened(reply(ANSWER), reply(OTHER))
    home.ask()
    assert home.ask(**context).source == "claude"
    assert [home.ask().answer, home.ask(**context).answer] == [ANSWER, OTHER]


def test_an_answer_about_the_moment_is_given_again_for_a_few_minutes_only(opened: Open) -> None:
    home = opened(reply("It is raining."), reply("The sun shines."))
    text = "what is the weather like in Arles right now?"
    home.ask(text)
    home.now += config().recall.fleeting_s - 1.0
    assert home.ask(text).answer == "It is raining."
    home.now += 2.0
    assert (home.ask(text).source, home.ask(text).answer) == ("claude", "The sun shines.")


def test_what_is_made_up_or_drawn_anew_each_time_is_never_repeated(opened: Open) -> None:
    home = opened(*(reply(f"Number {n}") for n in range(4)))
    for text in ("tell me a joke", "pick a number between 1 and 10") * 2:
        assert home.ask(text).source == "claude"


def test_the_newest_answer_is_given(opened: Open) -> None:
    home = opened(reply(ANSWER), reply("It was Vincent van Gogh, in 1888."))
    home.ask()
    home.ask(forced_source="claude")
    again = home.ask()
    assert (again.source, again.answer) == ("repeat", "It was Vincent van Gogh, in 1888.")


@pytest.mark.parametrize(("verdict", "outcome"), [(FAIL, "rejected"), (PASS, "approved")])
def test_where_claudes_answers_differed_the_last_is_checked(opened: Open, verdict: Verdict, outcome: str) -> None:
    home = opened(reply(ANSWER), reply(OTHER), reply(OTHER), verdicts=(verdict,))
    home.ask()
    home.ask(forced_source="claude")
    third = home.ask()
    assert (third.outcome, third.drafts[0].draft.source, third.answer) == (outcome, "repeat", OTHER)
    assert home.teacher.judged == [(third.request.query, OTHER, None)]


def test_the_first_repeats_are_checked_and_where_enough_agreed_the_next_are_not(opened: Open) -> None:
    home = opened(reply(ANSWER), verdicts=(PASS,) * 100)
    home.ask()
    asked = [home.ask() for _ in range(70)]
    checked = [each.by_check is True for each in asked]
    assert {(each.source, each.covered) for each in asked} == {("repeat", True)}
    assert checked == sorted(checked, reverse=True)
    assert 40 < sum(checked) < 60


def test_a_repeat_that_the_judge_refuses_is_asked_again(opened: Open) -> None:
    home = opened(reply(ANSWER), reply(OTHER), verdicts=(FAIL, PASS))
    home.ask()
    refused, next_one = home.ask(), home.ask()
    assert (refused.source, refused.answer, refused.drafts[0].passed) == ("claude", OTHER, False)
    assert (next_one.source, next_one.answer, next_one.by_check) == ("repeat", OTHER, True)


def test_an_old_answer_is_not_given_again_unchecked(opened: Open) -> None:
    home = opened(reply(ANSWER), reply(ANSWER), judge=FOR_AUDITS, verdicts=(FAIL,))
    home.ask()
    home.now += 20 * DAY
    assert home.ask().source == "repeat"
    home.now += 180 * DAY
    again = home.ask()
    assert (again.outcome, again.drafts[0].draft.features["days"]) == ("rejected", 200.0)
    assert home.ask().source == "repeat"  # Claude has just given it again


def test_an_audit_that_finds_another_answer_gives_that_from_then_on(opened: Open) -> None:
    verdicts = (FAIL, PASS, PASS, PASS)
    home = opened(reply(ANSWER), reply(OTHER), reply(OTHER), audit_rate=1.0, judge=FOR_AUDITS, verdicts=verdicts)
    home.ask()
    drifted = home.ask()
    assert (drifted.outcome, drifted.source, drifted.answer) == ("audited", "claude", OTHER)
    again = home.ask()
    assert again.answer == OTHER
    assert again.drafts[0].draft.text == OTHER


def test_an_audit_by_a_verdict_alone_lets_the_answer_stand(opened: Open) -> None:
    answers = (reply(ANSWER),) * 3
    home = opened(*answers, audit_rate=1.0, judge=FOR_AUDITS, verdicts=(PASS,) * 3)
    home.ask()
    audited = [home.ask() for _ in range(3)]
    assert [each.outcome for each in audited] == ["audited"] * 3
    assert [each.answer for each in audited] == [ANSWER] * 3
    assert len(home.teacher.asked) < 1 + len(audited)  # most audits buy no reply


def test_one_text_asked_again_and_again_is_no_evidence_about_other_questions(home: Path, weights: Weights) -> None:
    known = {
        "What does NASA stand for?": "National Aeronautics and Space Administration.",
        "Who wrote Hamlet?": "William Shakespeare.",
        "What is the capital of France?": "Paris.",
        "How many legs has a spider?": "Eight.",
        "What is the boiling point of water?": "100 degrees Celsius.",
        "Who painted the Mona Lisa?": "Leonardo da Vinci.",
    }
    others = [
        "What does the word ennui mean?",
        "Who wrote Faust?",
        "How many legs has an ant?",
        "Who painted Guernica?",
    ]
    teacher = Recorded([Row(text, answer, text) for text, answer in known.items()])
    with Assistant(home, config(), teacher, weights, AssistantOptions(clock=lambda: 1e9)) as assistant:
        for text in 12 * list(known):
            assistant.ask(Query(text, row=text))
            assistant.learn_pending()
        for text in others:
            assert isinstance(assistant.ask(Query(text)), Outage)  # it would have to ask Claude


def test_what_is_not_stored_is_not_repeated(opened: Open) -> None:
    home = opened(reply(ANSWER), reply(ANSWER))
    home.ask(stored=False)
    assert home.ask().source == "claude"


def test_a_home_that_is_opened_again_repeats(home: Path, opened: Open, weights: Weights) -> None:
    first = opened(reply(ANSWER))
    first.ask()
    first.assistant.__exit__(None, None, None)
    with Assistant(home, config(), Scripted(), weights, first.options) as assistant:
        asked = assistant.ask(Query(QUESTION))
    assert isinstance(asked, Interaction)
    assert (asked.source, asked.answer) == ("repeat", ANSWER)


def test_a_memory_of_an_earlier_version_is_made_again_from_the_journal(
    home: Path, opened: Open, weights: Weights
) -> None:
    first = opened(reply(ANSWER))
    first.ask()
    first.assistant.__exit__(None, None, None)
    with closing(sqlite3.connect(home / "journal.db")) as db, db:
        ((made_by,),) = db.execute("SELECT made_by FROM memory").fetchall()
        db.execute("UPDATE memory SET made_by = ?, text = 0, reply = NULL", (made_by.rpartition("; ")[0],))
    with Assistant(home, config(), Scripted(), weights, first.options) as assistant:
        asked = assistant.ask(Query(QUESTION))
        assert isinstance(asked, Interaction)
        assert (asked.source, asked.answer) == ("repeat", ANSWER)
        assistant.save()
    with closing(sqlite3.connect(home / "journal.db")) as db:
        rows = db.execute("SELECT made_by, text != 0, reply IS NOT NULL FROM memory").fetchall()
    assert rows == [(made_by, 1, 1)]


def test_a_journal_of_an_earlier_version_gets_the_new_columns(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    before = next(n for n, script in enumerate(MIGRATIONS) if "ADD COLUMN text" in script)
    with closing(sqlite3.connect(path)) as db, db:
        for script in MIGRATIONS[:before]:
            db.execute(script)
        db.execute("INSERT INTO memory VALUES (1, 1, 7, 1e9, 2e9, 'earlier', x'00', x'00')")
        db.execute(f"PRAGMA user_version = {before}")
    with closing(open_database(path)) as db:
        assert db.execute("SELECT number, context, text, reply FROM memory").fetchall() == [(1, 7, 0, None)]
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_a_forgotten_answer_is_not_repeated(home: Path, opened: Open, weights: Weights) -> None:
    first = opened(reply(ANSWER))
    first.ask()
    first.assistant.__exit__(None, None, None)
    forget(home, config(), "terrace", lambda _: True)
    with Assistant(home, config(), Scripted(reply(OTHER)), weights, first.options) as assistant:
        asked = assistant.ask(Query(QUESTION))
    assert isinstance(asked, Interaction)
    assert (asked.source, asked.drafts) == ("claude", ())


def test_what_new_rules_call_a_secret_is_unlearnt_after_an_upgrade(home: Path, opened: Open, weights: Weights) -> None:
    """The entries were made by other rules, which stored a password in a question and one in a reply."""
    secret, harmless = "my password is hunter2hunter2, is it safe?", "What did you choose for me?"
    first = opened(*map(reply, (ANSWER, "Nobody did.", "Nothing yet.")))
    for text in (QUESTION, "Who painted the door?", harmless):
        first.ask(text)
    first.assistant.__exit__(None, None, None)
    with closing(sqlite3.connect(home / "journal.db")) as db, db:
        db.execute("UPDATE memory SET made_by = replace(made_by, '; ', '; before ')")
        for old, new in (("Who painted the door?", secret), ("Nothing yet.", "Your new password is Kw72-pm41-Zt09.")):
            db.execute("UPDATE interactions SET record = replace(record, ?, ?)", (old, new))
    for _ in ("upgraded", "rebuilt"):
        with Assistant(home, config(), Scripted(), weights, first.options) as assistant:
            asked = assistant.ask(Query(QUESTION))
            assert isinstance(asked, Interaction)
            assert asked.source == "repeat"
            for text in (secret, harmless):
                assert assistant.ask(Query(text), options=AskOptions(forced_source="local")) == NOTHING_LOCAL
        rebuild(home, config(), weights)


def test_a_repeat_in_a_language_that_the_rules_cannot_read_is_doubted_at_first(opened: Open) -> None:
    """It might ask about the moment; that Claude says the same again and again shows that it does not."""
    german, answer = "Wer hat die Nachtwache gemalt?", "Rembrandt van Rijn."
    home = opened(*(reply(answer) for _ in range(4)))
    assert [home.ask(german).source for _ in range(6)] == ["claude"] * 4 + ["repeat"] * 2
