"""Test that questions about the moment or the person are told from questions that only look like them."""

import pytest

from shammah_mlx.text.freshness import is_fleeting
from tests.text.tables import read_table

TABLE = read_table("freshness")


@pytest.mark.parametrize("text", TABLE["fleeting"])
def test_an_answer_of_the_moment_is_fleeting(text: str) -> None:
    assert is_fleeting(text)


@pytest.mark.parametrize("text", TABLE["lasting"])
def test_a_task_or_a_fact_lasts(text: str) -> None:
    assert not is_fleeting(text)
