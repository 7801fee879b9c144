"""Contexts that are not in use are released from memory, and nothing that the home does depends on it."""

import itertools
import math
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.config import Config
from shammah_mlx.events import AskOptions, Interaction, Query
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.recovery import rebuild
from shammah_mlx.learners.memory import FEWEST_SAVED
from shammah_mlx.models.backend import scalar
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


def test_the_regression_is_saved_with_the_state_and_is_the_one_a_rebuild_makes(home: Path, weights: Weights) -> None:
    """One context with more questions than `FEWEST_SAVED`."""
    count = 10 * math.ceil(1.05 * FEWEST_SAVED / 10)
    rows = [Row(f"What is {number} times 7?", f"That is {7 * number}.", str(number)) for number in range(count)]
    with Assistant(home, config(1, saves=False), Recorded(rows), weights) as assistant:
        for row in rows:
            assistant.ask(Query(row.query, "Be brief.", row=row.id), options=AskOptions(forced_source="claude"))
        assistant.learn_pending()
        asked = Query("What is 11 times 70?", "Be brief.", assistant.config.teacher.model, 4096)
        expected = assistant.roles.p_local(asked)
    with Assistant(home, config(1, saves=False), Recorded(rows), weights) as assistant:
        state = assistant.roles.state()["optimizer_state"]
        assert [scalar(array) for name, array in state.items() if name.endswith(".count")] == [count]
        assert assistant.roles.p_local(asked) == expected
    rebuilt = rebuild(home, config(1, saves=False), weights)
    assert rebuilt.before == rebuilt.after
