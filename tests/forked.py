"""Start the program in real processes that have imported its packages already, which takes seconds.

A process of its own imports them, once for each worker of pytest, and forks for each start. What it forks has an
environment, a folder and an output of its own, and may be stopped and killed.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(["tests.imported"])


class Forked:
    """A process that was started; the methods are those of `subprocess.Popen`."""

    def __init__(
        self, work: Callable[..., None], *arguments: object, environment: Mapping[str, str], log: Path | None = None
    ) -> None:
        begun = work, arguments, dict(environment), None if log is None else str(log), str(Path.cwd())
        self._process = _FORKING.Process(target=_begin, args=begun, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None  # it has been started
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        assert self._process.exitcode is not None, f"the process does not end within {timeout} s"
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def shammah(arguments: Sequence[str]) -> None:
    """Do what `python -m shammah_mlx` does, to be forked."""
    from shammah_mlx.__main__ import run

    sys.argv = ["shammah", *arguments]
    run()


def _begin(
    work: Callable[..., None], arguments: Sequence[object], environment: dict[str, str], log: str | None, folder: str
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    if log is not None:
        opened = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(opened, 1)
        os.dup2(opened, 2)
        os.close(opened)
    work(*arguments)
