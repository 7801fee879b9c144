"""Choose where MLX's CPU compiler keeps what it compiles: a folder that nobody else can write to.

It compiles to shared libraries in `mlx/VERSION/cpu` of the temporary folder, under names that anybody can foresee, and
loads what it finds there. In a temporary folder that all users share, another user's code would run in this process,
and the folder of whoever came first would keep out everybody else.
"""

import os
import stat
import tempfile
from pathlib import Path

from platformdirs import user_cache_path


def keep_private() -> None:
    """Have MLX compile into a private folder; it looks at TMPDIR, and Python goes on with the folder of before."""
    tempfile.tempdir = tempfile.gettempdir()
    os.environ["TMPDIR"] = str(_private_folder())


def _private_folder() -> Path:
    """Return the folder in this user's cache; where there is no private one, a folder of this user's among others'."""
    candidates = (
        user_cache_path("shammah-mlx").absolute() / "compiled",
        Path(tempfile.gettempdir()).absolute() / f"shammah-compiled-{os.getuid()}",
    )
    return next((folder for folder in candidates if _is_private(folder)), None) or Path(tempfile.mkdtemp())


def _is_private(folder: Path) -> bool:
    """Say whether a folder is this user's alone; make it if it is not there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()  # a link may lead anywhere
    except OSError:
        return False
    mode = found.st_mode
    return stat.S_ISDIR(mode) and found.st_uid == os.getuid() and not mode & 0o077 and os.access(folder, os.W_OK)
