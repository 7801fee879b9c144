"""What MLX compiles is kept where nobody else can write."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMPILED = """
from shammah_mlx.models.backend import mx
import tempfile
f = mx.compile(lambda x: mx.exp(x) * 2.0 + 1.0)
print(f(mx.zeros(3)).tolist(), tempfile.gettempdir())
"""


def compile_with(temporary: Path, cache: Path) -> str:
    """Compile a function in a process with these folders; return what it computed, and Python's temporary folder."""
    environment = {**os.environ, "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(cache), "HOME": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", COMPILED], env=environment | {"SHAMMAH_DEVICE": "cpu"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def libraries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.so"))


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


def test_a_library_that_somebody_left_in_the_temporary_folder_is_not_loaded(temporary: Path, tmp_path: Path) -> None:
    expected = f"[3.0, 3.0, 3.0] {temporary}\n"
    assert compile_with(temporary, tmp_path / "cache") == expected
    made = libraries(tmp_path / "cache")
    assert made
    assert not libraries(temporary)
    for library in made:  # under the names that MLX looks for
        planted = temporary / "mlx" / library.relative_to(next(p for p in library.parents if p.name == "mlx"))
        planted.parent.mkdir(parents=True, exist_ok=True)
        planted.write_bytes(b"not a library")
    assert compile_with(temporary, tmp_path / "another") == expected


def test_a_temporary_folder_that_another_user_holds_keeps_nobody_out(temporary: Path, tmp_path: Path) -> None:
    (temporary / "mlx").write_text("not a folder")
    assert compile_with(temporary, tmp_path / "cache").startswith("[3.0")


@pytest.mark.parametrize("fault", ["a file", "open to others", "a link"])
def test_a_cache_that_is_not_private_is_not_used(temporary: Path, tmp_path: Path, fault: str) -> None:
    cache = tmp_path / "cache" / "shammah-mlx"
    cache.mkdir(parents=True)
    if fault == "a file":
        (cache / "compiled").write_text("")
    elif fault == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        (cache / "compiled").symlink_to(tmp_path / "elsewhere")
    else:
        (cache / "compiled").mkdir()
        (cache / "compiled").chmod(0o777)
    assert compile_with(temporary, tmp_path / "cache").startswith("[3.0")
    assert not libraries(tmp_path / "cache")
    assert not libraries(tmp_path / "elsewhere")
    [own] = temporary.glob(f"shammah-compiled-{os.getuid()}")
    assert own.stat().st_mode & 0o777 == 0o700
    assert libraries(own)
