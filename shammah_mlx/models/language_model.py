"""A pretrained causal language model with low-rank adapters, through mlx-lm: the decoder of the `default` preset.

The only module that imports mlx-lm, and only inside functions: the import takes more than a second, and most queries
are answered without it. Knows no optimizer and does not choose what to learn.
"""

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, Self, cast

import msgspec

from shammah_mlx.config import LoraConfig
from shammah_mlx.errors import WeightsError
from shammah_mlx.models.backend import mx, nn, tree_flatten, tree_unflatten
from shammah_mlx.models.speculative import Guess, Reader, Written, write_greedily
from shammah_mlx.models.tokenizers import Chat

ALL_LAYERS = 0  # mlx-lm's `num_layers`
WARM_UP, MEASURED = 2, 32  # tokens
UNFINISHED = "\ufffd"  # what an incomplete character decodes to


class Text(msgspec.Struct, frozen=True):
    """A text that the model wrote."""

    text: str
    mean_log_p: float  # of its tokens, each the most probable one
    least_log_p: float  # of the least probable among them
    written: Written


class BranchingReader(Reader, Protocol):
    """A reader that another one can go on from."""

    @property
    def forgets(self) -> bool:
        """Say whether it can forget."""

    def copy(self) -> Self:
        """Return another reader that has read the same."""


class LanguageModel:
    """A frozen network, with trainable adapters unless their rank is 0; a Learner takes `network`.

    `load` and `make_reader` are others where several machines share the network.
    """

    def __init__(
        self,
        folder: Path,
        config: LoraConfig,
        seed: int,
        load: "Callable[[str, str], tuple[nn.Module, Any]] | None" = None,
        make_reader: "Callable[[nn.Module], BranchingReader] | None" = None,
    ) -> None:
        self.source = model_source(config.model) or str(folder)
        self.network, tokenizer = (load or load_network)(self.source, "lora.model")
        self._make_reader = make_reader or CachedReader
        if config.rank:
            add_low_rank(self.network, config.rank, config.scale)
            draw_adapters(self.network, seed)
        self._config, self._stops = config, frozenset(tokenizer.eos_token_ids)
        mx.eval(self.network)  # what is lazy can be computed on its own thread only, and two threads write
        self.chat = Chat(tokenizer, config)
        self._begun: BranchingReader | None = None  # with the same adapters

    def take(self, adapters: Mapping[str, mx.array]) -> None:
        """Replace the adapters, by name."""
        self.network.update(tree_unflatten(list(adapters.items())))
        self._begun = None  # other adapters, other keys and values

    def _begin(self, prompt: list[int]) -> tuple[BranchingReader, list[int]]:
        """Return a reader that has read what all prompts begin with, and the rest of this one."""
        common = self.chat.common
        if prompt[: len(common)] != common:
            return self._make_reader(self.network), prompt
        begun = self._begun
        if begun is None:
            begun = self._make_reader(self.network)
            begun.skim(common)
            self._begun = begun  # only now: another thread may write too
        return begun.copy(), prompt[len(common) :]

    def write(
        self,
        prompt: list[int],
        guess: str | None = None,
        limit: int | None = None,
        on_text: Callable[[str], None] = lambda _: None,
        read_by: Callable[[Any], Reader] = lambda reader: reader,
    ) -> Text:
        """Return the greedy answer; `on_text` gets it piece by piece.

        `guess` is a text that may share long runs with the answer. It changes the time taken and not the answer, except
        where two tokens are equally probable to within rounding. `read_by` may put another reader before the model's.
        """
        reader, unread = self._begin(prompt)
        ids = [*self.chat.encode(guess), self.chat.end] if guess is not None and reader.forgets else []
        guessed = Guess(ids, self._config)
        room = self._config.max_tokens - len(prompt)
        most = min(room, self._config.max_draft_tokens if limit is None else limit)
        stream = TextStream(self.chat.decode, on_text)
        written = write_greedily(read_by(reader), unread, guessed, self._stops, most, stream.update)
        text = stream.close(written.ids, is_whole=written.finished)
        return Text(
            text, math.fsum(written.log_p) / max(1, len(written.log_p)), min(written.log_p, default=0.0), written
        )


def decode_rate(model: LanguageModel) -> float:
    """Measure how many tokens a second the model writes on this machine, after a warm-up."""
    prompt = model.chat.prompt("Count from one to a hundred.", None)
    model.write(prompt, limit=WARM_UP)
    since = time.perf_counter()
    written = model.write(prompt, limit=MEASURED).written
    return len(written.ids) / (time.perf_counter() - since)


def add_low_rank(network: nn.Module, rank: int, scale: float) -> None:
    """Freeze the network and put adapters beside all linear layers of its `layers`."""
    from mlx_lm.tuner.utils import linear_to_lora_layers

    network.freeze()
    with random_state_restored():
        linear_to_lora_layers(network, ALL_LAYERS, _lora_parameters(rank, scale))


def draw_adapters(network: nn.Module, seed: int) -> None:
    """Initialise all adapters from the seed alone; they do not change the output yet.

    They are fp32: in half precision small steps round to nothing.
    """
    shapes = sorted(tree_flatten(network.trainable_parameters()))
    keys = mx.random.split(mx.random.key(seed), len(shapes))
    drawn = []
    for (name, array), key in zip(shapes, keys, strict=True):
        reach = 1 / math.sqrt(array.shape[0]) if name.endswith("lora_a") else 0.0  # mlx-lm's; lora_b starts at 0
        drawn.append((name, mx.random.uniform(-reach, reach, array.shape, mx.float32, key)))
    network.update(tree_unflatten(drawn))
    mx.eval(network.parameters())


def adapter_config(config: LoraConfig) -> dict[str, Any]:
    """Return what mlx-lm reads as `adapter_config.json` beside the trained weights as `adapters.safetensors`."""
    return {
        "fine_tune_type": "lora",
        "num_layers": ALL_LAYERS,
        "lora_parameters": _lora_parameters(config.rank, config.scale),
    }


def _lora_parameters(rank: int, scale: float) -> dict[str, Any]:
    return {"rank": rank, "scale": scale, "dropout": 0.0}


@contextlib.contextmanager
def random_state_restored() -> Iterator[None]:
    """Restore MLX's global generator on exit: every new layer draws from it."""
    high, low = cast("list[int]", cast("list[mx.array]", mx.random.state)[0].tolist())
    try:
        yield
    finally:
        mx.random.seed(high << 32 | low)


def model_source(model: str) -> str:
    """Return what mlx-lm loads for a setting: a folder in full, or the name of a model on the hub."""
    return str(Path(model).expanduser()) if is_folder(model) else model


def is_folder(model: str) -> bool:
    """Say whether a setting names a folder, whether or not it exists, and no model on the hub."""
    return model.startswith(("/", ".", "~"))


@random_state_restored()
def load_network(
    model: str, setting: str, load: Callable[[str], tuple[nn.Module, Any]] | None = None
) -> tuple[nn.Module, Any]:
    """Return network and tokenizer; weights as they are stored on a GPU, kept in memory, and in fp32 on a CPU.

    `load` is mlx-lm's function for it, its usual one by default.

    Raises:
        WeightsError: mlx-lm cannot load it, or it has no chat template; the hint names `setting`.
    """
    import mlx_lm
    from mlx_lm.utils import dequantize_model

    try:
        network, tokenizer = load(model) if load else cast("tuple[nn.Module, Any]", mlx_lm.load(model))
    except (OSError, ValueError, RuntimeError, TypeError, LookupError) as error:  # what damaged files make of it
        raise WeightsError(f"mlx-lm cannot load {model!r}: {error}", f"check `{setting}` in config.toml") from error
    if not tokenizer.has_chat_template:
        raise WeightsError(f"{model!r} has no chat template", f"set `{setting}` in config.toml to an instruct model")
    if mx.default_device() == mx.cpu:  # where quantized and half-precision products are slow
        network.set_dtype(mx.float32)  # first, or weights would be rounded to the precision of their scales
        network = dequantize_model(network)
        network.set_dtype(mx.float32)  # floating-point formats (mxfp4) have become bf16
    else:
        _keep_in_memory()
    return network, tokenizer


def _keep_in_memory() -> None:
    """Let macOS 15 and newer keep all of MLX's arrays wired, as mlx-lm does while it generates.

    Unless arrays are wired, macOS may compress or swap them while nobody asks, and every answer and every step then
    waits until they are back. The limit stays: unlike a program that generates once, a service answers at any time. It
    reserves nothing; only what MLX holds is wired.
    """
    if mx.metal.is_available():
        mx.set_wired_limit(int(mx.device_info()["max_recommended_working_set_size"]))


class CachedReader:
    """A network with mlx-lm's cache of keys and values."""

    is_lazy = True

    def __init__(self, network: nn.Module) -> None:
        from mlx_lm.models.cache import can_trim_prompt_cache, make_prompt_cache, trim_prompt_cache

        self._network, self._cache, self._trim = network, make_prompt_cache(network), trim_prompt_cache
        self.forgets = can_trim_prompt_cache(self._cache)  # not so with a sliding window

    def copy(self) -> Self:
        """Return another reader that has read the same."""
        other = copy.copy(self)
        other._cache = copy.deepcopy(self._cache)
        return other

    def skim(self, ids: list[int]) -> None:
        """Read ids without their logits."""
        if ids:
            self._network(mx.array([ids]), cache=self._cache)  # lazy: logits are never computed
            self.compute()

    def read(self, ids: mx.array) -> mx.array:
        """Read ids; return the logits after each: (ids, vocabulary)."""
        logits: mx.array = self._network(ids[None], cache=self._cache)[0]
        return logits

    def forget(self, count: int) -> None:
        """Go back by `count` ids."""
        if count:
            self._trim(self._cache, count)

    def compute(self) -> None:
        """Compute what was read, one layer after another."""
        for layer in self._cache:
            mx.eval(layer.state)


class LayerByLayer:
    """Let a reader compute one layer after another, so that other threads can compute between: see TrainingCopy."""

    is_lazy = False

    def __init__(self, reader: CachedReader) -> None:
        self._reader, self.skim, self.forget = reader, reader.skim, reader.forget

    def read(self, ids: mx.array) -> mx.array:
        """Read ids; return the logits after each: (ids, vocabulary)."""
        logits = self._reader.read(ids)
        self._reader.compute()
        return logits


class TextStream:
    """Pass a growing text on piece by piece, never half a character."""

    def __init__(self, decode: Callable[[list[int]], str], on_text: Callable[[str], None]) -> None:
        self._decode, self._on_text, self._sent = decode, on_text, ""

    def update(self, ids: list[int]) -> None:
        """Pass on what all ids so far add to the text, except an incomplete character at its end."""
        self._advance(self._decode(ids).rstrip(UNFINISHED))

    def close(self, ids: list[int], *, is_whole: bool = True) -> str:
        """Pass on the rest; return the whole text. One that was cut loses the half of a character at its end."""
        text = self._decode(ids) if is_whole else self._decode(ids).rstrip(UNFINISHED)
        self._advance(text)
        return text

    def _advance(self, text: str) -> None:
        if len(text) > len(self._sent) and text.startswith(self._sent):
            self._on_text(text[len(self._sent) :])
            self._sent = text
