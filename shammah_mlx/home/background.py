"""Learn in another process, started behind an answer."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shammah_mlx.config import Config


LEARNT, LEFT_TO_ANOTHER = "Learnt: ", "Another shammah is learning, and will learn all there is."
LOG = "learning.log"  # what the last one had to say, in the home


def start_learning(home: Path, given: Mapping[str, Any]) -> None:
    """Learn what is pending in a process that outlives this one and its terminal; `given` are the settings."""
    command = command_line("learn", home, given)
    (home / LOG).write_bytes(b"")
    with (home / LOG).open("ab") as log:  # one that still learns may write to it too
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def command_line(name: str, home: Path, given: Mapping[str, Any]) -> list[str]:
    """Return what runs a command of ours in another process; `given` are its settings."""
    options = {f"--{name.replace('_', '-')}": value for name, value in {**given, "home": home.absolute()}.items()}
    told = [str(part) for option, value in options.items() if value is not None for part in (option, value)]
    # -P: what lies in the user's folder is not to be imported
    return [sys.executable, "-P", "-m", "shammah_mlx", name, *told]


def last_failure(home: Path) -> str | None:
    """Return what stopped the last one, if something did."""
    try:
        lines = (home / LOG).read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return None
    if not lines or any(line.startswith((LEARNT, LEFT_TO_ANOTHER)) for line in lines):
        return None
    told = next((line for line in lines if line.startswith("Error: ")), lines[-1])  # or the end of a traceback
    return told.removeprefix("Error: ")


def is_learning(home: Path, config: "Config") -> bool:
    """Say whether a process learns in this home."""
    from shammah_mlx.home.locks import HomeLock

    return HomeLock(home, config.state).is_learning()
