"""Read how a home does as a whole: what `status` prints.

The structs are what `--json` prints; the fields that are renamed have the names the output has always had.
"""

from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from shammah_mlx.config import Config
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import (
    DraftSource,
    source_counted,
)
from shammah_mlx.framework import policy
from shammah_mlx.home.background import is_learning, last_failure
from shammah_mlx.home.journal import Journal, Totals
from shammah_mlx.home.pace import Ahead, expect
from shammah_mlx.home.progress import (
    Borrowing,
    History,
    Lacking,
    MoneyOverview,
    lacking,
    read_borrowing,
    read_history,
    read_money,
    required_scores,
)
from shammah_mlx.home.snapshots import Manifest, Snapshots
from shammah_mlx.risk.accounts import JournalSummary, JudgeRecord, summarise
from shammah_mlx.risk.audits import Estimate
from shammah_mlx.risk.threshold import no_counts


class BadRate(msgspec.Struct, frozen=True):
    """The share of bad answers among those served locally, as far as audits tell."""

    estimate: float | None  # None: nothing was served yet
    low: float | None  # of the interval
    high: float | None
    audits: int


class JudgeOverview(msgspec.Struct, frozen=True):
    """What the judge did, and how its verdicts fit what was found out later."""

    verdicts: int
    compared: int  # verdicts with a whole reply beside them, where the meter was sure
    wrong: int  # among these
    spent_usd: float
    unreadable: int = 0  # calls that were paid for and brought no verdict


class Overview(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"accept_threshold": "threshold", "thresholds": "bars", "is_learning": "learning"},
):
    """How a home does: what `status --json` prints, in this order."""

    seen: int  # queries handled
    journalled: int
    trained: int
    pending: int
    preset: str
    accept_threshold: float | None  # what p_accept must exceed for any source; None: nothing is served locally yet
    thresholds: dict[DraftSource, float | None]  # what it must exceed for `max_bad_rate`; None: nothing is served
    max_bad_rate: float | None  # None: this preset makes no promise
    slack: float | None
    bad_rate: BadRate
    served_local: int
    audits_missed: int  # due, or given up
    open_audits: int  # due
    covered: bool | None  # None: this preset makes no promise
    router_accuracy: float | None
    validator_accuracy: float | None
    forward_rate: float | None
    spent_usd: float
    unpriced_calls: int
    is_learning: bool
    learning_failed: str | None  # why the last process that learnt stopped early
    spread: float | None  # share of Claude's own answers that differ when he is asked again; None: too few were
    repeats: int  # questions asked again whose answers were compared
    judge: JudgeOverview
    imported: int  # queries among those seen that another program had Claude answer
    money: MoneyOverview
    lacking: Lacking
    history: History
    service: bool  # whether a service runs in this home
    missing_files: list[str]  # of the models
    imported_elsewhere: int = 0  # of all that was imported, what another host answered than the one that is asked
    borrowing: list[Borrowing] = []  # one entry a pair of contexts, the one measured most first
    pending_s: float = 0.0  # about how many seconds it takes to learn what is pending


class _Stored(NamedTuple):
    """What the home's files hold."""

    manifest: Manifest | None  # of the current models
    totals: Totals
    accounts: JournalSummary
    money: MoneyOverview
    history: History
    borrowing: list[Borrowing]
    missing_files: list[str]  # of the models
    imported_elsewhere: int  # imported answers of another host than the one that is asked
    ahead: Ahead


def read_overview(home: Path, config: Config, *, origin: int | UnsetType = UNSET, is_served: bool = False) -> Overview:
    """Read how a home does; a home that does not exist has done nothing, and is not made.

    `origin` is who is asked there, as in `Query`; `is_served` says whether a service runs there.

    Raises:
        BadInputError: the path is not a folder.
        BadStateError: journal or models are damaged.
    """
    if home.exists() and not home.is_dir():
        raise BadInputError(f"{home} is not a folder", "give --home a folder")
    stored = _read_stored(home, config, origin)
    manifest, totals, accounts = stored.manifest, stored.totals, stored.accounts
    trained = manifest.tally.queries if manifest else 0
    seen = trained + totals.pending
    learns = bool(totals.pending) and is_learning(home, config)
    return Overview(
        seen=seen,
        journalled=totals.journalled,
        trained=trained,
        pending=totals.pending,
        preset=manifest.preset if manifest else config.preset,
        accept_threshold=policy.accept_threshold(seen - totals.imported_pending, config.policy),
        thresholds=_thresholds(config, manifest, seen - totals.imported),
        max_bad_rate=config.risk.max_bad_rate if config.risk.promises else None,
        slack=accounts.slack if config.risk.promises else None,
        bad_rate=_bad_rate(accounts.served),
        served_local=accounts.served.local,
        audits_missed=accounts.served.uncovered,
        open_audits=totals.open_audits,
        covered=not totals.open_audits if config.risk.promises else None,
        router_accuracy=accounts.router,
        validator_accuracy=accounts.validator,
        forward_rate=totals.forwarded / totals.journalled if totals.journalled else None,
        spent_usd=totals.spent_usd,
        unpriced_calls=totals.unpriced_calls,
        is_learning=learns,
        learning_failed=last_failure(home) if totals.pending and not learns else None,
        spread=accounts.spread.rate if accounts.spread.repeats >= config.risk.known_spread else None,
        repeats=accounts.spread.repeats,
        judge=_judge(accounts.judge),
        imported=totals.imported,
        money=stored.money,
        lacking=lacking(config, manifest, seen),
        history=stored.history,
        service=is_served,
        missing_files=stored.missing_files,
        imported_elsewhere=stored.imported_elsewhere,
        borrowing=stored.borrowing,
        pending_s=stored.ahead.seconds,
    )


def _read_stored(home: Path, config: Config, origin: int | UnsetType) -> _Stored:
    """Read the journal, if there is one, and the manifest of the current models."""
    snapshots, path = Snapshots(home, config.state), home / "journal.db"
    if not path.exists():
        nothing_spent = MoneyOverview(budget_usd=config.budget.month if config.budget.is_set else None)
        manifest = snapshots.manifest(None)
        missing = snapshots.missing(manifest) if manifest else []
        return _Stored(manifest, Totals(), summarise([], config), nothing_spent, History(), [], missing, 0, Ahead())
    with closing(Journal(path)) as journal:
        manifest = journal.of_current(lambda progress: snapshots.manifest(progress.state))
        totals = journal.totals(manifest.cursor if manifest else 0)
        asked_here = manifest.tally.queries + totals.pending - totals.imported if manifest else 0
        return _Stored(
            manifest,
            totals,
            summarise(journal.after(0), config),
            read_money(journal, config.budget),
            read_history(journal, totals.journalled),
            read_borrowing(journal, config, manifest, asked_here) if manifest else [],
            snapshots.missing(manifest) if manifest else [],
            journal.other_hosts.count_imported(origin) if totals.imported else 0,
            expect(journal, config, totals.pending),
        )


def _bad_rate(served: Estimate) -> BadRate:
    low, high = served.interval or (None, None)
    return BadRate(served.rate, low, high, served.audits)


def _judge(record: JudgeRecord) -> JudgeOverview:
    return JudgeOverview(record.verdicts, record.decisive, record.wrong, record.usd, record.unreadable)


def _thresholds(config: Config, manifest: Manifest | None, asked_here: int) -> dict[DraftSource, float | None]:
    """Return what the next draft of each source must exceed for `max_bad_rate`; None: nothing is served."""
    known = manifest.score_counts if manifest else {}
    score_counts = {name: known.get(name, nothing) for name, nothing in no_counts(config).items()}
    found = required_scores(config, manifest, score_counts, asked_here)
    return {source_counted(name): threshold for name, threshold in found.items()}
