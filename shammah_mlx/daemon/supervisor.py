"""The interface of a supervisor, which runs the service for a user, and what launchd and systemd share."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from shammah_mlx.errors import BadStateError

STOP_WITHIN_S = 60  # from SIGTERM to SIGKILL: 20 s for answers in progress, the rest for a learning step and a save
POLL_S = 0.2
PATIENCE_S = 20.0  # for the supervisor itself, in addition to STOP_WITHIN_S


class Job(msgspec.Struct, frozen=True):
    """The command that the service runs, with its environment and log file."""

    command: tuple[str, ...]
    environment: dict[str, str]
    log: Path


class State(msgspec.Struct, frozen=True):
    """Whether the service is installed and running, and how it last ended."""

    installed: bool
    running: bool = False
    pid: int | None = None
    last_exit: str | None = None


class Supervisor(Protocol):
    """Runs the service for a user."""

    path: Path  # file that describes the service

    def install(self, job: Job) -> None:
        """Install the service and start it now, at every login and after a crash."""

    def uninstall(self) -> bool:
        """Stop and remove the service; return False if it was not installed."""

    def start(self) -> None:
        """Start the service."""

    def stop(self) -> None:
        """Stop the service until it is started or the user logs in again."""

    def restart(self) -> None:
        """Stop the service and start it again."""

    def state(self) -> State:
        """Return the state of the service."""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command and return its output and exit code.

    Raises:
        BadStateError: the command cannot be run.
    """
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise BadStateError(
            f"{command[0]} cannot be run: {error.strerror}", "run `shammah serve` yourself, or from another supervisor"
        ) from error


def wait_while(condition: Callable[[], bool], failure: str) -> None:
    """Wait until the condition is false.

    Raises:
        BadStateError: it is still true at the deadline; `failure` is the message.
    """
    until = time.monotonic() + STOP_WITHIN_S + PATIENCE_S
    while condition():
        if time.monotonic() > until:
            raise BadStateError(failure, "see `shammah service logs`")
        time.sleep(POLL_S)


def check_installed(path: Path) -> None:
    """Check that the service is installed, that is, that the file describing it exists.

    Raises:
        BadStateError: the service is not installed.
    """
    if not path.exists():
        raise BadStateError("the service is not installed", "install it with `shammah service install`")


def check(completed: subprocess.CompletedProcess[str], failure: str) -> None:
    """Check that a command succeeded.

    Raises:
        BadStateError: it failed; the message is `failure` and the last line of its output.
    """
    if completed.returncode != 0:
        output = completed.stderr.strip() or completed.stdout.strip() or f"exit code {completed.returncode}"
        raise BadStateError(f"{failure}: {output.splitlines()[-1]}", "see `shammah service logs` and `shammah doctor`")
