"""Run the service in a process of its own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import httpx2

from shammah_mlx.server import client, protocol
from tests.forked import Forked, shammah

WITHIN_S = 60.0  # the longest that a test waits; machines can be busy
BOLD = """
generator = "recall"
[policy]
forward_only = 0
route_thresholds = [[0, 0.0]]
accept_thresholds = [[0, 0.0]]
accept_destroying = 0.0
max_other_answer = 1.0
audits = []
[risk]
max_bad_rate = 1.0
"""  # every draft that was learnt is served, whatever its scores, and nothing is audited


class Served:
    """A context manager that runs the service of a home; with `forks`, in a process that has imported it already."""

    forks: ClassVar[bool] = False  # tests set it: a benchmark runs the service as a user does

    def __init__(self, home: Path, environment: Mapping[str, str], *arguments: str) -> None:
        self.home, self._arguments = home, arguments
        self.environment = {**os.environ, "SHAMMAH_HOME": str(home), **environment}
        self.process: Forked | subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return (self.home.parent / "serve.log").read_text()

    @property
    def port(self) -> int:
        return int(self.log.rpartition("http://127.0.0.1:")[2].split()[0])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return (self.home / "token").read_text()

    def own(self) -> httpx2.Client:
        """Return an HTTP client of the home's own socket."""
        transport = httpx2.HTTPTransport(uds=str(self.home / protocol.SOCKET))
        return httpx2.Client(transport=transport, base_url="http://shammah", timeout=WITHIN_S, trust_env=False)

    def health(self) -> Any:
        return client.get_json(self.home, "/health")

    def wait_until_learnt(self, within_s: float = WITHIN_S) -> None:
        until = time.monotonic() + within_s
        while self.health()["pending"]:
            assert time.monotonic() < until, "the service does not learn"
            time.sleep(0.05)

    def start(self) -> None:
        self.process = self._begin(["serve", *self._arguments], self.home.parent / "serve.log")
        until = time.monotonic() + WITHIN_S
        while self.health() is None:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.05)

    def _begin(self, arguments: list[str], log: Path) -> "Forked | subprocess.Popen[bytes]":
        if self.forks:
            return Forked(shammah, arguments, environment=self.environment, log=log)
        with log.open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "shammah_mlx", *arguments], env=self.environment, stdout=out, stderr=out
            )

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; return the exit code."""
        self.process.send_signal(by)
        return self.process.wait(WITHIN_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGKILL)


class Place:
    """A context manager that creates a home with a short path, as a socket needs."""

    def __enter__(self) -> Path:
        self._folder = Path(tempfile.mkdtemp(prefix="sh-", dir="/tmp"))
        home = self._folder / "home"
        home.mkdir(mode=0o700)
        (home / "config.toml").write_text(BOLD)
        return home

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        until = time.monotonic() + WITHIN_S
        while self._folder.exists():  # a process that learns in the background may still write there
            with suppress(OSError):
                shutil.rmtree(self._folder)
            assert time.monotonic() < until, f"{self._folder} cannot be removed"
