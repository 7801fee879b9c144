from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

import pytest

from shammah_mlx.files import is_intact, replacing, replacing_synced, sha256

Replace = Callable[[Path], AbstractContextManager[BinaryIO]]


@pytest.mark.parametrize("replace", [replacing, replacing_synced])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, replace: Replace) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write(content: bytes, *, fails: bool) -> None:
        with replace(path) as file:
            file.write(content)
            if fails:
                raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write(b"half", fails=True)
    assert path.read_bytes() == b"old"
    write(b"new", fails=False)
    assert path.read_bytes() == b"new"


def test_a_private_file_is_private_from_the_beginning(tmp_path: Path) -> None:
    with replacing_synced(tmp_path / "key", mode=0o600) as file:
        assert (Path(file.name).stat().st_mode & 0o777) == 0o600
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_damage_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    known = sha256(path)
    assert is_intact(path, known)
    path.write_bytes(b"c0ntent")
    assert not is_intact(path, known)
    assert not is_intact(tmp_path / "missing", known)
