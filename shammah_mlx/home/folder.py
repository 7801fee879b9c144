"""Make a home: a private folder of this user that holds nothing else."""

import os
from pathlib import Path

from shammah_mlx.errors import BadInputError, BadStateError


def make_home(path: Path) -> Path:
    """Create the home folder if it is missing, make it private, and return it.

    Raises:
        BadInputError: the path is not a folder, or the folder holds other files, which deleting the home would delete.
    """
    if path.exists() and not path.is_dir():
        raise BadInputError(f"{path} is not a folder", "give --home the path of a folder")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    markers = ("journal.db", "config.toml", "models", "lock", "key", "serving", "templates")
    is_home = any((path / name).exists() for name in markers)
    if any(path.iterdir()) and not is_home:
        raise BadInputError(f"{path} holds other files", "give --home the path of a new or empty folder")
    path.chmod(0o700)
    return path


def check_owner(*paths: Path) -> None:
    """Check that no path belongs to another user, who would decide what is answered and could read every question.

    Raises:
        BadStateError: one does.
    """
    for path in paths:
        for look in (path.lstat, path.stat):  # a link, and what it leads to
            try:
                owner = look().st_uid
            except OSError:  # it is not there
                continue
            if owner != os.getuid():
                raise BadStateError(f"{path} belongs to another user", "choose another home, or remove it")
