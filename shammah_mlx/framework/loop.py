"""The specification's complete training loop: `answer` decides for the user, `observe` measures, `learn` trains.

Between the last two, `judge_shadows` asks the judge where the meter is in doubt.

`answer` changes no model. It passes a frozen Interaction to `observe` and `learn`, so every draft is made, scored and
compared by models that have not yet seen the reply. Where `answer` needs Claude it yields a ClaudeCall and is sent the
reply. So its caller chooses how to wait: `run_consultation` blocks, and the service lets other work run meanwhile.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec
from msgspec import UNSET

from shammah_mlx.config import Config
from shammah_mlx.events import (
    Announce,
    Awaited,
    Draft,
    DraftSource,
    Exchange,
    Feedback,
    Interaction,
    Outage,
    Query,
    Reply,
    Request,
    Route,
    ScoredDraft,
    Show,
    Step,
    Verdict,
)
from shammah_mlx.framework import policy, screening
from shammah_mlx.framework.claude_only import NOT_HERE
from shammah_mlx.framework.schedules import learning_rate
from shammah_mlx.framework.sources import SOURCE_RULES
from shammah_mlx.framework.targets import (
    Target,
    Withdrawal,
    make_feedback_targets,
    make_targets,
    make_withdrawal,
)
from shammah_mlx.risk.badness import judge_error, p_bad
from shammah_mlx.teacher.outages import INTERRUPTED, UNPAID
from shammah_mlx.text.divergence import Meter

NOTHING_LOCAL = Outage("nothing_local", "Nothing on this machine can answer that yet.", "ask without --local")
STAYS_HERE = Outage(
    "stays_here",
    "The settings in [privacy] keep this question on this machine, and nothing here is sure enough to answer it.",
    "see `shammah config get privacy`",
)

Result = TypeVar("Result")


class ClaudeCall(msgspec.Struct, frozen=True):
    """A question for Claude."""

    query: Query
    is_answer: bool  # True: the reply is the user's answer, and may be shown as it arrives; False: it measures a draft


class VerdictCall(msgspec.Struct, frozen=True):
    """A question for the judge: does this draft answer the query, or serve as well as Claude's reply?"""

    query: Query
    draft: str
    reply: str | None = None  # None: there is none yet


Call = ClaudeCall | VerdictCall
Consultation = Generator[Call, Reply | Verdict | Outage, Result]
"""A computation that may need Claude: it yields calls, is sent what came of each, and returns a result."""


GiveWay = Callable[[], None]
"""Lets waiting requests be answered before learning goes on."""


def show_nobody(_: str) -> None:
    """Do nothing: the default `show`."""


class Roles(Protocol):
    """Router, Generator and Validator, as the loop sees them."""

    def p_local(self, query: Query) -> Mapping[DraftSource, float]:
        """Return the Router's probability that a local answer will do, for each source, in the order to try them."""

    def draft(
        self, query: Query, source: DraftSource, show: Show = show_nobody, give_way: GiveWay | None = None
    ) -> Draft | None:
        """Return the Generator's answer, or None if it has none; `show` receives the text as it is written.

        With `give_way` nobody waits for the answer; it may be called meanwhile, as often as it likes.
        """

    def p_accept(self, query: Query, draft: Draft) -> float:
        """Return the Validator's probability that the draft is good."""

    def answered(self, query: Query, draft: Draft) -> Exchange:
        """Return the draft's text with the question that it was an answer to; a new text answers the query."""

    def step(self, target: Target, rate: float, give_way: GiveWay) -> Step:
        """Train one model on one example; `give_way` may be called meanwhile, as often as it likes."""

    def withdraw(self, withdrawal: Withdrawal) -> None:
        """Never propose an answer again that the user called bad, nor learn from it."""


class Teacher(Protocol):
    """A source of right answers: Claude, a recording of it, or a script."""

    def ask(self, query: Query, show: Show | None = None) -> Reply | Outage:
        """Return the reply, or the reason why there is none; `show` receives its text as it arrives."""

    def judge(self, query: Query, draft: str, reply: str | None) -> Verdict | Outage:
        """Return whether the draft answers the query, or serves as well as the `reply` if there is one."""


def do_nothing() -> None:
    """Do nothing: the default `give_way`."""


def tell_nobody(_: Awaited) -> None:
    """Do nothing: the default `announce`."""


def answer(
    request: Request,
    roles: Roles,
    meter: Meter,
    config: Config,
    show: Show | None = None,
    announce: Announce = tell_nobody,
) -> Consultation[Interaction | Outage]:
    """Decide who answers, and get the answer; change nothing.

    `show` receives a draft's text as it is written, where that is sure to be the answer; `announce` is told what is
    awaited. Return an Outage if Claude was needed and could not answer; the query then counts as not handled. If he was
    needed only because the same was asked again, it is answered as it was before.
    """
    answered = yield from _answer(request, roles, meter, config, show, announce)
    is_again = request.unhelpful is not UNSET and request.forced_source is None
    if not isinstance(answered, Outage) or not is_again or answered.kind == INTERRUPTED:
        return answered
    as_before = msgspec.structs.replace(request, unhelpful=UNSET, not_asked=answered.kind)
    known = yield from _answer(as_before, roles, meter, config, show, announce)
    return answered if isinstance(known, Outage) else known


def _answer(
    request: Request, roles: Roles, meter: Meter, config: Config, show: Show | None, announce: Announce
) -> Consultation[Interaction | Outage]:
    query = request.query  # Claude and the judge get the whole conversation, whatever this machine was given of it
    if request.claude_only:
        return (yield from _ask_claude_only(request))
    route = policy.route(roles.p_local(request.local_query), request, config)
    drafts = _draft_locally(request, route, roles, config, show, announce)
    is_accepted = policy.accepts_best(drafts, route, request, config.policy)
    if request.forced_source == "local":
        return Interaction.unchecked(request, route, drafts, accepted=is_accepted) if drafts else NOTHING_LOCAL

    if policy.is_worth_a_check(drafts, request, config, is_accepted=is_accepted):
        announce("verdict")
        drafts = yield from _checked(query, drafts, config)
        is_accepted = is_accepted if drafts[0].passed is None else drafts[0].passed
    if not (is_accepted and policy.may_stand(drafts, request)):
        if request.stays is True:
            return STAYS_HERE
        if request.not_asked is not UNSET:
            return NOTHING_LOCAL
        announce("claude")
        reply = yield from ask_claude(query, is_answer=True)
        if isinstance(reply, Outage):
            return reply
        if not drafts:
            return Interaction.forwarded(request, route, reply)
        return Interaction.rejected(request, route, drafts, reply)

    audit_probability = policy.audit_probability(drafts[0], request, config.policy)
    stands = Interaction.approved(request, route, drafts, audit_probability)
    if not stands.audit:
        return stands
    if request.not_asked is not UNSET:
        return _audit_failed(stands, drafts, Outage(request.not_asked, "", ""))
    announce("verdict")
    return (yield from _audit(stands, roles, meter, config))


def decide_imported(undecided: Interaction, roles: Roles, counts: policy.HomeCounts, config: Config) -> Interaction:
    """Let the Router look at an imported query, as if it were asked now and Claude had to answer; change nothing."""
    request = policy.make_imported_request(undecided.request, counts, config)
    route = policy.route(roles.p_local(request.query), request, config)
    return msgspec.structs.replace(undecided, request=request, route=route)


def learn(
    interaction: Interaction,
    roles: Roles,
    config: Config,
    give_way: GiveWay = do_nothing,
    *,
    withdrawn: bool = False,
) -> tuple[Step, ...]:
    """Train each model on what the interaction shows, one step per example.

    `give_way` is called before each step and while a long one goes on. `withdrawn` says that the user has called the
    reply bad, in words that are learnt later.
    """
    return _train(make_targets(interaction, config, withdrawn=withdrawn), interaction, roles, config, give_way)


def learn_feedback(
    feedback: Feedback,
    about: Interaction,
    roles: Roles,
    config: Config,
    give_way: GiveWay = do_nothing,
    *,
    withdrawn: bool = False,
) -> tuple[Step, ...]:
    """Train each model on what the user said of an answer, after taking back one that was bad.

    `withdrawn` says that he has called his own answer bad too, in words that are learnt later.
    """
    if (withdrawal := make_withdrawal(feedback, about)) is not None:
        roles.withdraw(withdrawal)
    return _train(make_feedback_targets(feedback, about, withdrawn=withdrawn), about, roles, config, give_way)


def _train(
    targets: Sequence[Target], interaction: Interaction, roles: Roles, config: Config, give_way: GiveWay
) -> tuple[Step, ...]:
    steps = []
    for target in targets:
        give_way()
        rate = learning_rate(config.optimizer.base_rates[target.role], interaction.request.seen, config.optimizer)
        steps.append(roles.step(target, rate, give_way))
    return tuple(steps)


def observe(
    interaction: Interaction, roles: Roles, meter: Meter, config: Config, give_way: GiveWay = do_nothing
) -> Interaction:
    """Add what the user need not wait for: make the shadow drafts, and compare all drafts with the reply.

    `give_way` is called while a draft is written, so that waiting requests can be answered in between. A reply that
    Claude gave with a conversation is no measure for drafts made without it, but for those that were served.
    """
    request, drafts, reply = interaction.request, interaction.drafts, interaction.reply
    if reply is None or not reply.teaches or request.claude_only or not interaction.measures_drafts:
        return interaction
    drafted = {scored.draft.source for scored in drafts}
    missing = [
        source
        for source, p_local in interaction.route.p_locals.items()
        if source not in drafted
        and not request.alone
        and (request.shadows(source, p_local) or policy.is_drafted_later(source, interaction, config.judge))
    ]
    made = (_draft_and_score(request.query, source, roles, give_way=give_way) for source in missing)
    shadows = [scored for scored in made if scored is not None and scored.draft.by_user is not True]
    drafts = (*drafts, *policy.best_first(shadows, request, config.policy))  # the draft that was decided on stays first
    return msgspec.structs.replace(interaction, drafts=_compare(drafts, request.query, reply, roles, meter))


def judge_shadows(interaction: Interaction, config: Config) -> Consultation[Interaction]:
    """Ask the judge about the shadows that the meter leaves in doubt, beside Claude's reply; nobody waits for it."""
    drafts = []
    for scored in interaction.drafts:
        judged, query = scored, interaction.request.query
        if (
            interaction.reply
            and policy.is_shadow_in_doubt(scored, interaction, config)
            and screening.may_be_judged(query, scored.draft.text, config.privacy)
        ):
            came = yield VerdictCall(query, scored.draft.text, interaction.reply.text)
            judged = scored.judged(came) if isinstance(came, Verdict) else scored
        drafts.append(judged)
    return msgspec.structs.replace(interaction, drafts=tuple(drafts))


def run_consultation(consultation: Consultation[Result], teacher: Teacher, show: Show | None = None) -> Result:
    """Run a consultation to its end: ask the teacher for each call, and return the result.

    `show` receives the teacher's text where it is the user's answer.
    """
    try:
        call = next(consultation)
        while True:
            if isinstance(call, VerdictCall):
                call = consultation.send(teacher.judge(call.query, call.draft, call.reply))
            else:
                call = consultation.send(teacher.ask(call.query, show if call.is_answer else None))
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # StopIteration does not carry the generator's type


def _ask_claude_only(request: Request) -> Consultation[Interaction | Outage]:
    """Have Claude answer a question that nobody here may answer."""
    assert request.claude_only
    if request.forced_source == "local":
        return NOT_HERE[request.claude_only]
    if request.stays is True:
        return STAYS_HERE
    reply = yield from ask_claude(request.query, is_answer=True)
    return reply if isinstance(reply, Outage) else Interaction.forwarded(request, Route({}, None), reply)


def _draft_locally(
    request: Request, route: Route, roles: Roles, config: Config, show: Show | None, announce: Announce
) -> tuple[ScoredDraft, ...]:
    """Return the drafts of the sources to try, best first; stop at the first one that is sure to be served."""
    drafts: list[ScoredDraft] = []
    for source in route.tries:
        if not policy.is_worth_waiting_for(source, route.p_locals[source], request, config.judge):
            continue
        announce("draft" if SOURCE_RULES[source].is_written else "memory")
        scored = _draft_and_score(
            request.local_query, source, roles, show if show and request.forced_source == "local" else show_nobody
        )
        if scored is not None:
            drafts.append(scored)
            if request.forced_source == "local" or policy.accepts(scored, request, config.policy):
                break
    return policy.best_first(drafts, request, config.policy)


def _draft_and_score(
    query: Query, source: DraftSource, roles: Roles, show: Show = show_nobody, give_way: GiveWay | None = None
) -> ScoredDraft | None:
    draft = roles.draft(query, source, show, give_way)
    return None if draft is None else ScoredDraft(draft, roles.p_accept(query, draft))


def ask_claude(query: Query, *, is_answer: bool) -> Consultation[Reply | Outage]:
    """Ask Claude for a whole answer."""
    came = yield ClaudeCall(query, is_answer)
    assert not isinstance(came, Verdict)  # what is sent back fits the call
    return came


def _checked(query: Query, drafts: tuple[ScoredDraft, ...], config: Config) -> Consultation[tuple[ScoredDraft, ...]]:
    """Ask the judge about the best draft, before there is a reply; without a verdict the drafts stay as they are."""
    best, *others = drafts
    if not screening.may_be_judged(query, best.draft.text, config.privacy):
        return drafts
    verdict = yield VerdictCall(query, best.draft.text)
    return (best.judged(verdict), *others) if isinstance(verdict, Verdict) else drafts


def _audit(stands: Interaction, roles: Roles, meter: Meter, config: Config) -> Consultation[Interaction | Outage]:
    """Measure a draft that was accepted: by a verdict where that may do, or else by Claude's reply."""
    request, drafts = stands.request, stands.drafts
    if request.judging and not stands.by_check:
        drafts = yield from _checked(request.query, drafts, config)
        if drafts[0].passed and not policy.audit_buys_both(stands):
            return Interaction.audited(stands, drafts, None, good=True)
    reply = yield from ask_claude(request.query, is_answer=False)
    if isinstance(reply, Outage) or not reply.teaches:
        return _audit_failed(stands, drafts, reply)
    drafts = _compare(drafts, request.query, reply, roles, meter)
    good = _is_good(drafts[0], request, config)
    return Interaction.audited(stands, drafts, reply, good=good)


def _is_good(scored: ScoredDraft, request: Request, config: Config) -> bool:
    """Say whether an audited draft is good: by the meter, or by meter and judge together if the judge refused it."""
    if scored.divergence is None:
        return False
    if scored.passed is False:
        return (p_bad(scored, config.divergence, judge_error(request, config)) or 0.0) < 0.5
    return config.divergence.is_good(scored.divergence)


def _audit_failed(stands: Interaction, drafts: tuple[ScoredDraft, ...], reply: Reply | Outage) -> Interaction | Outage:
    """Serve the accepted draft although its audit got no reply to measure by, unless the user is strict.

    A draft that the judge refused meanwhile is not served either.
    """
    if not stands.request.strict and drafts[0].passed is not False:
        stood = msgspec.structs.replace(stands, drafts=drafts)
        if isinstance(reply, Outage):
            is_unpaid = reply.kind in UNPAID
            return msgspec.structs.replace(stood, unpaid=True) if is_unpaid else stood
        return msgspec.structs.replace(stood, reply=reply)
    if isinstance(reply, Outage):
        return reply
    return Interaction.rejected(stands.request, stands.route, drafts, reply)  # it was paid for: shown, marked as cut


def _compare(
    drafts: Sequence[ScoredDraft], query: Query, reply: Reply, roles: Roles, meter: Meter
) -> tuple[ScoredDraft, ...]:
    """Measure how far each draft is from the reply, where that is not known yet."""
    replied = Exchange(query.text, reply.text)

    def compared(scored: ScoredDraft) -> ScoredDraft:
        if scored.divergence is not None:
            return scored
        return msgspec.structs.replace(scored, divergence=meter(roles.answered(query, scored.draft), replied))

    return tuple(compared(scored) for scored in drafts)
