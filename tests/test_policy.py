import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx import policy
from shammah_mlx.config import PRESETS, PolicyConfig
from shammah_mlx.events import Query, Turn

CONFIG = PolicyConfig()
probabilities = st.floats(min_value=0, max_value=1)


def turn(seen: int, *, forced: bool = False) -> Turn:
    return Turn(number=1, seen=seen, at=0.0, query=Query("q"), forced=forced, coin=0.9, audit_rate=0.5, shadow_rate=0.5)


@given(probabilities, st.integers(min_value=0, max_value=49))
def test_nothing_is_tried_locally_in_the_first_fifty_queries(p_local: float, seen: int) -> None:
    assert not policy.route(p_local, turn(seen), CONFIG).local


@pytest.mark.parametrize(
    ("seen", "p_local", "local"),
    [
        (49, 1.0, False),
        (50, 0.95, False),
        (50, 0.951, True),
        (199, 0.95, False),
        (199, 0.951, True),
        (200, 0.5, False),
        (200, 0.501, True),
        (100_000, 0.501, True),
    ],
)
def test_the_bar_for_a_local_try_falls_at_query_50_and_200(seen: int, p_local: float, local: bool) -> None:
    assert policy.route(p_local, turn(seen), CONFIG).local is local


@given(probabilities, st.integers(min_value=0, max_value=10_000))
def test_a_query_the_user_sends_to_claude_is_never_local(p_local: float, seen: int) -> None:
    assert not policy.route(p_local, turn(seen, forced=True), CONFIG).local


def test_a_draft_must_be_more_likely_good_than_bad() -> None:
    assert not policy.accepts(0.5, CONFIG)
    assert policy.accepts(0.501, CONFIG)


def test_a_coin_depends_on_seed_and_number_alone() -> None:
    assert policy.coin(3, 17) == policy.coin(3, 17)
    assert len({policy.coin(seed, number) for seed in range(5) for number in range(200)}) == 1000
    assert policy.coin(0, 1) == 0.7557901559675918  # the same in every process and version


def test_coins_are_uniform() -> None:
    coins = [policy.coin(0, number) for number in range(10_000)]
    assert statistics.mean(coins) == pytest.approx(0.5, abs=0.015)
    assert sum(coin < 0.05 for coin in coins) == pytest.approx(500, abs=90)
    assert all(0 <= coin < 1 for coin in coins)


def test_a_turn_is_sampled_when_its_coin_falls_below_the_rate_of_its_band() -> None:
    config = PRESETS["literal"]
    turns = [policy.take_turn(Query("q"), number, 150, 0.0, config, forced=False) for number in range(1, 500)]
    assert {(taken.audit_rate, taken.shadow_rate) for taken in turns} == {(0.2, 0.2)}
    assert [taken.audits for taken in turns] == [taken.coin < 0.2 for taken in turns]
    assert [taken.shadows for taken in turns] == [taken.coin < 0.2 for taken in turns]
    assert {taken.audits for taken in turns} == {True, False}
