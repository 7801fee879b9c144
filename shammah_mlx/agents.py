"""What starts the service when its user logs in, and again when it crashes: launchd on macOS, systemd on Linux."""

import os
import plistlib
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, final

import msgspec

from shammah_mlx.disk import write_synced
from shammah_mlx.errors import BadStateError

LABEL = "dev.shammah.serve"
UNIT = "shammah.service"
END_WITHIN_S = 60  # from SIGTERM to SIGKILL: answers under way get 20, a step of learning and a save what is left
ASK_AGAIN_S, PATIENCE_S = 0.2, 20.0  # while launchd takes its time to take a service out
NO_SUCH_SERVICE = 113  # exit code of `launchctl print`
INPUT_OUTPUT = 5  # of `launchctl bootstrap`, while the one before is on its way out


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


def supervisor() -> Supervisor:
    """Return this platform's."""
    return Launchd(Path.home()) if sys.platform == "darwin" else Systemd(Path.home())


def plist(job: Job) -> dict[str, Any]:
    """Return what launchd is told."""
    return {
        "Label": LABEL,
        "ProgramArguments": list(job.command),
        "EnvironmentVariables": job.environment,
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},  # a crash restarts it, `stop` does not
        "ProcessType": "Interactive",  # with any other, Metal is throttled
        "ExitTimeOut": END_WITHIN_S,
        "Umask": 0o077,
        "StandardOutPath": str(job.log),
        "StandardErrorPath": str(job.log),
    }


@final
class Launchd:
    """The macOS launchd, through `launchctl`, in the domain of the user's desktop."""

    def __init__(self, user_home: Path) -> None:
        self.place = user_home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        self._domain = f"gui/{os.getuid()}"
        self._service = f"{self._domain}/{LABEL}"

    def install(self, job: Job) -> None:
        """Have it run, from now on.

        Raises:
            BadStateError: launchd will not.
        """
        self._check_domain()
        self.place.parent.mkdir(parents=True, exist_ok=True)
        job.log.parent.mkdir(parents=True, exist_ok=True)
        _replace(self.place, plistlib.dumps(plist(job)))
        self._take_out()
        self._put_in()

    def uninstall(self) -> bool:
        """Take it away; say whether it was there.

        Raises:
            BadStateError: launchd does not let go of it.
        """
        was_there = self._take_out() or self.place.exists()
        self.place.unlink(missing_ok=True)
        return was_there

    def start(self) -> None:
        """Run it now.

        Raises:
            BadStateError: it is not installed, or launchd will not.
        """
        _check_installed(self.place)
        if self._is_known():
            _check(self._launchctl("kickstart", self._service), "launchd does not start the service")
        else:
            self._put_in()

    def stop(self) -> None:
        """End it until it is started, or the user logs in again.

        Raises:
            BadStateError: it is not installed, or launchd will not.
        """
        _check_installed(self.place)
        if self.state().running:
            _check(self._launchctl("kill", "SIGTERM", self._service), "launchd does not end the service")
            _wait_while(lambda: self.state().running, "the service does not end")

    def restart(self) -> None:
        """End it and run it anew.

        Raises:
            BadStateError: it is not installed, or launchd will not.
        """
        _check_installed(self.place)
        if self._is_known():
            _check(self._launchctl("kickstart", "-k", self._service), "launchd does not restart the service")
        else:
            self._put_in()

    def state(self) -> State:
        """Return how it stands."""
        told = self._launchctl("print", self._service).stdout
        pid = re.search(r"^\s*pid = (\d+)", told, re.MULTILINE)
        last = re.search(r"^\s*last exit code = (.+)", told, re.MULTILINE)
        running = re.search(r"^\s*state = running", told, re.MULTILINE) is not None
        return State(self.place.exists(), running, int(pid[1]) if pid else None, last[1] if last else None)

    def _check_domain(self) -> None:
        if self._launchctl("print", self._domain).returncode != 0:
            raise BadStateError(
                "this login has no desktop, where launchd would run the service",
                "run this in a terminal on the Mac itself, not over SSH",
            )

    def _is_known(self) -> bool:
        return self._launchctl("print", self._service).returncode == 0

    def _put_in(self) -> None:
        until = time.monotonic() + PATIENCE_S
        while (done := self._launchctl("bootstrap", self._domain, str(self.place))).returncode == INPUT_OUTPUT:
            if time.monotonic() > until:
                break
            time.sleep(ASK_AGAIN_S)
        _check(done, "launchd does not take the service")

    def _take_out(self) -> bool:
        if not self._is_known():
            return False
        self._launchctl("bootout", self._service)  # returns before it is out
        _wait_while(self._is_known, "launchd does not let go of the service")
        return True

    def _launchctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return _run("launchctl", *arguments)


def unit(job: Job) -> str:
    """Return what systemd is told."""
    environment = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in job.environment.items())
    return f"""[Unit]
Description=shammah: answers on this machine when it can, asks Claude when it cannot

[Service]
ExecStart={" ".join(_quoted(part).replace("$", "$$") for part in job.command)}
{environment}Restart=on-failure
RestartSec=10
TimeoutStopSec={END_WITHIN_S}
UMask=0077
StandardOutput=append:{str(job.log).replace("%", "%%")}
StandardError=inherit

[Install]
WantedBy=default.target
"""


def _quoted(part: str) -> str:
    escaped = part.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


@final
class Systemd:
    """systemd for one user, through `systemctl --user`."""

    def __init__(self, user_home: Path) -> None:
        config = Path(os.environ.get("XDG_CONFIG_HOME") or user_home / ".config")
        self.place = config / "systemd" / "user" / UNIT

    def install(self, job: Job) -> None:
        """Have it run, from now on.

        Raises:
            BadStateError: systemd will not.
        """
        self.place.parent.mkdir(parents=True, exist_ok=True)
        job.log.parent.mkdir(parents=True, exist_ok=True)
        _replace(self.place, unit(job).encode())
        self._do("daemon-reload")
        self._do("enable", UNIT)
        self._do("restart", UNIT)

    def uninstall(self) -> bool:
        """Take it away; say whether it was there.

        Raises:
            BadStateError: systemd will not.
        """
        if not self.place.exists():
            return False
        self._do("disable", "--now", UNIT)
        self.place.unlink()
        self._do("daemon-reload")
        return True

    def start(self) -> None:
        """Run it now.

        Raises:
            BadStateError: it is not installed, or systemd will not.
        """
        self._do_installed("start")

    def stop(self) -> None:
        """End it until it is started, or the user logs in again.

        Raises:
            BadStateError: it is not installed, or systemd will not.
        """
        self._do_installed("stop")

    def restart(self) -> None:
        """End it and run it anew.

        Raises:
            BadStateError: it is not installed, or systemd will not.
        """
        self._do_installed("restart")

    def state(self) -> State:
        """Return how it stands."""
        asked = _run("systemctl", "--user", "show", "--property=ActiveState,MainPID,ExecMainStatus", UNIT)
        told = dict(line.split("=", 1) for line in asked.stdout.splitlines() if "=" in line)
        pid = int(told.get("MainPID", "0"))
        return State(self.place.exists(), told.get("ActiveState") == "active", pid or None, told.get("ExecMainStatus"))

    def _do_installed(self, verb: str) -> None:
        _check_installed(self.place)
        self._do(verb, UNIT)

    def _do(self, *arguments: str) -> None:
        _check(_run("systemctl", "--user", *arguments), "systemd refuses")


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.part")
    write_synced(partial, lambda file: file.write(content))
    partial.replace(path)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise BadStateError(
            f"{command[0]} cannot be run: {error.strerror}", "run `shammah serve` by hand, or from your own supervisor"
        ) from error


def _wait_while(is_so: Callable[[], bool], failure: str) -> None:
    until = time.monotonic() + END_WITHIN_S + PATIENCE_S
    while is_so():
        if time.monotonic() > until:
            raise BadStateError(failure, "see `shammah service logs`")
        time.sleep(ASK_AGAIN_S)


def _check_installed(place: Path) -> None:
    if not place.exists():
        raise BadStateError("the service is not installed", "shammah service install")


def _check(done: subprocess.CompletedProcess[str], failure: str) -> None:
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise BadStateError(f"{failure}: {said}", "see `shammah service logs`, and `shammah doctor`")
