"""Stop asking Claude once the month's budget is spent: a spent budget is an outage that the user chose."""

from collections.abc import Callable
from typing import final

from shammah_mlx.events import Outage, Query, Reply, Show, Verdict
from shammah_mlx.framework.loop import Teacher
from shammah_mlx.teacher.outages import BUDGET_SPENT, outage


@final
class WithinBudget:
    """A teacher that is asked only while there is money; otherwise it has an outage.

    The call that reaches the budget is still made, and may exceed it.
    """

    def __init__(self, teacher: Teacher, is_spent: Callable[[], bool]) -> None:
        self._teacher, self._is_spent = teacher, is_spent

    def ask(self, query: Query, show: Show | None = None) -> Reply | Outage:
        """Return the teacher's reply, or the outage."""
        return outage(BUDGET_SPENT) if self._is_spent() else self._teacher.ask(query, show)

    def judge(self, query: Query, draft: str, reply: str | None) -> Verdict | Outage:
        """Return the teacher's verdict, or the outage."""
        return outage(BUDGET_SPENT) if self._is_spent() else self._teacher.judge(query, draft, reply)
