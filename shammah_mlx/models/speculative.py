"""Write greedily, several tokens at once where there is a guess of the text.

A pass over the last token and some guessed ones gives the most probable token after each of them. Guessed tokens that
agree are accepted, so the text is the one plain greedy decoding writes, and a pass costs little more than one token
(Leviathan et al. 2023, arXiv 2211.17192, with the guess as the draft model). Where model and guess part, the guess is
followed again from where the last written tokens occur in it (Saxena 2023, prompt lookup decoding).
"""

from collections.abc import Callable, Collection
from typing import Protocol, cast

import msgspec

from shammah_mlx.config import LoraConfig
from shammah_mlx.models.backend import mx

_Prediction = tuple[mx.array, mx.array]  # tokens and their log-probabilities


class Reader(Protocol):
    """A network that remembers what it has read."""

    @property
    def is_lazy(self) -> bool:
        """Say whether `read` returns before anything is computed."""

    def skim(self, ids: list[int]) -> None:
        """Read tokens without computing what comes next."""

    def read(self, ids: mx.array) -> mx.array:
        """Read at least one token, maybe not computed yet; return the logits after each: (tokens, vocabulary)."""

    def forget(self, count: int) -> None:
        """Forget the last `count` tokens."""


class Written(msgspec.Struct, frozen=True):
    """A greedy continuation, and how it came about."""

    ids: list[int]
    log_p: list[float]  # of each token, and of the end token if it came
    finished: bool  # the network ended it, not the limit
    checked: int  # guessed tokens that were verified
    accepted: int  # of these, those the network agreed with
    passes: int  # over the network, after the prompt


class Guess:
    """A text that may be about to be written, and how far it has been followed."""

    def __init__(self, ids: list[int], config: LoraConfig) -> None:
        self._ids, self._config = ids, config
        self._place: int | None = 0  # of the next token in it; None if lost
        self._passed = 0  # how far it was last followed
        self._block = config.first_block

    @property
    def is_empty(self) -> bool:
        """Say whether there will never be anything to check."""
        return not self._ids

    def next_block(self, room: int) -> list[int]:
        """Return the tokens to check next, at most `room`."""
        return [] if self._place is None else self._ids[self._place :][: min(self._block, room)]

    def settle(self, written: list[int], checked: int, accepted: int) -> None:
        """Update the place after a pass that wrote `accepted` of `checked` guessed tokens, and one more token."""
        if self._place is not None:
            self._passed = self._place + accepted
            if accepted == checked and self._ids[self._passed : self._passed + 1] == written[-1:]:
                self._place = self._passed + 1
                self._block = min(2 * self._block, self._config.longest_block)
                return
        self._place, self._block = self._rejoined(written), self._config.first_block

    def _rejoined(self, written: list[int]) -> int | None:
        """Return the place after the last written tokens, if possible one not yet passed."""
        size = self._config.rejoin
        tail = written[-size:]
        places = [i + size for i in range(len(self._ids) - size) if self._ids[i : i + size] == tail]
        return next((place for place in places if place > self._passed), places[0] if places else None)


def write_greedily(
    reader: Reader,
    prompt: list[int],
    guess: Guess,
    stops: Collection[int],
    limit: int,
    on_ids: Callable[[list[int]], None],
) -> Written:
    """Return the most probable continuation of `prompt`, up to a token of `stops` or `limit` tokens.

    `reader` may have read what comes before `prompt`. If it is lazy it may read one token too many. `on_ids` gets all
    ids so far after each pass.
    """
    ids: list[int] = []
    log_p: list[float] = []
    checked = accepted = passes = 0
    finished = False
    reader.skim(prompt[:-1])
    begun: _Prediction | None = None
    while len(ids) < limit and not finished:
        block = guess.next_block(limit - len(ids) - 1)
        predicted = begun or _predict(reader, mx.array([*(ids or prompt)[-1:], *block]))
        goes_on = reader.is_lazy and guess.is_empty and len(ids) + 1 < limit
        begun = _predict(reader, predicted[0]) if goes_on else None  # MLX reads on while Python looks at this token
        chosen, new_log_p = cast("tuple[list[int], list[float]]", tuple(found.tolist() for found in predicted))
        agreed = next((i for i, token in enumerate(block) if token != chosen[i]), len(block))
        reader.forget(len(block) - agreed)
        new = chosen[: agreed + 1]
        stop = next((i for i, token in enumerate(new) if token in stops), None)
        finished = stop is not None
        ids += new[:stop]
        log_p += new_log_p[: agreed + 1 if stop is None else stop + 1]
        passes, checked, accepted = passes + 1, checked + len(block), accepted + agreed
        guess.settle(ids, len(block), agreed)
        on_ids(ids)
    return Written(ids, log_p, finished, checked, accepted, passes)


def _predict(reader: Reader, ids: mx.array) -> _Prediction:
    """Begin to read; return the most probable token after each, and its log-probability: (tokens,) both."""
    logits = reader.read(ids).astype(mx.float32)
    predicted = mx.argmax(logits, axis=-1), logits.max(axis=-1) - mx.logsumexp(logits, axis=-1)
    mx.async_eval(*predicted)  # type: ignore[no-untyped-call]
    return predicted
