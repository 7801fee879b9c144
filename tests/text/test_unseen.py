"""Differences that an embedding does not see are found, and careless writing is none."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.text.unseen import differs_unseen, same_text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What does grep -v do?", "What does grep -V do?"),
        ("what does grep -v do", "what does grep -V do"),
        (r"match \d here", r"match \D here"),
        ("Convert 5 mW, please", "Please convert 5 MW,"),
        ("Where is polish from?", "Where is Polish from?"),
        ("what is c", "what is C"),
        ("what does polish mean?", "what does Polish mean?"),
        ("how much is 5 mw", "how much is 5 MW"),
        ("prices in turkey", "prices in Turkey"),
        ("Is WHO to blame?", "Is who to blame?"),
        ("Explain IT to me.", "Explain it to me."),
        ("was heißt schon", "was heißt schön"),
        ("¿Cuántos años tienes?", "¿Cuántos anos tienes?"),
        ("What is 🇮🇪?", "What is 🇨🇮?"),
        ("Wie zieht ♘?", "Wie zieht ♖?"),
        ("How much?", "How much\N{TAG LATIN SMALL LETTER A}?"),
        ("therapist", "the\N{ZERO WIDTH SPACE}rapist"),
        ("Is this valid?\na:\n  b: 1\n  c: 2", "Is this valid?\na:\n  b: 1\nc: 2"),
        ("if x:\n    y()\n    z()", "if x:\n    y()\nz()"),
        ('what is len("a b")', 'what is len("a  b")'),
        ("cat a\tb", "cat a b | sort"),
    ],
)
def test_the_answer_may_depend_on_what_is_not_seen(one: str, other: str) -> None:
    assert not same_text(one, other)
    if one.split() == other.split() or "sort" not in other:
        assert differs_unseen(one, other, looks_same=False)
        assert differs_unseen(other, one, looks_same=False)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I flush DNS on a Mac?", "how do i flush dns on a mac?"),
        ("how do i flush dns", "HOW DO I FLUSH DNS"),
        ("what is it like in new york?", "What is it like in New York?"),
        ("FLUSH DNS on my Mac", "flush dns on my mac"),
        ("Thanks! How far is it?", "thanks! how far is it?"),
        ("Where can I get a covid-19 test?", "Where do I get a COVID-19 test?"),
        ("[at home] Please close the door", "[at home] Close the door"),
        ("Should I stay home?", "Should I stay home ?"),
        ("What is a monad?", "please, what is a monad?"),
        ("how to sort a list", "what is the way to sort a list"),
    ],
)
def test_careless_writing_is_no_difference(one: str, other: str) -> None:
    assert not differs_unseen(one, other, looks_same=False)
    assert not differs_unseen(other, one, looks_same=False)


def test_words_that_the_embedder_takes_for_the_same_differ() -> None:
    assert differs_unseen("什么是猫", "什么是狗", looks_same=True)
    assert not differs_unseen("什么是猫", "什么是狗", looks_same=False)
    assert not differs_unseen("what is a cat", "What is a cat", looks_same=True)


def test_blanks_and_line_breaks_between_words_mean_nothing() -> None:
    assert same_text(" flush dns\ncache mac ", "flush dns  cache mac")
    assert same_text("cafe\N{COMBINING ACUTE ACCENT}", "café")
    assert not same_text("flush dns", "flush dns cache")


@given(st.text(), st.text())
def test_any_texts_are_compared_and_a_text_is_itself(one: str, other: str) -> None:
    assert same_text(one, one)
    assert not differs_unseen(one, one, looks_same=True)
    assert differs_unseen(one, other, looks_same=True) == differs_unseen(other, one, looks_same=True)


def test_no_long_text_takes_long() -> None:
    one, other = (" ".join(f"{sign * (1 + n % 50)}{n % 7}" for n in range(50_000)) for sign in "\u200b\u200c")
    began = time.thread_time()
    assert differs_unseen(one, other, looks_same=True)
    assert time.thread_time() - began < 10.0  # it takes about one second; comparing all pairs would take an hour
