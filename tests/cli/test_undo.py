"""`forget` as a user meets it: what it shows, asks and says, and that it may be killed."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import Shammah
from tests.conftest import TINY_TOML
from tests.home.test_forgetting import holding

ASKED = ["one", "two", "where does the Quetzal live?", "three", "four", "five"]


pytestmark = [pytest.mark.settings(TINY_TOML, "[state]\ncheckpoint_every = 2\n"), pytest.mark.taught(*ASKED)]


def status(shammah: Shammah) -> dict[str, int]:
    told: dict[str, int] = json.loads(shammah("status", "--json").stdout)
    return told


def test_it_shows_what_matches_asks_and_says_what_it_did(shammah: Shammah, home: Path) -> None:
    done = shammah("forget", "quetzal", stdin="y\n")
    assert done.exit_code == 0, done.stderr
    for part in ("match: 1", "3: where does the Quetzal live?", "erased: 1", "dropped: 4, 6", "learn again: 3"):
        assert part in done.stdout
    assert "learning" in done.stderr
    assert holding(home, "quetzal") == []
    assert (status(shammah)["seen"], status(shammah)["pending"]) == (5, 0)


def test_without_a_yes_nothing_is_erased(shammah: Shammah, home: Path) -> None:
    refused = shammah("forget", "quetzal", stdin="n\n")
    assert (refused.exit_code, "Nothing was erased." in refused.stdout) == (0, True)
    unanswered = shammah("forget", "quetzal")
    assert unanswered.exit_code == 1
    assert holding(home, "quetzal") == ["journal.db"]


def test_yes_asks_nothing_and_shows_no_text(shammah: Shammah, home: Path) -> None:
    done = shammah("forget", "--yes", "quetzal")
    assert done.exit_code == 0
    assert "Quetzal" not in done.output
    assert holding(home, "quetzal") == []


def test_what_nothing_matches_changes_nothing(shammah: Shammah) -> None:
    for pattern in ("heron", ".*"):
        done = shammah("forget", pattern)
        assert (done.exit_code, done.stdout) == (0, "Nothing matches.\n")
    assert status(shammah)["seen"] == len(ASKED)


def test_what_cannot_be_forgotten_is_told(shammah: Shammah, tmp_path: Path) -> None:
    assert "delete the home" in shammah("forget", " ").stderr
    assert "UTF-8" in shammah("forget", "\udcff").stderr
    assert shammah("forget", "x", "--home", str(tmp_path / "none")).stdout == "Nothing matches.\n"
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_ended_while_it_learns_again_it_has_forgotten_and_the_next_question_goes_on(
    shammah: Shammah, home: Path, end: signal.Signals
) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "shammah_mlx", "forget", "quetzal", "--yes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Interactions erased: 1. Checkpoints dropped: 4, 6.\n"
        process.send_signal(end)
    assert holding(home, "quetzal") == []
    assert shammah("ask", "six").exit_code == 0
    assert (status(shammah)["seen"], status(shammah)["pending"]) == (6, 0)
