"""Training labels, all made here from observed interactions (specification, Training Signals for Each Model).

A label is the probability that a draft is good, by the meter and the judge; a meter that knows no doubt says 0 or 1.
`TargetsConfig` says whether the Router also learns
from the Validator's decisions.
"""

from collections.abc import Mapping

import msgspec

from shammah_mlx.config import Config
from shammah_mlx.events import DraftSource, Interaction, Query, Role, ScoredDraft
from shammah_mlx.framework import screening
from shammah_mlx.risk.badness import judge_error, p_bad

DOUBT = 0.5  # of a label: below it the draft is rather bad


class Target(msgspec.Struct, frozen=True):
    """One training example for one role: a label, or for the Generator the reply to write."""

    role: Role
    number: int  # the interaction's, in the journal
    query: Query
    response: str | None  # the reply to write; for Router and Validator the draft that the label is about
    label: float | None  # 1: good or local, 0: bad or forward, between: in doubt; None for the Generator
    features: Mapping[str, float] = {}  # what the model saw when it decided
    source: DraftSource | None = None  # of that draft
    versions: Mapping[str, str] = {}  # of the parts that made the features and the label
    refuted: int | None = None  # the interaction whose answer was recalled, and which this reply shows to be wrong here
    refuted_was_accepted: bool = False  # whether the Validator had accepted that draft


def make_targets(interaction: Interaction, config: Config) -> tuple[Target, ...]:
    """Make all training targets of one interaction: the labels first, and the reply last."""
    request, reply, decision_context = interaction.request, interaction.reply, interaction.decision_context
    targets: list[Target] = []
    for scored in interaction.drafts if interaction.measures_drafts else ():
        draft, good = scored.draft, _label(scored, interaction, config)
        label = _router_label(interaction, good, config) if scored is interaction.drafts[0] else good
        if label is not None:
            details = (decision_context.features, draft.source, decision_context.versions)
            targets.append(Target("router", request.number, request.local_query, draft.text, label, *details))
        if good is not None:
            details = (draft.features, draft.source, decision_context.versions)
            targets.append(Target("validator", request.number, request.local_query, draft.text, good, *details))
    may_teach = reply is not None and reply.teaches and not request.claude_only
    if reply is not None and may_teach and not screening.is_secret(request.query, reply):
        wrong = [
            scored
            for scored in interaction.drafts
            if interaction.measures_drafts
            and scored.draft.entry
            and (label := _label(scored, interaction, config)) is not None
            and label < DOUBT
        ]
        refuted = wrong[0].draft.entry if wrong else None
        accepted = bool(wrong) and wrong[0] is interaction.drafts[0] and interaction.audit_probability is not None
        targets.append(
            Target(
                "generator",
                request.number,
                request.query,
                reply.text,
                label=None,
                refuted=refuted,
                refuted_was_accepted=accepted,
            )
        )
    return tuple(targets)


def _label(scored: ScoredDraft, interaction: Interaction, config: Config) -> float | None:
    """Return the probability that a draft is good by what was found out, whatever its score; None if nothing was."""
    bad = p_bad(scored, config.divergence, judge_error(interaction.request, config))
    return None if bad is None else 1.0 - bad


def _router_label(interaction: Interaction, good: float | None, config: Config) -> float | None:
    if interaction.accepted and config.targets.trust_approval and interaction.late_for is None:
        return 1
    if interaction.outcome == "rejected" and config.targets.trust_rejection:
        return 0
    return good
