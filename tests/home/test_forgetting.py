"""What was forgotten is nowhere in the home, and the home is what it would be had it never been asked."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.config import Config, StateConfig
from shammah_mlx.errors import BadInputError, BadStateError
from shammah_mlx.events import AskOptions, Draft, DraftSource, Exchange, Interaction, Query, Route, ScoredDraft
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.forgetting import Forgotten, finish, forget, matcher
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.recovery import rebuild, roll_back
from shammah_mlx.home.snapshots import FILES, Snapshots
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Recorded, Row
from tests.conftest import with_tiny_decoder
from tests.fakes import make_request, reply

SECRET = "Quetzal"
SAME = "Turn the key in the lock."  # the first to answer so is forgotten
ASKED = [f"how do I {verb} a {thing}" for verb in ("boil", "paint", "sell", "fix") for thing in ("egg", "car", "door")]
ROWS = [
    *(Row(text, f"This is how: {text.removeprefix('how do I ')} with care.", f"r{n}") for n, text in enumerate(ASKED)),
    Row(f"how do I open the {SECRET.upper()} door?", SAME, "first"),
    Row("how can I open the garden door?", SAME, "second"),
    Row("how do I open a letter?", "Use a knife.", "third"),
    Row("what is that bird?", f"It is a {SECRET}, from Mexico. " + 4000 * "It sings. ", "long"),  # pages of the file
    Row("how do I close a letter?", "Use glue.", "fourth"),
]
TEACHER = Recorded(ROWS)
FIRST = len(ASKED) + 1  # journal number of the first row that holds the word
STATE = StateConfig(checkpoint_every=5)
RECALL = msgspec.structs.replace(
    PRESETS["default"],
    generator="recall",
    state=STATE,
    recall=msgspec.structs.replace(PRESETS["default"].recall, trust_from=5),
)


pytestmark = pytest.mark.slow


def everything(found: Sequence[Interaction]) -> bool:
    return True


def teach(home: Path, config: Config, weights: Weights, rows: list[Row] = ROWS) -> None:
    with Assistant(home, config, TEACHER, weights, options=AssistantOptions(clock=lambda: 1e9)) as assistant:
        for row in rows:
            assert isinstance(
                assistant.ask(Query(row.query, row=row.id), options=AskOptions(forced_source="claude")), Interaction
            )
            assistant.learn_pending()


def learn_rest(home: Path, config: Config, weights: Weights) -> int:
    with Assistant(home, config, TEACHER, weights) as assistant:
        return len(assistant.learn_pending())


def holding(home: Path, word: str = SECRET) -> list[str]:
    files = [path for path in home.rglob("*") if path.is_file()]
    return [str(path.relative_to(home)) for path in files if word.lower().encode() in path.read_bytes().lower()]


def contents(home: Path) -> tuple[list[bytes], bytes, list[tuple[object, ...]], bytes]:
    with closing(sqlite3.connect(home / "journal.db")) as db:
        memory = db.execute("SELECT * FROM memory ORDER BY number").fetchall()
    models = [(home / "models" / name).read_bytes() for name in FILES]
    return models, (home / "models" / "manifest.json").read_bytes(), memory, metrics_of(home)


def named(home: Path) -> str | None:
    with closing(Journal(home / "journal.db")) as journal:
        return journal.progress().state


def metrics_of(home: Path) -> bytes:
    return (home / "metrics" / "training.jsonl").read_bytes()


def from_the_journal_alone(home: Path, config: Config, weights: Weights) -> Path:
    fresh = home.with_name("fresh")
    fresh.mkdir()
    with closing(sqlite3.connect(home / "journal.db")) as db, closing(sqlite3.connect(fresh / "journal.db")) as copy:
        db.backup(copy)
    rebuild(fresh, config, weights)
    return fresh


def config_of(generator: str, tiny: Config, tiny_folder: Path) -> Config:
    """Return small settings of a generator, or of the literal preset."""
    if generator == "literal":
        return msgspec.structs.replace(tiny, state=STATE)
    config = with_tiny_decoder(RECALL, tiny_folder)
    shadows: dict[DraftSource, tuple[tuple[int, float], ...]] = {"recall": ((0, 1.0),), "decoder": ((0, 1.0),)}
    policy = msgspec.structs.replace(RECALL.policy, shadows=shadows)
    return msgspec.structs.replace(config, generator=generator, policy=policy)


@pytest.mark.parametrize("generator", ["recall", "recall+decoder", "literal"])
def test_forgetting_leaves_the_state_that_the_rest_of_the_journal_makes(
    home: Path, weights: Weights, tiny: Config, tiny_folder: Path, generator: str
) -> None:
    config = config_of(generator, tiny, tiny_folder)
    teach(home, config, weights)
    assert holding(home)
    with closing(Journal(home / "journal.db")) as journal:
        matching = sum(map(matcher(SECRET), journal.every()))
    forgotten = forget(home, config, SECRET.lower(), everything)
    assert forgotten == Forgotten(matching, [15])
    assert matching >= 2  # and drafts that were recalled from them
    assert holding(home) == []
    assert learn_rest(home, config, weights) == len(ROWS) - matching - 10
    assert contents(home) == contents(from_the_journal_alone(home, config, weights))
    assert len(metrics_of(home).splitlines()) == len(ROWS) - matching
    assert holding(home) == []


def test_only_interactions_after_the_first_erased_one_are_learnt_again(home: Path, weights: Weights) -> None:
    teach(home, RECALL, weights)
    snapshots = Snapshots(home, RECALL.state)
    assert snapshots.checkpoints() == [5, 10, 15]
    forget(home, RECALL, SECRET, everything)
    assert snapshots.checkpoints() == [5, 10]
    manifest = snapshots.manifest(named(home))
    assert manifest is not None
    assert (manifest.cursor, manifest.tally.queries) == (10, 10)


def test_a_forgotten_answer_is_not_served_and_shared_answers_stay(home: Path, weights: Weights) -> None:
    teach(home, RECALL, weights)
    forget(home, RECALL, SECRET, everything)
    learn_rest(home, RECALL, weights)
    with Assistant(home, RECALL, TEACHER, weights) as assistant:
        asked = {
            text: assistant.ask(Query(text), options=AskOptions(forced_source="local"))
            for text in ("what is that bird", ROWS[13].query)
        }
        assert all(isinstance(told, Interaction) for told in asked.values())
        answers = {text: told.answer for text, told in asked.items() if isinstance(told, Interaction)}
    assert SECRET not in answers["what is that bird"]
    assert answers[ROWS[13].query] == SAME  # its first was forgotten
    with closing(sqlite3.connect(home / "journal.db")) as db:
        assert db.execute("SELECT answer FROM memory WHERE number = ?", (FIRST + 1,)).fetchone() == (FIRST + 1,)


def test_scrubbing_removes_text_deleted_before_secure_delete_was_on(home: Path, weights: Weights) -> None:
    teach(home, RECALL, weights, ROWS[:6])
    with closing(sqlite3.connect(home / "journal.db")) as db, db:  # as versions before this one wrote
        db.execute("PRAGMA secure_delete = OFF")
        long = json.dumps({"text": 500 * f"{SECRET} "})
        db.execute("INSERT INTO interactions (number, record) VALUES (90, ?)", (long,))
        db.commit()
        db.execute("DELETE FROM interactions WHERE number = 90")
    assert holding(home)
    forget(home, RECALL, "boil a door", everything)
    assert holding(home) == []


DIE_AFTER = """
import os, sys
from pathlib import Path
from shammah_mlx.config import StateConfig
from shammah_mlx.home.erasures import Erasures
from shammah_mlx.home.forgetting import finish, matcher
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.snapshots import Snapshots
home, left = Path(sys.argv[1]), [int(sys.argv[2])]
def dies_after(step):
    def stepped(*args, **kwargs):
        if left[0] == 0:
            os._exit(9)  # nothing closed, nothing flushed
        left[0] -= 1
        return step(*args, **kwargs)
    return stepped
for owner, names in (
    (Erasures, ("erase", "scrub", "finish")),
    (Journal, ("go_back",)),
    (Snapshots, ("drop_checkpoints", "drop_archived", "restore", "publish")),
):
    for name in names:
        setattr(owner, name, dies_after(getattr(owner, name)))
journal, snapshots = Journal(home / "journal.db"), Snapshots(home, StateConfig(checkpoint_every=5))
matches = matcher(sys.argv[3])
journal.erasures.erase([interaction.request.number for interaction in journal.every() if matches(interaction)])
finish(home, journal, snapshots)
os._exit(9)
"""


@pytest.mark.parametrize("steps", range(9))
def test_the_next_process_finishes_an_erasure_that_a_dead_one_began(home: Path, weights: Weights, steps: int) -> None:
    teach(home, RECALL, weights)
    died = subprocess.run([sys.executable, "-c", DIE_AFTER, str(home), str(steps), SECRET], check=False)
    assert died.returncode == 9
    learn_rest(home, RECALL, weights)
    assert bool(holding(home)) is (steps == 0)
    if steps:
        assert contents(home) == contents(from_the_journal_alone(home, RECALL, weights))
        assert Snapshots(home, RECALL.state).checkpoints() == [5, 10, 15]
    assert forget(home, RECALL, "nothing like it", everything) == Forgotten(0, [])


def test_an_interrupted_erasure_is_finished_even_if_nothing_matches_now(home: Path, weights: Weights) -> None:
    teach(home, RECALL, weights)
    subprocess.run([sys.executable, "-c", DIE_AFTER, str(home), "1", SECRET], check=False)
    assert forget(home, RECALL, SECRET, everything) == Forgotten(0, [15], resumed=True)
    assert holding(home) == []


def test_a_rollback_finishes_an_interrupted_erasure_too(home: Path, weights: Weights) -> None:
    teach(home, RECALL, weights)
    subprocess.run([sys.executable, "-c", DIE_AFTER, str(home), "1", SECRET], check=False)
    with pytest.raises(BadStateError, match="no checkpoint 15"):
        roll_back(home, RECALL, 15)
    assert holding(home) == []


def test_forgetting_fails_while_another_process_reads_the_journal(home: Path, weights: Weights) -> None:
    teach(home, RECALL, weights, ROWS[FIRST - 6 : FIRST + 1])
    with closing(Journal(home / "journal.db", 0.3)) as journal:  # the reader stays however long one waits
        journal.erasures.erase([6])
        with closing(sqlite3.connect(home / "journal.db")) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM interactions").fetchone()
            with pytest.raises(BadStateError, match="another process is reading"):
                finish(home, journal, Snapshots(home, RECALL.state))
        assert journal.erasures.unfinished_from() == 6
        finish(home, journal, Snapshots(home, RECALL.state))
        assert journal.erasures.unfinished_from() is None


def test_archived_interactions_are_forgotten_and_the_models_stay(home: Path, weights: Weights) -> None:
    teach(home, RECALL, weights)
    roll_back(home, RECALL, 10)
    before = contents(home)[:2]
    assert forget(home, RECALL, SECRET, everything) == Forgotten(2, [])
    assert holding(home) == []
    assert contents(home)[:2] == before
    assert learn_rest(home, RECALL, weights) == 0


def test_forgotten_numbers_are_not_used_again(home: Path, weights: Weights) -> None:
    teach(home, RECALL, weights, ROWS[:FIRST])
    forget(home, RECALL, SECRET, everything)
    with Assistant(home, RECALL, TEACHER, weights) as assistant:
        asked = assistant.ask(Query(ROWS[0].query, row="r0"))
    assert isinstance(asked, Interaction)
    assert (asked.request.number, asked.request.seen) == (FIRST + 1, FIRST - 1)


def test_a_home_that_forgot_everything_is_as_new(home: Path, weights: Weights) -> None:
    teach(home, RECALL, weights, ROWS[:6])
    assert forget(home, RECALL, "how", everything) == Forgotten(6, [5])
    assert not (home / "models").exists()
    assert learn_rest(home, RECALL, weights) == 0
    assert metrics_of(home) == b""
    teach(home, RECALL, weights, ROWS[:1])
    assert Snapshots(home, RECALL.state).manifest(named(home)) is not None


def test_forgetting_works_in_a_home_copied_with_its_links_resolved(home: Path, weights: Weights) -> None:
    teach(home, RECALL, weights, ROWS[:3])
    copy = home.with_name("copy")
    shutil.copytree(home, copy, symlinks=False)
    assert forget(copy, RECALL, "how", everything) == Forgotten(3, [])
    assert not (copy / "models").exists()
    assert list((copy / "states").iterdir()) == []


def test_unfinished_snapshots_are_deleted_too(home: Path, weights: Weights) -> None:
    teach(home, RECALL, weights)
    for left in (home / "states" / "query_16_left", home / "checkpoints" / ".query_15"):
        left.mkdir()
        (left / "generator.safetensors").write_bytes(SECRET.encode())
    roll_back(home, RECALL, 10)
    (home / "states" / "query_16_left").mkdir()
    forget(home, RECALL, SECRET, everything)
    assert len(list((home / "states").iterdir())) == 1
    assert sorted(path.name for path in (home / "checkpoints").iterdir()) == ["query_10", "query_5"]


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_forgetting_works_with_damaged_models(home: Path, weights: Weights, name: str) -> None:
    teach(home, RECALL, weights)
    (home / "models" / name).write_bytes(b"damaged")
    (home / "checkpoints" / "query_10" / "manifest.json").unlink()
    forgotten = forget(home, RECALL, SECRET, everything)
    assert forgotten is not None
    assert forgotten.checkpoints == [10, 15]
    learn_rest(home, RECALL, weights)
    assert contents(home) == contents(from_the_journal_alone(home, RECALL, weights))


def test_the_user_sees_what_would_be_erased_and_may_refuse(home: Path, weights: Weights) -> None:
    teach(home, RECALL, weights)
    before = contents(home)
    shown: list[int] = []

    def refuse(found: Sequence[Interaction]) -> bool:
        shown.extend(interaction.request.number for interaction in found)
        return False

    assert forget(home, RECALL, SECRET, refuse) is None
    assert shown == [FIRST, FIRST + 3]
    assert contents(home) == before


def test_another_preset_may_not_rebuild_the_models(home: Path, weights: Weights, tiny: Config) -> None:
    teach(home, RECALL, weights)
    with pytest.raises(BadStateError, match="made by the preset 'default'"):
        forget(home, tiny, SECRET, everything)
    assert holding(home)


def test_forgetting_does_not_create_a_missing_home(tmp_path: Path) -> None:
    assert forget(tmp_path / "none", RECALL, SECRET, everything) == Forgotten(0, [])
    assert not (tmp_path / "none").exists()


def count_labels(assistant: Assistant) -> int:
    state = assistant.roles.state()["validator"]
    return sum(state[f"{source}.labels"].size for source in ("repeat", "recall"))


def test_labels_of_another_meter_are_not_learnt_again(home: Path, weights: Weights) -> None:
    teach(home, RECALL, weights)
    other = msgspec.structs.replace(RECALL, divergence=msgspec.structs.replace(RECALL.divergence, kind="exact"))
    teach(home, other, weights, ROWS[:2])
    with Assistant(home, other, TEACHER, weights) as assistant:
        labels = count_labels(assistant)
    forget(home, other, "boil a car", everything)
    learn_rest(home, other, weights)
    with Assistant(home, other, TEACHER, weights) as assistant:
        assert 0 < count_labels(assistant) <= labels


FORWARD = Route({"recall": 0.1}, 0.5)


@pytest.mark.parametrize(
    ("pattern", "holds"),
    [
        ("monad", True),  # the question
        ("MONAD?", True),
        ("what is\n a", True),
        ("pirate", True),  # the system prompt
        ("earlier", True),  # what was said before
        ("had been", True),
        ("claude's answer", True),  # the reply
        ("ﬁnal dråft", True),  # a draft, with a ligature in the pattern and another way to write å in the text
        ("final draft", True),  # without its accent
        ("mo\u00adna\u200bd", True),  # a soft hyphen and a space of no width, which nobody sees
        ("secret-model", True),  # what a client wrote where a model's name belongs
        ("claude-test", True),  # and what a server did
        ("stop here", True),
        ("row-7", False),
        (".*", False),  # it is no expression
    ],
)
def test_a_pattern_is_plain_text_in_any_text_of_an_interaction(pattern: str, holds: bool) -> None:
    query = Query(
        "what is a mo\u200bnad?",
        "You are a pirate.",
        "secret-model",
        row="row-7",
        history=(Exchange("An earlier one", "Had been"),),
        stop_sequences=("STOP HERE",),
    )
    asked = msgspec.structs.replace(make_request(), query=query)
    drafted = (ScoredDraft(Draft("The final dra\u030aft", "recall"), 0.5),)
    told = msgspec.structs.replace(Interaction.forwarded(asked, FORWARD, reply()), drafts=drafted)
    assert matcher(pattern)(told) is holds


@pytest.mark.parametrize("pattern", ["", " \n", "\u200b\u00ad"])
def test_an_empty_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(BadInputError, match="empty"):
        matcher(pattern)
