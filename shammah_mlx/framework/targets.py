"""Training labels, all made here from observed interactions (specification, Training Signals for Each Model).

A draft is good if its divergence is strictly below the threshold. `TargetsConfig` says whether the Router also learns
from the Validator's decisions.
"""

from collections.abc import Mapping

import msgspec

from shammah_mlx.config import Config
from shammah_mlx.events import DraftSource, Interaction, Query, Role, ScoredDraft


class Target(msgspec.Struct, frozen=True):
    """One training example for one role: a label, or for the Generator the reply to write."""

    role: Role
    number: int  # the interaction's, in the journal
    query: Query
    response: str | None  # the reply to write; for Router and Validator the draft that the label is about
    label: int | None  # 1: good or local, 0: bad or forward; None for the Generator
    features: Mapping[str, float] = {}  # what the model saw when it decided
    source: DraftSource | None = None  # of that draft
    versions: Mapping[str, str] = {}  # of the parts that made the features and the label
    refuted: int | None = None  # the interaction whose answer was recalled, and which this reply shows to be wrong here
    refuted_was_accepted: bool = False  # whether the Validator had accepted that draft


def make_targets(interaction: Interaction, config: Config) -> tuple[Target, ...]:
    """Make all training targets of one interaction: the labels first, and the reply last."""
    request, reply, decision_context = interaction.request, interaction.reply, interaction.decision_context
    targets: list[Target] = []
    for scored in interaction.drafts:
        draft, good = scored.draft, _is_good(scored, config)
        label = _router_label(interaction, good, config) if scored is interaction.drafts[0] else good
        if label is not None:
            details = (decision_context.features, draft.source, decision_context.versions)
            targets.append(Target("router", request.number, request.query, draft.text, label, *details))
        if good is not None:
            details = (draft.features, draft.source, decision_context.versions)
            targets.append(Target("validator", request.number, request.query, draft.text, good, *details))
    if reply is not None and reply.complete:
        wrong = [scored for scored in interaction.drafts if _is_good(scored, config) == 0 and scored.draft.entry]
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


def _is_good(scored: ScoredDraft, config: Config) -> int | None:
    return None if scored.divergence is None else int(config.divergence.is_good(scored.divergence))


def _router_label(interaction: Interaction, good: int | None, config: Config) -> int | None:
    if interaction.accepted and config.targets.trust_approval and interaction.late_for is None:
        return 1
    if interaction.outcome == "rejected" and config.targets.trust_rejection:
        return 0
    return good
