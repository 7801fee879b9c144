"""Finding what the memory has for a query costs little where the memory can have nothing."""

import itertools
import time
from collections.abc import Callable

from shammah_mlx.config import RecallConfig
from shammah_mlx.events import Exchange, Interaction, Query
from shammah_mlx.learners.features import NO_PROPOSAL
from shammah_mlx.learners.memory import Memory
from shammah_mlx.learners.proposals import Proposals
from shammah_mlx.learners.questions import wants_another_answer
from shammah_mlx.learners.trust import Trust
from shammah_mlx.text.open_ended import is_open_ended

CODE = "    give(some, random, text);  // write the next line of a table\n" * 300  # 20 kB


def holds_nothing(number: int) -> Interaction:
    raise KeyError(number)


def test_a_text_too_long_to_embed_is_not_searched_for_what_it_wants() -> None:
    config = RecallConfig()
    proposals = Proposals(config, Memory(config), Trust(config), lambda _: None, holds_nothing)
    searched = wants_another_answer.cache_info().misses
    query = Query(CODE + "what does this do?")
    assert proposals.proposal(query) == (None, NO_PROPOSAL)
    assert proposals.repeat(query) is None
    assert wants_another_answer.cache_info().misses == searched


def test_a_query_is_searched_once() -> None:
    numbers = itertools.count()

    def seconds(search: Callable[[str], bool]) -> float:
        text = f"{CODE}what is {next(numbers)}?"
        started = time.perf_counter()
        search(text)
        return time.perf_counter() - started

    def twice(text: str) -> bool:
        first, second = (wants_another_answer(Query(text)) for _ in range(2))
        return first and second

    assert min(seconds(twice) for _ in range(9)) < 1.5 * min(seconds(is_open_ended) for _ in range(9))


def test_a_follow_up_is_searched_alone_and_with_the_question_before_it() -> None:
    before = Exchange("tell me a joke", "Why did the chicken cross the road?")
    assert wants_another_answer(Query("and about cats?", history=(before,)))
    assert wants_another_answer(Query("another joke", history=(Exchange("what is a pun?", "A play on words."),)))
    assert not wants_another_answer(Query("why is the sky blue?", history=(before,)))
