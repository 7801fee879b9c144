"""Test that follow-ups are told from questions that stand alone."""

import pytest

from shammah_mlx.text.followups import leans_back
from tests.text.tables import read_table

TABLE = read_table("followups")


@pytest.mark.parametrize("text", TABLE["leaning"])
def test_a_follow_up_leans_back(text: str) -> None:
    assert leans_back(text)


@pytest.mark.parametrize("text", TABLE["standing"])
def test_a_whole_question_stands_alone(text: str) -> None:
    assert not leans_back(text)
