"""Training labels, made in one place from what was observed (specification, Training Signals for Each Model).

Good means: divergence strictly below the threshold. These are the specification's labels to the letter, including
two that carry no evidence: a rejection is the Router's 0, an approval its 1.
"""

import msgspec

from shammah_mlx.events import Interaction, Role


class Target(msgspec.Struct, frozen=True):
    """One example for one model: a label, or for the Generator the reply to write."""

    role: Role
    prompt: str
    response: str | None  # the Generator's target, the draft the Validator judges, None for the Router
    label: int | None  # 1: good or local, 0: bad or forward; None for the Generator


def make_targets(interaction: Interaction, threshold: float) -> tuple[Target, ...]:
    """Derive every training target of one interaction, in the specification's order."""
    prompt, reply, draft = interaction.turn.query.prompt, interaction.reply, interaction.draft
    good = None if interaction.divergence is None else int(interaction.divergence < threshold)
    found: list[Target] = []
    if reply is not None and reply.complete:
        found.append(Target("generator", prompt, reply.text, None))
    router_label = {"forwarded": good, "rejected": 0, "approved": 1, "audited": 1}[interaction.outcome]
    if router_label is not None:
        found.append(Target("router", prompt, None, router_label))
    if draft is not None and good is not None:
        found.append(Target("validator", prompt, draft.text, good))
    return tuple(found)
