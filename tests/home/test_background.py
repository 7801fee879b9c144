"""`ask` is back at the prompt when the answer is out; what it learns, a process of its own learns."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.errors import BadStateError
from shammah_mlx.events import Query
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.background import LOG, is_learning
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.locks import HomeLock
from shammah_mlx.home.recovery import rebuild
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS, load_config
from shammah_mlx.teacher.claude import Claude
from shammah_mlx.teacher.keys import find_credential
from shammah_mlx.teacher.recordings import Scripted
from tests.command import run
from tests.fakes import reply as said_by_claude
from tests.loopback import Loopback, reply

SHAMMAH = (sys.executable, "-m", "shammah_mlx")
TAKE_ALONE = """
import sys
from pathlib import Path
from shammah_mlx.config import StateConfig
from shammah_mlx.home.locks import HomeLock
with HomeLock(Path(sys.argv[1]), StateConfig()).alone():
    pass
"""
LONGEST = 60.0  # seconds to wait for what happens in the background


pytestmark = [pytest.mark.settings('generator = "recall"\n'), pytest.mark.slow]


def ask(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SHAMMAH, "ask", text], capture_output=True, text=True, check=False)


def take_over(path: Path, *options: str) -> str:
    return said("import", *options, str(path))


def said(*arguments: str) -> str:
    """Return what a command prints, run in a process of its own, as one that leaves work behind has to be."""
    return subprocess.run([*SHAMMAH, *arguments], capture_output=True, text=True, check=True).stdout


def pending(home: Path) -> int:
    with closing(Journal(home / "journal.db")) as journal:
        return journal.count_after(journal.progress().cursor)


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST
    while not is_so():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


def test_learning_stops_and_saves_for_a_command_that_needs_the_home_alone(home: Path, weights: Weights) -> None:
    config = load_config(home / "config.toml", {})
    claude = Scripted(*(said_by_claude(f"Answer {n}.") for n in range(4)))
    waiting: list[subprocess.Popen[bytes]] = []

    def advance() -> None:
        if not waiting:
            waiting.append(subprocess.Popen([sys.executable, "-c", TAKE_ALONE, str(home)]))
            wait_until(lock.is_wanted)

    lock = HomeLock(home, config.state)
    with Assistant(home, config, claude, weights) as assistant:
        for n in range(4):
            assistant.ask(Query(f"What is {n}?"))
        assert assistant.learn_rest(lambda _: nullcontext(advance), wait=True) == 1
        assert (pending(home), waiting[0].poll()) == (3, None)
    assert waiting[0].wait(LONGEST) == 0
    assert not lock.is_wanted()
    waiting.clear()
    with Assistant(home, config, claude, weights, options=AssistantOptions(afresh=True)) as rebuilding:
        assert len(rebuilding.learn_pending(advance)) == 4  # a rebuild is made whole
        rebuilding.save()
    assert waiting[0].wait(LONGEST) == 0


def test_ask_returns_before_the_answer_is_learnt(home: Path, claude: Loopback) -> None:
    asked = ask("what is a monad?")
    left = pending(home)
    assert (asked.returncode, asked.stdout) == (0, "You asked: what is a monad?\n")
    assert left == 1
    wait_until(lambda: pending(home) == 0)
    wait_until(lambda: not is_learning(home, PRESETS["default"]))
    assert json.loads(run("status", "--json").stdout)["trained"] == 1


def test_questions_asked_at_once_are_all_answered_and_each_is_learnt_once(
    home: Path, claude: Loopback, weights: Weights
) -> None:
    texts = [f"what is the capital of {place}?" for place in ("Spain", "Chad", "Peru", "Laos")]
    started = [subprocess.Popen([*SHAMMAH, "ask", text], stdout=subprocess.PIPE, text=True) for text in texts]
    told = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0, 0]
    assert told == [f"You asked: {text}\n" for text in texts]
    wait_until(lambda: pending(home) == 0 and not is_learning(home, PRESETS["default"]))
    with closing(Journal(home / "journal.db")) as journal:
        interactions = list(journal.after(0))
    assert [interaction.request.number for interaction in interactions] == [1, 2, 3, 4]
    assert sorted(interaction.request.query.text for interaction in interactions) == sorted(texts)
    rebuilt = rebuild(home, load_config(home / "config.toml", {}), weights)
    assert (rebuilt.interactions, rebuilt.before) == (4, rebuilt.after)


def test_a_question_is_answered_while_another_process_learns(home: Path, claude: Loopback) -> None:
    with HomeLock(home, PRESETS["default"].state).learning():
        assert ask("what is a monad?").returncode == 0
        told = subprocess.run([*SHAMMAH, "learn"], capture_output=True, text=True, check=False)
        assert (told.returncode, told.stdout) == (
            0,
            "Another shammah process is already learning and will learn everything.\n",
        )
        assert pending(home) == 1
        assert "0 learnt, 1 being learnt" in run("status").stdout
        assert "not yet: being learnt now" in run("why").stdout
    assert run("learn").stdout == "Learnt: 1.\n"
    assert pending(home) == 0


def test_the_next_process_learns_what_a_killed_one_left(home: Path, claude: Loopback) -> None:
    with HomeLock(home, PRESETS["default"].state).learning():
        ask("what is a monad?")
    with subprocess.Popen([*SHAMMAH, "learn"], stdout=subprocess.DEVNULL) as learner:
        wait_until(lambda: is_learning(home, PRESETS["default"]))
        learner.send_signal(signal.SIGKILL)
    ask("and a functor?")
    wait_until(lambda: pending(home) == 0)


def slow_down(home: Path) -> None:
    """Let the home remember that learning an answer takes it an hour."""
    with closing(sqlite3.connect(home / "journal.db")) as database, database:
        database.execute("INSERT OR REPLACE INTO pace VALUES (1, 1, 3600)")


@pytest.fixture
def slow_home(home: Path) -> Path:
    """Return a home that knows three answers, and believes that it learns slowly."""
    assert "Ctrl-C puts off the rest" in take_over(stream(home.parent, "egg", "car", "cat"))
    slow_down(home)
    return home


def stream(folder: Path, *things: str) -> Path:
    path = folder / f"{things[0]}.jsonl"
    rows = [{"query": f"how do I paint a {thing}", "reply": f"Paint the {thing}."} for thing in things]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_an_import_that_takes_long_to_learn_returns_once_it_is_journalled(slow_home: Path) -> None:
    told = take_over(stream(slow_home.parent, "door", "hat"))
    assert told.endswith(
        "Imported: 2. All of it is in the journal.\nTo learn: 2, which takes about 2 hours here. "
        "It goes on in the background; `shammah status` shows how far it is.\n"
    )
    wait_until(lambda: pending(slow_home) == 0 and not is_learning(slow_home, PRESETS["default"]))
    assert (slow_home / LOG).read_text().endswith("\nLearnt: 2.\n")
    assert json.loads(run("status", "--json").stdout)["imported"] == 5


def test_what_takes_long_to_learn_after_forgetting_is_left_to_the_background(slow_home: Path) -> None:
    told = said("forget", "--yes", "paint a egg")
    assert "Interactions erased: 1." in told
    assert "To learn: 2, which takes about 2 hours here. It goes on in the background" in told
    wait_until(lambda: pending(slow_home) == 0 and not is_learning(slow_home, PRESETS["default"]))
    assert (slow_home / LOG).read_text().endswith("Learnt: 2.\n")


def test_an_import_that_takes_long_is_learnt_in_front_if_that_is_wanted(slow_home: Path) -> None:
    assert "Ctrl-C puts off the rest" in take_over(stream(slow_home.parent, "door", "hat"), "--wait")
    assert pending(slow_home) == 0


def test_what_a_killed_process_left_of_an_import_is_learnt_by_the_next(slow_home: Path, claude: Loopback) -> None:
    with HomeLock(slow_home, PRESETS["default"].state).learning():
        take_over(stream(slow_home.parent, "door", "hat"))
        assert "3 learnt, 2 being learnt" in run("status").stdout
    with subprocess.Popen([*SHAMMAH, "learn"], stdout=subprocess.DEVNULL) as learner:
        wait_until(lambda: is_learning(slow_home, PRESETS["default"]))
        learner.send_signal(signal.SIGKILL)
    assert ask("what is a monad?").returncode == 0
    wait_until(lambda: pending(slow_home) == 0)
    assert json.loads(run("status", "--json").stdout)["trained"] == 6


def test_status_says_why_learning_stopped_without_any_text_of_the_user(home: Path, claude: Loopback) -> None:
    (home / "states").touch()  # where a folder should be
    ask("what is a monad?")
    wait_until(lambda: (home / LOG).read_bytes() != b"")
    wait_until(lambda: not is_learning(home, PRESETS["default"]))
    told = json.loads(run("status", "--json").stdout)
    assert (told["pending"], told["learning_failed"]) == (1, f"File exists ({home / 'states'})")
    assert "stopped: File exists" in " ".join(run("status").stdout.split())
    assert "monad" not in (home / LOG).read_text()
    (home / "states").unlink()
    assert run("learn").stdout == "Learnt: 1.\n"
    assert json.loads(run("status", "--json").stdout)["learning_failed"] is None


def test_background_learning_has_the_settings_of_the_question(home: Path, claude: Loopback) -> None:
    other = home.with_name("other")
    command = [*SHAMMAH, "ask", "--home", str(other), "--preset", "literal", "--seed", "7", "hello"]
    (home / "config.toml").rename(home.with_name("config.toml"))
    other.mkdir()
    (other / "config.toml").write_text(
        "[router]\nwidth = 16\nheads = 2\nhidden = 32\n[decoder]\nwidth = 16\nheads = 2\n"
    )
    assert subprocess.run(command, check=False, capture_output=True, cwd=other.parent).returncode == 0
    wait_until(lambda: pending(other) == 0)
    with closing(sqlite3.connect(other / "journal.db")) as db:
        assert db.execute("SELECT count(*) FROM learnt").fetchone() == (1,)
    assert not (home / "journal.db").exists()


def test_no_process_is_started_for_a_query_that_is_not_stored(home: Path, claude: Loopback) -> None:
    claude.default_to(reply("It is a secret."))
    told = subprocess.run([*SHAMMAH, "ask", "--no-store", "who am I?"], capture_output=True, text=True, check=False)
    assert told.stdout == "It is a secret.\n"
    assert not (home / LOG).exists()


def test_learn_says_so_when_nothing_was_asked(home: Path) -> None:
    assert run("learn").stdout == "Nothing to learn: no question was asked yet.\n"
    assert [path.name for path in home.iterdir()] == ["config.toml"]


def test_no_module_of_the_current_folder_is_imported(home: Path, claude: Loopback, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "click.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')")
    script = Path(sys.executable).parent / "shammah"  # as users start it: its own folder comes first, not theirs
    subprocess.run([str(script), "ask", "what is a monad?"], cwd=folder, check=True, capture_output=True)
    wait_until(lambda: pending(home) == 0)
    assert not (tmp_path / "run").exists()


def test_a_home_deleted_during_learning_stays_deleted(home: Path, claude: Loopback, weights: Weights) -> None:
    config = load_config(home / "config.toml", {})
    with Assistant(home, config, Claude(config.teacher, find_credential(home)), weights) as assistant:
        assistant.ask(Query("what is a monad?"))
        shutil.rmtree(home)
        with pytest.raises(BadStateError, match="deleted"):
            assistant.learn_pending()
    assert not home.exists()


def test_a_process_that_waits_to_be_alone_does_not_block_questions(home: Path) -> None:
    here, there = (HomeLock(home, msgspec.structs.replace(PRESETS["default"].state, lock_wait_s=1.0)) for _ in range(2))
    refused = threading.Event()

    def be_alone() -> None:
        with pytest.raises(BadStateError, match="another shammah"), there.alone():
            pass
        refused.set()

    with here.shared():
        waiting = threading.Thread(target=be_alone)
        waiting.start()
        while not refused.is_set():
            with HomeLock(home, msgspec.structs.replace(PRESETS["default"].state, lock_wait_s=0.0)).shared():
                time.sleep(0.01)
        waiting.join()


OPEN = "import sys, pathlib, shammah_mlx.home.journal as j; [j.Journal(pathlib.Path(p)).close() for p in sys.argv[1:]]"


def test_many_processes_may_open_a_new_journal_at_once(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{number}.db") for number in range(30)]
    started = [subprocess.Popen([sys.executable, "-c", OPEN, *paths]) for _ in range(4)]
    assert [process.wait() for process in started] == [0, 0, 0, 0]
