"""What goes wrong under a home: a full disk, no rights, files that are not what they were, a clock set back.

Each time one clear line, a way out, and nothing lost.
"""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.config import Config
from shammah_mlx.errors import BadStateError
from shammah_mlx.events import AskOptions, Interaction, Query
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.recovery import rebuild, roll_back
from shammah_mlx.home.schema import MIGRATIONS
from shammah_mlx.home.snapshots import FILES, Snapshots
from shammah_mlx.models.backend import mx
from shammah_mlx.models.weights import Weights
from shammah_mlx.teacher.recordings import Recorded, Row
from tests.command import run
from tests.loopback import Loopback

ASKED = ("how do I boil an egg?", "what is a monad?", "who was Bach?", "where is Chad?")
LAST = "how do I sell a car?"
ROWS = [Row(text, f"This is how: {text}", f"r{n}") for n, text in enumerate((*ASKED, LAST))]
SETTINGS = 'generator = "recall"\n[state]\ncheckpoint_every = 5\n'  # so the fifth question makes a checkpoint

IN_A_MOUNT = """
import os, shutil, subprocess, sys
from pathlib import Path
place, base, out, pages, text = *map(Path, sys.argv[1:4]), int(sys.argv[4]), sys.argv[5]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(place)], check=True)
home = place / "home"
shutil.copytree(base, home, symlinks=True)
used = os.statvfs(place)
size = (used.f_blocks - used.f_bfree + pages) * used.f_bsize
options = f"remount,size={size}" if pages >= 0 else "remount,ro"
subprocess.run(["mount", "-o", options, str(place)], check=True)
asked = subprocess.run([sys.executable, "-m", "shammah_mlx", "ask", "--wait", "--home", str(home), text])
shutil.copytree(home, out, symlinks=True)
sys.exit(asked.returncode)
"""


pytestmark = [
    pytest.mark.settings(SETTINGS),  # the fifth question makes a checkpoint
    pytest.mark.taught(*ASKED),
    pytest.mark.usefixtures("shammah"),
    pytest.mark.slow,
]


def can_mount() -> bool:
    """Say whether a mount can be made that only its own process sees."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], check=False).returncode == 0


needs_mount = pytest.mark.skipif(not can_mount(), reason="needs the right to mount a disk of its own")


def state_of(home: Path) -> str | None:
    with closing(Journal(home / "journal.db")) as journal:
        return journal.progress().state


def asked_in(home: Path) -> list[str]:
    with closing(Journal(home / "journal.db")) as journal:
        return [interaction.request.query.text for interaction in journal.after(0)]


def ask_in_a_mount(place: Path, home: Path, out: Path, pages: int) -> subprocess.CompletedProcess[str]:
    """Ask one more question on a disk with so many free pages, -1: that cannot be written to; leave the home in `out`.

    The mount is seen by no other process, and gone with its own.
    """
    place.mkdir(exist_ok=True)
    command = ["unshare", "-m", sys.executable, "-c", IN_A_MOUNT, str(place), str(home), str(out), str(pages), LAST]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs_mount
def test_a_disk_that_is_full_at_any_write_loses_nothing(tmp_path: Path, home: Path, every_page: int) -> None:
    whole = tmp_path / "whole"
    assert ask_in_a_mount(tmp_path / "disk", home, whole, 10_000).returncode == 0
    failures, pages = 0, 0
    while True:
        out = tmp_path / f"out{pages}"
        asked = ask_in_a_mount(tmp_path / "disk", home, out, pages)
        assert "Traceback" not in asked.stderr, asked.stderr
        if asked.returncode == 0:
            break
        failures += 1
        assert asked.returncode == 1
        assert asked.stderr.count("Error: ") == 1
        assert "make room on the disk" in asked.stderr
        assert asked.stdout in ("", f"You asked: {LAST}\n", f"You asked: {LAST}")
        assert asked_in(out)[: len(ASKED)] == list(ASKED)
        if len(asked_in(out)) == len(ASKED):  # it was not journalled, so it is asked again
            assert run("ask", "--home", str(out), LAST).exit_code == 0
        else:
            assert run("learn", "--home", str(out)).exit_code == 0
        assert asked_in(out) == [*ASKED, LAST]
        assert state_of(out) == state_of(whole)
        shutil.rmtree(out)
        pages += every_page
    assert failures >= 5


@needs_mount
def test_a_read_only_home_is_reported(tmp_path: Path, home: Path) -> None:
    asked = ask_in_a_mount(tmp_path / "disk", home, tmp_path / "out", -1)
    assert asked.returncode == 1
    assert asked.stdout == ""
    assert "Traceback" not in asked.stderr
    assert asked.stderr.count("Error: ") == asked.stderr.count("Hint: ") == 1
    assert "write" in asked.stderr
    assert asked_in(tmp_path / "out") == list(ASKED)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_home_is_not_accepted(home: Path, config: Config, weights: Weights, name: str) -> None:
    (home / "models" / name).unlink()
    mx.save_safetensors(str(home / "models" / name), {"weights": mx.zeros((3,))})
    failed = run("ask", LAST)
    assert failed.exit_code == 1
    assert f"{name} is damaged or missing" in failed.stderr
    assert f"shammah rebuild --home {home}" in failed.stderr
    before = state_of(home)
    assert f"bit for bit ({before})" in run("rebuild").stdout
    assert run("ask", LAST).exit_code == 0


def test_a_snapshot_of_another_home_is_not_accepted(tmp_path: Path, home: Path, claude: Loopback) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.toml").write_text(SETTINGS)
    for text in ASKED[:2]:
        run("ask", "--home", str(other), text)
    current = (home / "models").resolve()
    shutil.rmtree(current)
    shutil.copytree((other / "models").resolve(), current)
    failed = run("ask", LAST)
    assert failed.exit_code == 1
    assert "manifest.json is damaged or missing" in failed.stderr
    assert run("rebuild").exit_code == 0
    assert run("ask", LAST).exit_code == 0


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_a_journal_of_any_earlier_version_is_migrated_and_learnt(
    tmp_path: Path, home: Path, config: Config, weights: Weights, version: int
) -> None:
    old, before = tmp_path / "old", state_of(home)
    old.mkdir()
    with closing(Journal(home / "journal.db")) as journal:
        records = [(one.request.number, msgspec.json.encode(one).decode()) for one in journal.after(0)]
    write_old(old / "journal.db", version, records)
    with Assistant(old, config, Recorded(()), weights) as assistant:
        assert [one.request.query.text for one in assistant.learn_pending()] == list(ASKED)
    assert state_of(old) == before


def write_old(path: Path, version: int, records: list[tuple[int, str]]) -> None:
    with closing(sqlite3.connect(path)) as db:
        for script in MIGRATIONS[:version]:
            db.execute(script)
        db.execute(f"PRAGMA user_version = {version}")
        db.executemany("INSERT INTO interactions (number, record) VALUES (?, ?)", records)
        db.commit()


def test_models_of_an_earlier_version_are_made_again_from_the_journal(home: Path, weights: Weights) -> None:
    before, current = state_of(home), (home / "models").resolve()
    (home / "models").unlink()
    current.rename(home / "states" / "query_4_old")  # as it was before the journal named what it had made
    (home / "states" / "query_4_old" / "manifest.json").write_text('{"manifest": {"format": 2}, "crc32": 7}')
    (home / "models").symlink_to("states/query_4_old")
    with closing(sqlite3.connect(home / "journal.db")) as db:
        records = db.execute("SELECT number, record FROM interactions").fetchall()
    for path in home.glob("journal.db*"):
        path.unlink()
    write_old(
        home / "journal.db", next(n for n, script in enumerate(MIGRATIONS) if "CREATE TABLE learnt" in script), records
    )
    assert run("learn").stdout.endswith("Learnt: 4.\n")
    assert state_of(home) == before
    assert len(list((home / "states").iterdir())) == 1


def test_setting_the_clock_back_makes_no_answer_fresh_again(tmp_path: Path, config: Config, weights: Weights) -> None:
    now = [1e9]
    rows = [*ROWS, Row("what is the weather like today?", "Rain until noon.", "now")]
    home = tmp_path / "clock"
    home.mkdir()
    with Assistant(home, config, Recorded(rows), weights, options=AssistantOptions(clock=lambda: now[0])) as assistant:
        for row in rows:
            assistant.ask(Query(row.query, row=row.id))
            assistant.learn_pending()
        for hours in (-24, -1):
            now[0] = 1e9 + 3600 * hours
            asked = assistant.ask(
                Query("what is the weather like today?", row="now"), options=AskOptions(forced_source="local")
            )
            assert not (isinstance(asked, Interaction) and asked.answer == "Rain until noon.")
            again = assistant.ask(Query(ROWS[0].query, row="r0"), options=AskOptions(forced_source="local"))
            assert isinstance(again, Interaction)
            assert again.answer == ROWS[0].reply  # what does not depend on the moment is known still
        assistant.learn_pending()
    rebuilt = rebuild(home, config, weights)
    assert rebuilt.before == rebuilt.after


def test_a_damaged_checkpoint_is_refused_until_it_is_made_again(home: Path, config: Config, claude: Loopback) -> None:
    assert run("ask", LAST).exit_code == 0
    for path in (home / "checkpoints" / "query_5").iterdir():
        path.unlink()  # not written to: the current set shares its bytes
    with pytest.raises(BadStateError, match=r"manifest\.json is damaged or missing"):
        roll_back(home, config, 5)
    assert run("ask", ASKED[0]).exit_code == 0
    assert Snapshots(home, config.state).last_good() == 5
