"""The specification's complete training loop: `answer` decides for the user, `learn` is the only writer.

They meet in the frozen Interaction alone, so predict-before-train holds by construction: a draft is made, judged and
compared by models that have not seen the reply it is compared with.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from shammah_mlx import policy
from shammah_mlx.config import Config, PolicyConfig
from shammah_mlx.divergence import Meter
from shammah_mlx.events import Draft, DraftSource, Interaction, Judged, Outage, Query, Reply, Route, Step, Turn
from shammah_mlx.schedules import learning_rate
from shammah_mlx.targets import Target, make_targets
from shammah_mlx.teacher import Show, Teacher

NOTHING_LOCAL = Outage("nothing_local", "Nothing on this machine can answer that yet.", "ask without --local")


class Models(Protocol):
    """The three roles, as the loop sees them."""

    def p_local(self, query: Query) -> Mapping[DraftSource, float]:
        """Return the Router's probability that a local answer will do, for each source, in the order to try them."""

    def draft(self, query: Query, source: DraftSource, show: Show | None = None) -> Draft | None:
        """Return the Generator's answer; None if it has nothing to say. `show` gets it as it is written."""

    def p_accept(self, query: Query, draft: Draft) -> float:
        """Return the Validator's probability that the draft is good."""

    def step(self, target: Target, rate: float) -> Step:
        """Update one model once."""


def answer(
    turn: Turn, models: Models, teacher: Teacher, meter: Meter, config: Config, show: Show | None = None
) -> Interaction | Outage:
    """Decide who answers, and get the answer; change nothing.

    `show` receives words as they come, where they are sure to be the answer. An Outage comes back when Claude was
    needed and gave nothing: then nothing was handled.
    """
    query = turn.query
    route = policy.route(models.p_local(query), turn, config.policy)
    drafts = _try(turn, route, models, config.policy, show)
    stands = policy.stands(drafts, route, turn, config.policy)
    if turn.wish == "local":
        return Interaction.unchecked(turn, route, drafts, accepted=stands) if drafts else NOTHING_LOCAL

    if not stands:
        reply = teacher.ask(query, show)
        if isinstance(reply, Outage):
            return reply
        if not drafts:
            return Interaction.forwarded(turn, route, reply)
        return Interaction.rejected(turn, route, drafts, reply)

    pi = policy.audit_probability(drafts[0], turn, config.policy)
    if turn.coin >= pi:
        return Interaction.approved(turn, route, drafts, pi)
    reply = teacher.ask(query)
    if isinstance(reply, Outage):
        return reply if turn.strict else Interaction.approved(turn, route, drafts, pi)
    if not reply.complete:
        if turn.strict:  # what came of it was paid for, and is shown, marked
            return Interaction.rejected(turn, route, drafts, reply)
        return Interaction.approved(turn, route, drafts, pi, reply)
    best, *others = _compare(drafts, reply, meter)
    good = best.divergence is not None and config.divergence.is_good(best.divergence)
    return Interaction.audited(turn, route, (best, *others), pi, reply, good=good)


def observe(interaction: Interaction, models: Models, meter: Meter, config: Config) -> Interaction:
    """Complete an interaction with what the user need not wait for: shadow drafts and the comparison."""
    turn, drafts, reply = interaction.turn, interaction.drafts, interaction.reply
    if reply is None or not reply.complete:
        return interaction
    drafted = {judged.draft.source for judged in drafts}
    shadows = [source for source in interaction.route.p_locals if source not in drafted and turn.shadows(source)]
    made = [judged for source in shadows if (judged := _judge(turn.query, source, models))]
    drafts = (*drafts, *policy.best_first(made, turn, config.policy))  # what stood, or was refused, stays first
    return msgspec.structs.replace(interaction, drafts=_compare(drafts, reply, meter))


def _try(turn: Turn, route: Route, models: Models, config: PolicyConfig, show: Show | None) -> tuple[Judged, ...]:
    """Return the drafts of the sources to try, the best first; after one that will be served no other is made."""
    drafts: list[Judged] = []
    for source in route.tries:
        judged = _judge(turn.query, source, models, show if turn.wish == "local" else None)
        if judged is not None:
            drafts.append(judged)
            if turn.wish == "local" or policy.accepts(judged, turn, config):
                break
    return policy.best_first(drafts, turn, config)


def _judge(query: Query, source: DraftSource, models: Models, show: Show | None = None) -> Judged | None:
    draft = models.draft(query, source, show)
    return None if draft is None else Judged(draft, models.p_accept(query, draft))


def _compare(drafts: Sequence[Judged], reply: Reply, meter: Meter) -> tuple[Judged, ...]:
    """Measure how far each draft is from the reply, where that is not known yet."""

    def compared(judged: Judged) -> Judged:
        if judged.divergence is not None:
            return judged
        return msgspec.structs.replace(judged, divergence=meter(judged.draft.text, reply.text))

    return tuple(compared(judged) for judged in drafts)


def learn(interaction: Interaction, models: Models, config: Config) -> tuple[Step, ...]:
    """Train each model on what the interaction shows, one step an example."""
    base_rates = config.optimizer.base_rates
    return tuple(
        models.step(target, learning_rate(base_rates[target.role], interaction.turn.seen, config.optimizer))
        for target in make_targets(interaction, config)
    )
