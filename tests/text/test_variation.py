"""An exchange is varied by values of others, in the question and in the answer alike."""

import json
import random

import pytest

from shammah_mlx.events import Exchange
from shammah_mlx.text.variation import varied

PLAY = Exchange("play Hello by Adele", '{"intent": "PlayMusic", "track": "Hello", "artist": "Adele"}')
OTHERS = [
    Exchange("play Jolene by Dolly Parton", '{"intent": "PlayMusic", "track": "Jolene", "artist": "Dolly Parton"}'),
    Exchange("put on Blue Train", '{"intent": "PlayMusic", "track": "Blue Train"}'),
    Exchange("is Hello at the Rex", '{"intent": "FindFilm", "track": "a film", "artist": "nobody", "place": "Rex"}'),
]


def variations(exchange: Exchange, others: list[Exchange]) -> set[Exchange]:
    return {varied(exchange, others, random.Random(seed)) for seed in range(60)}


def test_values_are_exchanged_for_those_of_the_same_key_and_kind() -> None:
    found = variations(PLAY, OTHERS)
    tracks = {json.loads(each.answer)["track"] for each in found}
    artists = {json.loads(each.answer)["artist"] for each in found}
    assert (tracks, artists) == ({"Hello", "Jolene", "Blue Train"}, {"Adele", "Dolly Parton"})
    for each in found:
        fields = json.loads(each.answer)
        assert each.question == f"play {fields['track']} by {fields['artist']}"
        assert fields["intent"] == "PlayMusic"


def test_the_same_draw_gives_the_same_variation() -> None:
    assert varied(PLAY, OTHERS, random.Random(7)) == varied(PLAY, OTHERS, random.Random(7))


@pytest.mark.parametrize(
    "exchange",
    [
        Exchange("what is the capital of France", "Paris"),
        Exchange("play Hello", "[1, 2]"),
        Exchange("play Hello", "{}"),
        Exchange("play Hello", '{"intent": '),
        Exchange("play something", '{"intent": "PlayMusic", "track": "Hello"}'),  # not from the question
        Exchange("play Hello, I said Hello", '{"intent": "PlayMusic", "track": "Hello"}'),  # which one?
        Exchange("play Hellos", '{"intent": "PlayMusic", "track": "Hello"}'),  # part of a word
        Exchange("play Hello 3", '{"intent": "PlayMusic", "track": "Hello", "number": 3}'),
        Exchange("play Hello", '{"intent": "PlayMusic", "track": "Hello", "slug": "hello"}'),  # may follow from it
        Exchange("play Hello", '{"intent": "PlayMusic", "track": "Hello", "artist": ["Adele"]}'),
        Exchange("play Hello", '{"intent": "PlayMusic", "track": "Hello", "artist": "Hello"}'),  # both change or none
        Exchange("play New York", '{"intent": "PlayMusic", "track": "New York", "artist": "York"}'),
        Exchange("play 2.5", '{"intent": "PlayMusic", "track": "5"}'),  # part of a number
        Exchange("play 2.5", '{"intent": "PlayMusic", "track": "2"}'),
        Exchange("play cafe\u0301", '{"intent": "PlayMusic", "track": "cafe"}'),  # an accent of its own follows
        Exchange("play Hello", "[" * 100_000),
    ],
)
def test_what_cannot_be_varied_stays(exchange: Exchange) -> None:
    assert variations(exchange, OTHERS) == {exchange}


def test_without_a_kind_every_object_with_the_key_is_of_the_kind() -> None:
    line = Exchange("2 cups flour", '{"amount": "2 cups", "food": "flour"}')
    found = variations(line, [Exchange("1 pinch salt", '{"amount": "1 pinch", "food": "salt"}')])
    assert {each.question for each in found} == {"2 cups flour", "2 cups salt", "1 pinch flour", "1 pinch salt"}


@pytest.mark.parametrize("frame", ["is this positive or negative? {}", "positive, negative, neutral: {}"])
def test_a_choice_that_the_question_lists_is_no_value(frame: str) -> None:
    praise = Exchange(frame.format("I love it"), '{"mood": "positive"}')
    blame = Exchange(frame.format("I hate it"), '{"mood": "negative"}')
    assert variations(praise, [blame]) == {praise}
    alone = Exchange("positive: I love it", '{"mood": "positive"}')  # the other question lists it
    assert variations(alone, [blame]) == {alone}


def test_a_kind_that_stands_in_the_question_is_no_value_of_another_kind() -> None:
    play = Exchange("play Hello", '{"do": "play", "track": "Hello"}')
    assert variations(play, [Exchange("stop radio", '{"do": "stop", "device": "radio"}')]) == {play}


def test_others_are_not_read_for_what_cannot_be_varied() -> None:
    varied(Exchange("hello", "Hello!"), (pytest.fail("it was read") for _ in range(1)), random.Random(0))


def test_a_value_that_an_exchange_doubled_is_left_alone() -> None:
    swap = Exchange("from Rome to Oslo", '{"from": "Rome", "to": "Oslo"}')
    other = Exchange("from Oslo to Rome", '{"from": "Oslo", "to": "Rome"}')
    for each in variations(swap, [other]):
        fields = json.loads(each.answer)
        assert each.question == f"from {fields['from']} to {fields['to']}"


def test_signs_of_a_pattern_and_of_json_are_text() -> None:
    ask = Exchange('find "a.b" in C:\\x', json.dumps({"do": "find", "what": '"a.b"', "where": "C:\\x"}))
    other = Exchange("find (c+) in \\1", json.dumps({"do": "find", "what": "(c+)", "where": "\\1"}))
    for each in variations(ask, [other]):
        fields = json.loads(each.answer)
        assert each.question == f"find {fields['what']} in {fields['where']}"
