"""Test that answers with a destructive command are told from answers that only mention one. Nothing is run."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.text.destructive import destroys
from tests.text.tables import read_table

TABLE = read_table("destructive")


@pytest.mark.parametrize("answer", TABLE["destroying"])
def test_a_command_that_destroys_is_seen(answer: str) -> None:
    assert destroys(answer)


@pytest.mark.parametrize("answer", TABLE["harmless"])
def test_a_harmless_answer_is_let_through(answer: str) -> None:
    assert not destroys(answer)


@given(st.text() | st.text("rm -f>|;&`'\"$({})\n#x/."))
def test_any_text_is_accepted(answer: str) -> None:
    assert isinstance(destroys(answer), bool)


PIECES = [
    "rm",
    "sudo ",
    "xargs -0 ",
    "'",
    '"',
    "`",
    "```\n",
    "> ",
    "a=b ",
    "find \\;",
    "{",
    "delete from ",
    "<a",
    "- ",
    "sh 'a' ",
]


@pytest.mark.parametrize("piece", PIECES)
def test_no_long_text_takes_long(piece: str) -> None:
    started = time.perf_counter()
    destroys(piece * (20_000 // len(piece)))
    assert time.perf_counter() - started < 2
