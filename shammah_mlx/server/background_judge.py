"""The teacher of a home that the service keeps open: it gives verdicts to learning, and lets clients go first.

Answers to clients never pass through here: Claude is called for them in the event loop.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import final

from shammah_mlx.events import Outage, Query, Reply, Show, Verdict
from shammah_mlx.framework.loop import Teacher
from shammah_mlx.teacher.outages import outage

POLL_S = 0.02  # between two looks whether a client waits; less than anybody notices


@final
class BackgroundJudge:
    """A teacher that is asked on the thread of the models: while the judge reads, that thread serves clients.

    `give_way` serves them; if it raises, the verdict is given up. There are no replies.
    """

    def __init__(self, teacher: Teacher, give_way: Callable[[], None]) -> None:
        self._teacher, self._give_way = teacher, give_way

    def ask(self, query: Query, show: Show | None = None) -> Reply | Outage:  # noqa: ARG002  nobody is asked
        """Return an outage."""
        return outage("not_recorded")

    def judge(self, query: Query, draft: str, reply: str | None) -> Verdict | Outage:
        """Return what the judge says; serve clients meanwhile."""
        caller = ThreadPoolExecutor(1, "judge")
        try:
            coming = caller.submit(self._teacher.judge, query, draft, reply)
            while not coming.done():
                self._give_way()
                wait([coming], POLL_S)
            return coming.result()
        finally:
            caller.shutdown(wait=False)
