"""Test what the meter decides by rules alone, and that no text takes it long."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.config import DivergenceConfig
from shammah_mlx.events import Exchange
from shammah_mlx.text import normalize, reading, rules
from shammah_mlx.text.divergence import fitted
from tests.text.tables import read_table

TABLE = read_table("equivalence")
BY_RULES = ("number", "sign", "unit", "flag", "path", "identifier", "operator", "grade", "power", "symbol", "code")
phrases = st.lists(
    st.sampled_from(
        ["apple", "apples", "pear", "of", "the", "not", "no", "safe", "unsafe", "5", "-5", "five", "%", ","]
    ),
    max_size=7,
).map(" ".join)


def alike(texts: list[str]) -> np.ndarray:
    """Return the same vector for every text, as if nothing told them apart."""
    return np.ones((len(texts), 1))


@pytest.mark.parametrize(
    ("kind", "one", "other"), [each for each in TABLE["different"] if each[0].split()[0] in BY_RULES]
)
def test_rules_tell_apart_what_vectors_do_not(kind: str, one: str, other: str) -> None:
    meter, threshold = fitted(alike), DivergenceConfig(kind="fitted").threshold
    assert meter(Exchange("", one), Exchange("", other)) == meter(Exchange("", other), Exchange("", one)) >= threshold


@given(phrases | st.text(), phrases | st.text())
def test_rules_are_symmetric_and_hold_for_any_text(one: str, other: str) -> None:
    assert rules.decided(one, other) == rules.decided(other, one)
    assert rules.decided(one, one) is True
    ours, theirs = reading.read(one), reading.read(other)
    assert rules.same_words(ours, theirs) == rules.same_words(theirs, ours)


@given(st.text())
def test_chunks_lose_no_word(text: str) -> None:
    assert " ".join(reading.chunks(text)).split() == text.split()


@pytest.mark.parametrize(
    "piece",
    [
        *("x.\n", ".", "a-", "a.", "word_", "(", "-", "`", "/", "A ", "5 ", "-- ", ", ", "a, ", "```\n", "a ' "),
        *('{"a",\n', " ", "\n", "\t", "7", "[", "x. ", "\\n", "<", "a b c ", "Not so. "),
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (rules.LONGEST // len(piece) - 10)
    started = time.perf_counter()
    fitted(alike)(Exchange("what", f"{text} more"), Exchange("what", text))
    assert time.perf_counter() - started < 5


def test_long_runs_of_digits_and_spaces_take_no_long_time_to_normalise() -> None:
    started = time.perf_counter()
    normalize.words("7" * 100_000)
    reading.bare(" " * 20_000 + "x")
    assert time.perf_counter() - started < 1
