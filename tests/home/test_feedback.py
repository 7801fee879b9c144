"""What the user says of an answer replaces it at once, teaches the truth, and moves no estimate of bad answers."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from shammah_mlx.config import Config, JudgeConfig, PrivacyConfig
from shammah_mlx.display import provenance
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import AskOptions, Exchange, Feedback, ForcedSource, Interaction, Outage, Query, Reply
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.forgetting import forget
from shammah_mlx.home.hindsight import give_feedback, why_kept_from_claude
from shammah_mlx.home.history import read_all, read_log
from shammah_mlx.home.importing import KNOWN, sift
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.overview import read_overview
from shammah_mlx.home.recollection import Recollection, recollect
from shammah_mlx.home.recovery import rebuild
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.outages import BUDGET_SPENT, INTERRUPTED, outage
from shammah_mlx.teacher.recordings import Scripted
from shammah_mlx.transcripts import jsonl
from shammah_mlx.transcripts.found import BAD, Found
from shammah_mlx.transcripts.jsonl import Line
from tests.conftest import with_tiny_decoder
from tests.fakes import reply

QUESTION = "Who painted the café terrace at night?"
WRONG = "Claude Monet painted it in Giverny in 1904."
RIGHT = "Vincent van Gogh painted it in Arles in 1888."
OWN = "It was painted by van Gogh; ask at the museum in Otterlo."
OFFLINE = Outage("offline", "Claude cannot be reached", "connect")

pytestmark = pytest.mark.slow


def settings(audit_rate: float = 0.0) -> Config:
    policy = msgspec.structs.replace(PRESETS["default"].policy, audits=((0, audit_rate),))
    return msgspec.structs.replace(PRESETS["default"], generator="recall", policy=policy, judge=JudgeConfig(share=0.0))


class Home:
    """A home whose teacher follows a script, and whose clock is set by hand."""

    def __init__(self, path: Path, config: Config, weights: Weights, *outcomes: Reply | Outage) -> None:
        self.path, self.config, self.now, self.teacher = path, config, 1e9, Scripted(*outcomes)
        self.assistant = Assistant(path, config, self.teacher, weights, AssistantOptions(clock=lambda: self.now))

    def ask(
        self,
        text: str = QUESTION,
        forced_source: ForcedSource | None = None,
        *,
        learns: bool = True,
        unhelpful: int | None = None,
        in_person: bool = False,
        **context: Any,
    ) -> Interaction:
        in_chat = bool(context.get("history"))
        options = AskOptions(forced_source, in_person=in_person, unhelpful=unhelpful, in_chat=in_chat)
        asked = self.assistant.ask(Query(text, **context), options=options)
        assert isinstance(asked, Interaction)
        if learns:
            self.assistant.learn_pending()
        return asked

    def say(self, number: int, *, good: bool, answer: str | None = None, learns: bool = True) -> None:
        give_feedback(self.path, self.config, number, good=good, answer=answer, clock=lambda: self.now)
        if learns:
            self.assistant.learn_pending()


Open = Callable[..., Home]


@pytest.fixture
def opened(home: Path, weights: Weights) -> Iterator[Open]:
    made: list[Home] = []

    def make(*outcomes: Reply | Outage, config: Config | None = None) -> Home:
        made.append(Home(home, config or settings(), weights, *outcomes))
        return made[-1]

    yield make
    for one in made:
        one.assistant.__exit__(None, None, None)


@pytest.mark.parametrize("learns", [True, False], ids=["learnt", "not learnt yet"])
def test_claudes_newest_reply_stands_at_once(opened: Open, learns: bool) -> None:
    home = opened(reply(WRONG), reply(RIGHT))
    home.ask()
    assert home.ask(forced_source="claude", learns=learns).answer == RIGHT
    again = home.ask(learns=learns)
    assert (again.source, again.answer, again.covered) == ("repeat", RIGHT, True)
    assert recollect(home.path, again) == Recollection(QUESTION, 3, 1e9, again.request.query.model)


@pytest.mark.parametrize("learns", [True, False], ids=["learnt", "not learnt yet"])
def test_a_reply_counts_before_it_is_learnt(opened: Open, learns: bool) -> None:
    home = opened(reply(RIGHT))
    home.ask(learns=learns)
    assert home.ask(learns=learns).source == "repeat"
    assert home.assistant.learn_pending() is not None  # it has all features that the Router and the Validator learn by


@pytest.mark.parametrize("learns", [True, False], ids=["learnt", "not learnt yet"])
def test_a_bad_answer_is_asked_of_claude_again_and_the_newer_one_stands(opened: Open, learns: bool) -> None:
    home = opened(reply(WRONG), reply(RIGHT))
    home.ask()
    served = home.ask()
    assert served.answer == WRONG
    number = served.request.number
    home.say(number, good=False, learns=learns)
    asked_again = home.ask(unhelpful=number, forced_source="claude", learns=learns)
    assert asked_again.answer == RIGHT
    assert asked_again.request.unhelpful == number
    assert home.ask(learns=learns).answer == RIGHT


@pytest.mark.parametrize("learns", [True, False], ids=["learnt", "not learnt yet"])
def test_a_bad_answer_is_not_given_again_even_if_claude_cannot_be_reached(opened: Open, learns: bool) -> None:
    home = opened(reply(WRONG), OFFLINE, OFFLINE)
    home.ask()
    home.say(1, good=False, learns=learns)
    for _ in range(2):
        assert home.assistant.ask(Query(QUESTION)) == OFFLINE
    assert isinstance(home.assistant.ask(Query(QUESTION), options=AskOptions("local")), Outage)


@pytest.mark.parametrize("learns", [True, False], ids=["learnt", "not learnt yet"])
def test_the_users_own_answer_is_given_from_then_on_and_nobody_judges_it(opened: Open, learns: bool) -> None:
    home = opened(reply(WRONG), config=settings(audit_rate=1.0))
    home.ask()
    home.say(1, good=False, answer=OWN, learns=learns)
    for _ in range(3):
        again = home.ask(learns=learns)
        assert (again.source, again.answer, again.covered) == ("repeat", OWN, None)
        assert (again.is_by_user, again.audit, again.called_claude) == (True, False, False)
    overview = read_overview(home.path, home.config)
    assert (overview.bad_rate.audits, overview.served_local) == (0, 0)  # they are none of the program's


def test_claudes_answer_to_another_question_is_not_taken_back_with_it(opened: Open) -> None:
    other = "Who painted the night watch?"
    home = opened(reply(WRONG), reply("Rembrandt."))
    home.ask()
    home.ask(other)
    home.say(1, good=False, answer=OWN)
    assert home.ask(other).answer == "Rembrandt."


def test_an_answer_newer_than_the_bad_one_stays(opened: Open) -> None:
    home = opened(reply(WRONG), reply(RIGHT))
    home.ask()
    home.ask(forced_source="claude")
    home.say(1, good=False)
    assert home.ask().answer == RIGHT


def labels(home: Home) -> list[float]:
    home.assistant.save()
    state = home.assistant.roles.state()
    return [round(float(label), 3) for label in state["validator"]["repeat.labels"].tolist()]  # type: ignore[union-attr, arg-type]


def test_router_and_validator_are_told_the_truth(opened: Open) -> None:
    home = opened(reply(WRONG))
    home.ask()
    for _ in range(2):
        home.ask()
    assert labels(home) == []  # nobody has measured anything
    home.say(2, good=True)
    home.say(3, good=False)
    assert labels(home) == [1.0, 0.0]
    router = home.assistant.roles.state()["router"]["repeat.labels"]
    assert router.tolist() == [1.0, 0.0]


def test_a_complaint_is_no_audit_and_only_tightens(opened: Open) -> None:
    home = opened(reply(WRONG), reply(RIGHT), config=settings(audit_rate=0.2))
    home.ask()
    served = next(asked for _ in range(20) if not (asked := home.ask()).called_claude)
    home.assistant.save()
    before = read_overview(home.path, home.config)
    counts = home.assistant._training.score_counts["repeat"]
    home.say(served.request.number, good=False)
    home.say(served.request.number, good=True)
    home.assistant.save()
    after = read_overview(home.path, home.config)
    assert (after.bad_rate, after.slack, after.spread) == (before.bad_rate, before.slack, before.spread)
    assert after.repeats == before.repeats
    now = home.assistant._training.score_counts["repeat"]
    assert now.feedback == pytest.approx(counts.feedback + home.config.risk.feedback)
    assert msgspec.structs.replace(now, feedback=counts.feedback) == counts


def test_what_is_asked_again_for_a_bad_answer_is_no_evidence(opened: Open) -> None:
    """The user chose where to look, so Claude's spread and the curve would be seen through his eyes."""
    home = opened(*map(reply, (WRONG, RIGHT, WRONG, RIGHT)))
    home.ask()
    home.ask(in_person=True)
    counts = home.assistant._training.score_counts
    for _ in range(3):
        home.now += 10.0
        home.ask(in_person=True)
    home.ask(forced_source="claude")
    assert home.assistant._training.score_counts["repeat"].measured == counts["repeat"].measured
    home.assistant.save()
    assert read_overview(home.path, home.config).repeats == 0
    with closing(Journal(home.path / "journal.db")) as journal:
        again = [each for each in journal.every() if each.request.unhelpful is not msgspec.UNSET]
    assert [each.drafts[0].divergence is not None for each in again] == [True, True]  # for the learners


def test_the_same_question_again_within_minutes_goes_to_claude(opened: Open) -> None:
    home = opened(reply(WRONG), reply(RIGHT), reply(RIGHT))
    home.ask()
    home.now += 3600.0
    first = home.ask(in_person=True)
    assert first.source == "repeat"
    home.now += 60.0
    again = home.ask(in_person=True)
    assert (again.source, again.answer, again.request.unhelpful) == ("claude", RIGHT, first.request.number)
    home.now += 60.0
    assert home.ask(in_person=True).answer == RIGHT  # Claude was just asked
    home.now += 301.0
    assert home.ask(in_person=True).source == "repeat"


@pytest.mark.parametrize("kind", ["unreachable", BUDGET_SPENT])
@pytest.mark.parametrize("audit_rate", [0.0, 1.0])
def test_asked_again_in_vain_the_known_answer_is_given_as_before(opened: Open, kind: str, audit_rate: float) -> None:
    home = opened(reply(WRONG), outage(kind), outage(kind), config=settings(audit_rate))
    home.ask()
    home.now += 3600.0
    home.ask(in_person=True)
    for _ in range(2 if audit_rate == 0.0 else 1):
        home.now += 60.0
        again = home.ask(in_person=True)
        assert (again.source, again.answer, again.request.not_asked) == ("repeat", WRONG, kind)
        assert (again.audit_open, again.unpaid is True) == (
            audit_rate == 1.0,
            audit_rate == 1.0 and kind == BUDGET_SPENT,
        )


def test_who_stops_the_answer_gets_none(opened: Open) -> None:
    home = opened(reply(WRONG), outage(INTERRUPTED))
    home.ask()
    home.ask(in_person=True)
    again = home.assistant.ask(Query(QUESTION), options=AskOptions(in_person=True))
    assert again == outage(INTERRUPTED)


@pytest.mark.parametrize("how", ["by a program", "forced", "good", "own answer", "switched off", "other context"])
def test_where_the_same_question_again_says_nothing(opened: Open, how: str) -> None:
    policy = msgspec.structs.replace(settings().policy, again_minutes=0.0 if how == "switched off" else 5.0)
    home = opened(reply(WRONG), reply(WRONG), config=msgspec.structs.replace(settings(), policy=policy))
    home.ask()
    if how == "own answer":
        home.say(1, good=False, answer=OWN)
    if how == "other context":
        home.ask(system="Be brief.")
    home.now += 3600.0
    first = home.ask(in_person=True, forced_source="local" if how == "forced" else None)
    if how == "good":
        home.say(first.request.number, good=True)
    home.now += 10.0
    again = home.ask(in_person=how != "by a program", system="Be brief." if how == "other context" else None)
    assert (again.source, again.request.unhelpful) == ("repeat", msgspec.UNSET)


@pytest.mark.parametrize(("generator", "learns"), [("recall", True), ("recall+decoder", False)])
def test_a_rebuild_makes_the_same_models_bit_for_bit(
    opened: Open, home: Path, weights: Weights, tiny_folder: Path, generator: str, learns: bool
) -> None:
    """A decoder that had learnt a bad text before is the exception."""
    shadows = {"repeat": ((0, 1.0),), "recall": ((0, 1.0),), "decoder": ((0, 1.0),)}
    policy = msgspec.structs.replace(settings().policy, shadows=shadows)
    config = msgspec.structs.replace(with_tiny_decoder(settings(), tiny_folder), generator=generator, policy=policy)
    asked = [f"how do I {verb} a {thing}" for verb in ("boil", "paint") for thing in ("egg", "car", "door", "fence")]
    one = opened(*(reply(f"This is how: {text.removeprefix('how do I ')}.") for text in asked), config=config)
    for place, text in enumerate(asked):
        number = one.ask(text, forced_source="claude", learns=learns).request.number
        if place in (2, 4):
            one.say(number, good=False, answer=f"{OWN} {place}", learns=learns)
        if place == 4:
            one.say(number, good=False, learns=learns)
            one.say(number, good=False, answer=OWN, learns=learns)
        if place == 5:
            one.say(number, good=True, learns=learns)
            one.say(number, good=False, learns=learns)
        one.assistant.learn_pending()
    one.ask(asked[1])
    one.assistant.__exit__(None, None, None)
    rebuilt = rebuild(home, config, weights)
    assert rebuilt.before == rebuilt.after


def decoder(assistant: Assistant) -> dict[str, list[float]]:
    state = assistant.roles.state()["optimizer_state"]
    found = {name: np.array(array).ravel().tolist() for name, array in state.items() if name.startswith("trained.")}
    assert found
    return found


@pytest.mark.parametrize("learns", [True, False], ids=["learnt, and made again", "not learnt yet"])
def test_the_decoder_is_never_trained_on_a_text_that_was_called_bad_before(
    opened: Open, tmp_path: Path, weights: Weights, tiny_folder: Path, learns: bool
) -> None:
    """So it is the same, bit for bit, whatever that text was."""
    config = msgspec.structs.replace(with_tiny_decoder(settings(), tiny_folder), generator="recall+decoder")
    trained: list[Any] = []
    for bad in (WRONG, "Nobody knows who painted it."):
        path = tmp_path / str(len(trained))
        path.mkdir()
        one = Home(path, config, weights, reply("Rembrandt."), reply(bad), reply("Vermeer."))
        with one.assistant:
            one.ask("Who painted the night watch?")
            one.ask(learns=learns)
            one.say(2, good=False, learns=learns)
            one.ask("Who painted the girl with the pearl earring?")
            trained.append(decoder(one.assistant))
        if learns:
            assert trained.pop()
            rebuild(path, config, weights)
            with Assistant(path, config, Scripted(), weights) as assistant:
                trained.append(decoder(assistant))
    assert trained[0] == trained[1]


def test_the_literal_preset_is_not_trained_on_it_either(home: Path, weights: Weights, tiny: Config) -> None:
    one = Home(home, tiny, weights, reply(WRONG))
    with one.assistant:
        before = np.array(one.assistant.roles.state()["generator"]["words.weight"]).tolist()
        one.ask(learns=False)
        one.say(1, good=False)
        assert np.array(one.assistant.roles.state()["generator"]["words.weight"]).tolist() == before


def test_feedback_is_learnt_by_the_next_process_too(home: Path, opened: Open, weights: Weights) -> None:
    first = opened(reply(WRONG))
    first.ask()
    first.say(1, good=False, answer=OWN, learns=False)
    first.assistant.__exit__(None, None, None)
    second = Home(home, settings(), weights)
    with second.assistant:
        assert second.assistant.pending() == 1
        assert second.assistant.learn_pending() == []
        assert second.assistant.pending() == 0
    third = Home(home, settings(), weights)
    with third.assistant:
        assert third.ask().answer == OWN


def test_what_the_user_said_of_a_forgotten_answer_is_forgotten_too(home: Path, opened: Open, weights: Weights) -> None:
    first = opened(reply(WRONG))
    first.ask()
    first.say(1, good=False, answer=OWN)
    first.assistant.__exit__(None, None, None)
    forgotten = forget(home, settings(), "otterlo", lambda _: True)
    assert forgotten is not None
    assert forgotten.interactions == 1
    with closing(sqlite3.connect(home / "journal.db")) as db:
        for table in ("interactions", "feedback", "memory"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    assert b"Otterlo" not in (home / "journal.db").read_bytes()


def test_what_cannot_be_said_is_refused_with_a_reason(opened: Open) -> None:
    home = opened(reply(WRONG))
    for number in (1, None):
        with pytest.raises(BadInputError):
            give_feedback(home.path, home.config, number, good=True)
    home.ask()
    home.ask(forced_source="local")
    refused = {
        "was given": {"number": 1, "answer": f" {WRONG}\n"},
        "is empty": {"number": 1, "answer": " "},
        "secret": {"number": 1, "answer": "my password is hunter2hunter2"},
        "no such question": {"number": 9},
    }
    for reason, said in refused.items():
        with pytest.raises(BadInputError, match=reason):
            give_feedback(home.path, home.config, good=False, **said)  # type: ignore[arg-type]
    with closing(Journal(home.path / "journal.db")) as journal:
        assert list(journal.feedback.every()) == []


@pytest.mark.parametrize("how", ["--local", "own account", "never_forward"])
def test_what_is_kept_from_claude_can_be_taken_back_all_the_same(opened: Open, how: str) -> None:
    home = opened(reply(WRONG), OFFLINE)
    options = AskOptions(own_account=how == "own account")
    number = home.assistant.ask(Query(QUESTION), options=options).request.number  # type: ignore[union-attr]
    if how == "--local":
        number = home.ask(forced_source="local").request.number
    patterns = ("terrace",) if how == "never_forward" else ()
    config = msgspec.structs.replace(home.config, privacy=PrivacyConfig(never_forward=patterns))
    about = give_feedback(home.path, config, number, good=False)
    assert why_kept_from_claude(about, config) is not None
    home.assistant.learn_pending()
    assert home.assistant.ask(Query(QUESTION)) == OFFLINE


@pytest.mark.parametrize("learns", [True, False], ids=["learnt", "not learnt yet"])
def test_the_users_own_answer_can_be_bad_too(opened: Open, learns: bool) -> None:
    home = opened(reply(WRONG), OFFLINE)
    home.ask()
    home.say(1, good=False, answer=OWN, learns=learns)
    home.say(1, good=False, learns=learns)
    assert home.assistant.ask(Query(QUESTION)) == OFFLINE
    home.say(1, good=False, answer=RIGHT, learns=learns)
    assert home.ask(learns=learns).answer == RIGHT


def test_an_answer_that_the_user_replaced_is_not_called_good(opened: Open) -> None:
    home = opened(reply(WRONG))
    home.ask()
    home.say(1, good=False, answer=OWN)
    with pytest.raises(BadInputError, match="your own answer has replaced"):
        home.say(1, good=True)
    assert home.ask().answer == OWN
    assert home.assistant.continued("why?", conversation=1).history == (Exchange(QUESTION, OWN),)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((("bad", None), ("bad", OWN)), [0.0]),
        ((("bad", OWN), ("bad", None), ("bad", RIGHT)), [0.0]),
        ((("bad", None), ("good", None), ("bad", None)), [0.0, 1.0, 0.0]),
    ],
)
def test_one_bad_answer_is_one_complaint(
    opened: Open, words: tuple[tuple[str, str | None], ...], told: list[float]
) -> None:
    home = opened(reply(WRONG))
    home.ask()
    home.ask()
    before = home.assistant._training.score_counts["repeat"].feedback
    for word, answer in words:
        home.say(2, good=word == "good", answer=answer)
    now = home.assistant._training.score_counts["repeat"].feedback
    assert now == pytest.approx(before + home.config.risk.feedback)
    assert labels(home) == told


def test_the_same_said_twice_is_stored_once(opened: Open) -> None:
    home = opened(reply(WRONG))
    home.ask()
    for _ in range(2):
        home.say(1, good=True)
    for _ in range(2):
        home.say(1, good=False, answer=OWN)
    with closing(Journal(home.path / "journal.db")) as journal:
        assert [said.good for said in journal.feedback.every()] == [True, False]


def test_the_same_said_at_once_by_two_processes_is_stored_once(opened: Open) -> None:
    home = opened(reply(WRONG))
    home.ask()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: give_feedback(home.path, home.config, 1, good=False), range(8)))
    with closing(Journal(home.path / "journal.db")) as journal:
        assert [said.number for said in journal.feedback.every()] == [2]


def test_a_conversation_goes_on_from_the_corrected_answer(opened: Open) -> None:
    home = opened(reply(WRONG), reply(RIGHT))
    home.ask()
    home.say(1, good=False)
    again = home.assistant.ask(home.assistant.asked(1), options=AskOptions("claude", unhelpful=1))
    assert isinstance(again, Interaction)
    assert again.request.conversation == 1
    assert home.assistant.continued("why?").history == (Exchange(QUESTION, RIGHT),)
    home.say(again.request.number, good=False, answer=OWN)
    assert home.assistant.continued("why?", conversation=1).history == (Exchange(QUESTION, OWN),)


def test_last_is_the_last_question_of_this_terminal(opened: Open) -> None:
    home = opened(reply(WRONG), reply(RIGHT))
    home.assistant.ask(Query(QUESTION), options=AskOptions(terminal=1))
    home.assistant.ask(Query("Who painted the night watch?"), options=AskOptions(terminal=2))
    for terminal, number in ((1, 1), (2, 2), (3, 2)):
        about = give_feedback(home.path, home.config, None, good=True, terminal=terminal)
        assert about.request.number == number


def test_what_the_settings_keep_here_stays_here(opened: Open) -> None:
    first = opened(reply(WRONG))
    first.ask()
    first.ask(in_person=True)
    private = msgspec.structs.replace(settings(), privacy=PrivacyConfig(never_forward=("terrace",)))
    second = opened(config=private)  # a teacher that has nothing to say, and fails if it is asked
    again = second.assistant.ask(Query(QUESTION), options=AskOptions(in_person=True))
    assert isinstance(again, Interaction)
    assert (again.answer, again.request.not_asked) == (WRONG, "stays_here")
    with pytest.raises(BadInputError, match="do not let this answer"):
        give_feedback(second.path, private, 1, good=False, answer="On a terrace.")


@pytest.mark.parametrize("learns", [True, False], ids=["learnt", "not learnt yet"])
def test_an_answer_given_without_the_conversation_is_bad_without_it(opened: Open, learns: bool) -> None:
    risk = msgspec.structs.replace(settings().risk, max_bad_rate=1.0)
    text, said = "how do I boil an egg", (Exchange("which moons has Mars?", "Phobos and Deimos."),)
    home = opened(reply(WRONG), OFFLINE, config=msgspec.structs.replace(settings(), risk=risk))
    home.ask(text)
    turn = home.assistant.ask(Query(text, history=said), options=AskOptions(in_chat=True))
    assert isinstance(turn, Interaction)
    assert (turn.source, turn.request.alone) == ("repeat", True)
    home.say(turn.request.number, good=False, learns=learns)
    assert home.assistant.ask(Query(text)) == OFFLINE


def test_an_export_brings_no_bad_answer_into_another_home(opened: Open, tmp_path: Path) -> None:
    home = opened(*map(reply, (WRONG, WRONG, "Rembrandt.", RIGHT)), OFFLINE)
    home.ask()
    home.ask(forced_source="claude")
    home.ask("Who painted the night watch?")
    home.say(2, good=False)
    home.ask(unhelpful=2, forced_source="claude")
    home.assistant.save()
    lines = list(read_all(home.path, with_reply=False))
    assert [(line.feedback, line.withdrawn) for line in lines] == [
        (None, True),
        ("bad", True),
        (None, False),
        (None, False),
    ]
    found = list(jsonl.read(map(msgspec.json.encode, lines)))
    new = sift(tmp_path / "other", home.config, [("jsonl", each) for each in found], 2e9)
    assert [each.reply.text for each in new.interactions if each.reply] == ["Rembrandt.", RIGHT]
    assert new.skipped == {BAD: 2}


@pytest.mark.parametrize(
    ("line", "is_taken"),
    [
        (Line(QUESTION, WRONG, feedback="bad"), False),
        (Line(QUESTION, WRONG, feedback="good"), True),
        (Line(QUESTION, RIGHT, answer=WRONG, source="repeat", feedback="bad"), True),
    ],
)
def test_what_was_bad_is_the_answer_that_was_given(line: Line, is_taken: bool) -> None:
    (found,) = jsonl.read([msgspec.json.encode(line)])
    assert isinstance(found, Found) is is_taken


@pytest.mark.parametrize("learns", [True, False], ids=["learnt", "not learnt yet"])
def test_the_users_own_answer_stands_in_the_chat_in_which_he_gave_it(opened: Open, learns: bool) -> None:
    """That is so where the question means the same without the turns before, as far as its words tell."""
    alone, home = "who painted Guernica?", opened(reply(WRONG))
    home.ask(alone, learns=learns)
    home.say(1, good=False, answer=OWN, learns=learns)
    again = home.ask(alone, learns=learns, in_person=True, history=(Exchange(alone, WRONG),))
    assert (again.answer, again.is_by_user) == (OWN, True)


@pytest.mark.parametrize("learns", [True, False], ids=["learnt", "not learnt yet"])
def test_the_users_own_answer_is_found_and_its_question_known(opened: Open, learns: bool) -> None:
    home = opened(reply(WRONG))
    home.ask()
    home.now += 86_400.0
    home.say(1, good=False, answer=OWN, learns=learns)
    assert [line.number for line in read_log(home.path, 10, "painted Otterlo").lines] == [1]
    again = home.ask(learns=learns)
    known = recollect(home.path, again)
    assert known == Recollection(QUESTION, 2, 1e9)
    shown = provenance.line(again, known, 1e9 + 1e6)
    assert shown.startswith("your own answer, from memory, asked twice since Sep ")
    assert read_log(home.path, 10, "Otterlo").total == 2


def test_an_import_brings_back_nothing_older_than_a_complaint(opened: Open) -> None:
    home = opened(reply(WRONG))
    home.ask()
    home.now += 100.0
    home.say(1, good=False, answer=OWN)
    for at, skipped in ((home.now - 50.0, {KNOWN: 1}), (home.now + 50.0, {})):
        assert sift(home.path, home.config, [("llm", Found(QUESTION, WRONG, at=at))], 2e9).skipped == skipped


def test_feedback_has_legal_shapes_only() -> None:
    for fields in ({"about": 2}, {"about": 3}, {"good": True, "answer": OWN}, {"answer": " "}):
        with pytest.raises(ValueError, match="feedback"):
            Feedback(**{"number": 2, "about": 1, "good": False, "at": 0.0, **fields})  # type: ignore[arg-type]
