"""Test that requests for something random or made up are told from questions that only look like them."""

import pytest

from shammah_mlx.text.open_ended import is_open_ended
from tests.text.tables import read_table

TABLE = read_table("open_ended")


@pytest.mark.parametrize("text", TABLE["open_ended"])
def test_another_answer_each_time_is_wanted(text: str) -> None:
    assert is_open_ended(text)


@pytest.mark.parametrize("text", TABLE["closed"])
def test_an_answer_that_stays_right_may_be_given_again(text: str) -> None:
    assert not is_open_ended(text)
