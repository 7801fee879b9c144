"""Read how a home changed from question to question: what `report` draws. It reads numbers, and no text of a query."""

from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import closing
from pathlib import Path

import msgspec

from shammah_mlx.config import Config
from shammah_mlx.events import ROLES, Role
from shammah_mlx.framework.metrics import metrics_path
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.ledger import Block
from shammah_mlx.home.progress import block_size
from shammah_mlx.risk.accounts import estimates

MOST_POINTS = 25  # of a curve; more are no easier to read, and each estimate of bad answers reads the journal's drafts

Point = tuple[int, float]
"""A value after so many questions."""


class BadPoint(msgspec.Struct, frozen=True):
    """What audits told of the local answers served until then: the share that was bad, with its interval."""

    queries: int
    estimate: float
    low: float
    high: float


class Curves(msgspec.Struct, frozen=True):
    """A home's history, in blocks of the questions that were asked here; imported ones are not drawn."""

    block: int  # questions in each block; the last may be shorter
    history: list[Block]
    bad: list[BadPoint]
    divergence: list[Point]  # mean distance of the drafts from Claude's answers
    losses: dict[Role, list[Point]]  # mean of the steps
    rates: dict[Role, list[Point]]  # learning rates


class _Line(msgspec.Struct, frozen=True):
    """The parts of a line of metrics that are drawn."""

    query_count: int  # of all, imported ones too
    query_id: int = 0  # number of the interaction
    divergence: float | None = None
    losses: dict[Role, float] = {}
    router_lr: float | None = None
    generator_lr: float | None = None
    validator_lr: float | None = None

    def rate(self, role: Role) -> float | None:
        """Return the learning rate of a role."""
        return {"router": self.router_lr, "generator": self.generator_lr, "validator": self.validator_lr}[role]


def read_curves(home: Path, config: Config) -> Curves:
    """Read a home's history; one that does not exist has none.

    Raises:
        BadStateError: the journal is damaged.
    """
    path = home / "journal.db"
    if not path.exists():
        return Curves(1, [], [], [], {}, {})
    with closing(Journal(path)) as journal, journal.reading():
        interactions = list(journal.after(0))
        numbers = [each.request.number for each in interactions if each.late_for is None and not each.is_imported]
        block = block_size(len(numbers), MOST_POINTS)
        history = journal.ledger.history(block)
    ends = sorted({*range(block, len(numbers), block), len(numbers)} - {0})
    found = estimates(interactions, config, [numbers[end - 1] for end in ends])
    imported = [each.request.number for each in interactions if each.is_imported]
    lines = list(_asked_here(_lines(metrics_path(home)), set(imported)))
    return Curves(
        block=block,
        history=history,
        bad=[
            BadPoint(end, one.rate, *one.interval)
            for end, one in zip(ends, found, strict=True)
            if one.rate is not None and one.interval is not None
        ],
        divergence=_means(((line.query_count, line.divergence) for line in lines), block),
        losses=_by_role({role: [(line.query_count, line.losses.get(role)) for line in lines] for role in ROLES}, block),
        rates=_by_role({role: [(line.query_count, line.rate(role)) for line in lines] for role in ROLES}, block),
    )


def _lines(path: Path) -> Iterable[_Line]:
    """Yield the lines of metrics that can be read; a crash may have left half a line."""
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            yield msgspec.json.decode(line, type=_Line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue


def _asked_here(lines: Iterable[_Line], imported: Set[int]) -> Iterable[_Line]:
    """Yield the lines of questions asked here, counted without the `imported` ones that were learnt before."""
    learnt_before = 0
    for line in lines:
        if line.query_id in imported:
            learnt_before += 1
        else:
            yield msgspec.structs.replace(line, query_count=line.query_count - learnt_before)


def _by_role(values: Mapping[Role, Iterable[tuple[int, float | None]]], block: int) -> dict[Role, list[Point]]:
    means = {role: _means(found, block) for role, found in values.items()}
    return {role: points for role, points in means.items() if points}


def _means(values: Iterable[tuple[int, float | None]], block: int) -> list[Point]:
    """Return the mean of the values of each block of questions, at the last question of it that has one."""
    sums: dict[int, list[float]] = {}
    last: dict[int, int] = {}
    for query, value in values:
        if value is not None:
            place = (query - 1) // block
            sums.setdefault(place, []).append(value)
            last[place] = query
    return [(last[place], sum(found) / len(found)) for place, found in sorted(sums.items())]


def totals(blocks: Sequence[Block]) -> Block:
    """Return several blocks as one."""
    return Block(*(sum(getattr(block, name) for block in blocks) for name in ("queries", "calls", "local")))
