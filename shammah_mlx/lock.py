"""Who may do what in a home at the same time.

Any number of processes ask and learn: they share the home. One of them at a time learns. Who takes something back, a
time or a text, is alone. What a process held is free when it dies.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock, ReadWriteLock, Timeout

from shammah_mlx.config import StateConfig
from shammah_mlx.errors import BadStateError


class HomeLock:
    """The locks of one home; `on_wait` is called when another process makes this one wait."""

    def __init__(self, home: Path, config: StateConfig, on_wait: Callable[[], None] = lambda: None) -> None:
        self._home, self._wait_s, self._on_wait = home, config.lock_wait_s, on_wait
        self._presence = ReadWriteLock(home / "lock", is_singleton=False)
        self._learning = FileLock(home / "learning")

    def shared(self) -> AbstractContextManager[None]:
        """Hold the home with others that ask and learn.

        Raises:
            BadStateError: who is alone in it stayed too long.
        """
        return self._held(self._presence.acquire_read)

    def alone(self) -> AbstractContextManager[None]:
        """Hold the home with nobody else in it.

        Raises:
            BadStateError: the others stayed too long.
        """
        return self._held(self._presence.acquire_write)

    def learning(self) -> AbstractContextManager[None]:
        """Be the one that learns; may be nested.

        Raises:
            BadStateError: another learnt for too long.
        """
        return self._held(self._learning.acquire)

    def is_learning(self) -> bool:
        """Say whether another process learns."""
        try:
            self._learning.acquire(blocking=False).__exit__(None, None, None)
        except Timeout:
            return True
        return False

    @contextmanager
    def _held(self, acquire: Callable[..., AbstractContextManager[object]]) -> Iterator[None]:
        try:
            proxy = acquire(blocking=False)
        except Timeout:
            self._on_wait()
            try:
                proxy = acquire(self._wait_s)
            except Timeout as error:
                hint = "wait for it, or use another --home"
                raise BadStateError(f"another shammah is using {self._home}", hint) from error
        with proxy:
            yield
