"""Guessed text changes how fast an answer is written, never which."""

from typing import cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.config import LoraConfig
from shammah_mlx.models.backend import mx
from shammah_mlx.models.speculative import Guess, Written, write_greedily

CONFIG = LoraConfig(first_block=2, longest_block=4)
WORDS = 7
END = 6


class Rule:
    """A fake network: what comes next is a function of the last two tokens and of `seed`; counts what it is asked."""

    def __init__(self, seed: int, *, is_lazy: bool = True) -> None:
        self._seed, self.read_so_far, self.passes, self.is_lazy = seed, list[int](), 0, is_lazy

    def skim(self, ids: list[int]) -> None:
        self.read_so_far += ids

    def read(self, ids: mx.array) -> mx.array:
        self.passes += 1
        rows = []
        for token in cast("list[int]", ids.tolist()):
            self.read_so_far.append(token)
            rows.append([float((7919 * self._seed + 31 * x + 17 * y) % 101) for x, y in self._next()])
        return mx.array(rows)

    def forget(self, count: int) -> None:
        del self.read_so_far[len(self.read_so_far) - count :]

    def _next(self) -> list[tuple[int, int]]:
        last = sum(token * place for place, token in enumerate(self.read_so_far[-2:], 1))
        return [(word * word + last, word * (last + 1)) for word in range(WORDS)]


class Script:
    """A fake network that writes `text`, whatever the tokens before; the prompt is one token."""

    is_lazy = True

    def __init__(self, text: list[int]) -> None:
        self._text, self._place = text, -1

    def skim(self, ids: list[int]) -> None:
        assert not ids

    def read(self, ids: mx.array) -> mx.array:
        self._place += ids.size
        return mx.stack([mx.arange(100) == self._text[i] for i in range(self._place - ids.size + 1, self._place + 1)])

    def forget(self, count: int) -> None:
        self._place -= count


def write(seed: int, guess: list[int], limit: int = 24) -> Written:
    return write_greedily(Rule(seed), [1, 2], Guess(guess, CONFIG), {END}, limit, lambda _: None)


def copy(text: list[int], guess: list[int]) -> Written:
    padded = [*text, 99, *[0] * CONFIG.longest_block]  # a block may reach past the end
    return write_greedily(Script(padded), [1], Guess([*guess, 99], CONFIG), {99}, 90, lambda _: None)


@given(st.integers(0, 500), st.lists(st.integers(0, WORDS - 1), max_size=30), st.integers(0, 24))
def test_no_guess_changes_what_is_written(seed: int, guess: list[int], limit: int) -> None:
    plain, guessed = write(seed, [], limit), write(seed, guess, limit)
    assert (guessed.ids, guessed.log_p, guessed.finished) == (plain.ids, plain.log_p, plain.finished)
    assert plain.checked == 0
    assert guessed.passes <= plain.passes


@pytest.mark.parametrize(("is_lazy", "ahead"), [(True, 1), (False, 0)])
def test_only_a_lazy_network_reads_on_while_a_token_is_looked_at(is_lazy: bool, ahead: int) -> None:
    network, under_way = Rule(1, is_lazy=is_lazy), list[int]()

    def on_ids(ids: list[int]) -> None:
        under_way.append(network.passes - len(ids))

    written = write_greedily(network, [1, 2], Guess([], CONFIG), {WORDS}, 5, on_ids)
    assert (len(written.ids), network.passes) == (5, 5)  # nothing past the limit
    assert under_way == [ahead] * 4 + [0]


def test_at_most_one_token_is_read_past_the_end() -> None:
    network = Rule(2)
    ended = write_greedily(network, [1, 2], Guess([], CONFIG), range(WORDS), 5, lambda _: None)
    assert (ended.passes, network.passes) == (1, 2)


@given(st.integers(0, 500))
def test_its_own_text_is_accepted_whole(seed: int) -> None:
    plain = write(seed, [])
    again = write(seed, plain.ids)
    assert again.accepted == again.checked or plain.finished


def test_a_right_guess_is_copied_in_growing_blocks_with_its_end() -> None:
    text = list(range(2, 30))
    written = copy(text, text)
    assert (written.ids, written.finished) == (text, True)
    assert written.passes == 7  # 2 + 1, then 4 + 1 at a time: 29 tokens


def test_a_guess_is_followed_again_after_a_changed_a_dropped_and_an_added_word() -> None:
    guess = list(range(2, 62))
    text = [*guess[:10], 90, *guess[11:20], *guess[25:40], 91, 92, *guess[40:]]
    written = copy(text, guess)
    assert written.ids == text
    assert written.passes < 0.5 * len(text)


def test_of_two_places_the_one_not_yet_passed_is_followed() -> None:
    guess = [5, 6, 7, 8, 40, 41, 5, 6, 9, 10, 11, 12]
    written = copy([5, 6, 7, 8, 50, 5, 6, 9, 10, 11, 12], guess)
    assert written.ids[-4:] == [9, 10, 11, 12]
    assert written.accepted >= 6


def test_a_finished_text_says_so_and_its_end_counts_in_its_log_probability() -> None:
    written = copy([2, 3], [])
    assert (written.ids, written.finished, len(written.log_p)) == ([2, 3], True, 3)
    cut = write_greedily(Script([2, 3, 4, 5]), [1], Guess([], CONFIG), {99}, 2, lambda _: None)
    assert (cut.ids, cut.finished, len(cut.log_p)) == ([2, 3], False, 2)


def test_every_advance_is_told_once() -> None:
    told: list[int] = []
    write_greedily(
        Script([*range(2, 20), 99, 0, 0, 0, 0]),
        [1],
        Guess(list(range(2, 20)), CONFIG),
        {99},
        50,
        lambda ids: told.append(len(ids)),
    )
    assert told == sorted(told)
    assert told[-1] == 18


def test_blocks_are_bounded_by_the_config() -> None:
    text = list(range(2, 60))
    wide = msgspec.structs.replace(CONFIG, longest_block=32)
    written = write_greedily(Script([*text, 99, *[0] * 40]), [1], Guess([*text, 99], wide), {99}, 90, lambda _: None)
    assert written.ids == text
    assert written.passes < copy(text, text).passes
