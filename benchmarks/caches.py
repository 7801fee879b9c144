"""Define the policies to compare with: caches of Claude's past answers, and an oracle that knows the topics.

A policy looks a row up before it may store it, and stores only rows that Claude answered: none sees the future.
"""

import functools
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from shammah_mlx.config import Config
from shammah_mlx.framework import policy
from shammah_mlx.framework.schedules import band_value
from shammah_mlx.home.prequential import Trace
from shammah_mlx.teacher.recordings import Row, Truth
from shammah_mlx.text.divergence import Embed

Stream = Sequence[tuple[Row, Truth]]
COLD = 50  # queries that a semantic cache and the audited oracle forward first, as in the specification


class Served(NamedTuple):
    """What a policy did with one row, and how long the user waited."""

    trace: Trace
    ms: float


class Cache(Protocol):
    """A policy: finds a row whose answer to serve, among the rows it has stored."""

    def find(self, row: Row, truth: Truth) -> Row | None:
        """Return a row whose answer to serve; None to ask Claude."""

    def store(self, row: Row, truth: Truth) -> None:
        """Store a row that Claude answered."""


class Nothing:
    """Always ask Claude."""

    def find(self, row: Row, truth: Truth) -> Row | None:
        """Return None: ask Claude."""
        return None

    def store(self, row: Row, truth: Truth) -> None:
        """Do nothing."""


class Exact:
    """Serve the answer to the same question in the same words."""

    def __init__(self) -> None:
        self._known: dict[str, Row] = {}

    def find(self, row: Row, truth: Truth) -> Row | None:
        """Return the first row with the same question."""
        return self._known.get(row.query)

    def store(self, row: Row, truth: Truth) -> None:
        """Store the row under its question."""
        self._known.setdefault(row.query, row)


class Read(NamedTuple):
    """A query's vector, and the time it took to compute."""

    vector: np.ndarray  # (width,) fp32, of length 1
    ms: float


Reader = Callable[[str], Read]


def make_reader(embed: Embed) -> Reader:
    """Return an embedder of queries that computes each vector only once."""

    @functools.cache
    def read(query: str) -> Read:
        started = time.perf_counter()
        vector = embed([query])[0]
        return Read(vector, 1000.0 * (time.perf_counter() - started))

    return read


class Semantic:
    """Serve the answer to the most similar question if it is similar enough, like the usual semantic cache."""

    def __init__(self, read: Reader, threshold: float) -> None:
        self._read, self._threshold = read, threshold
        self._known: list[Row] = []
        self._vectors: np.ndarray = np.zeros((0, 0), np.float32)  # (capacity, width); len(_known) rows are used

    def find(self, row: Row, truth: Truth) -> Row | None:
        """Return the most similar row, if it reaches the threshold."""
        if not self._known:
            return None
        similarity = self._vectors[: len(self._known)] @ self._read(row.query).vector
        best = int(similarity.argmax())
        return self._known[best] if similarity[best] >= self._threshold else None

    def store(self, row: Row, truth: Truth) -> None:
        """Store the row under its vector."""
        vector, count = self._read(row.query).vector, len(self._known)
        if count == len(self._vectors):
            grown = np.zeros((max(64, 2 * count), len(vector)), np.float32)
            grown[:count] = self._vectors if count else 0
            self._vectors = grown
        self._vectors[count] = vector
        self._known.append(row)


class Oracle:
    """Serve whenever a right answer is known, by the stream's topics: an upper limit for every policy."""

    def __init__(self) -> None:
        self._known: dict[str, Row] = {}

    def find(self, row: Row, truth: Truth) -> Row | None:
        """Return a row whose answer is right by the stream's truth, however it is worded."""
        return next((self._known[topic] for topic in _topics(row, truth) if topic in self._known), None)

    def store(self, row: Row, truth: Truth) -> None:
        """Store the row under its topic."""
        self._known.setdefault(truth.topic or row.reply, row)


def _topics(row: Row, truth: Truth) -> list[str]:
    """Return the accepted topics, or the reply if the stream has no topics."""
    return sorted(truth.accepted) or [row.reply]


def never(seen: int) -> bool:
    """Return False: no audits."""
    return False


def scheduled(config: Config) -> Callable[[int], bool]:
    """Return whether to audit after a number of queries: the config's rate, and the program's own random draws."""
    return lambda seen: policy.audit_draw(config.seed, seen + 1, "") < (band_value(config.policy.audits, seen) or 0.0)


def serve(
    stream: Stream,
    cache: Cache,
    *,
    cold: int = 0,
    audited: Callable[[int], bool] = never,
    read: Reader | None = None,
) -> list[Served]:
    """Answer every row from the cache or by Claude. Times are those of the local decision; recorded replies take none.

    If `read` is given, the time includes embedding the query, even if its vector was computed before.
    """
    served = []
    for seen, (row, truth) in enumerate(stream):
        ms = read(row.query).ms if read else 0.0
        started = time.perf_counter()
        source = cache.find(row, truth) if seen >= cold else None
        ms += 1000.0 * (time.perf_counter() - started)
        audit = source is not None and audited(seen)
        if source is None or audit:
            cache.store(row, truth)
        served.append(Served(_trace(row, source, audit=audit), ms))
    return served


def _trace(row: Row, source: Row | None, *, audit: bool) -> Trace:
    return Trace(
        id=row.id,
        source="recall" if source else "claude",
        answer=(source or row).reply,
        from_id=source.id if source else None,
        p_local=float(source is not None),
        p_accept=None,
        threshold=None,
        audit_probability=None,
        audit=audit,
        called_claude=source is None or audit,
        checked=False,
        divergence=None,
        cost_usd=0.0,
        cost_all_usd=0.0,
    )
