"""Summarise a journal: how many bad answers were served, and how often Router and Validator were right."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from shammah_mlx.config import Config, DivergenceConfig, RiskConfig
from shammah_mlx.events import Interaction
from shammah_mlx.risk import audits
from shammah_mlx.risk.audits import AcceptedDraft, AuditResult, Estimate
from shammah_mlx.risk.threshold import counted_drafts, slack


class JournalSummary(NamedTuple):
    """Estimates from audits and shadows; each measurement is weighted by the inverse of its probability."""

    served: Estimate
    router: float | None  # share of right decisions; None: none was measured
    validator: float | None
    slack: float  # bad answers that the bound allows beyond its rate; see `risk.threshold`


def summarise(interactions: Iterable[Interaction], config: Config) -> JournalSummary:
    """Summarise the interactions since the embedder or the meter last changed."""
    current, divergence = _measured_alike(list(interactions)), config.divergence
    return JournalSummary(
        audits.estimate(_accepted_drafts(current, divergence)),
        audits.accuracy(_router_decisions(current, divergence)),
        audits.accuracy(_validator_decisions(current, divergence)),
        _slack(current, config.risk),
    )


def _slack(interactions: Iterable[Interaction], config: RiskConfig) -> float:
    """Return the slack so far: it grows with the candidates that were not accepted."""
    least, left_out = 1.0, 0
    for interaction in interactions:
        if interaction.audit_probability:
            least = min(least, interaction.audit_probability)
        elif interaction.audit_probability is None:
            thresholds = interaction.request.thresholds
            left_out += sum(
                scored.draft.source in thresholds and scored.p_accept >= thresholds[scored.draft.source].candidate
                for scored in counted_drafts(interaction)
            )
    return slack(left_out, least, config)


def _measured_alike(interactions: Sequence[Interaction]) -> list[Interaction]:
    """Return the interactions with the same embedder and meter as the last query."""

    def measured_by(interaction: Interaction) -> list[str | None]:
        return [interaction.decision_context.versions.get(name) for name in ("embedder", "meter")]

    last = next((measured_by(each) for each in reversed(interactions) if each.late_for is None), [])
    return [each for each in interactions if measured_by(each) == last]


def _accepted_drafts(interactions: Sequence[Interaction], divergence: DivergenceConfig) -> Iterator[AcceptedDraft]:
    """Yield the accepted drafts; answers that the user forced (`--local`) are not covered by the promise."""
    late = {each.late_for: each.divergence for each in interactions if each.divergence is not None}
    for interaction in interactions:
        if (
            interaction.audit_probability is None
            or interaction.request.forced_source is not None
            or interaction.late_for is not None
        ):
            continue
        result: AuditResult = "unaudited"
        if interaction.outcome == "audited":
            result = "good" if interaction.served_local else "bad"
        elif (found := late.get(interaction.request.number)) is not None:
            result = "good" if divergence.is_good(found) else "late"
        elif interaction.audit:
            result = "open"
        yield AcceptedDraft(interaction.audit_probability, result)


def _router_decisions(
    interactions: Iterable[Interaction], divergence: DivergenceConfig
) -> Iterator[tuple[bool, float]]:
    """Yield whether the Router was right, where it decided itself, and how probable it was that this was measured."""
    for interaction in interactions:
        if (
            interaction.divergence is not None
            and interaction.route.threshold is not None
            and not interaction.request.forced_source
        ):
            good = divergence.is_good(interaction.divergence)
            yield interaction.route.local == good, interaction.p_found(interaction.drafts[0].draft.source)


def _validator_decisions(
    interactions: Iterable[Interaction], divergence: DivergenceConfig
) -> Iterator[tuple[bool, float]]:
    """Yield the same for the Validator, for drafts that it scored before Claude was asked."""
    for interaction in interactions:
        if interaction.divergence is not None and interaction.outcome in ("rejected", "audited", "late"):
            good = divergence.is_good(interaction.divergence)
            yield interaction.accepted == good, interaction.p_found(interaction.drafts[0].draft.source)
