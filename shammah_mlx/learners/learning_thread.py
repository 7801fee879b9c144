"""The one thread of this process for what takes long while another answers: the decoder's steps and shadows, and saves.

It never ends: a thread with MLX's streams that ends while the interpreter does aborts the process.
"""

import contextlib
import functools
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import TypeVar

Result = TypeVar("Result")

POLL_S = 0.005  # between two looks for waiting requests
NICENESS = 10  # of a service's thread, on Linux: every other one goes first; on a Mac the GPU does the work


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


def run(work: Callable[[], Result], give_way: Callable[[], None]) -> Result:
    """Run `work` on the thread and return what it does; call `give_way` again and again meanwhile.

    The work is finished whatever `give_way` raises: who stops learning says so again afterwards.
    """
    running = submit(work)
    try:
        with contextlib.suppress(Exception):
            while wait([running], POLL_S).not_done:
                give_way()
    finally:
        wait([running])
    return running.result()


def go_last() -> None:
    """Let every other thread of this machine go before this one, and those that it starts, from now on."""
    if sys.platform == "linux":
        submit(lambda: os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)).result()


@functools.cache
def _jobs() -> SimpleQueue[Callable[[], None]]:
    """Return the thread's queue; start it at the first call."""
    jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
    threading.Thread(target=_work, args=(jobs,), name="learning", daemon=True).start()
    return jobs


def _work(jobs: SimpleQueue[Callable[[], None]]) -> None:
    while True:
        jobs.get()()
