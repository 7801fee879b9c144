"""What a month's budget cannot count is not asked."""

import msgspec
import pytest

from shammah_mlx.config import BudgetConfig
from shammah_mlx.events import Query
from shammah_mlx.framework.budget import uncounted
from shammah_mlx.framework.loop import VerdictCall
from shammah_mlx.presets import PRESETS

FREE = PRESETS["default"]
JUDGE = msgspec.structs.replace(FREE.judge, model="claude-haiku-5-5")  # its price covers 100,000 tokens
LIMITED = msgspec.structs.replace(FREE, budget=BudgetConfig(month=20.0), judge=JUDGE)
LONG = "word " * 100_000  # 125,000 tokens


@pytest.mark.parametrize(
    ("call", "is_counted"),
    [
        (VerdictCall(Query("q"), "draft", None), True),
        (VerdictCall(Query(LONG), "draft", None), False),
        (VerdictCall(Query("q", system=LONG), "draft", None), False),
        (VerdictCall(Query("q"), LONG, "reply"), False),
        (VerdictCall(Query("q"), "draft", LONG), False),
    ],
)
def test_a_judge_is_asked_for_no_verdict_that_is_longer_than_its_price_covers(
    call: VerdictCall, is_counted: bool
) -> None:
    assert (uncounted(call, LIMITED) is None) is is_counted
    assert uncounted(call, msgspec.structs.replace(LIMITED, budget=FREE.budget)) is None
