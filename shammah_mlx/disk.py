"""Files that are on the disk when they are said to be, and are checked when they are read."""

import fcntl
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def link_all(source: Path, target: Path) -> None:
    """Fill a folder with hard links to the files of another."""
    for path in source.iterdir():
        os.link(path, target / path.name)
    sync(target)


def is_intact(path: Path, crc: int | None) -> bool:
    """Say whether a file is there with this check sum."""
    try:
        return crc32(path) == crc
    except OSError:
        return False


def crc32(path: Path) -> int:
    """Return the check sum of a file's content."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            crc = zlib.crc32(block, crc)
    return crc


def write_synced(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file that is on the disk when this returns."""
    with path.open("wb") as file:
        write(file)
        file.flush()
        _flush_to_disk(file.fileno())


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
