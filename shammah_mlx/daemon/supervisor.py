"""What starts the service when its user logs in, and again when it crashes: what launchd and systemd have in common."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from shammah_mlx.errors import BadStateError

END_WITHIN_S = 60  # from SIGTERM to SIGKILL: answers under way get 20, a step of learning and a save what is left
ASK_AGAIN_S, PATIENCE_S = 0.2, 20.0  # beyond that


class Job(msgspec.Struct, frozen=True):
    """What is to be run."""

    command: tuple[str, ...]
    environment: dict[str, str]
    log: Path


class State(msgspec.Struct, frozen=True):
    """How it stands with the service."""

    installed: bool
    running: bool = False
    pid: int | None = None
    last_exit: str | None = None


class Supervisor(Protocol):
    """What runs services for a user."""

    place: Path  # of the file that describes ours

    def install(self, job: Job) -> None:
        """Have it run, from now on."""

    def uninstall(self) -> bool:
        """Take it away; say whether it was there."""

    def start(self) -> None:
        """Run it now."""

    def stop(self) -> None:
        """End it until it is started, or the user logs in again."""

    def restart(self) -> None:
        """End it and run it anew."""

    def state(self) -> State:
        """Return how it stands."""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command; return how it ended.

    Raises:
        BadStateError: there is no such command.
    """
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise BadStateError(
            f"{command[0]} cannot be run: {error.strerror}", "run `shammah serve` by hand, or from your own supervisor"
        ) from error


def wait_while(is_so: Callable[[], bool], failure: str) -> None:
    """Return when it is no longer so.

    Raises:
        BadStateError: it stays so.
    """
    until = time.monotonic() + END_WITHIN_S + PATIENCE_S
    while is_so():
        if time.monotonic() > until:
            raise BadStateError(failure, "see `shammah service logs`")
        time.sleep(ASK_AGAIN_S)


def check_installed(place: Path) -> None:
    """Pass if the file is there.

    Raises:
        BadStateError: it is not.
    """
    if not place.exists():
        raise BadStateError("the service is not installed", "shammah service install")


def check(done: subprocess.CompletedProcess[str], failure: str) -> None:
    """Pass if a command ended well.

    Raises:
        BadStateError: it did not; with what it said.
    """
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise BadStateError(f"{failure}: {said}", "see `shammah service logs`, and `shammah doctor`")
