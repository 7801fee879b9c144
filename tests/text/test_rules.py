"""Test the gated meter and its rules on pairs of answers: some are equivalent, some differ in one decisive way."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.config import DivergenceConfig
from shammah_mlx.models.embedder import Embedder
from shammah_mlx.models.weights import Weights
from shammah_mlx.text import rules
from shammah_mlx.text.divergence import Meter, gated
from tests.text.tables import read_table

TABLE = read_table("equivalence")


@pytest.fixture(scope="module")
def meter(weights: Weights) -> Meter:
    return gated(Embedder(weights.embedder))


THRESHOLD = DivergenceConfig(kind="gated").threshold


@pytest.mark.parametrize(("one", "other"), TABLE["same"])
def test_other_words_do_not_diverge(meter: Meter, one: str, other: str) -> None:
    assert meter(one, other) < THRESHOLD
    assert meter(other, one) < THRESHOLD


@pytest.mark.parametrize(("kind", "one", "other"), TABLE["different"])
def test_one_decisive_difference_diverges(meter: Meter, kind: str, one: str, other: str) -> None:
    assert meter(one, other) >= THRESHOLD
    assert meter(other, one) >= THRESHOLD


phrases = st.lists(
    st.sampled_from(
        ["apple", "apples", "pear", "of", "the", "not", "no", "safe", "unsafe", "5", "-5", "five", "%", ","]
    ),
    max_size=7,
).map(" ".join)


@given(phrases | st.text(), phrases | st.text())
def test_rules_are_symmetric_and_hold_for_any_text(one: str, other: str) -> None:
    assert rules.same(one, other) == rules.same(other, one)
    assert rules.same(one, one) is not False


@given(st.text())
def test_chunks_lose_no_word(text: str) -> None:
    assert " ".join(rules.chunks(text)).split() == text.split()


@pytest.mark.parametrize(
    "piece",
    ["x.\n", ".", "a-", "a.", "word_", "(", "-", "`", "/", "A ", "5 ", "-- ", ", ", "a, ", "```\n", "a ' ", '{"a",\n'],
)
def test_the_rules_take_no_long_time_over_any_text(piece: str) -> None:
    text = piece * (rules.LONGEST // len(piece))
    started = time.perf_counter()
    rules.same(text, f"{text} more")
    assert time.perf_counter() - started < 5
