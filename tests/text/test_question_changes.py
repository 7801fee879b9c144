"""Comparing questions: what changed is named, neighbours score above rewordings, any text is accepted, none is slow."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.teacher.recordings import read_stream
from shammah_mlx.text.kinds import NAMED, kind_of
from shammah_mlx.text.question_changes import FEATURES, WEIGHTS, log_odds_of_change, question_changes
from tests.text.tables import read_table

SAMPLE = Path(__file__).parents[2] / "examples" / "questions.jsonl"
TEXTS = st.text(max_size=200) | st.text("0123456789 -+abABC#:/.\"'`>=\n", max_size=200)


@pytest.mark.parametrize(
    ("asked", "known", "feature"),
    [
        ("flush dns on windows", "flush dns on a mac", "things replaced"),
        ("flush dns on windows", "flush dns", "foreign things"),
        ("sort a list ascending", "sort a list descending", "opposites"),
        ("sort a dict by key", "sort a dict by value", "opposites"),
        ("how do I hide files", "how do I show hidden files", "opposites"),
        ("who listens on port 443", "who listens on port 80", "numbers replaced"),
        ("undo the last three commits", "undo the last two commits", "numbers replaced"),
        ("install python3.11", "install python3.10", "numbers replaced"),
        ("what does cp -R do", "what does cp -a do", "flags replaced"),
        ("what does chmod -x do", "what does chmod +x do", "flags replaced"),
        ("what does grep -V do", "what does grep -v do", "case differs"),
        ("a loop in C#", "a loop in C++", "things replaced"),
        ("a loop in C", "a loop in R", "things replaced"),
        ("convert yaml to json", "convert json to yaml", "swapped"),
        ("formula C -> F", "formula F -> C", "swapped"),
        ("json from yaml", "yaml from json", "reordered"),
        ("why does it not start", "why does it start", "negation differs"),
        ("rename a branch", "delete a branch", "foreign words"),
        ("rename a branch", "delete a branch", "replaced words"),
    ],
)
def test_a_change_is_named(asked: str, known: str, feature: str) -> None:
    assert question_changes(asked, known)[feature] > 0


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("How do I delete a local branch?", "remove a lcoal branch"),
        ("flushing the dns cache on macOS", "clear dns cache mac"),
        ("butter milk substitute", "substitute for buttermilk"),
        ("How do I extract a .zip?", "unpack zip"),
    ],
)
def test_synonyms_forms_and_typos_are_no_change(asked: str, known: str) -> None:
    changes = question_changes(asked, known)
    assert not any(changes[name] for name in ("new words", "foreign words", "foreign things", "things replaced"))


def test_a_word_of_the_answer_or_of_another_wording_is_not_foreign() -> None:
    asked, known = "caffeinate command for my laptop", "keep the mac awake"
    alone = question_changes(asked, known)
    told = question_changes(asked, known, ("stop my laptop from sleeping",), "Run `caffeinate -i`.")
    assert told["foreign words"] == 0 < alone["foreign words"]


def test_a_word_of_most_wordings_belongs_to_the_core() -> None:
    wordings = ("flush dns cache", "empty the dns cache", "reset dns cache")
    assert question_changes("change the dns server", "clear dns cache", wordings)["core lost"] > 0
    assert question_changes("wipe the dns cache", "clear dns cache", wordings)["core lost"] == 0


def test_ubuntu_is_a_linux_and_a_mac_is_not() -> None:
    assert question_changes("install on ubuntu", "install on linux")["things replaced"] == 0
    assert question_changes("install on ubuntu", "install on a mac")["things replaced"] == 1


def test_most_neighbours_score_as_changed_and_most_rewordings_do_not() -> None:
    tables = read_table("near_questions")
    wordings: dict[str | None, list[str]] = {}
    answers: dict[str | None, str] = {}
    for row, truth in read_stream(SAMPLE, None, None):
        wordings.setdefault(truth.topic, []).append(row.query)
        answers[truth.topic] = row.reply

    def changed(name: str) -> list[bool]:
        return [
            log_odds_of_change(
                question_changes(row["asked"], row["known"], wordings[row["topic"]], answers[row["topic"]])
            )
            > 0
            for row in tables[name]
        ]

    assert all(row["known"] in wordings[row["topic"]] for name in tables for row in tables[name])
    neighbours, rewordings = changed("neighbour"), changed("rewording")
    assert (len(neighbours), len(rewordings)) == (50, 30)
    assert sum(neighbours) >= 38
    assert sum(rewordings) <= 4


@given(asked=TEXTS, known=TEXTS)
def test_any_texts_are_compared_and_the_same_text_has_not_changed(asked: str, known: str) -> None:
    changes = question_changes(asked, known, (asked,), known)
    assert tuple(changes) == FEATURES
    same = question_changes(asked, asked)
    assert {name: same[name] for name in FEATURES if same[name]} == {"same words": 1.0, "shared words": 1.0}


def test_each_weight_has_a_feature() -> None:
    assert set(WEIGHTS) == set(FEATURES)


def test_a_thing_is_known_in_plural_and_by_each_of_its_names() -> None:
    assert kind_of("macbooks") == kind_of("mac") == NAMED["macos"]
    assert kind_of("thing") is None


@pytest.mark.parametrize("piece", ["a", "-a ", "a to b from c ", "'", "1.", "mac windows ", "\N{DEGREE SIGN} ", "not "])
def test_no_long_text_takes_long(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    started = time.perf_counter()
    question_changes(text, text[::-1], (text,) * 16, text)
    assert time.perf_counter() - started < 2


def test_a_pair_of_usual_questions_takes_little() -> None:
    asked = "How do I remove a git branch from my local clone without touching the one on the remote?"
    started = time.perf_counter()
    for number in range(200):
        question_changes(f"{asked} {number}", f"{number} delete a branch in my local git repo")
    assert (time.perf_counter() - started) / 200 < 0.002  # ten times the time on two idle cores
