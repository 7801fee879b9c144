"""Make a home: a private folder that holds nothing else."""

from pathlib import Path

from shammah_mlx.errors import BadInputError


def make_home(path: Path) -> Path:
    """Create the home folder if it is missing, make it private, and return it.

    Raises:
        BadInputError: the path is not a folder, or the folder holds other files, which deleting the home would delete.
    """
    if path.exists() and not path.is_dir():
        raise BadInputError(f"{path} is not a folder", "give --home the path of a folder")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    markers = ("journal.db", "config.toml", "models", "lock", "key", "serving")
    is_home = any((path / name).exists() for name in markers)
    if any(path.iterdir()) and not is_home:
        raise BadInputError(f"{path} holds other files", "give --home the path of a new or empty folder")
    path.chmod(0o700)
    return path
