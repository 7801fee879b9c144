"""Test that follow-ups are told from questions that stand alone."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.text.followups import leans_back
from tests.text.tables import read_table

TABLE = read_table("followups")


@pytest.mark.parametrize("text", TABLE["leaning"])
def test_a_follow_up_leans_back(text: str) -> None:
    assert leans_back(text)


@pytest.mark.parametrize("text", TABLE["standing"])
def test_a_whole_question_stands_alone(text: str) -> None:
    assert not leans_back(text)


@given(st.text() | st.text("0123456789 -abAB:=/.\"'`\n"))
def test_any_text_is_accepted(text: str) -> None:
    assert isinstance(leans_back(text), bool)


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
    leans_back(text)
    assert time.perf_counter() - started < 1
