"""Which words of an answer come from nowhere, and which of its question went nowhere."""

from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.text.grounding import foreign, lost

QUESTION = "Play Blue Train by John Coltrane"
KNOWN_ANSWERS = ['{"intent": "PlayMusic", "artist": "Adele", "track": "Hello"}']
KNOWN_QUESTIONS = ["play Hello by Adele"]


def test_words_of_the_question_and_of_known_answers_are_not_foreign() -> None:
    good = '{"intent": "PlayMusic", "track": "Blue Train", "artist": "john coltrane"}'
    assert foreign(good, QUESTION, KNOWN_ANSWERS) == 0
    assert foreign(good.replace("john coltrane", "Miles Davis"), QUESTION, KNOWN_ANSWERS) == 2


def test_new_words_of_the_question_that_the_answer_lacks_are_lost() -> None:
    assert lost('{"track": "Blue Train", "artist": "John Coltrane"}', QUESTION, KNOWN_QUESTIONS) == 0
    assert lost('{"track": "Blue Train"}', QUESTION, KNOWN_QUESTIONS) == 2


@given(st.text(), st.text(), st.lists(st.text()))
def test_no_word_is_foreign_or_lost_in_what_repeats_the_question(answer: str, question: str, known: list[str]) -> None:
    assert foreign(question, question, known) == lost(question, question, known) == 0
    assert foreign(answer, question, [*known, answer]) == lost(answer, question, [*known, question]) == 0
