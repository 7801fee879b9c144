"""What Router and Validator know of the decoder's drafts."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from shammah_mlx.config import Config
from shammah_mlx.events import Exchange, Interaction, Query, Reply, Route
from shammah_mlx.framework.loop import do_nothing, show_nobody
from shammah_mlx.framework.targets import Target
from shammah_mlx.learners.neighbours import Entry
from shammah_mlx.learners.questions import make_question
from shammah_mlx.learners.student import Student
from shammah_mlx.learners.written import WrittenDrafts
from shammah_mlx.models.backend import Arrays
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from tests.conftest import TINY_LORA
from tests.embedded import RememberingEmbedder
from tests.fakes import make_request

MUSIC = ["play Hello by Adele", "play Yesterday by the Beatles", "play Blue Train by Coltrane", "play Jolene by Dolly"]
FILES = ["delete the folder build", "remove the folder dist"]


class Asked:
    """Written drafts over a few known questions, numbered from 1."""

    def __init__(self, folder: Path, weights: Weights, questions: list[str]) -> None:
        config: Config = msgspec.structs.replace(
            PRESETS["default"], lora=msgspec.structs.replace(TINY_LORA, model=str(folder))
        )
        embed = RememberingEmbedder(weights.embedder)
        known = [make_question(embed, Query(text)) for text in questions]

        def near(query: Query, count: int) -> list[tuple[Entry, float]]:
            asked = make_question(embed, query)
            assert asked is not None
            entries = [
                (Entry(question, number, number, 0.0, 0.0, question.vector), float(question.vector @ asked.vector))
                for number, question in enumerate(known, 1)
                if question is not None
            ]
            return sorted(entries, key=lambda pair: -pair[1])[:count]

        def lookup(number: int) -> Interaction:
            request = msgspec.structs.replace(make_request(), query=Query(questions[number - 1]))
            return Interaction.forwarded(request, Route({}, None), Reply(f"answer {number}", "m", "end_turn"))

        student = Student(folder, config, lookup)
        self.drafts = WrittenDrafts(config, student, embed, lambda one, other: float(one != other), near, lookup)

    def label(self, number: int, text: str, label: float) -> None:
        self.drafts.step(Target("validator", number, Query(text), "a draft", label), 1e-3, do_nothing)

    def record(self, text: str) -> float:
        return self.drafts.router_features(Query(text))["record"]


def test_the_record_of_one_kind_of_question_says_nothing_about_another(tiny_folder: Path, weights: Weights) -> None:
    asked = Asked(tiny_folder, weights, [*MUSIC, *FILES])
    before = asked.record("play Imagine by Lennon"), asked.record("erase the folder tmp")
    for number, text in enumerate(MUSIC, 1):
        asked.label(number, text, 1.0)
    after = asked.record("play Imagine by Lennon"), asked.record("erase the folder tmp")
    assert after[0] > before[0] + 0.5
    assert after[1] < before[1] + 0.2
    for number, text in enumerate(FILES, 1 + len(MUSIC)):
        asked.label(number, text, 0.0)
    assert asked.record("erase the folder tmp") < after[1]


def test_the_record_forgets_what_an_earlier_decoder_wrote(tiny_folder: Path, weights: Weights) -> None:
    asked = Asked(tiny_folder, weights, [*MUSIC, *FILES])
    for number, text in enumerate(MUSIC, 1):
        asked.label(number, text, 0.0)
    fresh = asked.record("play Imagine by Lennon")
    for number in range(100, 300):
        asked.label(number, "erase the folder tmp", 1.0)
    assert asked.record("play Imagine by Lennon") > fresh + 0.5


def test_what_was_learnt_of_drafts_is_saved_and_loaded(tiny_folder: Path, weights: Weights) -> None:
    asked, other = (Asked(tiny_folder, weights, [*MUSIC, *FILES]) for _ in range(2))
    for number, text in enumerate(MUSIC, 1):
        asked.label(number, text, 1.0)
    states = asked.drafts.state()
    files: dict[str, Arrays] = {role: weights_of for role, (weights_of, _) in states.items()}
    files["optimizer_state"] = {name: array for _, moments in states.values() for name, array in moments.items()}
    other.drafts.load(files, is_same=True)
    query = Query("play Imagine by Lennon")
    assert other.drafts.router_features(query) == asked.drafts.router_features(query)
    again = other.drafts.state()
    for role, pair in states.items():
        for mine, theirs in zip(pair, again[role], strict=True):
            assert mine.keys() == theirs.keys()
            for name, array in mine.items():
                np.testing.assert_array_equal(array, theirs[name], err_msg=name)


def test_a_draft_is_described_by_how_probable_and_how_grounded_it_is(tiny_folder: Path, weights: Weights) -> None:
    asked = Asked(tiny_folder, weights, MUSIC)
    draft = asked.drafts.write(Query("play Imagine by Lennon"), Exchange(MUSIC[0], "answer 1"), show_nobody, None)
    assert draft is not None
    assert draft.features["worst surprise"] > draft.features["surprise"] > math.log(1e-3)
    assert draft.features["foreign"] >= 0
    assert draft.features["omitted"] >= 0
    assert draft.features["usual form"] >= 0
    assert draft.features["same as recalled"] in (0.0, 1.0)


@pytest.mark.parametrize("role", ["router", "validator"])
def test_a_label_moves_the_encoder_that_reads_for_its_role(role: str, tiny_folder: Path, weights: Weights) -> None:
    asked = Asked(tiny_folder, weights, MUSIC)
    before = asked.drafts.state()[role][0]  # type: ignore[index]
    target = Target(role, 1, Query(MUSIC[0]), "a draft", 1.0)  # type: ignore[arg-type]
    assert asked.drafts.step(target, 1e-3, do_nothing).applied
    after = asked.drafts.state()[role][0]  # type: ignore[index]
    assert any(
        (np.array(before[name]) != np.array(after[name])).any() for name in before if name in after and "lora" in name
    )
