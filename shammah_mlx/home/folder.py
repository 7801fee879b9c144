"""Make a home: a private folder that holds nothing else."""

from pathlib import Path

from shammah_mlx.errors import BadInputError


def make_home(path: Path) -> Path:
    """Return the folder, made if need be, private, and holding nothing but a home.

    Raises:
        BadInputError: it is no folder, or holds other things: who deletes a home must not delete those.
    """
    if path.exists() and not path.is_dir():
        raise BadInputError(f"{path} is not a folder", "give --home a folder")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    of_home = ("journal.db", "config.toml", "models", "lock", "key", "serving")
    is_home = any((path / name).exists() for name in of_home)
    if any(path.iterdir()) and not is_home:
        raise BadInputError(f"{path} holds other files", "give --home a new or empty folder")
    path.chmod(0o700)
    return path
