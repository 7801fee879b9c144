"""The decoder as part of the Generator: it writes, and learns from replies.

The model is loaded when first needed, since most queries are answered without it. Until then the saved state is kept.
It learns on a copy and on a thread of its own, so that questions are answered meanwhile, by the last good adapters. On
that thread it also writes what nobody waits for, unless several machines share the decoder.
Without adapters (`lora.rank` is 0) it writes and learns nothing. Then several machines may share it.
"""

import functools
import random
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import CancelledError, wait
from pathlib import Path

import msgspec

from shammah_mlx.config import Config
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import Query, Show, Step
from shammah_mlx.framework.loop import GiveWay, do_nothing
from shammah_mlx.learners import learning_thread
from shammah_mlx.learners.gradient import Learner
from shammah_mlx.learners.past import Lookup, past_exchange
from shammah_mlx.learners.rehearsal import Rehearsal, unmeasured
from shammah_mlx.models import sharded
from shammah_mlx.models.backend import Arrays, mx, prefixed, unprefixed
from shammah_mlx.models.language_model import LanguageModel, LayerByLayer, Text, adapter_config, decode_rate
from shammah_mlx.models.tokenizers import Example
from shammah_mlx.models.training_copy import TrainingCopy
from shammah_mlx.text.variation import varied

_TRAINED, _ADAM, _REHEARSAL = "trained.", "generator.", "rehearsal."


class _Trainee:
    """The loaded model with its learner and its rehearsal."""

    def __init__(self, model: LanguageModel, config: Config, lookup: Lookup) -> None:
        self.model = model
        self._copy = TrainingCopy(self.model.network)
        self.learner = Learner("generator", self._copy.network, self._copy.loss, config.optimizer, self._copy.compute)

        def example(number: int, neighbour: int, others: Sequence[int]) -> Example:
            draw = random.Random(f"{config.seed}/{number}/{others}")
            learnt = varied(past_exchange(lookup, number), (past_exchange(lookup, other) for other in others), draw)
            query = msgspec.structs.replace(lookup(number).request.query, text=learnt.question)
            return self.model.chat.example(query.prompt, _exchange(lookup, neighbour), learnt.answer)

        self.rehearsal = Rehearsal(self.learner, example, config.rehearsal, config.seed)
        self._taken = self.rehearsal.average  # what the model writes with

    def load(self, adapters: Mapping[str, mx.array], optimizer: Mapping[str, mx.array]) -> None:
        trained = unprefixed(_TRAINED, optimizer) or adapters  # older states wrote with what they trained
        self.learner.load(trained, unprefixed(_ADAM, optimizer))
        self.rehearsal.load(unprefixed(_REHEARSAL, optimizer), dict(adapters))
        self.take_over()

    def take_over(self) -> None:
        """Write with the adapters as they were learnt until now, if they are others than before."""
        if self._taken is not self.rehearsal.average:
            self._taken = self.rehearsal.average
            self.model.take(self._taken)

    def state(self) -> tuple[Arrays, Arrays]:
        trained = prefixed(_TRAINED, self.learner.weights())
        adam = prefixed(_ADAM, self.learner.optimizer_state())
        return self.rehearsal.average, {**trained, **adam, **prefixed(_REHEARSAL, self.rehearsal.state())}


class Student:
    """A pretrained decoder with adapters, its learner and its rehearsal; `lookup` reads the texts.

    Raises:
        BadInputError: several machines share the decoder, and it has adapters.
    """

    def __init__(self, folder: Path, config: Config, lookup: Lookup) -> None:
        self._leader = sharded.leader()
        if self._leader and config.lora.rank:
            message = f"{self._leader.machines} machines cannot share a decoder with adapters"
            raise BadInputError(message, "set `rank = 0` under [lora] in config.toml: the decoder then learns nothing")
        self._folder, self._config, self._lookup = folder, config, lookup
        self._saved: tuple[Arrays, Arrays] | None = None

    def write(
        self,
        query: Query,
        neighbour: int,
        recalled: str | None,
        show: Show = lambda _: None,
        give_way: GiveWay | None = None,
    ) -> Text:
        """Write an answer, with the neighbour's question and answer in the prompt unless its number is 0.

        `recalled` is a guess at the text: where the model agrees, its tokens are taken, which is faster. `show` gets
        the text as it is written. With `give_way` nobody waits for it: it is written on the learning thread, and
        `give_way` is called again and again meanwhile; what that raises ends the writing.
        """
        model = self._ready
        prompt = model.chat.prompt(query.prompt, _exchange(self._lookup, neighbour))
        limit = self._config.lora.max_draft_tokens
        if query.max_tokens is not None:
            limit = min(limit, query.max_tokens)
        if give_way is None:
            return model.write(prompt, recalled, limit, show)
        if self._leader:  # the machines do the same in the same order, so one thread leads them
            return model.write(prompt, recalled, limit, lambda _: give_way())
        return _written_behind(lambda go_on: model.write(prompt, recalled, limit, go_on, LayerByLayer), give_way)

    def step(self, number: int, neighbour: int, rate: float, give_way: GiveWay = do_nothing) -> Step:
        """Take one training step on the reply of an interaction; call `give_way` again and again meanwhile.

        Until the step is complete, `write` uses the adapters from before. Without adapters there is no step to take.
        """
        if not self._config.lora.rank:
            return Step("generator", None, applied=True)  # the memory has learnt the reply
        trainee, run = self._trainee, functools.partial(learning_thread.run, give_way=give_way)
        step = trainee.rehearsal.step(number, neighbour, rate, run)
        trainee.take_over()
        return step

    def withdraw(self, numbers: Collection[int]) -> None:
        """Never rehearse the replies of these interactions again."""
        if self._config.lora.rank:
            self._trainee.rehearsal.withdraw(numbers)

    def warm_up(self) -> None:
        """Load the model now, so that the first draft need not wait for it."""
        self._ready.chat.encode("")

    def decode_rate(self) -> float:
        """Measure how many tokens per second the decoder writes."""
        return decode_rate(self._ready)

    def adapter_config(self) -> bytes | None:
        """Return the adapter_config.json that mlx-lm expects beside the adapters; None without adapters."""
        if not self._config.lora.rank:
            return None
        return msgspec.json.encode(adapter_config(self._config.lora))

    def state(self) -> tuple[Arrays, Arrays]:
        """Return the adapters under mlx-lm's names, and all other state that the next step depends on."""
        if not self._config.lora.rank:
            return {}, {}
        return self._saved if self._saved is not None else self._trainee.state()

    def load(
        self, adapters: Mapping[str, mx.array], optimizer: Mapping[str, mx.array], *, is_same: bool = True
    ) -> None:
        """Continue from what `state` returned; it is loaded when the model is needed.

        `is_same` says that the model reads and writes as it did then; if not, the probes are measured again.

        Raises:
            ValueError: there is no decoder state in it.
        """
        if not self._config.lora.rank:
            return
        own = {name: array for name, array in optimizer.items() if name.startswith((_TRAINED, _ADAM, _REHEARSAL))}
        if not own:
            raise ValueError("the saved state has no decoder")
        self._saved = dict(adapters), own if is_same else unmeasured(own, _REHEARSAL)

    @functools.cached_property
    def _model(self) -> LanguageModel:
        lora, seed = self._config.lora, self._config.seed
        if self._leader:
            return LanguageModel(self._folder, lora, seed, self._leader.load, self._leader.make_reader)
        return LanguageModel(self._folder, lora, seed)

    @property
    def _ready(self) -> LanguageModel:
        """Return the model, with the adapters as far as they have been learnt."""
        return self._trainee.model if self._config.lora.rank else self._model

    @functools.cached_property
    def _loaded(self) -> _Trainee:
        return _Trainee(self._model, self._config, self._lookup)

    @property
    def _trainee(self) -> _Trainee:
        if self._saved is not None:
            self._loaded.load(*self._saved)
            self._saved = None
        return self._loaded


def _written_behind(write: Callable[[Show], Text], give_way: GiveWay) -> Text:
    """Write on the learning thread, calling `give_way` meanwhile; what that raises ends the writing."""
    is_over = threading.Event()

    def go_on(_: str) -> None:
        if is_over.is_set():
            raise CancelledError

    writing = learning_thread.submit(lambda: write(go_on))
    try:
        while wait([writing], learning_thread.POLL_S).not_done:
            give_way()
    except BaseException:
        is_over.set()
        wait([writing])
        raise
    return writing.result()


def _exchange(lookup: Lookup, number: int) -> tuple[str, str] | None:
    """Return question and answer of a past interaction; None for number 0."""
    if not number:
        return None
    past = past_exchange(lookup, number)
    return past.question, past.answer
