"""Test that questions about the moment or the person are told from questions that only look like them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.text.freshness import is_fleeting
from tests.text.tables import read_table

TABLE = read_table("freshness")


@pytest.mark.parametrize("text", TABLE["fleeting"])
def test_an_answer_of_the_moment_is_fleeting(text: str) -> None:
    assert is_fleeting(text)


@pytest.mark.parametrize("text", TABLE["lasting"])
def test_a_task_or_a_fact_lasts(text: str) -> None:
    assert not is_fleeting(text)


@given(st.text() | st.text("0123456789 -abAB:=/.\"'`\n"))
def test_any_text_is_accepted(text: str) -> None:
    assert isinstance(is_fleeting(text), bool)


PIECES = [
    "password ",
    "a1B2",
    "4111 ",
    "GB82 ",
    "x://",
    "it ",
    "how ",
    "what is ",
    "`",
    '"',
    "my ",
    "-",
    "=",
    "is the ",
    "eyJ",
]


@pytest.mark.parametrize("piece", PIECES)
def test_no_long_text_takes_long(piece: str) -> None:
    text = piece * (10_000 // len(piece))
    started = time.perf_counter()
    is_fleeting(text)
    assert time.perf_counter() - started < 1
