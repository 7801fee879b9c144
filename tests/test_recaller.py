"""The recall preset on the real embedder: what it serves, from where, and that it learns from measurements alone."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.assistant import Assistant, roll_back
from shammah_mlx.backend import load_arrays, mx
from shammah_mlx.config import PRESETS, Config, StateConfig
from shammah_mlx.errors import BadStateError
from shammah_mlx.events import Interaction, Query
from shammah_mlx.replay import run
from shammah_mlx.states import FILES
from shammah_mlx.stream import Row, Truth, read_stream
from shammah_mlx.teacher import Recorded
from shammah_mlx.weights import Weights

CONFIG = PRESETS["recall"]
SAMPLE = Path(__file__).parents[1] / "examples" / "questions.jsonl"
ASKED = [f"how do I {verb} a {thing}" for verb in ("boil", "paint", "sell", "fix") for thing in ("egg", "car", "door")]
ROWS = [Row(text, f"This is how: {text.removeprefix('how do I ')} with care.", f"r{n}") for n, text in enumerate(ASKED)]
TEACHER = Recorded(ROWS)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir(exist_ok=True)
    return tmp_path / "home"


def bold(**policy: object) -> Config:
    chosen = {"forward_only": 0, "route_thresholds": ((0, 0.0),), "accept_threshold": 0.0, "audits": (), **policy}
    return msgspec.structs.replace(CONFIG, policy=msgspec.structs.replace(CONFIG.policy, **chosen))


def teach(assistant: Assistant, rows: list[Row]) -> None:
    for row in rows:
        assistant.ask(Query(row.query, row=row.id), forced=True)
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
        assert same.source == "recall"


def test_a_question_longer_than_the_embedder_reads_is_never_answered_from_memory(taught: Assistant) -> None:
    text = "word " * 400
    for question in ("who pays the rent?", "when does it end?"):
        asked = taught.ask(Query(text + question, row="r0"))
        assert isinstance(asked, Interaction)
        assert (asked.source, asked.route.p_local) == ("claude", 0.0)
        taught.learn_pending()


def test_a_label_about_a_draft_that_memory_would_no_longer_give_is_not_learnt(home: Path, weights: Weights) -> None:
    first = Row("how to boil two large eggs in water", "Ten minutes, in a large pot.", "late")
    rows = [*ROWS, first]
    with Assistant(home, bold(audits=((0, 1.0),)), Recorded(rows), weights) as assistant:
        teach(assistant, ROWS)
        examples = assistant.models.state()["router"]["labels"].size
        assistant.ask(Query(first.query, row="late"), forced=True)  # journalled, and not learnt yet
        again = assistant.ask(Query("how to boil two large eggs in the water", row="r0"))
        assert isinstance(again, Interaction)
        assert again.outcome == "audited"
        assistant.learn_pending()
        learnt = assistant.models.state()["router"]["labels"].size - examples
    assert learnt == 1  # the shadow of the first; the draft of the second came from a memory without it


def test_a_memory_without_its_journal_fails_before_claude_is_asked(home: Path, weights: Weights) -> None:
    with Assistant(home, bold(), TEACHER, weights) as assistant:
        teach(assistant, ROWS[:6])
    (home / "journal.db").unlink()
    with pytest.raises(BadStateError, match=r"journal\.db: interaction 6 is missing"):
        Assistant(home, bold(), TEACHER, weights)


def test_a_served_draft_that_nobody_audited_teaches_nothing(taught: Assistant) -> None:
    before = taught.models.state()
    asked = taught.ask(Query("how to boil eggs"))
    assert isinstance(asked, Interaction)
    assert asked.served_local
    taught.learn_pending()
    after = taught.models.state()
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
        answers = assistant.models.state()["generator"]["answers"].tolist()
    assert answers == [1, 1, 3]


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
    assert roll_back(homes["straight"], config, 6) == 6
    assert stored(homes["straight"]) == stored(homes["six"])


def stored(home: Path) -> list[bytes]:
    for name in FILES:
        assert load_arrays(home / "models" / name)
    return [(home / "models" / name).read_bytes() for name in FILES]


def test_a_third_of_the_sample_is_answered_on_the_machine_once_it_has_seen_fifty(home: Path, weights: Weights) -> None:
    stream = read_stream(SAMPLE, None, None)
    trace = io.BytesIO()
    with Assistant(home, CONFIG, Recorded(row for row, _ in stream), weights, save_every=None) as assistant:
        result = run(stream, assistant, trace, lambda: None)
    late = result.bands[1]
    assert late.start == 50
    assert late.local >= late.queries / 3
    assert result.total.bad_local <= 0.1 * result.total.local
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
    with Assistant(home, CONFIG, Recorded(row for row, _ in rows), weights, save_every=None) as assistant:
        result = run(rows, assistant, None, lambda: None)
    assert result.total.local <= 0.02 * result.total.queries
