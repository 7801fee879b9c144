"""Training labels, made in one place from what was observed (specification, Training Signals for Each Model).

Good means: divergence strictly below the threshold. What else the Router may take for evidence is in the config.
"""

from collections.abc import Mapping

import msgspec

from shammah_mlx.config import Config
from shammah_mlx.events import DraftSource, Interaction, Query, Role, ScoredDraft


class Target(msgspec.Struct, frozen=True):
    """One example for one model: a label, or for the Generator the reply to write."""

    role: Role
    number: int  # the interaction's
    query: Query
    response: str | None  # the Generator's target; else the draft the label is about
    label: int | None  # 1: good or local, 0: bad or forward; None for the Generator
    features: Mapping[str, float] = {}  # what the model weighed when it said what the label is about
    source: DraftSource | None = None  # who wrote the draft the label is about
    versions: Mapping[str, str] = {}  # of the parts that evidence holds for
    refuted: int | None = None  # the interaction whose answer was recalled, and is wrong by this reply
    stood: bool = False  # whether that one had been let stand


def make_targets(interaction: Interaction, config: Config) -> tuple[Target, ...]:
    """Derive every training target of one interaction; the reply comes last, after what was made without it."""
    request, reply, decision_context = interaction.request, interaction.reply, interaction.decision_context
    found: list[Target] = []
    for scored in interaction.drafts:
        draft, good = scored.draft, _is_good(scored, config)
        label = _router_label(interaction, good, config) if scored is interaction.drafts[0] else good
        if label is not None:
            about = (decision_context.features, draft.source, decision_context.versions)
            found.append(Target("router", request.number, request.query, draft.text, label, *about))
        if good is not None:
            about = (draft.features, draft.source, decision_context.versions)
            found.append(Target("validator", request.number, request.query, draft.text, good, *about))
    if reply is not None and reply.complete:
        wrong = [scored for scored in interaction.drafts if _is_good(scored, config) == 0 and scored.draft.entry]
        refuted = wrong[0].draft.entry if wrong else None
        stood = bool(wrong) and wrong[0] is interaction.drafts[0] and interaction.audit_probability is not None
        found.append(Target("generator", request.number, request.query, reply.text, None, refuted=refuted, stood=stood))
    return tuple(found)


def _is_good(scored: ScoredDraft, config: Config) -> int | None:
    return None if scored.divergence is None else int(config.divergence.is_good(scored.divergence))


def _router_label(interaction: Interaction, good: int | None, config: Config) -> int | None:
    if interaction.accepted and config.targets.trust_approval and interaction.late_for is None:
        return 1
    if interaction.outcome == "rejected" and config.targets.trust_rejection:
        return 0
    return good
