"""Learn in another process, started behind an answer."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shammah_mlx.config import Config


LEARNT, LEFT_TO_ANOTHER = "Learnt: ", "Another shammah process is already learning and will learn everything."
LOG = "learning.log"  # in the home: output of the last process that learnt


def start_learning(home: Path, given: Mapping[str, Any]) -> None:
    """Start a process that learns what is pending and outlives this one; `given` are the settings of the command."""
    command = command_line("learn", home, given)
    (home / LOG).write_bytes(b"")
    with (home / LOG).open("ab") as log:  # appending: an earlier process may still write to it
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def command_line(name: str, home: Path, given: Mapping[str, Any]) -> list[str]:
    """Return the argument list that runs a shammah command in another process; `given` are its settings."""
    options = {f"--{name.replace('_', '-')}": value for name, value in {**given, "home": home.absolute()}.items()}
    arguments = [str(part) for option, value in options.items() if value is not None for part in (option, value)]
    # -P keeps Python from importing modules that lie in the current folder
    return [sys.executable, "-P", "-m", "shammah_mlx", name, *arguments]


def last_failure(home: Path) -> str | None:
    """Return the error that ended the last background learning, or None if it ended well."""
    try:
        lines = (home / LOG).read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return None
    good_ends = (
        LEARNT,
        "Another shammah ",
    )  # the beginning of LEFT_TO_ANOTHER, in this version's words and in earlier ones
    if not lines or any(line.startswith(good_ends) for line in lines):
        return None
    failure = next((line for line in lines if line.startswith("Error: ")), lines[-1])  # or the end of a traceback
    return failure.removeprefix("Error: ")


def is_learning(home: Path, config: "Config") -> bool:
    """Say whether some process is learning in this home."""
    from shammah_mlx.home.locks import HomeLock

    return HomeLock(home, config.state).is_learning()
