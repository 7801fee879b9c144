"""Files that are on the disk when they are said to be, and are checked when they are read."""

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def link_all(source: Path, target: Path) -> None:
    """Fill a folder with hard links to the files of another."""
    for path in source.iterdir():
        os.link(path, target / path.name)
    sync(target)


def is_intact(path: Path, expected: str | None) -> bool:
    """Say whether a file is there with this sha256."""
    try:
        return sha256(path) == expected
    except OSError:
        return False


def sha256(path: Path) -> str:
    """Return the sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_synced(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file that is on the disk when this returns."""
    with path.open("wb") as file:
        write(file)
        file.flush()
        _flush_to_disk(file.fileno())


def replace_synced(path: Path, content: bytes, *, private: bool = False) -> None:
    """Put a file in place of what is there, if anything: the old one or the new one is on the disk, whole."""
    partial = path.with_name(f".{path.name}.part")
    partial.unlink(missing_ok=True)
    partial.touch(0o600 if private else 0o666)  # private before there is anything in it
    write_synced(partial, lambda file: file.write(content))
    partial.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Return when what a folder lists is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _flush_to_disk(descriptor)
    finally:
        os.close(descriptor)


def _flush_to_disk(descriptor: int) -> None:
    """Sync; on macOS `fsync` leaves the data in the drive's own cache, so ask for more there."""
    if hasattr(fcntl, "F_FULLFSYNC"):
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)
