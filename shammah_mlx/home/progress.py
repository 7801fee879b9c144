"""Read what a home spent and saved, what it still lacks, and how it came this far: parts of what `status` says."""

import time
from collections.abc import Iterator

import msgspec

from shammah_mlx.config import BudgetConfig, Config
from shammah_mlx.events import BORROWED, DraftSource, contexts_of, source_counted
from shammah_mlx.framework import policy
from shammah_mlx.framework.metrics import Tally, usual_doubt
from shammah_mlx.framework.schedules import band_value
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.ledger import Block, Money, month_start
from shammah_mlx.home.snapshots import Manifest
from shammah_mlx.risk.threshold import CountsBySource, no_counts

LEAST_BLOCK, MOST_BLOCKS = 10, 24  # questions in a block, so that shares mean something; blocks, to fit one line


class MoneyOverview(msgspec.Struct, frozen=True, kw_only=True):
    """What was spent and saved. What is saved is an estimate; see `ledger`."""

    saved_usd: float | None = None  # what the local answers that bought no call would have cost; None: not known
    saved_calls: int = 0  # those answers
    passed_on: int = 0  # requests that the service passed on and Claude charged for
    own_account_calls: int = 0  # of the unpriced calls, those that a client's own credential paid
    this_month_usd: float = 0.0
    budget_usd: float | None = None  # a month; None: no limit
    recorded: bool = False  # the questions came from a recorded stream, and nobody paid
    months: list[Money] = []

    @property
    def is_budget_spent(self) -> bool:
        """Say whether this month's spending has reached the budget."""
        return self.budget_usd is not None and self.this_month_usd >= self.budget_usd


class Lacking(msgspec.Struct, frozen=True):
    """What a home lacks before an answer may be served by its score; repeats, and what the judge lets pass, need less.

    Of the sources of drafts the memory's is meant, or the decoder's where there is no memory.
    """

    questions: int  # still to be asked
    measured: int  # drafts that were compared with Claude's answers
    to_measure: int  # how many there must be; 0: nothing is promised, so none


class Borrowing(msgspec.Struct, frozen=True):
    """What was measured of the answers that one context borrows from another."""

    source: DraftSource
    from_model: str | None  # None: that is not known any more
    for_model: str | None
    measured: int
    to_measure: int
    threshold: float | None  # what p_accept must exceed; None: nothing is served


class History(msgspec.Struct, frozen=True):
    """Who answered, in blocks of questions."""

    block: int = LEAST_BLOCK  # questions in each; the last may be shorter
    blocks: list[Block] = []


def read_money(journal: Journal, budget: BudgetConfig) -> MoneyOverview:
    """Read what was spent and saved."""
    months = journal.ledger.money()
    saved = [month.saved_usd for month in months if month.saved_usd is not None]
    return MoneyOverview(
        saved_usd=sum(saved) if saved else None,
        saved_calls=sum(month.saved_calls for month in months),
        passed_on=sum(month.passed_on for month in months),
        own_account_calls=sum(month.own_account for month in months),
        this_month_usd=journal.ledger.spent_since(month_start(time.time())),
        budget_usd=budget.month if budget.is_set else None,
        recorded=journal.ledger.is_recorded(),
        months=months,
    )


def lacking(config: Config, manifest: Manifest | None, seen: int) -> Lacking:
    """Return what a home lacks after so many questions."""
    questions = max(0, config.policy.forward_only - seen)
    if not config.risk.promises:
        return Lacking(questions, 0, 0)
    source: DraftSource = "recall" if "recall" in no_counts(config) else "decoder"
    counts = manifest.score_counts.get(source) if manifest else None
    return Lacking(questions, int(sum(counts.measured)) if counts else 0, int(config.risk.known))


def read_borrowing(journal: Journal, config: Config, manifest: Manifest, asked_here: int) -> list[Borrowing]:
    """Return what was measured of each pair of contexts, the one measured most first."""

    def model_in(context: int) -> str | None:
        number = journal.memory.first_in(context)
        known = None if number is None else journal.find(number)
        return known.request.query.model if known else None

    def described(name: str, threshold: float | None) -> Borrowing:
        learnt_in, asked_in = contexts_of(name.partition(" ")[2])
        measured, to_measure = int(sum(manifest.score_counts[name].measured)), int(config.risk.known)
        models = model_in(learnt_in), model_in(asked_in)
        return Borrowing(source_counted(name), *models, measured, to_measure, threshold)

    found = required_scores(config, manifest, manifest.score_counts, asked_here)
    pairs = [described(name, found[name]) for name in found if source_counted(name) in BORROWED]
    return sorted(pairs, key=lambda pair: -pair.measured)


def required_scores(
    config: Config, manifest: Manifest | None, score_counts: CountsBySource, asked_here: int
) -> dict[str, float | None]:
    """Return what the next draft must exceed for `max_bad_rate`, by `counted_as`; None: nothing is served."""
    usual = usual_doubt(manifest.tally if manifest else Tally(), config.policy)
    audit_rate = band_value(config.policy.audits, asked_here) or 0.0
    found = policy.thresholds(score_counts, audit_rate, usual, config)
    return {name: threshold.serve if threshold.serve < 1.0 else None for name, threshold in found.items()}


def read_history(journal: Journal, queries: int) -> History:
    """Read who answered so many queries."""
    block = block_size(queries, MOST_BLOCKS)
    return History(block, journal.ledger.history(block))


def block_size(queries: int, most: int) -> int:
    """Return a round number of questions, so that these fill at most so many blocks."""
    sizes: Iterator[int] = (factor * 10**power for power in range(1, 18) for factor in (1, 2, 5))
    return next(size for size in sizes if size >= LEAST_BLOCK and queries <= most * size)
