"""One thread that all work on the models goes through: what somebody waits for first, the rest when nobody does.

Knows nothing about what the work is.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TypeVar

Result = TypeVar("Result")

A_LOOK_S = 0.05  # from one look whether those who are attended are done to the next
A_PAUSE_S = 1.0  # between two offers to use the time, when there was nothing to do


class Worker:
    """The thread. `pastime` is called on it, again and again, while nobody is attended; it says whether it found work.

    MLX gives every thread a stream of its own, and models are not made to be shared by several.
    """

    def __init__(self, pastime: Callable[[], bool]) -> None:
        self._pastime = pastime
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._quiet_jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()  # for when nobody is attended
        self._attended = 0  # who waits for something, whether it is ours to do now or somebody else's
        self._counting = threading.Lock()
        self._is_stopping, self._has_died = False, False
        self._thread = threading.Thread(target=self._run, name="models")

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what was submitted, and end; wait for that."""
        self._is_stopping = True
        self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Say whether the thread runs."""
        return self._thread.is_alive()

    @property
    def is_stopping(self) -> bool:
        """Say whether it is to end: what it does for a pastime should come to one."""
        return self._is_stopping

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Do this as soon as what is at hand is done or gives way; before any pastime."""
        return self._submit(work, self._jobs)

    def submit_quietly(self, work: Callable[[], Result]) -> Future[Result]:
        """Do this when nobody is attended, and no pastime under way."""
        return self._submit(work, self._quiet_jobs)

    def _submit(self, work: Callable[[], Result], jobs: SimpleQueue[Callable[[], None]]) -> Future[Result]:
        future: Future[Result] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  it is raised where the result is waited for
                future.set_exception(error)

        jobs.put(job)
        if self._has_died:
            future.cancel()
        return future

    @contextmanager
    def attended(self) -> Iterator[None]:
        """Keep the thread free for somebody who waits, also while he waits for somebody else."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def give_way(self) -> None:
        """Do all that somebody waits for; to be called by a pastime, on the thread."""
        while True:
            try:
                self._jobs.get(timeout=A_LOOK_S if self._attended else 0.0)()
            except Empty:
                if not self._attended or self._is_stopping:
                    return

    def _count(self, change: int) -> None:
        with self._counting:
            self._attended += change

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._has_died = True
            for jobs in (self._jobs, self._quiet_jobs):
                while not jobs.empty():
                    jobs.get()()  # each tells its own failure

    def _work(self) -> None:
        was_busy = True
        while True:
            wait_s = A_LOOK_S if self._attended else A_PAUSE_S
            try:
                self._jobs.get(timeout=0.0 if was_busy or self._is_stopping else wait_s)()
                was_busy = True
            except Empty:
                if self._attended and not self._is_stopping:
                    was_busy = False
                elif not self._quiet_jobs.empty():
                    self._quiet_jobs.get()()
                elif self._is_stopping:
                    return
                else:
                    was_busy = self._pastime()
