"""Which words of an answer come from nowhere, which of its question it should have, and whether its form is usual."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.events import Exchange
from shammah_mlx.text.grounding import FORM_GAIN, MOST_OMITTED, foreign, omitted, usual_form

QUESTION = "Play Blue Train by John Coltrane"
KNOWN_ANSWERS = ['{"intent": "PlayMusic", "artist": "Adele", "track": "Hello"}']
KNOWN = [Exchange("play the song Hello by Adele", '{"music_item": "song", "track": "Hello", "artist": "Adele"}')]


def test_words_of_the_question_and_of_known_answers_are_not_foreign() -> None:
    good = '{"intent": "PlayMusic", "track": "Blue Train", "artist": "john coltrane"}'
    assert foreign(good, QUESTION, KNOWN_ANSWERS) == 0
    assert foreign(good.replace("john coltrane", "Miles Davis"), QUESTION, KNOWN_ANSWERS) == 2


def test_a_word_that_answers_repeat_is_missed_where_an_answer_leaves_it_out() -> None:
    whole = '{"music_item": "song", "track": "Blue Train"}'
    assert omitted(whole, "play the song Blue Train", KNOWN) < 1.0  # "play" and "the", which no answer repeats
    assert omitted('{"track": "Blue Train"}', "play the song Blue Train", KNOWN) > 1.2


def test_every_further_answer_makes_an_omission_more_surprising() -> None:
    once, often = (omitted("{}", "song", KNOWN * times) for times in (1, 9))
    assert once < often
    assert omitted("{}", "by", KNOWN * 9) < omitted("{}", "by", KNOWN)


def test_a_new_word_is_expected_as_often_as_words_were_repeated_when_they_were_new() -> None:
    """Of the six words of the known question, three are in its answer."""
    assert omitted("{}", "Coltrane", KNOWN) == pytest.approx(-math.log(1 - 3.1 / 7))
    assert omitted("{}", "Coltrane", []) == pytest.approx(-math.log(0.9))


@given(st.text(), st.text(), st.lists(st.builds(Exchange, st.text(), st.text())))
def test_what_repeats_the_question_omits_nothing(answer: str, question: str, known: list[Exchange]) -> None:
    assert omitted(question, question, known) == 0
    assert 0 <= omitted(answer, question, known) <= MOST_OMITTED
    assert foreign(question, question, [answer]) == foreign(answer, question, [answer]) == 0


SONGS = [(KNOWN[0], 0.9), (Exchange("book a table for two", '{"intent": "BookRestaurant", "party": "two"}'), 0.3)]


def test_an_answer_has_the_usual_form_if_only_words_of_its_question_differ() -> None:
    asked = "play the song Blue Train by Coltrane"
    usual = '{"music_item": "song", "track": "Blue Train", "artist": "Coltrane"}'
    assert usual_form(usual, asked, SONGS) > 0.99 * math.log1p(FORM_GAIN)
    assert usual_form(usual.replace("track", "album"), asked, SONGS) == 0.0
    assert usual_form(usual, asked, []) == 0.0


def test_a_form_counts_by_how_alike_the_questions_are() -> None:
    """The booking is as alike as the song, or less by .6: e^-12 of its weight."""
    booking = '{"intent": "BookRestaurant", "party": "five"}', "a table for five"
    alike = [(past, 0.9) for past, _ in SONGS]
    assert usual_form(*booking, alike) == pytest.approx(math.log1p(FORM_GAIN / 2))
    assert usual_form(*booking, SONGS) == pytest.approx(math.log1p(FORM_GAIN / (1 + math.exp(12))))


@given(st.text(), st.text(), st.lists(st.tuples(st.builds(Exchange, st.text(), st.text()), st.floats(-1, 1))))
def test_how_usual_a_form_is_has_bounds(answer: str, question: str, known: list[tuple[Exchange, float]]) -> None:
    assert 0 <= usual_form(answer, question, known) <= math.log1p(FORM_GAIN) + 1e-9
