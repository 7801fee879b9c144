"""What a journal proves: how many bad answers were served, and how often Router and Validator were right."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from shammah_mlx.config import Config, DivergenceConfig, RiskConfig
from shammah_mlx.events import Interaction
from shammah_mlx.risk import audits
from shammah_mlx.risk.audits import Estimate, Finding, Stood
from shammah_mlx.risk.threshold import counted, slack


class Accounts(NamedTuple):
    """Estimates from audits and shadows, each weighed by how probable it was to be measured."""

    served: Estimate
    router: float | None  # share of its decisions that were right; None: none was measured
    validator: float | None
    slack: float  # bad answers that the bound allows beyond its rate; see `selection`


def account(interactions: Iterable[Interaction], config: Config) -> Accounts:
    """Add up what was measured since embedder or meter last changed; what was served counts, whoever drafts now."""
    current, divergence = _of_one_kind(list(interactions)), config.divergence
    return Accounts(
        audits.estimate(_stood(current, divergence)),
        audits.accuracy(_router_decisions(current, divergence)),
        audits.accuracy(_validator_decisions(current, divergence)),
        _slack(current, config.risk),
    )


def _slack(interactions: Iterable[Interaction], config: RiskConfig) -> float:
    """Return the slack of what was served so far: it grows with the candidates that did not stand."""
    least, left_out = 1.0, 0
    for interaction in interactions:
        if interaction.audit_probability:
            least = min(least, interaction.audit_probability)
        elif interaction.audit_probability is None:
            thresholds = interaction.request.thresholds
            left_out += sum(
                scored.draft.source in thresholds and scored.p_accept >= thresholds[scored.draft.source].candidate
                for scored in counted(interaction)
            )
    return slack(left_out, least, config)


def _of_one_kind(interactions: Sequence[Interaction]) -> list[Interaction]:
    """Return those that were measured as the last query is."""

    def measured_by(interaction: Interaction) -> list[str | None]:
        return [interaction.decision_context.versions.get(name) for name in ("embedder", "meter")]

    last = next((measured_by(each) for each in reversed(interactions) if each.late_for is None), [])
    return [each for each in interactions if measured_by(each) == last]


def _stood(interactions: Sequence[Interaction], divergence: DivergenceConfig) -> Iterator[Stood]:
    """Yield the drafts that stood; what the user insisted on (`--local`) promises nothing."""
    late = {each.late_for: each.divergence for each in interactions if each.divergence is not None}
    for interaction in interactions:
        if (
            interaction.audit_probability is None
            or interaction.request.forced_source is not None
            or interaction.late_for is not None
        ):
            continue
        finding: Finding = "unaudited"
        if interaction.outcome == "audited":
            finding = "good" if interaction.served_local else "bad"
        elif (found := late.get(interaction.request.number)) is not None:
            finding = "good" if divergence.is_good(found) else "late"
        elif interaction.audit:
            finding = "open"
        yield Stood(interaction.audit_probability, finding)


def _router_decisions(
    interactions: Iterable[Interaction], divergence: DivergenceConfig
) -> Iterator[tuple[bool, float]]:
    """Yield whether the Router was right, where the decision was its own, and how probable it was to be found out."""
    for interaction in interactions:
        if (
            interaction.divergence is not None
            and interaction.route.threshold is not None
            and not interaction.request.forced_source
        ):
            good = divergence.is_good(interaction.divergence)
            yield interaction.route.local == good, interaction.p_measured(interaction.drafts[0].draft.source)


def _validator_decisions(
    interactions: Iterable[Interaction], divergence: DivergenceConfig
) -> Iterator[tuple[bool, float]]:
    """Yield the same of the Validator: of drafts that it was asked about before Claude was."""
    for interaction in interactions:
        if interaction.divergence is not None and interaction.outcome in ("rejected", "audited", "late"):
            good = divergence.is_good(interaction.divergence)
            yield interaction.accepted == good, interaction.p_measured(interaction.drafts[0].draft.source)
