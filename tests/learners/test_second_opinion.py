"""A home with a local reader: what is read, what is learnt from it, and that nothing changes without one."""

from pathlib import Path

import msgspec
import pytest

from shammah_mlx.config import RECALL_PRIOR, Config, JudgeConfig
from shammah_mlx.events import AskOptions, DraftSource, Interaction, Query
from shammah_mlx.home.assistant import Assistant
from shammah_mlx.home.recovery import rebuild
from shammah_mlx.learners.second_opinion import (
    DOUBTED_FROM,
    DOUBTED_TO,
    MOST_READ,
    NOT_READ,
    opinion,
    read_draft,
    reader_version,
    validator_models,
)
from shammah_mlx.models.backend import scalar
from shammah_mlx.models.weights import Weights
from shammah_mlx.teacher.judge import judge_request
from tests.learners.test_hybrid import CONFIG, ROWS, TEACHER, bold, explained, stored, teach

READER = JudgeConfig(local="some-model")


class Scripted:
    """Has one answer to every request, and remembers the requests."""

    def __init__(self, answer: float | None) -> None:
        self.answer, self.asked = answer, list[tuple[str, str]]()

    def warm_up(self) -> None:
        pass

    def log_odds(self, rubric: str, content: str) -> float | None:
        self.asked.append((rubric, content))
        return self.answer


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (1.5, {"reader": 1.5, "read": 1.0}),
        (-99.0, {"reader": -MOST_READ, "read": 1.0}),
        (99.0, {"reader": MOST_READ, "read": 1.0}),
        (None, NOT_READ),
    ],
)
def test_the_features_are_the_bounded_log_odds_and_whether_there_are_any(
    said: float | None, expected: dict[str, float]
) -> None:
    reader = Scripted(said)
    assert read_draft(reader, Query("why?"), "Because.") == expected
    assert reader.asked == [tuple(judge_request(Query("why?"), "Because.", None))]


@pytest.mark.parametrize(
    ("p", "is_read"), [(0.0, False), (DOUBTED_FROM, False), (0.5, True), (DOUBTED_TO, False), (1.0, False)]
)
def test_only_what_is_in_doubt_without_the_reader_is_read(p: float, is_read: bool) -> None:
    judged = []

    def p_accept(features: object) -> float:
        judged.append(features)
        return p

    found = opinion({"trust": 1.0}, p_accept, lambda: {"reader": 2.0, "read": 1.0})
    assert found == {"trust": 1.0, **({"reader": 2.0, "read": 1.0} if is_read else NOT_READ)}
    assert judged == [{"trust": 1.0, **NOT_READ}]


def test_without_a_reader_there_is_neither_feature_nor_version() -> None:
    assert validator_models(CONFIG)["recall"].prior == RECALL_PRIOR.prior
    assert reader_version(CONFIG.judge) == {}


def test_the_version_names_the_model_and_the_prior_has_the_weight() -> None:
    config = msgspec.structs.replace(CONFIG, judge=msgspec.structs.replace(READER, local_weight=0.3))
    assert validator_models(config)["recall"].prior == {**RECALL_PRIOR.prior, "reader": 0.3, "read": 0.0}
    assert reader_version(READER)["reader"].startswith("some-model ")
    assert reader_version(READER) != reader_version(msgspec.structs.replace(READER, local="another"))


@pytest.fixture
def reading(tiny_folder: Path) -> Config:
    """Return settings with a reader that knows nothing, but reads fast."""
    shadows: dict[DraftSource, tuple[tuple[int, float], ...]] = {"repeat": ((0, 1.0),), "recall": ((0, 1.0),)}
    return msgspec.structs.replace(
        bold(shadows=shadows), judge=msgspec.structs.replace(CONFIG.judge, local=str(tiny_folder))
    )


@pytest.mark.slow
def test_a_home_with_a_reader_learns_and_a_rebuild_makes_the_same_state(
    tmp_path: Path, reading: Config, weights: Weights
) -> None:
    homes = [tmp_path / "straight", tmp_path / "stopped"]
    for path in homes:
        path.mkdir()
    with Assistant(homes[0], reading, TEACHER, weights) as assistant:
        teach(assistant, ROWS)
        learnt = assistant.roles.state()["validator"]
    for row in ROWS:
        with Assistant(homes[1], reading, TEACHER, weights) as assistant:
            teach(assistant, [row])
    assert stored(homes[0]) == stored(homes[1])
    before = stored(homes[0])
    rebuild(homes[0], reading, weights)
    assert stored(homes[0]) == before
    columns = [*RECALL_PRIOR.prior, "reader", "read"]
    assert learnt["recall.examples"].shape[1] == len(columns)
    assert scalar(learnt["recall.examples"][:, columns.index("read")].sum()) > 0.0
    assert "reader" in explained(homes[0]).decision_context.versions


@pytest.mark.slow
def test_another_reader_starts_the_labels_of_recalled_drafts_anew(
    home: Path, reading: Config, weights: Weights
) -> None:
    without = bold()
    with Assistant(home, without, TEACHER, weights) as assistant:
        teach(assistant, ROWS[:8])
        labels = assistant.roles.state()["validator"]["recall.labels"].size
    assert labels > 0
    assert "reader" not in explained(home).decision_context.versions
    for row, config in ((ROWS[8], reading), (ROWS[9], without)):  # a reader is added, then taken away
        with Assistant(home, config, TEACHER, weights) as assistant:
            state = assistant.roles.state()
            assert state["validator"]["recall.labels"].size == 0
            assert scalar(state["optimizer_state"]["remembered"]) >= 8  # the memory stays
            asked = assistant.ask(Query("what is the way to boil an egg?"), options=AskOptions(forced_source="local"))
            assert isinstance(asked, Interaction)
            assert asked.draft is not None
            assert ("reader" in asked.draft.features) is bool(config.judge.local)
            teach(assistant, [row])
            assert assistant.roles.state()["validator"]["recall.labels"].size == 1
