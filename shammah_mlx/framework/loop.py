"""The specification's complete training loop: `answer` decides for the user, `learn` is the only writer.

They meet in the frozen Interaction alone, so predict-before-train holds by construction: a draft is made, judged and
compared by models that have not seen the reply it is compared with. Where Claude is needed `answer` says so and waits
to be told what came of it: whoever runs it asks, here (`consult`) or while the models do something else.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from shammah_mlx.config import Config, PolicyConfig
from shammah_mlx.events import (
    Draft,
    DraftSource,
    Interaction,
    Outage,
    Query,
    Reply,
    Request,
    Route,
    ScoredDraft,
    Show,
    Step,
)
from shammah_mlx.framework import policy
from shammah_mlx.framework.schedules import learning_rate
from shammah_mlx.framework.targets import Target, make_targets
from shammah_mlx.text.divergence import Meter

NOTHING_LOCAL = Outage("nothing_local", "Nothing on this machine can answer that yet.", "ask without --local")


def go_on() -> None:
    """Let nobody in between."""


class Call(msgspec.Struct, frozen=True):
    """A question for Claude."""

    query: Query
    is_answer: bool  # what Claude says is what the user gets, and may be shown as it comes; else it measures a draft


Result = TypeVar("Result")
Consulting = Generator[Call, Reply | Outage, Result]
"""What needs Claude now and then: gives the calls, is sent what came of them, and returns a result."""


class Teacher(Protocol):
    """Whoever knows the answers: Claude, a recording of it, or a script."""

    def ask(self, query: Query, show: Show | None = None) -> Reply | Outage:
        """Return the answer, or why there is none; `show` receives its text as it arrives."""


def consult(consulting: Consulting[Result], teacher: Teacher, show: Show | None = None) -> Result:
    """Ask the teacher whatever is to be asked, and return the result.

    `show` receives the teacher's words where they are the answer.
    """
    try:
        call = next(consulting)
        while True:
            call = consulting.send(teacher.ask(call.query, show if call.is_answer else None))
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # it is the generator's, but the exception does not say so


class Roles(Protocol):
    """Router, Generator and Validator, as the loop sees them."""

    def p_local(self, query: Query) -> Mapping[DraftSource, float]:
        """Return the Router's probability that a local answer will do, for each source, in the order to try them."""

    def draft(self, query: Query, source: DraftSource, show: Show | None = None) -> Draft | None:
        """Return the Generator's answer, or None if it has none; `show` receives the text as it is written."""

    def p_accept(self, query: Query, draft: Draft) -> float:
        """Return the Validator's probability that the draft is good."""

    def step(self, target: Target, rate: float) -> Step:
        """Update one model once."""


def answer(
    request: Request, roles: Roles, meter: Meter, config: Config, show: Show | None = None
) -> Consulting[Interaction | Outage]:
    """Decide who answers, and get the answer; change nothing.

    `show` receives a draft's words as they come, where they are sure to be the answer. An Outage comes back when Claude
    was needed and gave nothing: then nothing was handled.
    """
    query = request.query
    route = policy.route(roles.p_local(query), request, config.policy)
    drafts = _try(request, route, roles, config.policy, show)
    stands = policy.stands(drafts, route, request, config.policy)
    if request.forced_source == "local":
        return Interaction.unchecked(request, route, drafts, accepted=stands) if drafts else NOTHING_LOCAL

    if not stands:
        reply = yield Call(query, is_answer=True)
        if isinstance(reply, Outage):
            return reply
        if not drafts:
            return Interaction.forwarded(request, route, reply)
        return Interaction.rejected(request, route, drafts, reply)

    audit_probability = policy.audit_probability(drafts[0], request, config.policy)
    if request.audit_draw >= audit_probability:
        return Interaction.approved(request, route, drafts, audit_probability)
    reply = yield Call(query, is_answer=False)
    if isinstance(reply, Outage):
        return reply if request.strict else Interaction.approved(request, route, drafts, audit_probability)
    if not reply.complete:
        if request.strict:  # what came of it was paid for, and is shown, marked
            return Interaction.rejected(request, route, drafts, reply)
        return Interaction.approved(request, route, drafts, audit_probability, reply)
    best, *others = _compare(drafts, reply, meter)
    good = best.divergence is not None and config.divergence.is_good(best.divergence)
    return Interaction.audited(request, route, (best, *others), audit_probability, reply, good=good)


def observe(
    interaction: Interaction, roles: Roles, meter: Meter, config: Config, give_way: Callable[[], None] = go_on
) -> Interaction:
    """Complete an interaction with what the user need not wait for: shadow drafts and the comparison.

    `give_way` is called while a draft is written, so that whoever waits for an answer need not wait for that.
    """
    request, drafts, reply = interaction.request, interaction.drafts, interaction.reply
    if reply is None or not reply.complete:
        return interaction
    drafted = {scored.draft.source for scored in drafts}
    shadows = [source for source in interaction.route.p_locals if source not in drafted and request.shadows(source)]
    made = [scored for source in shadows if (scored := _judge(request.query, source, roles, lambda _: give_way()))]
    drafts = (*drafts, *policy.best_first(made, request, config.policy))  # what stood, or was refused, stays first
    return msgspec.structs.replace(interaction, drafts=_compare(drafts, reply, meter))


def _try(
    request: Request, route: Route, roles: Roles, config: PolicyConfig, show: Show | None
) -> tuple[ScoredDraft, ...]:
    """Return the drafts of the sources to try, the best first; after one that will be served no other is made."""
    drafts: list[ScoredDraft] = []
    for source in route.tries:
        scored = _judge(request.query, source, roles, show if request.forced_source == "local" else None)
        if scored is not None:
            drafts.append(scored)
            if request.forced_source == "local" or policy.accepts(scored, request, config):
                break
    return policy.best_first(drafts, request, config)


def _judge(query: Query, source: DraftSource, roles: Roles, show: Show | None = None) -> ScoredDraft | None:
    draft = roles.draft(query, source, show)
    return None if draft is None else ScoredDraft(draft, roles.p_accept(query, draft))


def _compare(drafts: Sequence[ScoredDraft], reply: Reply, meter: Meter) -> tuple[ScoredDraft, ...]:
    """Measure how far each draft is from the reply, where that is not known yet."""

    def compared(scored: ScoredDraft) -> ScoredDraft:
        if scored.divergence is not None:
            return scored
        return msgspec.structs.replace(scored, divergence=meter(scored.draft.text, reply.text))

    return tuple(compared(scored) for scored in drafts)


def learn(
    interaction: Interaction, roles: Roles, config: Config, give_way: Callable[[], None] = go_on
) -> tuple[Step, ...]:
    """Train each model on what the interaction shows, one step an example; `give_way` is called before each."""
    steps = []
    for target in make_targets(interaction, config):
        give_way()
        rate = learning_rate(config.optimizer.base_rates[target.role], interaction.request.seen, config.optimizer)
        steps.append(roles.step(target, rate))
    return tuple(steps)
