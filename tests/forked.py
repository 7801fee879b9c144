"""Start the program in real processes that have imported its packages already, which takes seconds.

On Linux a process of its own imports them, once for each worker of pytest, and forks for each start. Elsewhere, and for
a process that is to be `cold`, a new interpreter imports them. Each has an environment, a folder and an output of its
own, and may be stopped and killed. What is read while packages are imported is as it was then.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_FORKS = sys.platform == "linux"  # macOS' own libraries do not bear it
_COLD = multiprocessing.get_context("spawn")
_WARM = multiprocessing.get_context("forkserver") if _FORKS else _COLD
if _FORKS:
    _WARM.set_forkserver_preload(["tests.imported"])


class Forked:
    """A process that was started; its methods are a few of those of `subprocess.Popen`."""

    def __init__(
        self,
        work: Callable[..., None],
        *arguments: object,
        environment: Mapping[str, str],
        log: Path | None = None,
        cold: bool = False,
    ) -> None:
        is_warm = _FORKS and not cold
        begun = work, arguments, dict(environment), None if log is None else str(log), str(Path.cwd()), is_warm
        self._process = (_COLD if cold else _WARM).Process(target=_begin, args=begun, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None  # it has been started
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        assert self._process.exitcode is not None, f"the process does not end within {timeout} s"
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def shammah(arguments: Sequence[str]) -> None:
    """Do what `python -m shammah_mlx` does, to be forked."""
    from shammah_mlx.__main__ import run

    sys.argv = ["shammah", *arguments]
    run()


def _begin(
    work: Callable[..., None],
    arguments: Sequence[object],
    environment: dict[str, str],
    log: str | None,
    folder: str,
    is_warm: bool,
) -> None:
    assert not is_warm or "mlx_lm" in sys.modules, "the process that forks has not imported anything"
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    if log is not None:
        opened = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(opened, 1)
        os.dup2(opened, 2)
        os.close(opened)
    work(*arguments)
