"""Say what was found out about one draft, and how it came to be observed. Pure."""

import math
from typing import Literal

import msgspec
from msgspec import UNSET

from shammah_mlx.config import Config, DivergenceConfig
from shammah_mlx.events import Interaction, ScoredDraft
from shammah_mlx.risk.badness import NEUTRAL, evidence, judge_error, posterior, shown, shown_by_shadow

Kind = Literal["accepted", "replaced", "checked", "missed", "shadow", "late", "imported"]
"""How a draft came to be observed. `accepted`: it was served, measured or not; `replaced`: it was accepted, but its
audit found it bad; `checked`: it was served, and the judge alone let it pass; `missed`: it was served, since its audit
got no reply; `late`: that audit is done or given up; `shadow`: the draft was not accepted; `imported`: the
same for a question that another program had Claude answer, so nothing could have been served."""


class Observation(msgspec.Struct, frozen=True):
    """One draft, as `record` sees it."""

    score: float
    kind: Kind
    bad: float | None  # probability that it is, by what was found since it was accepted; None: nothing was
    p_found: float  # probability that it would be found if it is bad
    spread: float = 0.0  # of Claude's own answers; only what exceeds it counts against the bound
    shown: float = 1.0  # share of a difference in bad rates that its audit shows
    evidence: float | None = None  # log-odds of "bad" by all that was found; None: as certain as `bad`

    @property
    def found(self) -> float | None:
        """Return the evidence; None: not measured."""
        if self.evidence is None and self.bad is not None:
            return math.copysign(math.inf, self.bad - NEUTRAL)
        return self.evidence


def counted_drafts(interaction: Interaction) -> list[ScoredDraft]:
    """Return the drafts that count: those the Router would try; beside an accepted draft no other."""
    drafts, route = interaction.drafts, interaction.route
    return [
        scored
        for scored in (drafts if interaction.audit_probability is None else drafts[:1])
        if is_fair_sample(scored, interaction)
        and (
            route.threshold is None
            or scored.draft.source in route.tries
            or route.p_locals.get(scored.draft.source, 0.0) > route.threshold
        )
    ]


def is_fair_sample(scored: ScoredDraft, interaction: Interaction) -> bool:
    """Return whether chance and the program decided that a draft was measured, and not the user's doubt.

    He doubts an answer if he asks the same again within minutes, calls it bad, or has Claude answer what was answered
    before. His own answers are none of the program's. Nor is an imported repeat a sample of what Claude says when he is
    asked again here: other models, settings and times may be behind it, and the record may hold what was asked again in
    doubt.
    """
    request, draft = interaction.request, scored.draft
    is_repeat_of_claude = draft.source == "repeat" and request.forced_source == "claude"  # imported ones are, too
    return request.unhelpful is UNSET and not is_repeat_of_claude and draft.by_user is not True


def observe(scored: ScoredDraft, interaction: Interaction, config: Config) -> Observation:
    """Say how a draft came to be observed, and what was found."""
    judging, kind, spread = interaction.request.judging or None, _kind(interaction), interaction.request.spread or 0.0
    error = judge_error(interaction.request, config)
    allowed = min(config.risk.max_bad_rate + spread, 1.0)
    return Observation(
        score=scored.p_accept,
        kind=kind,
        bad=posterior(found_since(scored, interaction, config.divergence, error), allowed),
        p_found=interaction.p_found(scored.draft.source),
        spread=spread,
        shown=shown_by_shadow(config.divergence, allowed, judging)
        if kind == "shadow"
        else shown(config.divergence, allowed, judging if _audit_is_judged(interaction, kind) else None),
        evidence=evidence(scored, config.divergence, error),
    )


def found_since(
    scored: ScoredDraft, interaction: Interaction, divergence: DivergenceConfig, error: float
) -> float | None:
    """Return the evidence about a draft since it was accepted, or held back without asking the judge.

    None if there is none, or a passing verdict alone. A draft that the judge rejected says nothing about those served.
    """
    was_accepted = interaction.audit_probability is not None
    if (scored.divergence is None) if was_accepted else (scored.passed is False):
        return None
    was_checked = scored.passed is True and (bool(interaction.by_check) or interaction.late_for is not None)
    return evidence(scored, divergence, error, skipping_check=was_checked)


def _audit_is_judged(interaction: Interaction, kind: Kind) -> bool:
    """Return whether an audit of this draft begins with a verdict; a late one has Claude's reply alone."""
    return kind not in ("missed", "late") and not interaction.by_check


def _kind(interaction: Interaction) -> Kind:
    if interaction.is_imported:
        return "imported"
    if interaction.audit_probability is None:
        return "shadow"
    if interaction.late_for is not None:
        return "late"
    if interaction.audit_open:
        return "missed"
    if not interaction.served_local:
        return "replaced"
    return "checked" if interaction.is_judged and interaction.divergence is None else "accepted"
