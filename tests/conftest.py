"""Every test gets a home, an environment and a network of its own: nothing but loopback, MLX on the CPU."""

import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

os.environ["SHAMMAH_DEVICE"] = "cpu"  # before anything imports MLX

import hypothesis
import msgspec
import pytest

from shammah_mlx.config import Config, DecoderConfig, EncoderConfig, LoraConfig
from shammah_mlx.models.backend import mx, tree_flatten, tree_map
from shammah_mlx.models.language_model import LanguageModel
from shammah_mlx.models.weights import Weights, weights_folder
from shammah_mlx.presets import PRESETS, load_config
from tests.command import Shammah, run
from tests.embedded import RememberingEmbedder
from tests.loopback import Loopback, reply
from tests.served import Place, Served

WEIGHTS = weights_folder()  # before HOME changes
Served.forks = True
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever starts the tests may ignore it; children inherit it
hypothesis.settings.register_profile("no deadline", deadline=None)  # a busy machine may take long over any example
hypothesis.settings.load_profile("no deadline")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=20, help="how often test_kills kills; `make soak` does it 200 times")
    parser.addoption("--requests", type=int, default=200, help="how many test_load sends; `make load` sends 1,000")
    parser.addoption("--clients", help="an interpreter that has litellm, llm and llm-anthropic; see `make clients`")
    parser.addoption("--fuzz-seconds", type=float, default=10.0, help="how long test_fuzz runs; `make soak`: 600")
    parser.addoption("--fuzz-seed", type=int, help="what test_fuzz begins with; it prints it")
    parser.addoption("--every-page", type=int, default=3, help="by how many pages the disk of test_faults grows")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run slow tests first, so that the workers end at about the same time."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def kills(pytestconfig: pytest.Config) -> int:
    """Return how often a process is to be killed."""
    return int(pytestconfig.getoption("--kills"))


@pytest.fixture
def requests(pytestconfig: pytest.Config) -> int:
    """Return how many requests a service is to bear."""
    return int(pytestconfig.getoption("--requests"))


@pytest.fixture
def every_page(pytestconfig: pytest.Config) -> int:
    """Return by how many pages a disk that gets full is to grow from one try to the next."""
    return int(pytestconfig.getoption("--every-page"))


@pytest.fixture
def print_figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return what prints a figure, to be seen with `-s`."""

    def tell(figure: str) -> None:
        sys.stdout.write(f"\n{request.node.name}: {figure}\n")

    return tell


@pytest.fixture(scope="session", autouse=True)
def embeds_once() -> Iterator[None]:
    """Give homes an embedder that remembers: the same few questions are taught again in hundreds of tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shammah_mlx.models.embedder.Embedder", RememberingEmbedder)
        yield


@pytest.fixture(autouse=True)
def own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC_", "SHAMMAH_")) and name != "SHAMMAH_DEVICE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHAMMAH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SHAMMAH_WEIGHTS", str(WEIGHTS))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(socket.socket, "connect", _loopback_only(socket.socket.connect))


def _loopback_only(connect: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        host = address[0] if isinstance(address, tuple) else "unix"
        if host not in ("127.0.0.1", "::1", "localhost", "unix"):
            raise AssertionError(f"a test tried to reach {host}")
        return connect(self, address)

    return guarded


@pytest.fixture
def claude(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """Return a server on loopback that stands in for Claude, and a key for it."""
    with Loopback(default=reply(lambda text: f"You asked: {text}")) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test-secret")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        yield server


@pytest.fixture(scope="session")
def weights() -> Weights:
    """Return the real pretrained weights; `make setup` fetches them."""
    return Weights(WEIGHTS)


TINY_ENCODER = EncoderConfig(width=16, layers=1, heads=2, hidden=32, max_tokens=64)
TINY_DECODER = DecoderConfig(width=16, layers=2, heads=2, hidden=32, max_tokens=64, max_draft_tokens=4)
TINY_VOCABULARY = 4096  # of SmolLM2's 49,152 tokens
TINY_LORA = LoraConfig(rank=4, max_tokens=192, max_draft_tokens=32)


@pytest.fixture(scope="session")
def tiny_folder(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder like that of the pretrained decoder, of a model with two narrow layers that knows nothing."""
    from mlx_lm.models.llama import Model, ModelArgs  # a second, for those tests that need it

    folder = tmp_path_factory.mktemp("tiny-decoder")
    shutil.copy(weights.decoder / "tokenizer_config.json", folder)
    tokenizer = json.loads((weights.decoder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(with_fewer_tokens(tokenizer, TINY_VOCABULARY)))
    shape = json.loads((weights.decoder / "config.json").read_text())
    del shape["quantization"]
    shape |= {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": TINY_VOCABULARY,
    }
    (folder / "config.json").write_text(json.dumps(shape))
    arguments = ModelArgs.from_dict(shape)  # type: ignore[no-untyped-call]
    shapes = tree_map(lambda value: value.shape, Model(arguments).parameters())
    key = mx.random.key(0)
    drawn = {name: 0.1 * mx.random.normal(size, key=key) for name, size in tree_flatten(shapes, is_leaf=_is_shape)}
    mx.save_safetensors(str(folder / "model.safetensors"), drawn)
    return folder


def with_fewer_tokens(tokenizer: dict[str, Any], count: int) -> dict[str, Any]:
    """Return a tokenizer with the first tokens only: most of a tiny network's time would go into rare ones."""
    model = tokenizer["model"]
    vocabulary = {token: number for token, number in model["vocab"].items() if number < count}
    merges = [merge for merge in model["merges"] if "".join(merge) in vocabulary]
    return {**tokenizer, "model": {**model, "vocab": vocabulary, "merges": merges}}


def with_tiny_decoder(config: Config, folder: Path) -> Config:
    """Return the config with a decoder so small that it is trained in a moment."""
    lora = msgspec.structs.replace(TINY_LORA, model=str(folder), max_tokens=72, max_draft_tokens=4)
    rehearsal = msgspec.structs.replace(config.rehearsal, probes=1, replayed=1)
    return msgspec.structs.replace(config, lora=lora, rehearsal=rehearsal)


def _is_shape(value: object) -> bool:
    return isinstance(value, tuple)


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Path) -> LanguageModel:
    """Return a decoder to ask; tests that train make their own."""
    return LanguageModel(tiny_folder, TINY_LORA, 0)


@pytest.fixture
def tiny() -> Config:
    """Return the literal preset with models small enough to train a hundred steps in a test."""
    return msgspec.structs.replace(
        PRESETS["literal"], router=TINY_ENCODER, validator=TINY_ENCODER, decoder=TINY_DECODER
    )


TINY_TOML = """
preset = "literal"
[router]
width = 16
layers = 1
heads = 2
hidden = 32
max_tokens = 64
[validator]
width = 16
layers = 1
heads = 2
hidden = 32
max_tokens = 64
[decoder]
width = 16
layers = 2
heads = 2
hidden = 32
max_tokens = 64
max_draft_tokens = 4
"""


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return an empty, private home, which is SHAMMAH_HOME too.

    The marker `settings` gives its config.toml. For the marker `service` its path is short, as a socket's must be.
    """
    with ExitStack() as opened:
        if request.node.get_closest_marker("service"):
            path = opened.enter_context(Place())
            (path / "config.toml").unlink()
            monkeypatch.setenv("SHAMMAH_HOME", str(path))
        else:
            path = tmp_path / "home"
            path.mkdir(mode=0o700)
        if settings := request.node.get_closest_marker("settings"):
            (path / "config.toml").write_text("\n".join(settings.args))
        yield path


@pytest.fixture
def shammah(request: pytest.FixtureRequest, home: Path) -> Shammah:
    """Return the command line of `home`, after Claude was asked what the marker `taught` says."""
    if taught := request.node.get_closest_marker("taught"):
        request.getfixturevalue("claude")
        for query in taught.args:
            assert run("ask", "--claude", query).exit_code == 0
    return run


@pytest.fixture
def config(home: Path) -> Config:
    """Return the settings of `home`."""
    return load_config(home / "config.toml", {})
