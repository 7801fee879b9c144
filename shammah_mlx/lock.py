"""One process at a time in a home."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from shammah_mlx.config import Config
from shammah_mlx.errors import BadStateError


@contextmanager
def locked(home: Path, config: Config, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the home's lock: one process at a time asks and learns in it. `on_wait` is called once if another has it.

    Raises:
        BadStateError: the other kept it too long.
    """
    lock = FileLock(home / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        on_wait()
        try:
            lock.acquire(timeout=config.state.lock_wait_s)
        except Timeout as error:
            raise BadStateError(f"another shammah is using {home}", "wait for it, or use another --home") from error
    try:
        yield
    finally:
        lock.release()
