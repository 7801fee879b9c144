"""A decoder that several processes share, over real connections on loopback."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shammah_mlx.models.language_model import LanguageModel
from shammah_mlx.models.weights import Weights
from tests.led import UNTRAINED, launched_environments, write_all

PATIENCE_S = 60.0  # they end within a second or two on an idle machine

Processes = list[subprocess.Popen[str]]
Start = Callable[[Path, int], Processes]

pytestmark = pytest.mark.slow


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that lets several processes share the model in a folder; the first one writes."""
    started: Processes = []

    def start(folder: Path, count: int) -> Processes:
        for launched in launched_environments(count, tmp_path):
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.led", str(folder)],
                env={**os.environ, **launched},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            started.append(process)
        return started

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_three_write_the_same_tokens_as_one_and_end_with_the_first(weights: Weights, start: Start) -> None:
    leader, *followers = start(weights.decoder, 3)
    alone = write_all(LanguageModel(weights.decoder, UNTRAINED, 0))
    assert leader.stdout
    assert json.loads(leader.stdout.readline()) == alone
    leader.kill()
    for follower in followers:
        _, said = follower.communicate(timeout=PATIENCE_S)
        assert follower.returncode == 1
        assert "the machines no longer work together" in said


def test_they_end_when_the_first_one_says_so(tiny_folder: Path, start: Start) -> None:
    leader, follower = start(tiny_folder, 2)
    alone = write_all(LanguageModel(tiny_folder, UNTRAINED, 0))
    said, _ = leader.communicate("\n", timeout=PATIENCE_S)
    assert [json.loads(line) for line in said.splitlines()] == [alone, alone]
    follower.communicate(timeout=PATIENCE_S)
    assert (leader.returncode, follower.returncode) == (0, 0)


def test_the_first_one_notices_when_another_is_lost(tiny_folder: Path, start: Start) -> None:
    leader, follower = start(tiny_folder, 2)
    assert leader.stdout
    assert leader.stdout.readline()
    follower.kill()
    _, said = leader.communicate("\n", timeout=PATIENCE_S)
    assert leader.returncode == 1
    assert "the machines no longer work together" in said


def test_heads_that_cannot_be_divided_are_an_error_on_all(tiny_folder: Path, tmp_path: Path, start: Start) -> None:
    folder = tmp_path / "odd"
    shutil.copytree(tiny_folder, folder)
    shape = json.loads((folder / "config.json").read_text())
    wider = {"num_attention_heads": 2, "num_key_value_heads": 1}  # twice as wide, so the weights still fit
    (folder / "config.json").write_text(json.dumps({**shape, **wider}))
    for process in start(folder, 2):
        _, said = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
        assert "its 1 num_key_value_heads cannot be divided among 2 machines" in said
