"""Run the service with the user's systemd: write its unit and call `systemctl --user`."""

import os
from pathlib import Path
from typing import final

from shammah_mlx.daemon.supervisor import STOP_WITHIN_S, Job, State, check, check_installed, run
from shammah_mlx.errors import BadStateError
from shammah_mlx.files import replacing_synced

UNIT = "shammah.service"


def unit(job: Job) -> str:
    """Return the unit file that describes the job to systemd."""
    environment = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in job.environment.items())
    return f"""[Unit]
Description=shammah: answers on this machine when it can, asks Claude when it cannot

[Service]
ExecStart={" ".join(_quoted(part).replace("$", "$$") for part in job.command)}
{environment}Restart=on-failure
RestartSec=10
TimeoutStopSec={STOP_WITHIN_S}
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
    """Control the service with `systemctl --user`."""

    def __init__(self, user_home: Path) -> None:
        config = Path(os.environ.get("XDG_CONFIG_HOME") or user_home / ".config")
        self.path = config / "systemd" / "user" / UNIT

    def install(self, job: Job) -> None:
        """Install the service and start it now, at every login and after a crash.

        Raises:
            BadStateError: systemd fails.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        job.log.parent.mkdir(parents=True, exist_ok=True)
        self._systemctl("daemon-reload")  # fails if no systemd runs, before a file is written
        with replacing_synced(self.path) as file:
            file.write(unit(job).encode())
        self._systemctl("daemon-reload")
        self._systemctl("enable", UNIT)
        self._systemctl("restart", UNIT)

    def uninstall(self) -> bool:
        """Stop and remove the service; return False if it was not installed.

        Raises:
            BadStateError: systemd fails.
        """
        if not self.path.exists():
            return False
        try:
            self._systemctl("disable", "--now", UNIT)
        finally:  # remove the file even if systemd fails
            self.path.unlink()
        self._systemctl("daemon-reload")
        return True

    def start(self) -> None:
        """Start the service.

        Raises:
            BadStateError: the service is not installed, or systemd fails.
        """
        self._run_if_installed("start")

    def stop(self) -> None:
        """Stop the service until it is started or the user logs in again.

        Raises:
            BadStateError: the service is not installed, or systemd fails.
        """
        self._run_if_installed("stop")

    def restart(self) -> None:
        """Stop the service and start it again.

        Raises:
            BadStateError: the service is not installed, or systemd fails.
        """
        self._run_if_installed("restart")

    def state(self) -> State:
        """Return the state of the service."""
        shown = run("systemctl", "--user", "show", "--property=ActiveState,MainPID,ExecMainStatus", UNIT)
        properties = dict(line.split("=", 1) for line in shown.stdout.splitlines() if "=" in line)
        return State(
            installed=self.path.exists(),
            running=properties.get("ActiveState") == "active",
            pid=int(properties.get("MainPID", "0")) or None,
            last_exit=properties.get("ExecMainStatus"),
        )

    def _run_if_installed(self, verb: str) -> None:
        check_installed(self.path)
        self._systemctl(verb, UNIT)

    def _systemctl(self, *arguments: str) -> None:
        completed = run("systemctl", "--user", *arguments)
        if "connect to bus" in completed.stderr:
            hint = "run `shammah serve` yourself, or from another supervisor"
            raise BadStateError("systemd does not run for this login", hint)
        check(completed, "systemctl failed")
