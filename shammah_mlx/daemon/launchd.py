"""Run the service with macOS's launchd: write its plist and call `launchctl`."""

import os
import plistlib
import re
import subprocess
import time
from pathlib import Path
from typing import Any, final

from shammah_mlx.daemon.supervisor import (
    PATIENCE_S,
    POLL_S,
    STOP_WITHIN_S,
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
INPUT_OUTPUT = 5  # exit code of `bootstrap` while the previous service is still being unloaded


def plist(job: Job) -> dict[str, Any]:
    """Return the property list that describes the job to launchd."""
    return {
        "Label": LABEL,
        "ProgramArguments": list(job.command),
        "EnvironmentVariables": job.environment,
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},  # a crash restarts it, `stop` does not
        "ProcessType": "Interactive",  # launchd throttles Metal in jobs of any other type
        "ExitTimeOut": STOP_WITHIN_S,
        "Umask": 0o077,
        "StandardOutPath": str(job.log),
        "StandardErrorPath": str(job.log),
    }


@final
class Launchd:
    """Control the service with `launchctl`, in the domain of the user's desktop session."""

    def __init__(self, user_home: Path) -> None:
        self.path = user_home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        self._domain = f"gui/{os.getuid()}"
        self._service = f"{self._domain}/{LABEL}"

    def install(self, job: Job) -> None:
        """Install the service and start it now, at every login and after a crash.

        Raises:
            BadStateError: launchd fails, or this login has no desktop.
        """
        self._check_domain()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with replacing_synced(self.path) as file:
            plistlib.dump(plist(job), file)
        self._unload()
        self._load()

    def uninstall(self) -> bool:
        """Stop and remove the service; return False if it was not installed.

        Raises:
            BadStateError: launchd fails.
        """
        was_installed = self._unload() or self.path.exists()
        self.path.unlink(missing_ok=True)
        return was_installed

    def start(self) -> None:
        """Start the service.

        Raises:
            BadStateError: the service is not installed, or launchd fails.
        """
        check_installed(self.path)
        if self._is_loaded():
            check(self._launchctl("kickstart", self._service), "launchd could not start the service")
        else:
            self._load()

    def stop(self) -> None:
        """Stop the service until it is started or the user logs in again.

        Raises:
            BadStateError: the service is not installed, or launchd fails.
        """
        check_installed(self.path)
        if self.state().running:
            check(self._launchctl("kill", "SIGTERM", self._service), "launchd could not stop the service")
            wait_while(lambda: self.state().running, "the service does not stop")

    def restart(self) -> None:
        """Stop the service and start it again.

        Raises:
            BadStateError: the service is not installed, or launchd fails.
        """
        check_installed(self.path)
        if self._is_loaded():
            check(self._launchctl("kickstart", "-k", self._service), "launchd could not restart the service")
        else:
            self._load()

    def state(self) -> State:
        """Return the state of the service."""
        printed = self._launchctl("print", self._service).stdout
        pid = re.search(r"^\s*pid = (\d+)", printed, re.MULTILINE)
        last = re.search(r"^\s*last exit code = (.+)", printed, re.MULTILINE)
        running = re.search(r"^\s*state = running", printed, re.MULTILINE) is not None
        return State(self.path.exists(), running, int(pid[1]) if pid else None, last[1] if last else None)

    def _check_domain(self) -> None:
        if self._launchctl("print", self._domain).returncode != 0:
            raise BadStateError(
                "launchd cannot run the service: this login has no desktop session",
                "run this in a terminal on the Mac itself, not over SSH",
            )

    def _is_loaded(self) -> bool:
        return self._launchctl("print", self._service).returncode == 0

    def _load(self) -> None:
        until = time.monotonic() + PATIENCE_S
        while (completed := self._launchctl("bootstrap", self._domain, str(self.path))).returncode == INPUT_OUTPUT:
            if time.monotonic() > until:
                break
            time.sleep(POLL_S)
        check(completed, "launchd could not load the service")

    def _unload(self) -> bool:
        if not self._is_loaded():
            return False
        self._launchctl("bootout", self._service)  # returns before the service is unloaded
        wait_while(self._is_loaded, "launchd does not unload the service")
        return True

    def _launchctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run("launchctl", *arguments)
