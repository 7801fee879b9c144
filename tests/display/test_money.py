"""Amounts of money as people read them."""

import pytest

from shammah_mlx.display.money import cost_note, in_dollars


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        (0.0, "$0"),
        (1e-12, "under $0.0001"),
        (0.0000999, "under $0.0001"),
        (0.0001, "$0.0001"),
        (0.00064, "$0.0006"),
        (0.5, "$0.5000"),
        (0.99996, "$1.00"),
        (12.345, "$12.35"),
        (1234.5, "$1,234.50"),
        (None, "unpriced"),
    ],
)
def test_what_was_spent_never_reads_as_nothing(usd: float | None, shown: str) -> None:
    assert in_dollars(usd) == shown


def test_what_is_free_is_not_mentioned() -> None:
    assert cost_note(0.0) == ""
    assert cost_note(0.0006) == " ($0.0006)"
    assert cost_note(0.0006, is_estimated=True) == " (about $0.0006)"
    assert cost_note(None) == " (unpriced)"
