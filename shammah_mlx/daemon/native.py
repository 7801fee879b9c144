"""Choose the supervisor for this platform."""

import sys
from pathlib import Path

from shammah_mlx.daemon.launchd import Launchd
from shammah_mlx.daemon.supervisor import Supervisor
from shammah_mlx.daemon.systemd import Systemd


def supervisor() -> Supervisor:
    """Return launchd on macOS and systemd elsewhere."""
    return Launchd(Path.home()) if sys.platform == "darwin" else Systemd(Path.home())
