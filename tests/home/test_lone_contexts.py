"""The part of the context is found that keeps questions from ever meeting the same one again."""

from typing import Any

import pytest
from msgspec import UNSET

from shammah_mlx.events import Exchange, Query, hash_63
from shammah_mlx.home.lone_contexts import FEWEST, find_lone_contexts


def asked(number: int, **context: Any) -> Query:
    return Query(f"What is {number} times 7?", **{"model": "claude-sonnet-4-6", "max_tokens": 1024, **context})


@pytest.mark.parametrize(
    ("part", "of"),
    [
        ("the system prompt (a time at line 1, character 7)", lambda n: {"system": f"It is {n // 60:02}:{n % 60:02}."}),
        ("the model", lambda n: {"model": f"claude-{n}"}),
        ("max_tokens", lambda n: {"max_tokens": 1000 + n}),
        ("stop_sequences", lambda n: {"stop_sequences": (f"<{n}>",)}),
        ("who asks (metadata, anthropic-version or shammah-scope)", lambda n: {"scope": hash_63(bytes([n]))}),
        ("the conversation before the question", lambda n: {"history": (Exchange(f"What is {n}?", "A number."),)}),
    ],
)
def test_the_changing_part_is_named(part: str, of: Any) -> None:
    found = find_lone_contexts([asked(number, **of(number)) for number in range(60)])
    assert (found.asked, found.alone, found.changing) == (60, 60, (part,))
    assert found.is_fault == (part != "the conversation before the question")


def test_a_few_questions_in_contexts_of_their_own_are_no_habit() -> None:
    usual = [asked(number, system="Be brief.") for number in range(60)]
    odd = [asked(number, system=f"Request {number}", scope=number if number % 2 else UNSET) for number in range(50)]
    assert find_lone_contexts(usual + odd).changing == ()
    assert find_lone_contexts(odd[: FEWEST - 1]).changing == ()
    assert find_lone_contexts([]).changing == ()
