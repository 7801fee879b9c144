"""Killed at random points, again and again, a home ends in the state of a run that nobody disturbed, bit for bit."""

import itertools
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.config import Config
from shammah_mlx.events import DraftSource, Interaction
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.recovery import rebuild
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Row, read_stream
from tests.conftest import with_tiny_decoder
from tests.forked import Forked
from tests.killed import go_through

ROOT = Path(__file__).parents[2]
LEARNT = 60  # queries before the first kill: enough to serve something
A_LIFE = 2.0  # seconds, at most, of the first process; opening the home and loading the decoder take half of it
LONGER, SHORTER = 1.25, 0.7  # the next one's, if it asked nothing, or for each of the first two questions it asked
OFTEN: dict[DraftSource, tuple[tuple[int, float], ...]] = {"recall": ((0, 1.0),), "decoder": ((0, 0.2),)}


pytestmark = pytest.mark.slow


def bold_config(tiny_folder: Path) -> Config:
    """Return the default preset with a tiny decoder, and so bold that much is served and audited."""
    base = with_tiny_decoder(PRESETS["default"], tiny_folder)
    return msgspec.structs.replace(
        base,
        recall=msgspec.structs.replace(base.recall, trust_from=10),
        policy=msgspec.structs.replace(
            base.policy, forward_only=10, shadows=OFTEN, route_thresholds=((0, 0.3),), max_other_answer=1.0
        ),
        risk=msgspec.structs.replace(base.risk, max_bad_rate=0.5, known=2.0),
        state=msgspec.structs.replace(base.state, checkpoint_every=7, keep_recent=2),
    )


def start(home: Path, config: Config, rows: list[Row], *, cold: bool = False) -> Forked:
    return Forked(go_through, home, config, rows, environment=os.environ, cold=cold)


def finish(home: Path, config: Config, rows: list[Row], *, cold: bool = False) -> None:
    assert start(home, config, rows, cold=cold).wait() == 0


def contents(home: Path) -> tuple[str | None, list[Interaction], list[tuple[object, ...]], bytes]:
    with closing(Journal(home / "journal.db")) as journal:
        state = journal.progress().state
        records = [msgspec.structs.replace(interaction, ms=None) for interaction in journal.after(0)]
    with closing(sqlite3.connect(home / "journal.db")) as db:
        memory = db.execute("SELECT * FROM memory ORDER BY number").fetchall()
    return state, records, memory, (home / "metrics" / "training.jsonl").read_bytes()


def test_kills_do_not_change_the_final_state(
    tmp_path: Path, tiny_folder: Path, weights: Weights, kills: int, print_figure: Callable[[str], None]
) -> None:
    config, chance = bold_config(tiny_folder), random.Random(kills)
    stream = read_stream(ROOT / "examples" / "questions.jsonl", shuffle=1, limit=LEARNT + 40 + kills)
    rows = [row for row, _ in stream]
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    killed.mkdir()
    finish(killed, config, rows[:LEARNT])
    shutil.copytree(killed, straight, symlinks=True)
    finish(straight, config, rows, cold=True)  # with other hashes of texts, so that the order of a set would show

    asked, life = [LEARNT], A_LIFE
    for _ in range(kills):
        process = start(killed, config, rows)
        time.sleep(chance.uniform(0.1, life))
        process.kill()
        process.wait()
        with closing(Journal(killed / "journal.db")) as journal:
            numbers = [interaction.request.number for interaction in journal.after(0)]
            assert numbers == list(range(1, len(numbers) + 1)), "an interaction is missing, or there twice"
            assert len(numbers) >= asked[-1], "what was journalled is gone"
            assert journal.progress().cursor <= len(numbers)
        asked.append(len(numbers))
        life *= SHORTER ** min(asked[-1] - asked[-2], 2) if asked[-1] > asked[-2] else LONGER
    lives = sum(before < after for before, after in itertools.pairwise(asked))
    assert lives >= kills / 8, "most were killed before they did anything"
    assert asked[-1] < len(rows), "the last kills came too late to disturb anything"
    finish(killed, config, rows)

    assert contents(killed) == contents(straight)
    outcomes = {interaction.outcome for interaction in contents(killed)[1]}
    assert outcomes == {"forwarded", "rejected", "approved", "audited"}
    assert len(list((killed / "states").iterdir())) == 1
    again = rebuild(killed, config, weights)
    assert again.before == again.after
    print_figure(
        f"{kills} kills; {lives} of the processes asked something before, {asked[-1] - LEARNT} questions in all"
    )
