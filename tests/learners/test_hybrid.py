"""The default preset on the real embedder: what it serves, from where, and that it learns from measurements alone."""

import io
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.config import RECALL_PRIOR, Config, RiskConfig, StateConfig
from shammah_mlx.errors import BadInputError, BadStateError
from shammah_mlx.events import AskOptions, DraftSource, Exchange, Interaction, Outage, Query
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.forgetting import forget
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.prequential import run
from shammah_mlx.home.recovery import roll_back
from shammah_mlx.home.snapshots import FILES
from shammah_mlx.learners.hybrid import made_by, writes
from shammah_mlx.learners.questions import standalone_question
from shammah_mlx.models.backend import load_arrays, mx, tree_flatten
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Recorded, Row, Scripted, Truth, read_stream
from tests.conftest import TINY_LORA
from tests.fakes import reply

CONFIG = msgspec.structs.replace(PRESETS["default"], generator="recall")
SAMPLE = Path(__file__).parents[2] / "examples" / "questions.jsonl"
ASKED = [f"how do I {verb} a {thing}" for verb in ("boil", "paint", "sell", "fix") for thing in ("egg", "car", "door")]
ROWS = [Row(text, f"This is how: {text.removeprefix('how do I ')} with care.", f"r{n}") for n, text in enumerate(ASKED)]
TEACHER = Recorded(ROWS)


pytestmark = pytest.mark.slow


def bold(**policy: object) -> Config:
    always = {
        "forward_only": 0,
        "route_thresholds": ((0, 0.0),),
        "accept_thresholds": ((0, 0.0),),
        "accept_destroying": 0.0,
        "max_other_answer": 1.0,
    }
    chosen = {**always, "audits": (), **policy}
    return msgspec.structs.replace(CONFIG, policy=msgspec.structs.replace(CONFIG.policy, **chosen), risk=RiskConfig())


def teach(assistant: Assistant, rows: list[Row]) -> None:
    for row in rows:
        assistant.ask(Query(row.query, row=row.id), options=AskOptions(forced_source="claude"))
        assistant.learn_pending()


@pytest.fixture
def taught(home: Path, weights: Weights) -> Iterator[Assistant]:
    with Assistant(home, bold(), TEACHER, weights) as assistant:
        teach(assistant, ROWS)
        yield assistant


def test_a_question_asked_before_in_other_words_gets_claudes_answer_and_its_row(taught: Assistant) -> None:
    asked = taught.ask(Query("what is the way to boil an egg?"))
    assert isinstance(asked, Interaction)
    assert (asked.source, asked.answer, asked.called_claude) == ("recall", ROWS[0].reply, False)
    assert asked.draft is not None
    assert asked.draft.from_id == "r0"


def test_an_answer_never_comes_from_another_context(taught: Assistant) -> None:
    asked = taught.ask(Query(ROWS[0].query, system="Answer in French.", row="r0"))
    assert isinstance(asked, Interaction)
    assert (asked.source, asked.route.p_local) == ("claude", 0.0)


def test_another_model_is_another_context_whoever_names_it(home: Path, weights: Weights, tmp_path: Path) -> None:
    with Assistant(home, bold(), TEACHER, weights) as assistant:
        teach(assistant, ROWS)
    named = msgspec.structs.replace(bold().teacher, model="claude-opus-5-5")
    with Assistant(home, msgspec.structs.replace(bold(), teacher=named), TEACHER, weights) as assistant:
        asked = assistant.ask(Query(ROWS[0].query, row="r0"))
        assert isinstance(asked, Interaction)
        assert asked.source == "claude"
        same = assistant.ask(Query(ROWS[0].query, model=bold().teacher.model))
        assert isinstance(same, Interaction)
        assert same.source == "repeat"


def test_a_question_longer_than_the_embedder_reads_is_never_answered_from_memory(taught: Assistant) -> None:
    text = "word " * 400  # more tokens than it reads
    for question in ("who pays the rent?", "when does it end?"):
        asked = taught.ask(Query(text + question, row="r0"))
        assert isinstance(asked, Interaction)
        assert (asked.source, asked.route.p_local) == ("claude", 0.0)
        taught.learn_pending()


def test_a_label_is_learnt_with_the_features_the_draft_was_scored_by(home: Path, weights: Weights) -> None:
    first = Row("how to boil two large eggs in water", "Ten minutes, in a large pot.", "late")
    rows = [*ROWS, first]
    config = bold(audits=((0, 1.0),), audit_focus=0.0, first_doubt=1.0)
    with Assistant(home, config, Recorded(rows), weights) as assistant:
        teach(assistant, ROWS)
        before = assistant.roles.state()["validator"]["recall.labels"].size
        assistant.ask(
            Query(first.query, row="late"), options=AskOptions(forced_source="claude")
        )  # journalled, and not learnt yet
        again = assistant.ask(Query("how to boil two large eggs in the water", row="r0"))
        assert isinstance(again, Interaction)
        assert (again.outcome, again.draft and again.draft.from_id) == ("audited", "r0")
        assistant.learn_pending()
        learnt = assistant.roles.state()["validator"]
    assert learnt["recall.labels"].size == before + 2
    assert again.draft is not None
    assert learnt["recall.examples"][-1].tolist() == pytest.approx(
        [again.draft.features[name] for name in RECALL_PRIOR.prior]
    )


def test_a_memory_without_its_journal_fails_before_claude_is_asked(home: Path, weights: Weights) -> None:
    with Assistant(home, bold(), TEACHER, weights) as assistant:
        teach(assistant, ROWS[:6])
    (home / "journal.db").unlink()
    with pytest.raises(BadStateError, match=r"journal\.db lacks interaction 6"):
        Assistant(home, bold(), TEACHER, weights)


def test_a_served_draft_that_nobody_audited_teaches_nothing(taught: Assistant) -> None:
    before = taught.roles.state()
    asked = taught.ask(Query("how to boil eggs"))
    assert isinstance(asked, Interaction)
    assert asked.served_local
    taught.learn_pending()
    after = taught.roles.state()
    for name, arrays in before.items():
        assert all(mx.array_equal(arrays[key], after[name][key]).item() for key in arrays), name


def test_replies_that_say_the_same_are_one_answer(home: Path, weights: Weights) -> None:
    rows = [
        Row(f"{how} the door?", reply, f"s{n}")
        for n, (how, reply) in enumerate(
            [("how do I open", "Turn the key."), ("how can I open", "turn the key"), ("how do I paint", "Use a brush.")]
        )
    ]
    with Assistant(home, bold(), Recorded(rows), weights) as assistant:
        teach(assistant, rows)
    versions = explained(home).decision_context.versions
    with closing(Journal(home / "journal.db")) as journal:
        assert [entry.answer for entry in journal.memory.made_by(made_by(versions))] == [1, 1, 3]


def test_stopping_and_going_on_is_bit_equal_and_a_rollback_forgets(tmp_path: Path, weights: Weights) -> None:
    config = msgspec.structs.replace(CONFIG, state=StateConfig(checkpoint_every=6))
    homes = {name: tmp_path / name for name in ("straight", "stopped", "six")}
    for path in homes.values():
        path.mkdir()
    with Assistant(homes["straight"], config, TEACHER, weights) as assistant:
        teach(assistant, ROWS)
    for row in ROWS:
        with Assistant(homes["stopped"], config, TEACHER, weights) as assistant:
            teach(assistant, [row])
    with Assistant(homes["six"], config, TEACHER, weights) as assistant:
        teach(assistant, ROWS[:6])
    assert stored(homes["straight"]) == stored(homes["stopped"])
    assert stored(homes["straight"]) != stored(homes["six"])
    assert len(roll_back(homes["straight"], config, 6)) == 6
    assert stored(homes["straight"]) == stored(homes["six"])


def stored(home: Path) -> list[bytes]:
    for name in FILES:
        assert load_arrays(home / "models" / name)
    return [(home / "models" / name).read_bytes() for name in FILES]


def test_a_quarter_of_the_sample_is_answered_on_the_machine_once_it_has_seen_two_hundred(
    home: Path, weights: Weights
) -> None:
    stream = read_stream(SAMPLE, None, 400)
    trace = io.BytesIO()
    with Assistant(
        home, CONFIG, Recorded(row for row, _ in stream), weights, options=AssistantOptions(saves=False)
    ) as assistant:
        result = run(stream, assistant, trace, lambda: None)
    late = result.bands[2]
    assert late.start == 200
    assert late.local >= 0.25 * late.queries  # most questions in new words are left to Claude or to the judge
    assert result.total.bad_local <= 0.05 * result.total.local
    sources = {json.loads(line)["source"] for line in trace.getvalue().splitlines()}
    assert sources == {"claude", "recall"}


def test_where_nothing_recurs_nothing_is_served(home: Path, weights: Weights) -> None:
    subjects = ("granite", "tulips", "jazz", "taxes", "comets", "bread", "chess", "whales", "glass", "rivers")
    asks = ("Why do people study {}?", "Write a poem about {}.", "List five facts about {}.", "Who first described {}?")
    more = ("How is the price of {} set?", "What is the future of {}?", "Compare {} with its rivals.", "Explain {}.")
    rows = [
        (Row(ask.format(subject), f"About {subject}: {n * 7 + m} {ask[:5]}.", f"n{n}-{m}"), Truth(f"n{n}-{m}"))
        for m, ask in enumerate((*asks, *more))
        for n, subject in enumerate(subjects)
    ]
    with Assistant(
        home, CONFIG, Recorded(row for row, _ in rows), weights, options=AssistantOptions(saves=False)
    ) as assistant:
        result = run(rows, assistant, None, lambda: None)
    assert result.total.local <= 0.02 * result.total.queries


def explained(home: Path) -> Interaction:
    with closing(Journal(home / "journal.db")) as journal:
        last = journal.last()
    assert last is not None
    return last


def test_the_journal_holds_what_explains_a_decision(taught: Assistant, home: Path) -> None:
    taught.ask(Query("what is the way to boil an egg?"))
    told = explained(home)
    assert told.decision_context.nearest[0].number == 1
    assert 0.8 < told.decision_context.nearest[0].similarity <= 1.0
    assert {"trust", "similarity", "words"} <= told.decision_context.features.keys()
    assert told.decision_context.versions.keys() == {
        *("embedder", "meter", "questions", "evidence", "prompt", "written", "decoder")
    }
    assert told.draft is not None
    assert told.draft.features == {
        **told.decision_context.features,
        "other answer": told.draft.features["other answer"],
    }
    assert (told.route.threshold, told.audit_probability) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "local"), [("what is the weather like today?", "repeat"), ("how is the weather like today", "recall")]
)
def test_an_answer_about_this_moment_runs_out(home: Path, weights: Weights, text: str, local: DraftSource) -> None:
    rows = [*ROWS, Row("what is the weather like today?", "Rain until noon.", "now")]
    times = [0.0]
    with Assistant(
        home, bold(), Recorded(rows), weights, options=AssistantOptions(clock=lambda: times[0])
    ) as assistant:
        teach(assistant, rows)
        for later, is_valid in ((CONFIG.recall.fleeting_s, True), (CONFIG.recall.fleeting_s + 1, False)):
            times[0] = later
            asked = assistant.ask(Query(text, row="now"))
            assert isinstance(asked, Interaction)
            was_rain = asked.source == local and asked.answer == "Rain until noon."
            assert was_rain is is_valid
        asked = assistant.ask(Query(ROWS[0].query, row="r0"))
        assert isinstance(asked, Interaction)
        assert asked.answer == ROWS[0].reply  # other answers stay


def test_with_another_meter_labels_start_anew_from_the_replies(home: Path, weights: Weights) -> None:
    with Assistant(home, bold(), TEACHER, weights) as assistant:
        teach(assistant, ROWS)
        assert assistant.roles.state()["validator"]["recall.labels"].size > 0
    other = msgspec.structs.replace(bold(), divergence=msgspec.structs.replace(CONFIG.divergence, kind="exact"))
    for _ in range(2):  # the second finds what the first made
        with Assistant(home, other, TEACHER, weights) as assistant:
            assert assistant.roles.state()["validator"]["recall.labels"].size == 0
            asked = assistant.ask(Query("what is the way to boil an egg?"))
            assert isinstance(asked, Interaction)
            assert asked.source == "recall"
            assistant.save()


def test_a_meter_tried_in_vain_leaves_the_memory_as_it_was(home: Path, weights: Weights) -> None:
    with Assistant(home, bold(), TEACHER, weights) as assistant:
        teach(assistant, ROWS)
        labels = assistant.roles.state()["validator"]["recall.labels"].size
    other = msgspec.structs.replace(bold(), divergence=msgspec.structs.replace(CONFIG.divergence, kind="bleu"))
    with Assistant(home, other, TEACHER, weights) as assistant:
        assert isinstance(
            assistant.ask(Query("nobody recorded this"), options=AskOptions(forced_source="claude")), Outage
        )  # so nothing is saved
    with Assistant(home, bold(), TEACHER, weights) as assistant:
        asked = assistant.ask(Query("what is the way to boil an egg?"))
        assert isinstance(asked, Interaction)
        assert asked.answer == ROWS[0].reply
        assert assistant.roles.state()["validator"]["recall.labels"].size == labels


def test_another_decoder_starts_anew_and_the_memory_stays(home: Path, writing: Config, weights: Weights) -> None:
    with Assistant(home, writing, TEACHER, weights) as assistant:
        teach(assistant, ROWS[:6])
    adapters = (home / "models" / "adapters.safetensors").read_bytes()
    smaller = msgspec.structs.replace(writing, lora=msgspec.structs.replace(writing.lora, rank=2))
    with Assistant(home, smaller, TEACHER, weights) as assistant:
        state = assistant.roles.state()
        assert state["validator"]["decoder.labels"].size == 0
        assert state["validator"]["recall.labels"].size == 1
        assert state["optimizer_state"]["remembered"].item() == 6
        teach(assistant, ROWS[6:8])
    (kept,) = (home / "aside").iterdir()
    assert (kept / "adapters.safetensors").read_bytes() == adapters
    assert json.loads((kept / "adapter_config.json").read_text())["lora_parameters"]["rank"] == writing.lora.rank
    assert forget(home, smaller, ROWS[0].query, lambda found: True) is not None
    assert list((home / "aside").iterdir()) == []  # it had learnt what is forgotten


def test_a_question_about_this_moment_gets_no_answer_from_another(home: Path, weights: Weights) -> None:
    times = [0.0]
    rows = [*ROWS, Row("what clothes does the weather ask for", "A coat.", "coat")]
    with Assistant(
        home, bold(), Recorded(rows), weights, options=AssistantOptions(clock=lambda: times[0])
    ) as assistant:
        teach(assistant, rows)
        for later, source in ((CONFIG.recall.fleeting_s, "recall"), (CONFIG.recall.fleeting_s + 1, "claude")):
            times[0] = later
            asked = assistant.ask(Query("what clothes does the weather ask for today", row="coat"))
            assert isinstance(asked, Interaction)
            assert asked.source == source
        lasting = assistant.ask(Query("what clothes does the weather ask for", row="coat"))
        assert isinstance(lasting, Interaction)
        assert lasting.source == "repeat"


@pytest.mark.parametrize(
    ("text", "learnt"),
    [
        ("throw a dice", "roll a die"),
        ("please roll a die", "roll a die"),
        ("tell me another joke", "tell me a joke"),
        ("a very strong password", "a strong password"),
        ("let a die roll and say which side is up", "roll a die"),  # no rule knows it, but one knows what was asked
    ],
)
def test_what_was_drawn_or_made_up_is_not_recalled(home: Path, weights: Weights, text: str, learnt: str) -> None:
    rows = [*ROWS, Row(learnt, "Four.", "known"), Row(text, "Two.", "new")]
    with Assistant(home, bold(), Recorded(rows), weights) as assistant:
        teach(assistant, rows[:-1])
        asked = assistant.ask(Query(text, row="new"))
        assert isinstance(asked, Interaction)
        assert (asked.source, asked.answer) == ("claude", "Two.")
        asked = assistant.ask(Query(text, row="new"), options=AskOptions(forced_source="local"))
        assert isinstance(asked, Outage)


def test_the_decoder_draws_and_makes_up_nothing() -> None:
    assert writes(Query("which moons has Mars?"))
    for text in ("roll a die", "a strong password", "tell me another joke"):
        assert not writes(Query(text))


def test_drafts_the_user_insisted_on_do_not_dilute_the_usual_doubt(taught: Assistant) -> None:
    doubts = []
    for n in range(8):
        asked = taught.ask(Query(f"who was king number {n}"), options=AskOptions(forced_source="local"))
        assert isinstance(asked, Interaction)
        doubts.append(asked.request.usual_doubt)
        taught.learn_pending()
    assert len(set(doubts)) == 1


def test_after_an_answer_without_words_a_conversation_goes_on_without_it(home: Path, weights: Weights) -> None:
    with Assistant(home, CONFIG, Scripted(reply("", "refusal")), weights) as assistant:
        assistant.ask(Query("something improper"))
        assert assistant.continued("and else?").history == ()


def test_a_conversation_goes_on_and_keeps_its_answers_to_itself(taught: Assistant) -> None:
    taught.ask(Query(ROWS[0].query, row="r0"))
    asked = taught.continued(ROWS[1].query)
    assert [exchange.question for exchange in asked.history] == [ROWS[0].query]
    answered = taught.ask(msgspec.structs.replace(asked, row="r1"))
    assert isinstance(answered, Interaction)
    assert answered.source == "claude"  # it is known, but not in this context
    assert len(taught.continued("and then?").history) == 2


def test_what_is_not_kept_leaves_no_trace(taught: Assistant, home: Path) -> None:
    before = (home / "journal.db-wal").read_bytes()
    for query in (Query(ROWS[3].query, row="r3"), Query("my password = hunter2hunter2", row="r4")):
        asked = taught.ask(query, options=AskOptions(stored=query.row == "r4"))
        assert isinstance(asked, Interaction)
        assert not asked.request.stored
        assert taught.learn_pending() == []
    assert (home / "journal.db-wal").read_bytes() == before


def test_an_unknown_feature_is_named(home: Path, weights: Weights) -> None:
    recall = msgspec.structs.replace(CONFIG.recall, trust_prior={"mood": 1.0})
    with pytest.raises(BadInputError, match="mood"):
        Assistant(home, msgspec.structs.replace(CONFIG, recall=recall), TEACHER, weights)


@pytest.fixture
def writing(tiny_folder: Path) -> Config:
    """Return the default preset with a decoder small enough to train in a test, and every source shadowed."""
    lora = msgspec.structs.replace(TINY_LORA, model=str(tiny_folder))
    rehearsal = msgspec.structs.replace(CONFIG.rehearsal, probes=2, probe_every=2)
    always: dict[DraftSource, tuple[tuple[int, float], ...]] = {"recall": ((0, 1.0),), "decoder": ((0, 1.0),)}
    whole = msgspec.structs.replace(PRESETS["default"], lora=lora, rehearsal=rehearsal)
    return msgspec.structs.replace(whole, policy=msgspec.structs.replace(whole.policy, shadows=always))


def test_the_decoder_drafts_in_the_shadow_and_both_kinds_of_draft_are_scored_apart(
    home: Path, writing: Config, weights: Weights
) -> None:
    with Assistant(home, writing, TEACHER, weights) as assistant:
        teach(assistant, ROWS[:9])
        state = assistant.roles.state()
    told = explained(home)
    assert {scored.draft.source for scored in told.drafts} == {"recall", "decoder"}
    written = next(scored.draft for scored in told.drafts if scored.draft.source == "decoder")
    assert written.features["worst surprise"] > written.features["surprise"]
    assert all(scored.divergence is not None for scored in told.drafts)
    assert state["validator"]["recall.labels"].size == 4  # nothing is recalled among fewer than five
    assert state["validator"]["decoder.labels"].size == 9
    assert state["router"]["decoder.labels"].size == 9


def test_the_decoder_learns_replies_and_goes_on_bit_equal(tmp_path: Path, writing: Config, weights: Weights) -> None:
    homes = [tmp_path / "straight", tmp_path / "stopped"]
    for path in homes:
        path.mkdir()
    with Assistant(homes[0], writing, TEACHER, weights) as assistant:
        before = assistant.roles.state()
        teach(assistant, ROWS[:6])
        assert assistant.roles.distance_from(before)["generator"] > 0
    for row in ROWS[:6]:
        with Assistant(homes[1], writing, TEACHER, weights) as assistant:
            teach(assistant, [row])
    assert stored(homes[0]) == stored(homes[1])


def test_a_decoder_without_adapters_drafts_and_leaves_learning_to_the_others(
    home: Path, writing: Config, weights: Weights
) -> None:
    fixed = msgspec.structs.replace(writing, lora=msgspec.structs.replace(writing.lora, rank=0))
    for rows in (ROWS[:6], ROWS[6:9]):  # the second goes on from what the first saved
        with Assistant(home, fixed, TEACHER, weights) as assistant:
            teach(assistant, rows)
            state = assistant.roles.state()
    assert state["generator"].keys() == {"remembered", "refuted"}
    assert state["generator"]["remembered"].item() == 9
    assert state["validator"]["decoder.labels"].size == 9
    with Assistant(home, writing, TEACHER, weights) as assistant:  # with adapters it starts anew
        assert assistant.roles.state()["validator"]["decoder.labels"].size == 0
        assert assistant.roles.state()["optimizer_state"]["remembered"].item() == 9


def test_a_home_is_an_adapter_that_mlx_lm_loads(
    home: Path, writing: Config, weights: Weights, tiny_folder: Path
) -> None:
    import mlx_lm

    with Assistant(home, writing, TEACHER, weights) as assistant:
        teach(assistant, ROWS[:5])
        learnt = assistant.roles.state()["generator"]
    network = mlx_lm.load(str(tiny_folder), adapter_path=str(home / "models"))[0]
    loaded = dict(tree_flatten(network.trainable_parameters()))
    assert learnt.keys() <= loaded.keys()
    assert all(mx.array_equal(loaded[name], array).item() for name, array in learnt.items())


def test_the_decoder_writes_where_the_user_wants_a_local_answer_and_memory_has_none(
    home: Path, writing: Config, weights: Weights
) -> None:
    shown: list[str] = []
    with Assistant(home, writing, TEACHER, weights) as assistant:
        asked = assistant.ask(Query("how do I whistle"), shown.append, options=AskOptions(forced_source="local"))
        assert isinstance(asked, Interaction)
        assert (asked.source, asked.called_claude, asked.uncovered) == ("decoder", False, True)
        assert "".join(shown) == asked.answer
        assistant.learn_pending()  # a local answer that nobody checked teaches nothing
        assert assistant.roles.state()["validator"]["decoder.labels"].size == 0


def test_the_router_keeps_what_the_decoder_cannot_know_from_it(home: Path, writing: Config, weights: Weights) -> None:
    with Assistant(home, writing, TEACHER, weights) as assistant:
        teach(assistant, ROWS[:3])
        assert assistant.roles.p_local(Query("how do I whistle"))["decoder"] > 0
        for query in (Query("is it raining now?"), assistant.continued("how do I whistle")):
            assert assistant.roles.p_local(query)["decoder"] == 0
        assert assistant.roles.draft(assistant.continued("how do I whistle"), "decoder") is None


def test_answers_about_this_moment_are_no_targets_of_the_decoder(home: Path, writing: Config, weights: Weights) -> None:
    row = Row("what is the weather like today?", "Rain until noon.", "now")
    with Assistant(home, writing, Recorded([row]), weights) as assistant:
        teach(assistant, [row])
        assert assistant.roles.state()["optimizer_state"]["rehearsal.probes"].size == 0


def test_a_question_that_leans_on_the_one_before_is_understood_with_it() -> None:
    before = Exchange("which moons has Mars?", "Phobos and Deimos.")
    assert standalone_question(Query("and of Saturn?", history=(before,))) == "which moons has Mars? and of Saturn?"
    assert standalone_question(Query("how many are there?")) == "how many are there?"
    assert standalone_question(Query("why is the sky blue?", history=(before,))) == "why is the sky blue?"
