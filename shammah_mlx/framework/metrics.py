"""The specification's TrainingMetrics: one JSON line per query, with counts and losses but no text of any query."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import UNSET, UnsetType

from shammah_mlx.config import Config, JudgeConfig, PolicyConfig
from shammah_mlx.events import Interaction, Step
from shammah_mlx.files import replacing
from shammah_mlx.framework import policy
from shammah_mlx.framework.schedules import learning_rate

LONGEST_LINE = 4096  # bytes; a line has about 700


class _Line(msgspec.Struct, frozen=True):
    query_count: int


class Spent(msgspec.Struct, frozen=True):
    """Money spent so far, and on what, in US dollars; what is unpriced is not in it. Field names are stored."""

    replies: float = 0.0
    verdicts: float = 0.0


class Tally(msgspec.Struct, frozen=True):
    """Running counts; saved with the models, so that a rollback undoes them too. Field names are stored."""

    queries: int = 0
    served_local: int = 0
    router_correct_forward: int = 0
    router_correct_local: int = 0
    router_incorrect: int = 0
    validator_correct_reject: int = 0
    validator_correct_approve: int = 0
    validator_incorrect: int = 0
    compared: int = 0
    divergence_sum: float = 0.0
    skipped_steps: int = 0
    stood: int = 0  # drafts that the Validator accepted
    doubt_sum: float = 0.0  # of those
    imported: int | UnsetType = UNSET  # among `queries`; left out where there are none
    spent: Spent | UnsetType = UNSET  # left out where nothing was spent, so that older tallies keep their bytes


def count(tally: Tally, interaction: Interaction, steps: Sequence[Step], config: Config) -> Tally:
    """Add one interaction to the tally.

    Router and Validator are counted as right or wrong only where a divergence was measured, and the Router only where
    it decided: not in the first queries, nor where the user chose who answers. A late audit is not counted as a query.
    """
    add = {
        "queries": int(interaction.late_for is None),
        "served_local": int(interaction.served_local and interaction.late_for is None),
        "skipped_steps": sum(not step.applied for step in steps),
    }
    if interaction.divergence is not None and interaction.p_accept is not None:
        good = config.divergence.is_good(interaction.divergence)
        chosen = interaction.request.forced_source is not None or interaction.request.unhelpful is not UNSET
        if interaction.route.threshold is not None and not chosen:
            add[_outcome_name("router", interaction.route.local, good, "local", "forward")] = 1
        accepted = policy.accepts(interaction.drafts[0], interaction.request, config.policy)
        add[_outcome_name("validator", accepted, good, "approve", "reject")] = 1
        add["compared"] = 1
    counts = {name: getattr(tally, name) + number for name, number in add.items()}
    if interaction.is_imported:
        counts["imported"] = (tally.imported or 0) + 1
    sums = {
        "divergence_sum": tally.divergence_sum + (interaction.divergence or 0.0),
        "spent": _spent(tally, interaction),
    }
    if (
        interaction.audit_probability is not None
        and interaction.request.forced_source is None
        and interaction.late_for is None
        and interaction.source != "repeat"
    ):
        sums["doubt_sum"] = tally.doubt_sum + policy.doubt(interaction.drafts[0], interaction.request, config.policy)
        counts["stood"] = tally.stood + 1
    return msgspec.structs.replace(tally, **counts, **sums)


def _spent(tally: Tally, interaction: Interaction) -> Spent | UnsetType:
    before = tally.spent or Spent()
    reply = interaction.reply.cost_usd if interaction.reply else None
    after = Spent(
        before.replies + (reply or 0.0), before.verdicts + sum(each.cost_usd or 0.0 for each in interaction.verdicts)
    )
    return after if after != Spent() else UNSET


def can_afford_verdicts(tally: Tally, judge: JudgeConfig) -> bool:
    """Return whether the judge may be asked, by what was spent so far."""
    spent = tally.spent or Spent()
    return policy.can_afford_verdicts(spent.replies, spent.verdicts, judge)


def usual_doubt(tally: Tally, config: PolicyConfig) -> float:
    """Return the mean doubt of accepted drafts; a home starts as if it had `first_drafts` drafts of `first_doubt`."""
    return (tally.doubt_sum + config.first_doubt * config.first_drafts) / (tally.stood + config.first_drafts)


def _outcome_name(role: str, decided_yes: bool, good: bool, yes: str, no: str) -> str:
    """Return the name of the Tally field that counts a decision."""
    if decided_yes != good:
        return f"{role}_incorrect"
    return f"{role}_correct_{yes if decided_yes else no}"


def line(tally: Tally, interaction: Interaction, steps: Sequence[Step], config: Config) -> dict[str, object]:
    """Return one line of metrics: every field of TrainingMetrics after this query, and the losses of its steps."""
    rates = {
        f"{role}_lr": learning_rate(base, interaction.request.seen, config.optimizer)
        for role, base in config.optimizer.base_rates.items()
    }
    return {
        "query_count": tally.queries,
        "forward_rate": 1.0 - tally.served_local / max(tally.queries - (tally.imported or 0), 1),
        "router_correct_forward": tally.router_correct_forward,
        "router_correct_local": tally.router_correct_local,
        "router_incorrect": tally.router_incorrect,
        "validator_correct_reject": tally.validator_correct_reject,
        "validator_correct_approve": tally.validator_correct_approve,
        "validator_incorrect": tally.validator_incorrect,
        "avg_divergence": tally.divergence_sum / tally.compared if tally.compared else None,
        **rates,
        "query_id": interaction.request.number,
        "at": interaction.request.query.at,
        "divergence": interaction.divergence,
        "losses": {step.role: step.loss for step in steps if step.applied and step.loss is not None},
        "skipped_steps": tally.skipped_steps,
    }


def metrics_path(home: Path) -> Path:
    """Return the path of the metrics file."""
    return home / "metrics" / "training.jsonl"


def append(path: Path, queries: int, lines: Sequence[Mapping[str, object]]) -> None:
    """Append lines after those of the first `queries` queries; drop any others, which a crash may have left."""
    path.parent.mkdir(exist_ok=True)  # not its parents: a deleted home is not made again
    added = b"".join(msgspec.json.encode(fields) + b"\n" for fields in lines)
    if _is_trimmed(path, queries):
        with path.open("ab") as file:
            file.write(added)
    else:
        kept = _first_lines(path, queries)
        with replacing(path) as file:
            file.write(kept + added)


def trim(path: Path, queries: int) -> None:
    """Drop the lines after query number `queries`: a crash or a rollback undid those queries."""
    if path.exists() and not _is_trimmed(path, queries):
        kept = _first_lines(path, queries)
        with replacing(path) as file:
            file.write(kept)


def _is_trimmed(path: Path, queries: int) -> bool:
    return _last_query(path) == queries if path.exists() else queries == 0


def _first_lines(path: Path, queries: int) -> bytes:
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return b"".join(line for line in lines if (number := _query_of(line)) is not None and number <= queries)


def _last_query(path: Path) -> int | None:
    """Return the query number of the last line; None if there is no readable line."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LONGEST_LINE))
        tail = file.read()
    return _query_of(tail.splitlines(keepends=True)[-1]) if tail else None


def _query_of(line: bytes) -> int | None:
    if not line.endswith(b"\n"):
        return None
    try:
        return msgspec.json.decode(line, type=_Line).query_count
    except msgspec.DecodeError:
        return None
