"""Questions that are answered while something is being learnt: between two steps, and beside a step of the decoder."""

import threading
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import msgspec
import pytest

from shammah_mlx.config import Config
from shammah_mlx.events import AskOptions, Interaction, Query
from shammah_mlx.home import training
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.recovery import rebuild
from shammah_mlx.models.backend import Arrays
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Recorded, Row
from tests.conftest import with_tiny_decoder
from tests.served import WITHIN_S

ROWS = [Row(f"question {n} about topic {n % 7}", f"the answer to topic {n % 7}", str(n)) for n in range(14)]


pytestmark = pytest.mark.slow


def bold_config(tiny_folder: Path) -> Config:
    """Return the default preset with a tiny decoder, so bold that much is served, shadowed and audited."""
    base = with_tiny_decoder(PRESETS["default"], tiny_folder)
    return msgspec.structs.replace(
        base,
        policy=msgspec.structs.replace(
            base.policy,
            forward_only=6,
            shadows={"recall": ((0, 1.0),), "decoder": ((0, 1.0),)},
            route_thresholds=((0, 0.0),),
            accept_thresholds=((0, 0.0),),
        ),
        risk=msgspec.structs.replace(base.risk, max_bad_rate=1.0),
    )


class Home:
    """A home in which somebody asks whenever learning gives way."""

    def __init__(self, path: Path, config: Config, weights: Weights, *, stored: bool | None) -> None:
        self.path, self.between, self._stored = path, 0, stored
        path.mkdir()
        with Assistant(
            path,
            config,
            Recorded(ROWS),
            weights,
            options=AssistantOptions(give_way=self._ask_between, clock=lambda: 1e9),
        ) as self._assistant:
            for row in ROWS:
                self._assistant.ask(Query(row.query, row=row.id))
                while self._assistant.pending():
                    self._assistant.learn_pending()

    def _ask_between(self) -> None:
        self.between += 1
        if self._stored is not None and self.between % 7 == 0:
            row = ROWS[self.between % len(ROWS)]
            is_stored = self._stored and self.between < 40
            asked = self._assistant.ask(Query(row.query, row=row.id), options=AskOptions(stored=is_stored))
            assert isinstance(asked, Interaction)

    @property
    def state(self) -> str | None:
        with closing(Journal(self.path / "journal.db")) as journal:
            return journal.progress().state

    @property
    def records(self) -> list[Interaction]:
        with closing(Journal(self.path / "journal.db")) as journal:
            return [msgspec.structs.replace(one, ms=None) for one in journal.after(0)]


def test_answering_between_steps_does_not_change_what_is_learnt(
    tmp_path: Path, tiny_folder: Path, weights: Weights
) -> None:
    config = bold_config(tiny_folder)
    quiet = Home(tmp_path / "quiet", config, weights, stored=None)
    busy = Home(tmp_path / "busy", config, weights, stored=False)
    assert min(busy.between, quiet.between) > 2 * len(ROWS)  # before steps, during them, and while shadows are written
    assert busy.records == quiet.records
    assert busy.state == quiet.state


def test_queries_asked_between_steps_are_learnt_afterwards(tmp_path: Path, tiny_folder: Path, weights: Weights) -> None:
    config = bold_config(tiny_folder)
    home = Home(tmp_path / "home", config, weights, stored=True)
    numbers = [interaction.request.number for interaction in home.records]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > len(ROWS)
    again = rebuild(home.path, config, weights)
    assert again.before == again.after == home.state


def test_a_question_is_answered_while_what_was_learnt_is_saved(
    tmp_path: Path, weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_writing, is_answered, write_arrays = threading.Event(), threading.Event(), training._write_arrays

    def write(arrays: Arrays, file: BinaryIO) -> None:
        is_writing.set()
        assert is_answered.wait(WITHIN_S)
        write_arrays(arrays, file)

    def ask_meanwhile() -> None:
        if is_writing.is_set() and not is_answered.is_set():
            assert isinstance(assistant.ask(Query(ROWS[1].query, row=ROWS[1].id)), Interaction)
            is_answered.set()

    monkeypatch.setattr(training, "_write_arrays", write)
    config = msgspec.structs.replace(PRESETS["default"], generator="recall")
    options = AssistantOptions(give_way=ask_meanwhile)
    with Assistant(tmp_path, config, Recorded(ROWS), weights, options=options) as assistant:
        assistant.ask(Query(ROWS[0].query, row=ROWS[0].id))
        assert len(assistant.learn_pending()) == 1
        assert is_answered.is_set()
        assert assistant.pending() == 1
        assert assistant.saved is not None
