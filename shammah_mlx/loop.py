"""The specification's complete training loop: `answer` decides for the user, `learn` is the only writer.

They meet in the frozen Interaction alone, so predict-before-train holds by construction: a draft is made, judged and
compared by models that have not seen the reply it is compared with.
"""

from typing import Protocol

import msgspec

from shammah_mlx import policy
from shammah_mlx.config import Config
from shammah_mlx.divergence import Meter
from shammah_mlx.events import Draft, Interaction, Outage, Query, Step, Turn
from shammah_mlx.schedules import learning_rate
from shammah_mlx.targets import Target, make_targets
from shammah_mlx.teacher import Show, Teacher


class Models(Protocol):
    """The three roles, as the loop sees them."""

    def p_local(self, query: Query) -> float:
        """Return the Router's probability that a local answer will do."""

    def draft(self, query: Query) -> Draft | None:
        """Return the Generator's answer; None if it has nothing to say."""

    def p_accept(self, query: Query, draft: Draft) -> float:
        """Return the Validator's probability that the draft is good."""

    def step(self, target: Target, rate: float) -> Step:
        """Update one model once."""


def answer(
    turn: Turn, models: Models, teacher: Teacher, meter: Meter, config: Config, show: Show | None = None
) -> Interaction | Outage:
    """Decide who answers, and get the answer; change nothing.

    `show` receives Claude's words as they come, where they are sure to be the answer. An Outage comes back when Claude
    was needed and gave nothing: then nothing was handled.
    """
    query = turn.query
    route = policy.route(models.p_local(query), turn, config.policy)
    draft = models.draft(query) if route.local else None
    if draft is None:
        reply = teacher.ask(query, show)
        return reply if isinstance(reply, Outage) else Interaction.forwarded(turn, route, reply)

    p_accept = models.p_accept(query, draft)
    if not policy.accepts(p_accept, config.policy):
        reply = teacher.ask(query, show)
        return reply if isinstance(reply, Outage) else Interaction.rejected(turn, route, draft, p_accept, reply)

    if not turn.audits:
        return Interaction.approved(turn, route, draft, p_accept)
    reply = teacher.ask(query)
    if isinstance(reply, Outage):
        return Interaction.approved(turn, route, draft, p_accept)
    if not reply.complete:
        return Interaction.approved(turn, route, draft, p_accept, reply)
    divergence = meter(draft.text, reply.text)
    good = divergence < config.divergence.threshold
    return Interaction.audited(turn, route, draft, p_accept, reply, divergence, good=good)


def observe(interaction: Interaction, models: Models, meter: Meter) -> Interaction:
    """Complete an interaction with what the user need not wait for: the shadow draft and the comparison."""
    query, draft, p_accept, reply = interaction.turn.query, interaction.draft, interaction.p_accept, interaction.reply
    if reply is None or not reply.complete or interaction.divergence is not None:
        return interaction
    if draft is None and interaction.turn.shadows:
        draft = models.draft(query)
        p_accept = models.p_accept(query, draft) if draft else None
    if draft is None:
        return interaction
    divergence = meter(draft.text, reply.text)
    return msgspec.structs.replace(interaction, draft=draft, p_accept=p_accept, divergence=divergence)


def learn(interaction: Interaction, models: Models, config: Config) -> tuple[Step, ...]:
    """Train each model on what the interaction shows, one step an example."""
    base_rates = config.optimizer.base_rates
    return tuple(
        models.step(target, learning_rate(base_rates[target.role], interaction.turn.seen, config.optimizer))
        for target in make_targets(interaction, config)
    )
