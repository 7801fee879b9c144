"""Training labels, made in one place from what was observed (specification, Training Signals for Each Model).

Good means: divergence strictly below the threshold. What else the Router may take for evidence is in the config.
"""

import msgspec

from shammah_mlx.config import Config
from shammah_mlx.events import Interaction, Query, Role


class Target(msgspec.Struct, frozen=True):
    """One example for one model: a label, or for the Generator the reply to write."""

    role: Role
    number: int  # the interaction's
    query: Query
    response: str | None  # the Generator's target; else the draft the label is about
    label: int | None  # 1: good or local, 0: bad or forward; None for the Generator


def make_targets(interaction: Interaction, config: Config) -> tuple[Target, ...]:
    """Derive every training target of one interaction; the reply comes last, after what was made without it."""
    number, query, draft, reply = interaction.turn.number, interaction.turn.query, interaction.draft, interaction.reply
    found: list[Target] = []
    good = None if interaction.divergence is None else int(interaction.divergence < config.divergence.threshold)
    if (label := _router_label(interaction, good, config)) is not None:
        found.append(Target("router", number, query, draft.text if draft else None, label))
    if draft is not None and good is not None:
        found.append(Target("validator", number, query, draft.text, good))
    if reply is not None and reply.complete:
        found.append(Target("generator", number, query, reply.text, None))
    return tuple(found)


def _router_label(interaction: Interaction, good: int | None, config: Config) -> int | None:
    if interaction.outcome in ("approved", "audited") and config.targets.trust_approval:
        return 1
    if interaction.outcome == "rejected" and config.targets.trust_rejection:
        return 0
    return good
