"""The one thread of this process on which the decoder learns, while another answers.

It never ends: a thread with MLX's streams that ends while the interpreter does aborts the process.
"""

import functools
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

Result = TypeVar("Result")

NICENESS = 10  # on Linux every other thread goes first; on a Mac the GPU does the work


def submit(work: Callable[[], Result]) -> Future[Result]:
    """Run `work` on the thread, after what was submitted before."""
    future: Future[Result] = Future()

    def job() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  it is raised where the result is waited for
            future.set_exception(error)

    _jobs().put(job)
    return future


@functools.cache
def _jobs() -> SimpleQueue[Callable[[], None]]:
    """Return the thread's queue; start it at the first call."""
    jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
    threading.Thread(target=_work, args=(jobs,), name="learning", daemon=True).start()
    return jobs


def _work(jobs: SimpleQueue[Callable[[], None]]) -> None:
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)  # and of the threads it starts
    while True:
        jobs.get()()
