"""The macOS launchd, through `launchctl`: a plist, and what is said to it."""

import os
import plistlib
import re
import subprocess
import time
from pathlib import Path
from typing import Any, final

from shammah_mlx.daemon.supervisor import (
    ASK_AGAIN_S,
    END_WITHIN_S,
    PATIENCE_S,
    Job,
    State,
    check,
    check_installed,
    run,
    wait_while,
)
from shammah_mlx.errors import BadStateError
from shammah_mlx.files import replacing_synced

LABEL = "dev.shammah.serve"
INPUT_OUTPUT = 5  # exit code of `bootstrap`, while the service before is on its way out


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
        with replacing_synced(self.place) as file:
            plistlib.dump(plist(job), file)
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
        check_installed(self.place)
        if self._is_known():
            check(self._launchctl("kickstart", self._service), "launchd does not start the service")
        else:
            self._put_in()

    def stop(self) -> None:
        """End it until it is started, or the user logs in again.

        Raises:
            BadStateError: it is not installed, or launchd will not.
        """
        check_installed(self.place)
        if self.state().running:
            check(self._launchctl("kill", "SIGTERM", self._service), "launchd does not end the service")
            wait_while(lambda: self.state().running, "the service does not end")

    def restart(self) -> None:
        """End it and run it anew.

        Raises:
            BadStateError: it is not installed, or launchd will not.
        """
        check_installed(self.place)
        if self._is_known():
            check(self._launchctl("kickstart", "-k", self._service), "launchd does not restart the service")
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
        check(done, "launchd does not take the service")

    def _take_out(self) -> bool:
        if not self._is_known():
            return False
        self._launchctl("bootout", self._service)  # returns before it is out
        wait_while(self._is_known, "launchd does not let go of the service")
        return True

    def _launchctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run("launchctl", *arguments)
