"""`shammah forget` at the command line: its output, its confirmation, and what happens when it is killed."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shammah_mlx.home.locks import HomeLock
from shammah_mlx.presets import PRESETS
from tests.command import Shammah
from tests.conftest import TINY_TOML
from tests.home.test_forgetting import holding

NO_MATCH = "No interaction contains this text. Nothing was erased.\n"
HINT = 'To ask it as a question: shammah ask "forget …"\n'
ASKED = ["one", "two", "where does the Quetzal live?", "three", "four", "five"]


pytestmark = [
    pytest.mark.settings(TINY_TOML, "[state]\ncheckpoint_every = 2\n"),
    pytest.mark.taught(*ASKED),
    pytest.mark.slow,
]


def status(shammah: Shammah) -> dict[str, int]:
    result: dict[str, int] = json.loads(shammah("status", "--json").stdout)
    return result


def test_it_shows_the_matches_asks_and_reports_what_it_erased(shammah: Shammah, home: Path) -> None:
    done = shammah("forget", "quetzal", stdin="y\n")
    assert done.exit_code == 0, done.stderr
    for part in (
        "Matching interactions: 1",
        "3: where does the Quetzal live?",
        "To learn afterwards: 3, which takes less than a minute here.",
        "erased: 1",
        "deleted: 4, 6",
        "To learn: 3, which takes less than a minute here; Ctrl-C puts off the rest.",
    ):
        assert part in done.stdout
    assert "learning" in done.stderr
    assert holding(home, "quetzal") == []
    assert (status(shammah)["seen"], status(shammah)["pending"]) == (5, 0)


def test_it_says_why_a_question_without_the_words_is_erased_too(shammah: Shammah) -> None:
    shown = shammah("forget", "you asked: two", stdin="n\n").stdout
    assert "  2: two  (in its answer)\n" in shown


def test_nothing_is_erased_without_confirmation(shammah: Shammah, home: Path) -> None:
    refused = shammah("forget", "quetzal", stdin="n\n")
    nothing = "Nothing was erased.\n"
    assert (refused.exit_code, refused.stdout.endswith(nothing)) == (0, True)
    unanswered = shammah("forget", "quetzal")
    assert unanswered.exit_code == 1
    assert holding(home, "quetzal") == ["journal.db"]


def test_yes_erases_without_asking_or_showing_text(shammah: Shammah, home: Path) -> None:
    done = shammah("forget", "--yes", "quetzal")
    assert done.exit_code == 0
    assert "Quetzal" not in done.output
    assert holding(home, "quetzal") == []


def test_a_pattern_without_matches_changes_nothing(shammah: Shammah) -> None:
    for pattern in ("heron", ".*"):
        done = shammah("forget", pattern)
        assert (done.exit_code, done.stdout) == (0, NO_MATCH + HINT)
        assert shammah("forget", "--yes", pattern).stdout == NO_MATCH
    assert status(shammah)["seen"] == len(ASKED)


def test_a_pattern_without_matches_waits_for_nobody(shammah: Shammah, home: Path) -> None:
    with HomeLock(home, PRESETS["default"].state).learning():  # another process learns
        done = shammah("forget", "heron")
        undone = shammah("rollback", "--undo")
    assert (done.exit_code, done.stdout, done.stderr) == (0, NO_MATCH + HINT, "")
    assert undone.stderr.startswith("Error: there is no rollback to take back")


def test_an_unusable_pattern_is_refused_with_the_reason(shammah: Shammah, tmp_path: Path) -> None:
    assert "delete the home" in shammah("forget", " ").stderr
    assert "UTF-8" in shammah("forget", "\udcff").stderr
    assert shammah("forget", "x", "--home", str(tmp_path / "none")).stdout == NO_MATCH + HINT
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_killed_while_learning_again_it_has_erased_and_the_next_question_finishes_learning(
    shammah: Shammah, home: Path, end: signal.Signals
) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "shammah_mlx", "forget", "quetzal", "--yes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Interactions erased: 1. Checkpoints deleted: 4, 6.\n"
        process.send_signal(end)
    assert holding(home, "quetzal") == []
    assert shammah("ask", "six").exit_code == 0
    assert (status(shammah)["seen"], status(shammah)["pending"]) == (6, 0)
