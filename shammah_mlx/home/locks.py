"""Who may do what in a home at the same time.

Any number of processes ask and learn: they share the home. One of them at a time learns. Who takes something back, a
time or a text, is alone. What a process held is free when it dies.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock, ReadWriteLock, Timeout

from shammah_mlx.config import StateConfig
from shammah_mlx.errors import BadStateError

ASK_AGAIN_S = 0.05
A_LOOK_S = 0.5  # longer than anyone holds a lock who only looks whether it is held


class HomeLock:
    """The locks of one home; `on_wait` is called when another process makes this one wait."""

    def __init__(self, home: Path, config: StateConfig, on_wait: Callable[[], None] = lambda: None) -> None:
        self._home, self._wait_s, self._on_wait = home, config.lock_wait_s, on_wait
        self._presence = ReadWriteLock(home / "lock", is_singleton=False)
        self._learning = FileLock(home / "learning")

    def shared(self) -> AbstractContextManager[bool]:
        """Hold the home with others that ask and learn.

        Raises:
            BadStateError: who is alone in it stayed too long.
        """
        return self._held(self._presence.acquire_read)

    def alone(self) -> AbstractContextManager[bool]:
        """Hold the home with nobody else in it.

        Raises:
            BadStateError: the others stayed too long.
        """
        return self._held(self._presence.acquire_write)

    def learning(self, patience_s: float | None = None) -> AbstractContextManager[bool]:
        """Be the one that learns; may be nested. `patience_s` is how long another is waited for, if not the usual time.

        Raises:
            BadStateError: another learnt for too long.
        """
        return self._held(self._learning.acquire, patience_s)

    @contextmanager
    def learning_if_free(self) -> Iterator[bool]:
        """Be the one that learns, unless another process is; say which."""
        try:
            proxy = self._learning.acquire(A_LOOK_S)
        except Timeout:
            yield False
            return
        with proxy:
            yield True

    def is_learning(self) -> bool:
        """Say whether a process learns now."""
        try:
            self._learning.acquire(blocking=False).__exit__(None, None, None)
        except Timeout:
            return True
        return False

    @contextmanager
    def _held(
        self, acquire: Callable[..., AbstractContextManager[object]], patience_s: float | None = None
    ) -> Iterator[bool]:
        until = time.monotonic() + (self._wait_s if patience_s is None else patience_s)
        is_waiting = False
        while True:  # asking again and again: who waits to be alone must not keep others out meanwhile
            try:
                proxy = acquire(blocking=False)
                break
            except Timeout as error:
                if time.monotonic() > until:
                    hint = "wait for it, or use another --home"
                    raise BadStateError(f"another shammah is using {self._home}", hint) from error
            if not is_waiting:
                self._on_wait()
                is_waiting = True
            time.sleep(ASK_AGAIN_S)
        with proxy:
            yield True
