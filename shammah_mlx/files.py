"""Files that are replaced whole, reach the disk when they must, and are checked when they are read."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def link_all(source: Path, target: Path) -> None:
    """Fill a folder with hard links to the files of another."""
    for path in source.iterdir():
        os.link(path, target / path.name)
    sync(target)


def is_intact(path: Path, expected: str | None) -> bool:
    """Say whether a file exists and has this sha256."""
    try:
        return sha256(path) == expected
    except OSError:
        return False


def sha256(path: Path) -> str:
    """Return the sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_synced(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file and return when its content is on the disk. A crash in between leaves half a file."""
    with path.open("wb") as file:
        write(file)
        _flush(file)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends without an error.

    A process that dies leaves the old file or the new one, whole. After a power failure the new one may be empty: use
    this for what can be made again, and `replacing_synced` for the rest.
    """
    with _partial(path, 0o666) as partial, partial.open("wb") as file:
        yield file


@contextmanager
def replacing_synced(path: Path, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Do what `replacing` does, and return when the new file is on the disk; a power failure does it no harm either."""
    with _partial(path, mode) as partial, partial.open("wb") as file:
        yield file
        _flush(file)
    sync(path.parent)


@contextmanager
def _partial(path: Path, mode: int) -> Iterator[Path]:
    """Give an empty file beside `path`; rename it to `path` when the block ends without an error."""
    partial = path.with_name(f".{path.name}.part")
    partial.unlink(missing_ok=True)
    partial.touch(mode)  # a private file is private before it has any content
    yield partial
    partial.replace(path)


def sync(path: Path) -> None:
    """Return when a folder's list of files is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _flush_descriptor(descriptor)
    finally:
        os.close(descriptor)


def _flush(file: BinaryIO) -> None:
    file.flush()
    _flush_descriptor(file.fileno())


def _flush_descriptor(descriptor: int) -> None:
    """Sync; on macOS `fsync` leaves the data in the drive's own cache, so F_FULLFSYNC is used there."""
    if hasattr(fcntl, "F_FULLFSYNC"):
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)
