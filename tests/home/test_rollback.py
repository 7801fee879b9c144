"""A rollback makes nothing again that is known, and can be taken back until the next checkpoint."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.config import JudgeConfig, StateConfig
from shammah_mlx.errors import BadStateError
from shammah_mlx.events import AskOptions, Interaction, Query
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.forgetting import forget
from shammah_mlx.home.hindsight import give_feedback
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.recovery import count_later, rebuild, roll_back, undo_rollback
from shammah_mlx.home.snapshots import Snapshots
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Scripted
from tests.fakes import reply
from tests.home.test_forgetting import contents, named

CONFIG = msgspec.structs.replace(
    PRESETS["default"], generator="recall", judge=JudgeConfig(share=0.0), state=StateConfig(checkpoint_every=3)
)
FLEETING = "what is the weather like in Arles right now?"
ASKED = (FLEETING, "who painted it?", "who sold it?", "who bought it?", "who stole it?", "who found it?", "who has it?")

pytestmark = pytest.mark.slow


class Relearning:
    """Counts how often a memory is made again, and from how much."""

    def __init__(self) -> None:
        self.replies: list[int] = []

    def __call__(self, replies: int) -> AbstractContextManager[Callable[[], None]]:
        self.replies.append(replies)
        return nullcontext(lambda: None)


def ask(home: Path, weights: Weights, *texts: str, at: float = 1e9, step: float = 200.0) -> list[int]:
    """Have Claude answer; return from how many replies the memory had to be made again before."""
    clock: Iterator[float] = (at + step * n for n in range(len(texts)))
    relearning = Relearning()
    options = AssistantOptions(clock=lambda: next(clock), relearning=relearning)
    teacher = Scripted(*(reply(f"The answer to {text}") for text in texts))
    with Assistant(home, CONFIG, teacher, weights, options) as assistant:
        for text in texts:
            assert isinstance(assistant.ask(Query(text), options=AskOptions("claude")), Interaction)
            assistant.learn_pending()
    return relearning.replies


def opened(home: Path, weights: Weights) -> list[int]:
    """Open the home once; return from how many replies the memory had to be made again."""
    return ask(home, weights)


@pytest.fixture
def taught(home: Path, weights: Weights) -> Path:
    """Return a home with checkpoints after 3 and 6 queries; later ones removed an entry that the first still has."""
    assert ask(home, weights, *ASKED) == []
    with closing(sqlite3.connect(home / "journal.db")) as db:
        assert db.execute("SELECT number, gone FROM memory WHERE gone IS NOT NULL").fetchall() == [(1, 3)]
    return home


def test_entries_that_later_replies_removed_are_there_again(home: Path, weights: Weights) -> None:
    ask(home, weights, *ASKED, step=100.0)  # the first answer runs out after the checkpoint
    roll_back(home, CONFIG, 3)
    assert opened(home, weights) == []


def test_answers_that_the_user_took_back_later_are_there_again(home: Path, weights: Weights) -> None:
    ask(home, weights, *ASKED[1:5])
    give_feedback(home, CONFIG, 1, good=False)
    ask(home, weights, ASKED[5])
    roll_back(home, CONFIG, 3)
    assert opened(home, weights) == []
    with Assistant(home, CONFIG, Scripted(), weights) as assistant:
        asked = assistant.ask(Query(ASKED[1]), options=AskOptions("local"))
    assert isinstance(asked, Interaction)
    assert asked.source == "repeat"


def test_a_memory_that_had_to_be_made_again_is_saved_and_shown(taught: Path, weights: Weights) -> None:
    """Homes that an earlier version rolled back have lost entries."""
    with closing(sqlite3.connect(taught / "journal.db")) as db, db:
        db.execute("DELETE FROM memory WHERE number = 2")
    assert opened(taught, weights) == [len(ASKED)]
    assert opened(taught, weights) == []


def test_it_says_before_how_much_it_archives(taught: Path) -> None:
    assert [count_later(taught, CONFIG, queries) for queries in (3, 6)] == [4, 1]


def test_it_can_be_taken_back(taught: Path, weights: Weights) -> None:
    before, name = contents(taught), named(taught)
    assert roll_back(taught, CONFIG, 3) == [4, 5, 6, 7]
    assert contents(taught) != before
    assert Snapshots(taught, CONFIG.state).checkpoints() == [3]
    assert undo_rollback(taught, CONFIG) == 4
    assert (contents(taught), named(taught)) == (before, name)
    assert Snapshots(taught, CONFIG.state).checkpoints() == [3, 6]
    assert opened(taught, weights) == []
    assert not (taught / "undo").exists()


def test_what_was_asked_since_is_learnt_after_what_comes_back(taught: Path, weights: Weights) -> None:
    roll_back(taught, CONFIG, 3)
    ask(taught, weights, "who wants it?", at=1e9 + 9000.0)
    undo_rollback(taught, CONFIG)
    with Assistant(taught, CONFIG, Scripted(), weights) as assistant:
        assert [each.request.number for each in assistant.learn_pending()] == [8]
    assert len((taught / "metrics" / "training.jsonl").read_bytes().splitlines()) == 8
    rebuilt = rebuild(taught, CONFIG, weights)
    assert rebuilt.before == rebuilt.after


def refuse(home: Path) -> None:
    with pytest.raises(BadStateError, match="no rollback to take back"):
        undo_rollback(home, CONFIG)


def test_it_cannot_be_taken_back_after_the_next_checkpoint(taught: Path, weights: Weights) -> None:
    refuse(taught)
    roll_back(taught, CONFIG, 3)
    ask(taught, weights, "who wants it?", "who gets it?", at=1e9 + 9000.0)
    assert (taught / "undo").exists()
    ask(taught, weights, "who keeps it?", at=1e9 + 9900.0)
    assert not (taught / "undo").exists()
    refuse(taught)
    with closing(sqlite3.connect(taught / "journal.db")) as db:
        assert db.execute("SELECT count(*) FROM memory_before").fetchone() == (0,)
        assert db.execute("SELECT DISTINCT set_aside FROM interactions ORDER BY 1").fetchall() == [(0,), (1,)]


def test_it_cannot_be_taken_back_once_something_was_forgotten(taught: Path) -> None:
    roll_back(taught, CONFIG, 3)
    forget(taught, CONFIG, "who bought", lambda _: True)
    refuse(taught)
    assert not (taught / "undo").exists()
    holding = [path for path in taught.rglob("*") if path.is_file() and b"who bought" in path.read_bytes()]
    assert holding == []


@pytest.mark.parametrize("good", [True, False])
def test_what_is_said_of_an_answer_makes_no_checkpoint(taught: Path, weights: Weights, good: bool) -> None:
    """So the rollback can still be taken back, and the checkpoint is what it was."""
    before = named(taught)
    roll_back(taught, CONFIG, 3)
    checkpoint = Snapshots(taught, CONFIG.state).restore(3).name
    give_feedback(taught, CONFIG, 2, good=good)
    with Assistant(taught, CONFIG, Scripted(), weights) as assistant:
        assistant.learn_pending()
    assert Snapshots(taught, CONFIG.state).restore(3).name == checkpoint
    assert undo_rollback(taught, CONFIG) == 4
    assert named(taught) == before
    with closing(Journal(taught / "journal.db")) as journal:
        assert [said.about for said in journal.feedback.after(journal.progress().cursor)] == [2]
    assert opened(taught, weights) == []


def test_a_checkpoint_is_the_state_after_its_query_in_a_rebuild_too(taught: Path, weights: Weights) -> None:
    give_feedback(taught, CONFIG, 2, good=False)
    assert rebuild(taught, CONFIG, weights).interactions == len(ASKED)
    last = ask(taught, weights, "who wants it?", "who gets it?", at=1e9 + 9000.0)
    give_feedback(taught, CONFIG, 3, good=False)
    assert last == opened(taught, weights) == []
    first = {n: Snapshots(taught, CONFIG.state).restore(n).name for n in (3, 6, 9)}
    rebuild(taught, CONFIG, weights)
    assert {n: Snapshots(taught, CONFIG.state).restore(n).name for n in (3, 6, 9)} == first


def test_a_second_one_that_died_half_way_leaves_the_first_to_be_taken_back(taught: Path, weights: Weights) -> None:
    before, lines = named(taught), taught / "metrics" / "training.jsonl"
    roll_back(taught, CONFIG, 6)
    ask(taught, weights, "who burnt it?", at=1e9 + 9000.0)
    Snapshots(taught, CONFIG.state).keep_for_undo(named(taught), 3, lines)  # then it is killed
    assert undo_rollback(taught, CONFIG) == 1
    assert named(taught) == before
    with Assistant(taught, CONFIG, Scripted(), weights) as assistant:
        assert [each.request.number for each in assistant.learn_pending()] == [8]


def test_only_the_last_one_can_be_taken_back(taught: Path) -> None:
    roll_back(taught, CONFIG, 6)
    roll_back(taught, CONFIG, 3)
    assert undo_rollback(taught, CONFIG) == 3
    refuse(taught)


def test_one_that_died_half_way_does_no_harm(taught: Path, monkeypatch: pytest.MonkeyPatch, weights: Weights) -> None:
    before = named(taught)
    with monkeypatch.context() as patch:
        patch.setattr(Snapshots, "publish", lambda *_: (_ for _ in ()).throw(OSError("killed")))
        with pytest.raises(OSError, match="killed"):
            roll_back(taught, CONFIG, 3)
    assert opened(taught, weights) == []
    assert undo_rollback(taught, CONFIG) == 4
    assert named(taught) == before
