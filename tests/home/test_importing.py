"""What Claude answered elsewhere is learnt here once, at no cost, and without credit for the bound."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.config import Config, PrivacyConfig, RiskConfig, StateConfig
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import AskOptions, Exchange, Interaction, Query
from shammah_mlx.home import importing, pace
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.curves import read_curves
from shammah_mlx.home.explanation import explain
from shammah_mlx.home.hindsight import give_feedback
from shammah_mlx.home.importing import Sifted, sift
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.ledger import Block
from shammah_mlx.home.overview import read_overview
from shammah_mlx.home.own_stream import read_own
from shammah_mlx.home.prequential import run
from shammah_mlx.home.recovery import rebuild
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Recorded, Row, Scripted
from shammah_mlx.transcripts.found import CUT, TOOLS, UNANSWERED, UNREADABLE, Found, Skipped
from tests.fakes import reply

NOW = 2e9
ASKED = [f"how do I {verb} a {thing}" for verb in ("boil", "paint", "sell", "fix") for thing in ("egg", "car", "door")]
OLD = [Found(text, f"Like this: {text.removeprefix('how do I ')}.", at=1e9 + n) for n, text in enumerate(ASKED)]
AGAIN = Found(ASKED[0], OLD[0].answer, at=1e9 + 100)
QUIET = msgspec.structs.replace(  # every repeat is served, and nothing is audited
    PRESETS["default"],
    generator="recall",
    state=StateConfig(checkpoint_every=5),
    policy=msgspec.structs.replace(PRESETS["default"].policy, audits=((0, 0.0),)),
    risk=RiskConfig(max_bad_rate=1.0),
)
BOUND = msgspec.structs.replace(
    QUIET,
    policy=msgspec.structs.replace(
        QUIET.policy,
        forward_only=5,
        route_thresholds=((5, 0.5),),
        accept_thresholds=((5, 0.5),),
        audits=((0, 0.5), (5, 0.1)),
    ),
    risk=RiskConfig(max_bad_rate=0.05),
)


def sifted(home: Path, found: Sequence[Found | Skipped], config: Config = QUIET, model: str | None = None) -> Sifted:
    return sift(home, config, [("llm", each) for each in found], NOW, model)


def take_over(home: Path, weights: Weights, found: Sequence[Found], config: Config = QUIET) -> Sifted:
    """Import and learn; the teacher has nothing to say, and fails if it is asked."""
    new = sifted(home, found, config)
    home.mkdir(exist_ok=True)
    with Assistant(home, config, Scripted(), weights) as assistant:
        assert assistant.write_imported(new.interactions) == len(new.interactions)
        assistant.learn_pending()
    return new


def journalled(home: Path) -> list[Interaction]:
    with closing(Journal(home / "journal.db")) as journal:
        return list(journal.after(0))


def named(home: Path) -> str | None:
    with closing(Journal(home / "journal.db")) as journal:
        return journal.progress().state


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (Skipped(TOOLS), TOOLS),
        (Found("q", "a", model="gpt-5"), importing.OTHER_MODEL),
        (Found("q", "a", model="openrouter/meta/llama-4"), importing.OTHER_MODEL),
        (Found("q", "a", stop_reason="max_tokens"), CUT),
        (Found(" ", "a"), UNANSWERED),
        (Found("q", " \n"), UNANSWERED),
        (Found("q\ud800", "a"), UNREADABLE),
        (Found("q" * 100_001, "a"), importing.LONG),
        (Found("and?", "a", history=(Exchange("q" * 100_001, "a"),)), importing.LONG),  # here it is for Claude alone
        (Found("why is my password = hunter2hunter2 refused?", "It is short."), importing.SECRET),
        (Found("make me a password", "Your password is: Xk9#mQ2$vL7!"), importing.SECRET),
        (Found("and?", "a", history=(Exchange("my password = hunter2hunter2", "Hm."),)), importing.SECRET),
    ],
)
def test_what_is_not_to_be_learnt_is_skipped_with_the_reason(
    tmp_path: Path, found: Found | Skipped, reason: str
) -> None:
    result = sifted(tmp_path / "none", [found, OLD[0]])
    assert result.skipped == {reason: 1}
    assert [each.request.query.text for each in result.interactions] == [ASKED[0]]
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("found", "settings"),
    [
        (Found("what is Project Heron?", "A plan."), PrivacyConfig(never_store=("Heron",))),
        (Found("what is the plan?", "Project Heron."), PrivacyConfig(never_store=("Heron",))),
        (Found("and?", "a", history=(Exchange("what is Heron?", "A bird."),)), PrivacyConfig(never_store=("Heron",))),
        (Found("what is Project Heron?", "A plan."), PrivacyConfig(never_forward=("Heron",))),
    ],
)
def test_what_the_settings_do_not_let_be_stored_is_not_imported(
    tmp_path: Path, found: Found, settings: PrivacyConfig
) -> None:
    result = sifted(tmp_path, [found, OLD[0]], msgspec.structs.replace(QUIET, privacy=settings))
    assert (result.skipped, len(result.interactions)) == ({importing.PRIVATE: 1}, 1)


@pytest.mark.parametrize(
    ("named", "unnamed", "asked"),
    [
        (None, None, "claude-sonnet-5-5"),
        (None, "claude-opus-5-5", "claude-opus-5-5"),
        ("claude-sonnet-5-5-20260901", "claude-opus-5-5", "claude-sonnet-5-5"),
        ("anthropic/claude-sonnet-5-5", None, "claude-sonnet-5-5"),
        ("claude-3-5-sonnet-20241022", None, "claude-3-5-sonnet-20241022"),
        ("anthropic/claude-3-5-sonnet-latest", None, "claude-3-5-sonnet-latest"),
    ],
)
def test_an_answer_belongs_to_the_model_that_it_names(
    tmp_path: Path, named: str | None, unnamed: str | None, asked: str
) -> None:
    found = msgspec.structs.replace(OLD[0], model=named)
    (interaction,) = sifted(tmp_path, [found], model=unnamed).interactions
    assert interaction.request.query.model == asked


def test_the_context_is_that_of_the_same_question_asked_here(tmp_path: Path) -> None:
    turns = tuple(Exchange(f"q {n}", f"a {n}") for n in range(12))
    found = msgspec.structs.replace(OLD[0], system="be brief", history=turns, max_tokens=99)
    plain, special = sifted(tmp_path, [OLD[1], found]).interactions[::-1]
    assert plain.request.query == Query(ASKED[1], None, "claude-sonnet-5-5", 16_000, at=1e9 + 1)
    assert special.request.query.history == turns[-10:]
    assert (special.request.query.system, special.request.query.max_tokens) == ("be brief", 99)


def test_importing_twice_adds_nothing_twice(home: Path, weights: Weights) -> None:
    found = [*OLD, AGAIN, AGAIN, Found("without a date", "An answer.")]
    assert len(take_over(home, weights, found).interactions) == len(OLD) + 2
    again = sifted(home, found)
    assert again.interactions == []
    assert again.skipped == {importing.KNOWN: len(found)}


def test_two_imports_at_once_add_nothing_twice(home: Path, weights: Weights) -> None:
    record = [*OLD[:3], Found("without a date", "An answer.")]
    one, other = (sift(home, QUIET, [("llm", each) for each in record], NOW + late) for late in (0, 1))
    newer = sifted(home, [msgspec.structs.replace(OLD[0], answer="The new way.", at=NOW), OLD[1], OLD[4]])
    with Assistant(home, QUIET, Scripted(), weights) as assistant:
        assert assistant.write_imported(one.interactions) == len(record)
        assert assistant.write_imported(other.interactions) == 0
        assert assistant.write_imported(newer.interactions) == 2
    answers = [each.answer for each in journalled(home)]
    assert answers == [*(each.answer for each in record), OLD[4].answer, "The new way."]


def test_one_answer_in_two_files_is_one(tmp_path: Path) -> None:
    copies = [msgspec.structs.replace(OLD[0], key="msg_1", at=1e9 + n) for n in range(2)]
    assert len(sifted(tmp_path, copies).interactions) == 1


@pytest.mark.parametrize("at", [NOW - 1, None])
def test_an_import_does_not_bring_back_an_older_answer(home: Path, weights: Weights, at: float | None) -> None:
    teacher = Recorded([Row(ASKED[0], "The new way.")])
    with Assistant(home, QUIET, teacher, weights, options=AssistantOptions(clock=lambda: NOW)) as assistant:
        assistant.ask(Query(ASKED[0]))
    assert sifted(home, [msgspec.structs.replace(OLD[0], at=at)]).skipped == {importing.KNOWN: 1}
    assert len(sifted(home, [msgspec.structs.replace(OLD[0], at=NOW + 1)]).interactions) == 1


def test_an_imported_answer_is_given_again_the_first_time_it_is_asked_here(home: Path, weights: Weights) -> None:
    take_over(home, weights, OLD)
    with Assistant(home, QUIET, Scripted(), weights) as assistant:
        asked = assistant.ask(Query(ASKED[3]))
    assert isinstance(asked, Interaction)
    assert (asked.source, asked.answer) == ("repeat", OLD[3].answer)


def test_an_import_is_no_money_no_call_and_nothing_that_was_asked_here(home: Path, weights: Weights) -> None:
    take_over(home, weights, OLD, BOUND)
    overview = read_overview(home, BOUND)
    assert (overview.seen, overview.imported, overview.journalled, overview.pending) == (12, 12, 0, 0)
    assert (overview.spent_usd, overview.unpriced_calls, overview.forward_rate) == (0.0, 0, None)
    assert (overview.judge.verdicts, overview.bad_rate.audits) == (0, 0)
    with closing(Journal(home / "journal.db")) as journal:
        assert journal.totals(0).calls == 0
        assert journal.last() is None
    with Assistant(home, BOUND, Scripted(), weights) as assistant:
        assert not assistant.has_reached_claude()
        with pytest.raises(BadInputError, match="no conversation"):
            assistant.continued("and then?")


def test_who_is_asked_is_told_and_not_read_from_the_environment(
    home: Path, weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_over(home, weights, OLD)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://gateway.example.com")
    assert read_overview(home, QUIET).imported_elsewhere == 0
    assert read_overview(home, QUIET, origin=1).imported_elsewhere == len(OLD)


def test_each_question_is_drafted_and_measured_before_its_answer_is_learnt(home: Path, weights: Weights) -> None:
    take_over(home, weights, [*OLD, AGAIN], BOUND)
    told = journalled(home)
    assert [each.request.seen for each in told] == list(range(len(told)))
    assert not any(each.is_undecided for each in told)
    assert [each.route.threshold for each in told] == [None] * 5 + [0.5] * (len(told) - 5)
    entries = [(scored.draft.entry or 0, each.request.number) for each in told for scored in each.drafts]
    assert entries  # of the later ones: five questions must be known
    assert all(known < number for known, number in entries)
    repeated = told[-1].drafts
    assert {scored.draft.source for scored in repeated} == {"repeat"}
    assert all(scored.divergence is not None for scored in repeated)


def test_it_ends_the_cold_start_but_audits_follow_what_was_asked_here(home: Path, weights: Weights) -> None:
    take_over(home, weights, OLD, BOUND)
    with Assistant(home, BOUND, Scripted(reply()), weights) as assistant:
        asked = assistant.ask(Query("what is a monad?"), options=AskOptions(forced_source="claude"))
    assert isinstance(asked, Interaction)
    assert (asked.request.seen, asked.route.threshold, asked.request.audit_rate) == (len(OLD), 0.5, 0.5)


def test_the_curves_are_of_the_questions_asked_here(home: Path, weights: Weights) -> None:
    take_over(home, weights, [*OLD, AGAIN])
    assert read_curves(home, QUIET).divergence == []
    with Assistant(home, QUIET, Scripted(*(reply(f"Answer {n}.") for n in range(3))), weights) as assistant:
        for text in (*ASKED[:2], "what is a monad?"):
            assistant.ask(Query(text), options=AskOptions(forced_source="claude"))
            assistant.learn_pending()
    curves = read_curves(home, QUIET)
    assert (curves.block, curves.history) == (10, [Block(queries=3, calls=3, local=0)])
    assert [end for end, _ in curves.divergence] == [3]
    assert {end for points in (*curves.losses.values(), *curves.rates.values()) for end, _ in points} <= {1, 2, 3}


def test_what_is_not_learnt_yet_does_not_end_the_cold_start(home: Path, weights: Weights) -> None:
    with Assistant(home, BOUND, Scripted(reply()), weights) as assistant:
        assistant.write_imported(sifted(home, OLD).interactions)
        asked = assistant.ask(Query("what is a monad?"))
    assert isinstance(asked, Interaction)
    assert (asked.request.seen, asked.route.threshold) == (0, None)
    assert read_overview(home, BOUND).accept_threshold is None


def stop_after(count: int) -> Callable[[], None]:
    left = [count]

    def advance() -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    return advance


def test_interrupted_it_ends_in_the_same_state(home: Path, weights: Weights, tmp_path: Path) -> None:
    take_over(home, weights, OLD)
    other = tmp_path / "other"
    other.mkdir()
    with Assistant(other, QUIET, Scripted(), weights) as assistant:
        assistant.write_imported(sifted(other, OLD).interactions)
    with pytest.raises(KeyboardInterrupt), Assistant(other, QUIET, Scripted(), weights) as assistant:
        assistant.learn_pending(stop_after(7))
    with Assistant(other, QUIET, Scripted(), weights) as assistant:
        assistant.learn_pending()
    assert named(other) == named(home)
    assert rebuild(other, QUIET, weights).after == named(home)


def test_the_literal_preset_learns_an_import_too(home: Path, weights: Weights, tiny: Config) -> None:
    take_over(home, weights, OLD[:3], tiny)
    overview = read_overview(home, tiny)
    assert (overview.trained, overview.imported, overview.pending) == (3, 3, 0)
    assert [each.covered for each in journalled(home)] == [None] * 3


def test_why_says_where_it_came_from_and_when(home: Path, weights: Weights) -> None:
    take_over(home, weights, [*OLD, AGAIN])
    _, explanation = explain(home, QUIET, len(OLD) + 1)
    assert (explanation.imported_from, explanation.at) == ("llm", "2001-09-09T01:48:20.000Z")
    repeat = next(draft for draft in explanation.drafts if draft.source == "repeat")
    assert repeat.from_at == "2001-09-09T01:46:40.000Z"
    assert {near.at for near in explanation.nearest} <= {f"2001-09-09T01:46:{40 + n}.000Z" for n in range(12)}


def test_the_own_stream_has_every_full_answer_in_the_order_of_dates(home: Path, weights: Weights) -> None:
    teacher = Recorded([Row("asked here", "An answer.")])
    with Assistant(home, QUIET, teacher, weights, options=AssistantOptions(clock=lambda: NOW)) as assistant:
        assistant.ask(Query("asked here", system="be brief"))
        assistant.write_imported(sifted(home, OLD).interactions)
        assistant.learn_pending()
        for options in (AskOptions(), AskOptions(forced_source="local")):
            assistant.ask(Query(ASKED[0]), options=options)
    own = read_own(home, None)
    assert [row.query for row, _ in own.rows] == [*ASKED, "asked here", ASKED[0]]
    asked_here = own.rows[-2][0]
    assert asked_here.asked is not None
    assert (asked_here.asked.system, asked_here.asked.row, asked_here.id) == ("be brief", "1", "1")
    assert [(own.rows[-1][0].id, each.source) for each in own.served.values()] == [("14", "repeat")]
    assert (own.left_out, own.of_other_hosts, own.refuted) == (1, 0, frozenset())  # one with --local
    assert [row.query for row, _ in read_own(home, 2).rows] == ["asked here", ASKED[0]]


def test_what_was_served_here_counts_in_a_replay_as_it_happened(home: Path, weights: Weights, tmp_path: Path) -> None:
    take_over(home, weights, OLD)
    with Assistant(home, QUIET, Scripted(), weights, options=AssistantOptions(clock=lambda: NOW)) as assistant:
        for text in ASKED[:2]:
            assistant.ask(Query(text))
    number = len(OLD) + 1
    give_feedback(home, QUIET, number, good=False)
    own = read_own(home, None)
    assert (set(own.served), set(own.refuted)) == ({f"{number}", f"{number + 1}"}, {f"{number}"})
    teacher = Scripted(*(reply(each.answer) for each in OLD))  # it is asked about no other row
    (tmp_path / "replay").mkdir()
    with Assistant(tmp_path / "replay", QUIET, teacher, weights, options=AssistantOptions(saves=False)) as assistant:
        total = run(own.rows, assistant, None, lambda: None, past=own.served, past_bad=own.refuted).total
        assert (total.queries, total.calls, total.local, total.bad_local) == (14, 12, 2, 1)
        assert assistant.ledger.history(100)[0].queries == len(OLD)


def test_what_an_audit_measured_later_is_replayed_with_claudes_answer(home: Path, weights: Weights) -> None:
    take_over(home, weights, OLD)
    with Assistant(home, QUIET, Scripted(), weights) as assistant:
        asked = assistant.ask(Query(ASKED[0]))
    assert isinstance(asked, Interaction)
    with closing(Journal(home / "journal.db")) as journal:
        due = msgspec.structs.replace(asked.request, audit_draw=0.0)
        missed = journal.write(msgspec.structs.replace(asked, request=due, audit_probability=0.5))
        assert journal.write_late(Interaction.late(missed.request, missed, missed.drafts, reply("Another way."), NOW))
    own = read_own(home, None)
    assert [row.reply for row, _ in own.rows if row.query == ASKED[0]].count("Another way.") == 1
    assert set(own.served) == {f"{asked.request.number}"}


def test_what_was_put_to_another_host_is_no_part_of_the_own_stream(home: Path, weights: Weights) -> None:
    take_over(home, weights, OLD)
    with Assistant(home, QUIET, Scripted(reply()), weights, options=AssistantOptions(origin=1)) as assistant:
        assistant.ask(Query("asked at a gateway"))
    own = read_own(home, None)
    assert ([row.query for row, _ in own.rows], own.of_other_hosts) == (["asked at a gateway"], len(OLD))


def test_the_manual_says_how_long_learning_is_thought_to_take(tmp_path: Path) -> None:
    manual = (Path(__file__).parents[2] / "docs/usage.md").read_text()
    assert f"{pace.MEMORY_S} s an answer without the decoder and {pace.DECODER_S} s with it" in manual
    assert pace.expect_pending(tmp_path / "none", PRESETS["default"], 1).seconds == pace.DECODER_S == 7.6
    assert pace.expect_pending(tmp_path / "none", QUIET, 512).seconds == pytest.approx(45.0, rel=0.2)


def test_there_is_no_own_stream_without_an_answer(home: Path) -> None:
    with pytest.raises(BadInputError, match="no questions to replay"):
        read_own(home / "none", None)
