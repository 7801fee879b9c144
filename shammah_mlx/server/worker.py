"""One thread that does all work on the models: clients first, idle work when no client waits.

Knows nothing about what the work is.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TypeVar

Result = TypeVar("Result")

RESERVED_POLL_S = 0.05  # between two checks whether the thread is still reserved
IDLE_PAUSE_S = 1.0  # after idle work that found nothing to do


class Worker:
    """The thread. It calls `idle_work` again and again while it is not reserved; that returns whether it did anything.

    MLX gives every thread a stream of its own: another thread may read arrays that are computed, and nothing lazy.
    """

    def __init__(self, idle_work: Callable[[], bool]) -> None:
        self._idle_work = idle_work
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle_jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._reservations = 0
        self._counting = threading.Lock()
        self._is_stopping, self._has_died = False, False
        self._thread = threading.Thread(target=self._run, name="models")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish all submitted jobs, end the thread, and wait for its end."""
        self._is_stopping = True
        self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Say whether the thread runs."""
        return self._thread.is_alive()

    @property
    def is_stopping(self) -> bool:
        """Say whether the thread is to end; idle work should then break off."""
        return self._is_stopping

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Run `work` as soon as the present job ends or idle work gives way."""
        return self._submit(work, self._jobs)

    def submit_when_idle(self, work: Callable[[], Result]) -> Future[Result]:
        """Run `work` when the thread is not reserved, after the idle work in progress."""
        return self._submit(work, self._idle_jobs)

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
    def reserved(self) -> Iterator[None]:
        """Reserve the thread for a client: no idle work starts, not even while the client waits for Claude."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def give_way(self) -> None:
        """Run all jobs of clients and wait until the thread is not reserved; idle work calls this on the thread."""
        while True:
            try:
                self._jobs.get(timeout=RESERVED_POLL_S if self._reservations else 0.0)()
            except Empty:
                if not self._reservations or self._is_stopping:
                    return

    def _count(self, change: int) -> None:
        with self._counting:
            self._reservations += change

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._has_died = True
            for jobs in (self._jobs, self._idle_jobs):
                while not jobs.empty():
                    jobs.get()()  # an error goes into the job's future

    def _work(self) -> None:
        was_busy = True
        while True:
            wait_s = RESERVED_POLL_S if self._reservations else IDLE_PAUSE_S
            try:
                self._jobs.get(timeout=0.0 if was_busy or self._is_stopping else wait_s)()
                was_busy = True
            except Empty:
                if self._reservations and not self._is_stopping:
                    was_busy = False
                elif not self._idle_jobs.empty():
                    self._idle_jobs.get()()
                elif self._is_stopping:
                    return
                else:
                    was_busy = self._idle_work()
