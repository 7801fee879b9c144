"""Contexts that are not in use are released from memory, and nothing that the home does depends on it."""

import itertools
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.config import Config
from shammah_mlx.events import Interaction, Query
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Recorded, Row

pytestmark = pytest.mark.slow

SUBJECTS = ("an egg", "a chair", "a bicycle", "a garden", "a violin")
VERBS = ("paint", "sell", "clean", "repair")
STREAM = [
    Query(f"how do I {verb} {subject}?", system, row=f"{verb} {subject}")
    for turn, (verb, subject) in enumerate(itertools.product((*VERBS, *VERBS[:2]), SUBJECTS))
    for system in ("Be brief.", f"Be brief. It is {turn // 6:02}:00." if turn % 2 else f"Request {turn:04}")
]
TEACHER = Recorded([Row(query.text, f"This is how: {query.row}.", query.row or "") for query in STREAM])


def config(contexts: int, saves: bool) -> Config:
    """Return the default preset without a decoder, which holds so many contexts and saves always or never."""
    default = PRESETS["default"]
    return msgspec.structs.replace(
        default,
        generator="recall",
        recall=msgspec.structs.replace(default.recall, contexts=contexts),
        state=msgspec.structs.replace(default.state, checkpoint_every=1 if saves else 1000, save_share=1e-9),
    )


def live_through(
    home: Path, config: Config, weights: Weights, asks_at_once: int
) -> tuple[list[Interaction], str | None]:
    """Ask the stream, opening the home anew at times; return what was journalled, and the name of the saved state."""
    home.mkdir()
    now = itertools.count(1e9, 100.0)
    answered: list[Interaction] = []
    for start in range(0, len(STREAM), asks_at_once):
        with Assistant(home, config, TEACHER, weights, AssistantOptions(clock=lambda: next(now))) as assistant:
            for query in STREAM[start : start + asks_at_once]:
                asked = assistant.ask(query)
                assert isinstance(asked, Interaction)
                answered.append(msgspec.structs.replace(asked, ms=None))
                assistant.learn_pending()
    return answered, assistant.saved


def test_answers_and_saved_state_do_not_depend_on_what_is_released(tmp_path: Path, weights: Weights) -> None:
    """The one home releases after each question, and is opened anew at times; the other holds all until the end."""
    releasing = live_through(tmp_path / "releasing", config(1, saves=True), weights, asks_at_once=25)
    holding = live_through(tmp_path / "holding", config(10_000, saves=False), weights, asks_at_once=len(STREAM))
    assert releasing == holding
    assert {interaction.source for interaction in releasing[0]} > {"repeat"}
