"""A language model that several machines share (tensor parallelism), so that each holds only a part of its weights.

`mlx.launch` starts the same command on all machines. The first one *leads*: it has the whole program, and tells the
others what its readers do. The others *follow*: they do the same with their part of the network, in which MLX sums what
all parts found. Orders go over the same connections, so a machine that is lost is noticed by all others.
"""

import contextlib
import functools
import itertools
import os
import weakref
from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast

import msgspec

from shammah_mlx.errors import BadStateError, WeightsError
from shammah_mlx.models.backend import mx, nn, scalar
from shammah_mlx.models.language_model import CachedReader, load_network

LAUNCHED = "MLX_RANK"  # set by mlx.launch
HEADS = ("num_attention_heads", "num_key_value_heads")  # in a model's config.json

Result = TypeVar("Result")


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the followers shall do, or have to know."""

    kind: Literal["load", "begin", "copy", "drop", "skim", "read", "forget", "end"]
    reader: int = 0
    ids: list[int] = []  # to read
    number: int = 0  # of ids to forget, or of the reader to copy
    source: str = ""  # of the network to load


@functools.cache
def group() -> "mx.distributed.Group | None":
    """Connect the processes that mlx.launch has started; return None if this is the only one.

    Raises:
        BadStateError: they do not find each other.
    """
    if LAUNCHED not in os.environ:
        return None
    try:
        found = mx.distributed.init()
    except RuntimeError as error:
        hint = "check the hostfile, and that all machines are reachable, then start all of them again"
        raise BadStateError(f"the other machines cannot be reached: {error}", hint) from error
    return found if found.size() > 1 else None


def is_follower() -> bool:
    """Say whether this process follows another one."""
    found = group()
    return found is not None and found.rank() > 0


@functools.cache
def leader() -> "Leader | None":
    """Return what leads the other machines; None if there are none.

    Raises:
        BadStateError: this process is to follow.
    """
    if is_follower():
        raise BadStateError("this command does not run on several machines", "start `shammah serve` with mlx.launch")
    found = group()
    return None if found is None else Leader(found)


class Leader:
    """Tells the followers what to do; at most one thread may use it at a time."""

    def __init__(self, found: "mx.distributed.Group") -> None:
        self._group = found
        self._numbers = itertools.count(1)
        self._dropped: list[int] = []  # numbers of readers that nobody uses any more

    @property
    def machines(self) -> int:
        """Return how many machines share a network."""
        return self._group.size()

    def load(self, source: str, setting: str) -> tuple[nn.Module, Any]:
        """Let all machines load their part of a network; return this one's, and the tokenizer.

        Raises:
            WeightsError: it cannot be loaded or divided; the hint names `setting`.
            BadStateError: a machine is lost.
        """
        self.tell(Order("load", source=source))
        return _together(lambda: _load_part(self._group, source, setting))

    def make_reader(self, network: nn.Module) -> "LeadingReader":
        """Return a reader of a network that `load` returned."""
        number = next(self._numbers)
        self.tell(Order("begin", number))
        return LeadingReader(self, number, CachedReader(network))

    def copy(self, number: int, reader: CachedReader) -> "LeadingReader":
        """Return another reader that has read the same as the reader of that number."""
        other = next(self._numbers)
        self.tell(Order("copy", other, number=number))
        return LeadingReader(self, other, reader.copy())

    def tell(self, order: Order) -> None:
        """Send an order to the followers.

        Raises:
            BadStateError: a machine is lost.
        """
        while self._dropped:
            _exchange(self._group, Order("drop", self._dropped.pop()))
        _exchange(self._group, order)

    def drop_with(self, reader: "LeadingReader", number: int) -> None:
        """Let the followers drop what belongs to a reader once it is gone; they are told with the next order."""
        weakref.finalize(reader, self._dropped.append, number)

    def end(self) -> None:
        """Let the followers end; where one is lost, all end anyway."""
        with contextlib.suppress(BadStateError):
            self.tell(Order("end"))


class LeadingReader:
    """A reader whose every call the followers repeat. It computes at once, so that all machines keep the same order."""

    is_lazy = False

    def __init__(self, leader: Leader, number: int, reader: CachedReader) -> None:
        self._leader, self._number, self._reader = leader, number, reader
        leader.drop_with(self, number)

    @property
    def forgets(self) -> bool:
        """Say whether it can forget."""
        return self._reader.forgets

    def copy(self) -> "LeadingReader":
        """Return another reader that has read the same."""
        return self._leader.copy(self._number, self._reader)

    def skim(self, ids: list[int]) -> None:
        """Read ids without their logits."""
        if ids:
            self._leader.tell(Order("skim", self._number, ids))
            _together(lambda: self._reader.skim(ids))

    def read(self, ids: mx.array) -> mx.array:
        """Read ids; return the logits after each: (ids, vocabulary)."""
        self._leader.tell(Order("read", self._number, cast("list[int]", ids.tolist())))
        return _together(lambda: _computed(self._reader.read(ids)))

    def forget(self, count: int) -> None:
        """Go back by `count` ids."""
        if count:
            self._leader.tell(Order("forget", self._number, number=count))
            self._reader.forget(count)


def follow() -> None:
    """Do what the leader says until it says that it ends.

    Raises:
        BadStateError: a machine is lost, the leader perhaps.
        WeightsError: the network cannot be loaded here.
    """
    found = group()
    if found is None:
        raise BadStateError("there is no other machine to follow", "start `shammah serve` with mlx.launch")
    network: nn.Module | None = None
    readers: dict[int, CachedReader] = {}
    while (order := _exchange(found)).kind != "end":
        if order.kind == "load":
            readers.clear()
            network = None  # before another one is loaded beside it
            network, _ = _together(functools.partial(_load_part, found, order.source, "lora.model"))
        elif order.kind == "drop":
            readers.pop(order.reader, None)
        elif network is not None:
            _together(functools.partial(_obey, order, network, readers))


def _obey(order: Order, network: nn.Module, readers: dict[int, CachedReader]) -> None:
    """Do with this machine's part of the network what the leader does with its own."""
    if order.kind == "begin":
        readers[order.reader] = CachedReader(network)
    elif order.kind == "copy":
        readers[order.reader] = readers[order.number].copy()
    elif order.kind == "skim":
        readers[order.reader].skim(order.ids)
    elif order.kind == "read":
        _computed(readers[order.reader].read(mx.array(order.ids)))
    elif order.kind == "forget":
        readers[order.reader].forget(order.number)


def _load_part(found: "mx.distributed.Group", source: str, setting: str) -> tuple[nn.Module, Any]:
    """Load this machine's part of a network, and the tokenizer.

    Raises:
        WeightsError: it cannot be loaded or divided; the hint names `setting`.
    """
    from mlx_lm.utils import sharded_load

    def load(model: str) -> tuple[nn.Module, Any]:
        no_code = {"trust_remote_code": False}  # by default it would run what a tokenizer brings along
        network, tokenizer, config = sharded_load(
            model, tensor_group=found, return_config=True, tokenizer_config=no_code
        )
        for name in HEADS:
            if (heads := config.get(name) or 0) % found.size():  # mlx-lm rounds down, and the network writes nonsense
                raise ValueError(f"its {heads} {name} cannot be divided among {found.size()} machines")
        return network, tokenizer

    try:
        return load_network(source, setting, load)
    except AssertionError as error:  # how some of mlx-lm's networks say that they cannot be divided so
        raise WeightsError(f"{source!r} cannot be divided: {error}", f"choose another `{setting}`") from error


def _exchange(found: "mx.distributed.Group", order: Order | None = None) -> Order:
    """Send the leader's order to all, or receive it: MLX can only sum, so the followers add nothing to it."""
    own = list(msgspec.json.encode(order)) if order else []
    size = int(scalar(_sum(found, mx.array(len(own), mx.int32))))
    content = _sum(found, mx.array(own or [0] * size, mx.uint8))
    return msgspec.json.decode(bytes(content.tolist()), type=Order)  # type: ignore[arg-type] # mlx's stubs


def _sum(found: "mx.distributed.Group", array: mx.array) -> mx.array:
    return _together(lambda: _computed(mx.distributed.all_sum(array, group=found, stream=mx.cpu)))


def _computed(array: mx.array) -> mx.array:
    mx.eval(array)
    return array


def _together(work: Callable[[], Result]) -> Result:
    """Return the result of work that takes all machines.

    Raises:
        BadStateError: one of them is lost.
    """
    try:
        return work()
    except RuntimeError as error:
        hint = "start the service on all machines again"
        raise BadStateError(f"the machines no longer work together: {error}", hint) from error
