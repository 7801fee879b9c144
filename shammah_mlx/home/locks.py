"""The locks of a home: one for being in it, one for learning in it, and one that asks a learner to leave.

Any number of processes may share the home to ask and to learn; only one of them learns at a time. Commands that take
something back (`rollback`, `forget`) need the home alone. The operating system releases the locks of a dead process.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, ReadWriteLock, Timeout

from shammah_mlx.config import StateConfig
from shammah_mlx.errors import BadStateError

RETRY_S = 0.05  # between two attempts to take a lock
A_LOOK_S = 0.5  # longer than `is_learning` holds the lock to see whether it is free
PROGRESS = "learning.progress"  # in the home: how far the process is that learns, or learnt last


class HomeLock:
    """The locks of one home; `on_wait` is called when another process makes this one wait."""

    def __init__(self, home: Path, config: StateConfig, on_wait: Callable[[], None] = lambda: None) -> None:
        self._home, self._wait_s, self._on_wait = home, config.lock_wait_s, on_wait
        self._presence = ReadWriteLock(home / "lock", is_singleton=False)
        self._learning = FileLock(home / "learning")
        self._wanted = FileLock(home / "wanted-alone")  # held by the process that waits to be alone, or is

    def shared(self) -> AbstractContextManager[bool]:
        """Share the home with other processes that ask and learn.

        Raises:
            BadStateError: a process that needs the home alone did not finish in time.
        """
        return self._held(self._presence.acquire_read)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the home alone; ask a process that learns in it to leave.

        Raises:
            BadStateError: another process did not leave the home in time.
        """
        with self._held(self._wanted.acquire), self._held(self._presence.acquire_write):
            yield

    def is_wanted(self) -> bool:
        """Say whether another process waits to have the home alone."""
        return _is_held(self._wanted)

    def learning(self, patience_s: float | None = None) -> AbstractContextManager[bool]:
        """Hold the learner's lock; calls may be nested. Wait up to `patience_s` seconds, by default `lock_wait_s`.

        Raises:
            BadStateError: another process held it for longer.
        """
        return self._held(self._learning.acquire, patience_s)

    @contextmanager
    def learning_if_free(self) -> Iterator[bool]:
        """Hold the learner's lock if it is free; yield whether it was."""
        try:
            proxy = self._learning.acquire(A_LOOK_S)
        except Timeout:
            yield False
            return
        with proxy:
            yield True

    def note_progress(self, learnt: int, count: int) -> None:
        """Leave a note for those who wait: so many of `count` interactions are learnt. It is not worth a failure."""
        with suppress(OSError):
            (self._home / PROGRESS).write_text(f"{os.getpid()} {learnt} {count}", "ascii")

    def is_learning(self) -> bool:
        """Say whether some process is learning now."""
        return _is_held(self._learning)

    @contextmanager
    def _held(
        self, acquire: Callable[..., AbstractContextManager[object]], patience_s: float | None = None
    ) -> Iterator[bool]:
        until = time.monotonic() + (self._wait_s if patience_s is None else patience_s)
        is_waiting = False
        while True:  # polling: a process that waits to be alone must not keep others out meanwhile
            try:
                proxy = acquire(blocking=False)
                break
            except Timeout as error:
                if time.monotonic() > until:
                    hint = "wait until it is done, or use another --home"
                    raise BadStateError(f"another shammah is using {self._home}", hint) from error
            if not is_waiting:
                self._on_wait()
                is_waiting = True
            time.sleep(RETRY_S)
        with proxy:
            yield True


def progress_of_another(home: Path) -> tuple[int, int] | None:
    """Return how many interactions another process has learnt, and of how many; None if no process says so."""
    try:
        process, learnt, count = map(int, (home / PROGRESS).read_text("ascii").split())
        os.kill(process, 0)  # sends nothing; fails if there is no such process
    except (OSError, ValueError, OverflowError):
        return None
    return (learnt, count) if process != os.getpid() and 0 <= learnt < count else None


def _is_held(lock: FileLock) -> bool:
    """Say whether another process holds a lock."""
    try:
        lock.acquire(blocking=False).__exit__(None, None, None)
    except Timeout:
        return True
    return False
