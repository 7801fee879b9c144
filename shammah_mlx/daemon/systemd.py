"""systemd for one user, through `systemctl --user`: a unit, and what is said to it."""

import os
from pathlib import Path
from typing import final

from shammah_mlx.daemon.supervisor import END_WITHIN_S, Job, State, check, check_installed, run
from shammah_mlx.errors import BadStateError
from shammah_mlx.files import replacing_synced

UNIT = "shammah.service"


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
        self._do("daemon-reload")  # before there is a file: is there a systemd at all?
        with replacing_synced(self.place) as file:
            file.write(unit(job).encode())
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
        try:
            self._do("disable", "--now", UNIT)
        finally:  # what does not run needs no file either
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
        asked = run("systemctl", "--user", "show", "--property=ActiveState,MainPID,ExecMainStatus", UNIT)
        told = dict(line.split("=", 1) for line in asked.stdout.splitlines() if "=" in line)
        pid = int(told.get("MainPID", "0"))
        return State(self.place.exists(), told.get("ActiveState") == "active", pid or None, told.get("ExecMainStatus"))

    def _do_installed(self, verb: str) -> None:
        check_installed(self.place)
        self._do(verb, UNIT)

    def _do(self, *arguments: str) -> None:
        done = run("systemctl", "--user", *arguments)
        if "connect to bus" in done.stderr:
            hint = "run `shammah serve` by hand, or from your own supervisor"
            raise BadStateError("no systemd runs for this login", hint)
        check(done, "systemd refuses")
