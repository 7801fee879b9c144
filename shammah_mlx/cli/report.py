"""What people and programs read: fixed JSON names, a line of provenance, tables. Pure formatting."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table

from shammah_mlx.config import Config, PolicyConfig
from shammah_mlx.events import Interaction, ScoredDraft
from shammah_mlx.framework import policy
from shammah_mlx.framework.metrics import Tally, usual_doubt
from shammah_mlx.framework.policy import required_p_accept
from shammah_mlx.framework.schedules import band_value
from shammah_mlx.home.journal import Totals
from shammah_mlx.home.prequential import Band, Result
from shammah_mlx.home.snapshots import Manifest
from shammah_mlx.risk.accounts import JournalSummary
from shammah_mlx.risk.threshold import bad_rate, no_counts

EXPECTED_FORWARD = {0: "100%", 50: "95%", 200: "80%", 500: "60%", 1000: "40%", 2000: "20%", 5000: "5-10%"}
"""The specification's Expected Performance, by the band's first query: a claim, printed beside what is measured."""


def status_fields(
    config: Config, manifest: Manifest | None, totals: Totals, accounts: JournalSummary
) -> dict[str, Any]:
    """Return the object `status --json` prints."""
    trained = manifest.tally.queries if manifest else 0
    seen = trained + totals.pending
    served, promised = accounts.served, config.risk.max_bad_rate if config.risk.promises else None
    low, high = served.interval or (None, None)
    thresholds = _thresholds(config, manifest, seen)
    return {
        "seen": seen,
        "journalled": totals.journalled,
        "trained": trained,
        "pending": totals.pending,
        "preset": manifest.preset if manifest else config.preset,
        "threshold": policy.accept_threshold(seen, config.policy),
        "bars": thresholds,
        "max_bad_rate": promised,  # null: this preset makes no promise
        "slack": None if promised is None else accounts.slack,
        "bad_rate": {"estimate": served.rate, "low": low, "high": high, "audits": served.audits},
        "served_local": served.local,
        "audits_missed": served.uncovered,
        "covered": None if promised is None else not totals.open_audits,
        "router_accuracy": accounts.router,
        "validator_accuracy": accounts.validator,
        "forward_rate": totals.forwarded / totals.journalled if totals.journalled else None,
        "spent_usd": totals.spent_usd,
        "unpriced_calls": totals.unpriced_calls,
    }


def status_table(home: Path, fields: Mapping[str, Any], checkpoints: Sequence[int]) -> Table:
    """Return the same for people."""
    threshold, forward_rate = fields["threshold"], fields["forward_rate"]
    spent = f"${fields['spent_usd']:.4f}"
    if fields["unpriced_calls"]:
        spent += f", unpriced calls: {fields['unpriced_calls']}"
    table = Table(show_header=False, box=None)
    for name, value in (
        ("home", str(home) if fields["journalled"] or fields["seen"] else f"{home} (nothing asked yet)"),
        ("preset", fields["preset"]),
        ("queries seen", f"{fields['seen']} ({fields['trained']} learnt, {_pending(fields)})"),
        *([("learning", f"stopped: {fields['learning_failed']}")] if fields["learning_failed"] else []),
        ("to Claude", "-" if forward_rate is None else f"{forward_rate:.1%} of all queries"),
        ("local bar", _bar(threshold, fields["bars"])),
        ("bad local answers", _bad_rate(fields["bad_rate"], fields["served_local"])),
        ("allowed", _allowed(fields["max_bad_rate"], fields["slack"], covered=fields["covered"])),
        ("audits", f"{fields['bad_rate']['audits']}, missed: {fields['audits_missed']}"),
        (
            "right decisions",
            f"Router {_share(fields['router_accuracy'])}, Validator {_share(fields['validator_accuracy'])}",
        ),
        ("spent", spent),
        ("checkpoints", ", ".join(map(str, checkpoints)) or "none yet"),
    ):
        table.add_row(name, value)
    return table


def _pending(fields: Mapping[str, Any]) -> str:
    return f"{fields['pending']} {'being learnt' if fields['learning'] else 'pending'}"


def _thresholds(config: Config, manifest: Manifest | None, seen: int) -> dict[str, float | None]:
    """Return what the next draft of each source must exceed; None: nothing is served."""
    known = manifest.score_counts if manifest else {}
    score_counts = {source: known.get(source, nothing) for source, nothing in no_counts(config).items()}
    usual = usual_doubt(manifest.tally if manifest else Tally(), config.policy)
    rate = band_value(config.policy.audits, seen) or 0.0
    found = policy.thresholds(score_counts, rate, usual, config)
    return {source: threshold.serve if threshold.serve < 1.0 else None for source, threshold in found.items()}


def _bar(threshold: float | None, thresholds: Mapping[str, float | None]) -> str:
    if threshold is None:
        return "nothing is served locally yet"
    if not thresholds:
        return f"p_accept above {threshold}"
    told = {
        source: "nothing yet" if threshold is None else f"p_accept above {max(threshold, threshold):.3f}"
        for source, threshold in thresholds.items()
    }
    return "; ".join(f"{source}: {needed}" for source, needed in told.items())


def _allowed(promised: float | None, slack: float | None, *, covered: bool | None) -> str:
    if promised is None:
        return "any number: nothing is promised"
    state = "covered" if covered else "not covered: an audit is still due"
    return f"{promised:.1%} in the long run, and {slack:.0f} answers beyond that; {state}"


def _bad_rate(rate: Mapping[str, float | None], served: int) -> str:
    if rate["estimate"] is None:
        return "- (nothing served yet)"
    interval = f"{rate['low']:.1%} to {rate['high']:.1%} of {served} served (95 % interval, whenever you look)"
    if rate["estimate"] > 1.0:  # one bad audit stands for many answers, of few
        return interval
    return f"about {rate['estimate']:.1%}; {interval}"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def why_fields(
    interaction: Interaction, questions: Mapping[int, str], learnt: str, policy: PolicyConfig
) -> dict[str, Any]:
    """Return the object `why --json` prints; `questions` are the nearest past ones that are still there.

    The Validator's bar is that of `policy`: today's.
    """
    route, decision_context = interaction.route, interaction.decision_context
    return {
        "query_id": interaction.request.number,
        "source": interaction.source,
        "outcome": interaction.outcome,
        "wish": interaction.request.forced_source,
        "nearest": [
            {"query_id": near.number, "similarity": near.similarity, "query": questions.get(near.number)}
            for near in decision_context.nearest
        ],
        "p_locals": route.p_locals,
        "threshold": route.threshold,
        "evidence": decision_context.features,
        "drafts": [
            {
                "source": scored.draft.source,
                "from_id": scored.draft.from_id,
                "from_query": scored.draft.entry,
                "p_accept": scored.p_accept,
                "bar": required_p_accept(scored, interaction.request, policy),
                "bad_rate": _said(interaction, scored),
                "divergence": scored.divergence,
                "evidence": scored.draft.features,
            }
            for scored in interaction.drafts
        ],
        "accepted": interaction.accepted,
        "pi": interaction.audit_probability,
        "coin": interaction.request.audit_draw,
        "audit": interaction.audit,
        "covered": interaction.covered,  # null: this preset makes no promise
        "learnt": learnt,
        "versions": decision_context.versions,
    }


def _said(interaction: Interaction, scored: ScoredDraft) -> float | None:
    """Return how often drafts of this score are bad, by what was known then."""
    threshold = interaction.request.thresholds.get(scored.draft.source)
    return None if threshold is None else bad_rate(scored.p_accept, threshold)


OUTCOMES = {
    "forwarded": "Claude was asked, and nothing drafted before",
    "rejected": "a draft was refused, and Claude asked",
    "approved": "a draft was served unmeasured",
    "audited": "a draft stood and was measured against Claude's answer; the better of the two was served",
    "late": "the audit of an earlier answer, made when Claude could be reached again, or given up",
}


def why_table(query: str, told: Mapping[str, Any]) -> Table:
    """Return the same for people."""
    table = Table(show_header=False, box=None, title=f"#{told['query_id']}: {query}", title_justify="left")
    table.add_row("answered by", f"{told['source']}: {OUTCOMES[told['outcome']]}")
    if told["wish"]:
        table.add_row("asked for", told["wish"])
    for near in told["nearest"]:
        table.add_row("alike", f"{near['similarity']:.2f}  #{near['query_id']}: {near['query'] or '(gone)'}")
    routed = ", ".join(f"{source} {p:.2f}" for source, p in told["p_locals"].items()) or "-"
    needed = (
        "nothing was to be served locally yet" if told["threshold"] is None else f"above {told['threshold']} to try"
    )
    table.add_row("Router", f"{routed} ({needed})")
    for draft in told["drafts"]:
        needs = "nothing may be served yet" if draft["bar"] is None else f"needs more than {draft['bar']:.3f}"
        if draft["bad_rate"] is not None:
            needs += f"; of drafts this sure {draft['bad_rate']:.0%} are bad, by what is known here"
        divergence = "not measured" if draft["divergence"] is None else f"divergence {draft['divergence']:.3f}"
        origin = f" from #{draft['from_query']}" if draft["from_query"] else ""
        table.add_row("draft", f"{draft['source']}{origin}: p_accept {draft['p_accept']:.2f} ({needs}), {divergence}")
    if told["pi"] is not None:
        made = "so it was due" if told["audit"] else "so none was made"
        table.add_row("audit", f"with probability {told['pi']:.3f}; the coin was {told['coin']:.3f}, {made}")
    if told["covered"] is not None:
        table.add_row("covered", "yes" if told["covered"] else "no")
    table.add_row("learnt", told["learnt"])
    return table


def replay_json(stream: str, preset: str, shuffle: int | None, result: Result) -> bytes:
    """Return the object `replay --json` writes."""
    told = {"stream": stream, "preset": preset, "shuffle": shuffle, "queries": result.total.queries}
    return msgspec.json.format(msgspec.json.encode({**told, **msgspec.to_builtins(result)})) + b"\n"


def band_table(result: Result) -> Table:
    """Return the run by the specification's query bands, with the forward rate it expects beside the one measured."""
    moved = ", ".join(f"{role} {distance:.3g}" for role, distance in result.moved.items())
    table = Table(caption=f"moved: {moved}")
    for name in ("queries", "calls", "local", "bad local", "divergence", "forwarded", "specified"):
        table.add_column(name, justify="right", no_wrap=True)
    for band in result.bands:
        table.add_row(*_band_cells(band, f"{band.start}-{band.to}"), EXPECTED_FORWARD[band.start])
    table.add_section()
    table.add_row(*_band_cells(result.total, "total"), "")
    return table


def _band_cells(band: Band, name: str) -> tuple[str, ...]:
    divergence = "-" if band.mean_divergence is None else f"{band.mean_divergence:.3f}"
    forwarded = f"{1 - band.local / band.queries:.0%}"
    return name, str(band.calls), str(band.local), str(band.bad_local), divergence, forwarded
