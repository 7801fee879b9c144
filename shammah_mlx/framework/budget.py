"""Ask Claude only what the month's budget allows: what it forbids is an outage that the user chose."""

from collections.abc import Callable
from typing import final

from shammah_mlx.config import Config
from shammah_mlx.events import Outage, Query, Reply, Show, Verdict
from shammah_mlx.framework.loop import Call, ClaudeCall, Teacher, VerdictCall
from shammah_mlx.teacher.judge import asked_tokens, has_price, verdict_tokens
from shammah_mlx.teacher.outages import BUDGET_SPENT, outage, unpriced


@final
class WithinBudget:
    """A teacher that is asked only while there is money, and only what the budget can count; else it has an outage.

    The call that reaches the budget is still made, and may exceed it.
    """

    def __init__(self, teacher: Teacher, is_spent: Callable[[], bool], config: Config) -> None:
        self._teacher, self._is_spent, self._config = teacher, is_spent, config

    def ask(self, query: Query, show: Show | None = None) -> Reply | Outage:
        """Return the teacher's reply, or the outage."""
        return self._refusal(ClaudeCall(query, is_answer=True)) or self._teacher.ask(query, show)

    def judge(self, query: Query, draft: str, reply: str | None) -> Verdict | Outage:
        """Return the teacher's verdict, or the outage."""
        return self._refusal(VerdictCall(query, draft, reply)) or self._teacher.judge(query, draft, reply)

    def _refusal(self, call: Call) -> Outage | None:
        return outage(BUDGET_SPENT) if self._is_spent() else uncounted(call, self._config)


def uncounted(call: Call, config: Config) -> Outage | None:
    """Return the outage if there is a budget and no known price, so that the call could not be counted."""
    if call.query.row is not None:  # recorded: nobody pays
        return None
    if isinstance(call, VerdictCall):
        read, _ = verdict_tokens(call.query, call.draft, call.reply)
        return uncounted_model(config.judge.model, config, read)
    return uncounted_model(call.query.model or config.teacher.model, config, asked_tokens(call.query))


def uncounted_model(model: str, config: Config, read: int) -> Outage | None:
    """Return the outage if there is a budget and no known price for so many tokens, read by this model."""
    is_counted = not config.budget.is_set or has_price(model, config.teacher.prices, read)
    return None if is_counted else unpriced(model)
