"""Test that answers with a destructive command are told from answers that only mention one. Nothing is run."""

import pytest

from shammah_mlx.text.destructive import destroys
from tests.text.tables import read_table

TABLE = read_table("destructive")


@pytest.mark.parametrize("answer", TABLE["destroying"])
def test_a_command_that_destroys_is_seen(answer: str) -> None:
    assert destroys(answer)


@pytest.mark.parametrize("answer", TABLE["harmless"])
def test_a_harmless_answer_is_let_through(answer: str) -> None:
    assert not destroys(answer)
