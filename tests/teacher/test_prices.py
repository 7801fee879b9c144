"""What a reply costs: each kind of token has a price of its own, and the one-hour cache another than the usual one."""

from types import SimpleNamespace

import pytest

from shammah_mlx.config import LIST_PRICES
from shammah_mlx.teacher.judge import has_price
from shammah_mlx.teacher.reply import cost_usd, usage_tokens


def usage(**counts: object) -> object:
    return SimpleNamespace(**{"input_tokens": 100, "output_tokens": 50, **counts})


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({}, 0.00035),
        ({"cache_creation_input_tokens": 10_000}, 0.01285),
        (
            {
                "cache_creation_input_tokens": 10_000,
                "cache_creation": SimpleNamespace(ephemeral_5m_input_tokens=0, ephemeral_1h_input_tokens=10_000),
            },
            0.02035,
        ),
        (
            {
                "cache_creation_input_tokens": 10_000,
                "cache_creation": SimpleNamespace(ephemeral_5m_input_tokens=4_000, ephemeral_1h_input_tokens=6_000),
            },
            0.00035 + 0.005 + 0.012,
        ),
        ({"cache_creation": SimpleNamespace(ephemeral_1h_input_tokens=10_000)}, 0.02035),
        ({"cache_creation_input_tokens": 10_000, "cache_creation": None}, 0.01285),
        ({"cache_creation": SimpleNamespace(ephemeral_1h_input_tokens=-5)}, 0.00035),
        ({"cache_read_input_tokens": 10_000}, 0.00135),
    ],
)
def test_writes_for_an_hour_cost_twice_the_input_and_others_five_quarters(
    written: dict[str, object], expected: float
) -> None:
    for model in ("claude-haiku-4-5", "claude-haiku-4-5-20251001"):
        assert cost_usd(model, usage_tokens(usage(**written)), LIST_PRICES) == pytest.approx(expected, rel=1e-12)


def test_an_unknown_model_or_count_is_unpriced() -> None:
    assert cost_usd("claude-unknown", usage_tokens(usage()), LIST_PRICES) is None
    assert cost_usd("claude-haiku-4-5", usage_tokens(usage(output_tokens=None)), LIST_PRICES) is None


def test_a_price_is_known_up_to_the_longest_prompt_that_it_holds_for() -> None:
    model = "claude-haiku-5-5"
    most = LIST_PRICES[model].most_read
    assert [has_price(model, LIST_PRICES, read) for read in (0, most, most + 1)] == [True, True, False]
    assert has_price(f"{model}-20261001", LIST_PRICES)
    assert not has_price("claude-unknown", LIST_PRICES)
