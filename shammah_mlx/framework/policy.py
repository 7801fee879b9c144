"""Pure decisions: who answers, and when Claude is asked as well (specification, Cold Start and Sampling Strategy).

Two kinds of thresholds meet here. A *minimum* is a number that p_local or p_accept must exceed; the specification's
schedule sets it. A `Threshold` is what `max_bad_rate` requires of a draft's p_accept; `risk.threshold` chooses it. A
draft must pass both.
"""

import random
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from shammah_mlx.config import Config, JudgeConfig, PolicyConfig
from shammah_mlx.events import (
    BORROWED,
    OTHER_ANSWER,
    AskOptions,
    Draft,
    DraftSource,
    Interaction,
    Judging,
    Query,
    Request,
    Route,
    ScoredDraft,
    Threshold,
    source_counted,
)
from shammah_mlx.framework import screening
from shammah_mlx.framework.claude_only import why_claude_only
from shammah_mlx.framework.schedules import band_value
from shammah_mlx.framework.sources import SOURCE_RULES
from shammah_mlx.numerics import log_odds, sigmoid
from shammah_mlx.risk.threshold import (
    SERVE_NOTHING,
    CountsBySource,
    asked_in,
    bad_rate,
    choose,
    repeat_rate,
    spread,
    with_feedback,
)
from shammah_mlx.teacher.judge import expected_cost
from shammah_mlx.text.destructive import destroys
from shammah_mlx.text.self_contained import is_self_contained

LEAST_SLOPE = 0.1  # of a curve by which a threshold for checks is computed: a flat one tells drafts not apart


class HomeCounts(msgspec.Struct, frozen=True):
    """What a home has counted so far, as far as the next request depends on it."""

    seen: int  # queries handled so far, and imported ones that were learnt
    imported: int = 0  # of these
    usual_doubt: float = 1.0  # mean doubt of the drafts accepted so far
    score_counts: CountsBySource = {}
    open_audits: int = 0  # audits still due because Claude could not be reached
    replies_usd: float = 0.0  # what Claude's replies have cost
    verdicts_usd: float = 0.0  # what the judge's verdicts have cost


def make_request(
    query: Query, number: int, counts: HomeCounts, options: AskOptions, config: Config, seed: int | str
) -> Request:
    """Draw the query's random number and look up its rates, before anything is drafted. A secret is not stored.

    What was imported ends the cold start, but how much is measured follows the queries that were asked here.
    """
    secret = screening.asks_with_secret(query)
    private = screening.is_private(query, config.privacy)
    stored = options.stored and not secret and not private
    asked_here = counts.seen - counts.imported
    audit_rate = (band_value(config.policy.audits, asked_here) or 0.0) if stored else 0.0
    shadows = config.policy.shadows.items()
    required = thresholds(asked_in(counts.score_counts, query.context), audit_rate, counts.usual_doubt, config)
    return Request(
        number=number,
        seen=counts.seen,
        query=query,
        forced_source=options.forced_source,
        audit_draw=audit_draw(seed, number, query.text),
        audit_rate=audit_rate,
        shadow_rates={source: band_value(bands, asked_here) or 0.0 for source, bands in shadows},
        # Before, all drafts count: choosing them by p_local would tilt the curve of their scores.
        shadows_follow=(config.policy.shadows_follow and counts.seen >= config.policy.forward_only) or UNSET,
        usual_doubt=counts.usual_doubt,
        thresholds=required,
        secret=secret,
        stored=stored,
        strict=options.strict,
        open_audits=counts.open_audits,
        judging=_judging(required, counts, config) if stored and not options.own_account else UNSET,
        spread=spread(counts.score_counts, config.risk) or UNSET,
        by_client=options.by_client or UNSET,
        own_account=options.own_account or UNSET,
        private=private or UNSET,
        stays=screening.stays_here(query.texts, config.privacy) or UNSET,
        claude_only=why_claude_only(query, config.max_query_bytes) or UNSET,
        terminal=options.terminal,
        alone=(options.in_chat and bool(query.history) and is_self_contained(query.text, query.history)) or UNSET,
        unhelpful=UNSET if options.unhelpful is None else options.unhelpful,
    )


def make_imported_request(undecided: Request, counts: HomeCounts, config: Config) -> Request:
    """Look up the rates of an imported query whose turn to be learnt has come; what it was written with stays.

    No verdict may be bought for it, and shadows grow rarer with all that was learnt: an import costs no money, and as
    little time as a replay.
    """
    audit_rate = band_value(config.policy.audits, counts.seen - counts.imported) or 0.0
    score_counts = asked_in(counts.score_counts, undecided.query.context)
    return msgspec.structs.replace(
        undecided,
        seen=counts.seen,
        shadow_rates={source: band_value(bands, counts.seen) or 0.0 for source, bands in config.policy.shadows.items()},
        shadows_follow=(config.policy.shadows_follow and counts.seen >= config.policy.forward_only) or UNSET,
        usual_doubt=counts.usual_doubt,
        thresholds=thresholds(score_counts, audit_rate, counts.usual_doubt, config),
        spread=spread(counts.score_counts, config.risk) or UNSET,
    )


def did_not_help(earlier: Interaction, now: float, config: PolicyConfig) -> bool:
    """Return whether the same question again, from the command line, means that the local answer did not help.

    It does within a few minutes. It does not where the user chose who answers, or wrote the answer himself, or where
    Claude was just asked: he would say the same again.
    """
    was_chosen = earlier.request.forced_source is not None or earlier.is_by_user
    is_recent = 0.0 <= now - earlier.request.query.at <= 60.0 * config.again_minutes
    return is_recent and earlier.served_local and not was_chosen and not earlier.called_claude


def _judging(required: Mapping[str, Threshold], counts: HomeCounts, config: Config) -> Judging | UnsetType:
    """Return when the judge may be asked; UNSET if it is off, has spent its share, or nothing is promised."""
    judge = config.judge
    if not can_afford_verdicts(counts.replies_usd, counts.verdicts_usd, judge) or not required:
        return UNSET
    return Judging(
        error=judge.error,
        thresholds={
            source: _check_threshold(threshold, counts.score_counts[name].feedback, config)
            for name, threshold in required.items()
            if SOURCE_RULES[source := source_counted(name)].passes_checks
        },
        both=judge.both,
        repeat_rate=repeat_rate(counts.score_counts),
        shadow_doubt=judge.shadow_doubt,
    )


def can_afford_verdicts(replies_usd: float, verdicts_usd: float, judge: JudgeConfig) -> bool:
    """Return whether the judge is on, and what its verdicts cost so far is within its share of what replies cost."""
    return judge.share > 0.0 and verdicts_usd < judge.share * replies_usd + judge.first_usd


def _check_threshold(threshold: Threshold, feedback: float, config: Config) -> float:
    """Return what p_accept must exceed so that a draft the judge lets pass is bad at most at `max_bad_rate`."""
    least_odds_good = -log_odds(_most_bad_before_check(config))
    score = sigmoid((least_odds_good - threshold.offset) / max(threshold.slope, LEAST_SLOPE))
    return with_feedback(score, feedback)


def _most_bad_before_check(config: Config) -> float:
    """Return how often drafts may be bad for those that the judge lets pass to be bad at most at `max_bad_rate`.

    With a rate of bad drafts r and an error rate e, r e / (r e + (1 - r)(1 - e)) of those that pass are bad.
    """
    return sigmoid(log_odds(config.risk.max_bad_rate) - log_odds(config.judge.error))


def thresholds(
    score_counts: CountsBySource, audit_rate: float, usual_doubt: float, config: Config
) -> dict[str, Threshold]:
    """Return what `max_bad_rate` requires of drafts, by `counted_as`; nothing if it makes no promise."""

    def audited(bad_rate: float) -> float:
        return _audit_probability_at(bad_rate**config.policy.audit_focus, audit_rate, usual_doubt, config.policy)

    promised = score_counts if config.risk.promises else {}
    risk = config.risk
    written = msgspec.structs.replace(risk, caution=risk.caution_written, known=risk.known_written)
    return {
        name: choose(
            counts,
            written if SOURCE_RULES[source_counted(name)].is_written else risk,
            audited,
            spread=spread(score_counts, config.risk),
            is_trusted=not SOURCE_RULES[source_counted(name)].needs_counts,
        )
        for name, counts in promised.items()
    }


def threshold_for(draft: Draft, request: Request) -> Threshold | None:
    """Return what `max_bad_rate` requires of a draft; None if nothing is promised for its source.

    A borrowed draft is never served on no promise: as long as nothing was measured of its contexts, no score is enough.
    """
    found = request.thresholds.get(draft.counted_as)
    return SERVE_NOTHING if found is None and draft.source in BORROWED else found


def audit_draw(seed: int | str, number: int, text: str) -> float:
    """Draw one query's random number, uniform in [0, 1): the same for the same arguments on every machine.

    The text is an argument because two queries that arrive together are given the same journal number at first.
    """
    return random.Random(f"{seed}/{number}/{text}").random()  # a string seed is hashed with SHA-512


def route(p_locals: Mapping[DraftSource, float], request: Request, config: Config) -> Route:
    """Choose the sources to try: those whose p_local exceeds the minimum; none means Claude."""
    min_p_local = route_threshold(request.seen, config.policy)
    p_locals = {source: p for source, p in p_locals.items() if source not in BORROWED or may_borrow(request)}
    tried: Iterable[DraftSource] = p_locals
    if request.forced_source == "local":
        tried = sorted(p_locals, key=lambda source: -p_locals[source])
    elif request.forced_source == "claude" or request.unhelpful is not UNSET:
        tried = ()
    else:
        tried = [
            source
            for source, p_local in p_locals.items()
            if (minimum := _min_p_local(source, min_p_local, request, config)) is not None and p_local > minimum
        ]
    return Route(dict(p_locals), min_p_local, tuple(tried))


def may_borrow(request: Request) -> bool:
    """Return whether drafts from other contexts are looked at: where a bound is promised for what they are.

    Nothing is promised for what the user insists on having from here, and a turn of a chat that stands alone already
    has its answer from another context.
    """
    return bool(request.thresholds) and request.forced_source != "local" and not request.alone


def _min_p_local(source: DraftSource, scheduled: float | None, request: Request, config: Config) -> float | None:
    """Return what p_local of a source must exceed; less than scheduled where the judge can be asked about a draft."""
    if not SOURCE_RULES[source].is_scheduled:
        return 0.0
    if scheduled is not None and SOURCE_RULES[source].is_written:
        scheduled = min(config.policy.write_threshold, scheduled)
    if request.judging and SOURCE_RULES[source].passes_checks:
        return min(config.judge.route_threshold, 1.0 if scheduled is None else scheduled)
    return scheduled


def is_worth_waiting_for(source: DraftSource, p_local: float, request: Request, config: JudgeConfig) -> bool:
    """Return whether to make a draft of this source before Claude is asked.

    A draft that takes seconds to write is worth it only if its own score could be enough, or if the judge could let it
    pass and it is likelier good than not.
    """
    threshold = request.thresholds.get(source)
    if not SOURCE_RULES[source].is_written or threshold is None or request.forced_source == "local":
        return True
    may_pass_check = request.judging and request.judging.thresholds[source] < 1.0
    return threshold.serve < 1.0 or (bool(may_pass_check) and p_local > config.write_threshold)


def is_drafted_later(source: DraftSource, interaction: Interaction, config: JudgeConfig) -> bool:
    """Return whether a source that the Router would try makes its draft once the user has Claude's answer."""
    route = interaction.route
    is_tried = interaction.audit_probability is None and source in route.tries
    return is_tried and not is_worth_waiting_for(source, route.p_locals[source], interaction.request, config)


def route_threshold(seen: int, config: PolicyConfig) -> float | None:
    """Return what p_local must exceed by schedule; None while nothing may be served locally."""
    return None if seen < config.forward_only else band_value(config.route_thresholds, seen)


def accept_threshold(seen: int, config: PolicyConfig) -> float | None:
    """Return what p_accept must exceed by schedule; None while nothing may be served locally."""
    return None if seen < config.forward_only else band_value(config.accept_thresholds, seen)


def required_p_accept(scored: ScoredDraft, request: Request, config: PolicyConfig) -> float | None:
    """Return what p_accept of this draft must exceed, by all rules; None while nothing may be served locally.

    The rules are the schedule, `max_bad_rate`, and a higher minimum for drafts with a destructive command. A draft that
    is likely to answer another question than the one that was asked cannot be good enough, and neither can one that was
    cut. The user's own answer to this question is always good enough.
    """
    if scored.draft.by_user is True:
        return 0.0
    if scored.draft.is_cut is True:
        return 1.0
    if scored.draft.features.get(OTHER_ANSWER, 0.0) > config.max_other_answer:
        return 1.0
    is_scheduled = SOURCE_RULES[scored.draft.source].is_scheduled
    minimum = accept_threshold(request.seen, config) if is_scheduled else 0.0
    if minimum is None:
        return None
    if (threshold := threshold_for(scored.draft, request)) is not None:
        minimum = max(minimum, threshold.serve)
    if (
        is_scheduled and scored.p_accept > minimum and destroys(scored.draft.text)
    ):  # reading a draft is slow: only if it matters
        return max(minimum, config.accept_destroying)
    return minimum


def accepts(scored: ScoredDraft, request: Request, config: PolicyConfig) -> bool:
    """Return whether p_accept is high enough for this draft to be served."""
    required = required_p_accept(scored, request, config)
    return required is not None and scored.p_accept > required


def accepts_best(drafts: Sequence[ScoredDraft], route: Route, request: Request, config: PolicyConfig) -> bool:
    """Return whether the best draft is accepted; if not, Claude is asked.

    A strict user gets no draft that the promise of `max_bad_rate` would not cover.
    """
    if not drafts or not route.tries or (request.strict and not request.can_be_covered):
        return False
    return accepts(drafts[0], request, config)


def may_stand(drafts: Sequence[ScoredDraft], request: Request) -> bool:
    """Return whether the best draft may be served if it is accepted.

    It was made without the conversation for a turn that stands alone as far as words tell. Where something is promised
    that is not enough: the judge, who reads the conversation, must have let the draft pass. The user's own answer
    stands as he gave it.
    """
    if not (request.alone and request.thresholds):
        return True
    return bool(drafts and (drafts[0].passed or drafts[0].draft.by_user is True))


def is_worth_a_check(drafts: Sequence[ScoredDraft], request: Request, config: Config, *, is_accepted: bool) -> bool:
    """Return whether to ask the judge about the best draft before it is served.

    A draft that the Validator accepted is checked unless it is hardly ever bad, and a repeat unless repeats hardly ever
    were; one that was made without the turn's conversation always is. Another one must be good often enough, by its
    score and by the words that changed in its question, for those that pass to keep the bound (p_accept reckons with
    these words, so the worse of the two estimates counts); it is never checked if it has a destructive command. In both
    cases the verdict must cost little beside what it is expected to save.
    """
    if not drafts or not request.judging or request.forced_source is not None or request.not_asked is not UNSET:
        return False
    best = drafts[0]
    threshold = threshold_for(best.draft, request)
    is_settled = best.draft.is_cut is True or best.draft.by_user is True
    if threshold is None or is_settled or (request.strict and not request.can_be_covered):
        return False
    other_answer = best.draft.features.get(OTHER_ANSWER, 0.0)
    rate = max(bad_rate(best.p_accept, threshold), other_answer)
    if is_accepted:
        least = min(rate, request.judging.repeat_rate) if SOURCE_RULES[best.draft.source].ends_checks else rate
        in_doubt = least > config.judge.doubt or bool(request.alone)
    elif not SOURCE_RULES[best.draft.source].passes_checks:
        return False
    else:
        is_likely = best.p_accept > request.judging.thresholds[best.draft.source]
        in_doubt = is_likely and other_answer <= _most_bad_before_check(config) and not destroys(best.draft.text)
    if not in_doubt:
        return False
    cost = expected_cost(request.query, best.draft.text, None, config.judge, config.teacher)
    return cost.is_worth(config.judge.worth * (1.0 - rate))


def is_shadow_in_doubt(scored: ScoredDraft, interaction: Interaction, config: Config) -> bool:
    """Return whether to ask the judge about a draft that was compared with Claude's reply.

    Only the meter's doubt is worth a verdict: of an accepted draft it is part of the audit, and a draft that the judge
    refused has its verdict.
    """
    judging, reply = interaction.request.judging, interaction.reply
    if not judging or reply is None or scored.divergence is None or scored.said:
        return False
    if interaction.audit_probability is not None and scored is interaction.drafts[0]:
        return False
    by_meter = config.divergence.p_bad(scored.divergence)
    if min(by_meter, 1.0 - by_meter) <= judging.shadow_doubt:
        return False
    cost = expected_cost(interaction.request.query, scored.draft.text, reply.text, config.judge, config.teacher)
    return cost.is_worth(config.judge.worth)


def audit_buys_both(stood: Interaction) -> bool:
    """Return whether this audit buys a whole reply beside the verdict: a share of the audits, by the same draw."""
    judging, probability = stood.request.judging, stood.audit_probability or 0.0
    return not judging or stood.request.audit_draw < judging.both * probability


def best_first(drafts: Iterable[ScoredDraft], request: Request, config: PolicyConfig) -> tuple[ScoredDraft, ...]:
    """Sort drafts: accepted ones first, then those that the judge may let pass, then by p_accept, highest first."""

    def rank(scored: ScoredDraft) -> tuple[bool, bool, float]:
        is_accepted = accepts(scored, request, config)
        return is_accepted, is_accepted or SOURCE_RULES[scored.draft.source].passes_checks, scored.p_accept

    return tuple(sorted(drafts, key=rank, reverse=True))


def doubt(scored: ScoredDraft, request: Request, config: PolicyConfig) -> float:
    """Return how doubtful an accepted draft is: its expected bad rate to the power of `audit_focus`.

    The rate comes from the curve of measured scores; where nothing is promised there is none, and 1 - p_accept is used.
    A draft that the judge let pass is bad less often.
    """
    threshold = threshold_for(scored.draft, request)
    rate = 1.0 - scored.p_accept if threshold is None else bad_rate(scored.p_accept, threshold)
    if scored.passed and request.judging:
        rate = sigmoid(log_odds(rate) + log_odds(request.judging.error))
    return float(rate**config.audit_focus)


def audit_probability(scored: ScoredDraft, request: Request, config: PolicyConfig) -> float:
    """Return the probability that an accepted draft is audited: `audit_rate` on average, more for doubtful drafts.

    It depends on the past, the query, the draft, its score and a verdict before, never on the reply. So dividing by it
    makes estimates from audits unbiased. The user's own answer is none of the program's, and never audited.
    """
    if scored.draft.by_user is True:
        return 0.0
    if not SOURCE_RULES[scored.draft.source].is_audited_by_doubt and not scored.passed:
        return request.audit_rate
    return _audit_probability_at(doubt(scored, request, config), request.audit_rate, request.usual_doubt, config)


def _audit_probability_at(doubt: float, audit_rate: float, usual_doubt: float, config: PolicyConfig) -> float:
    if not audit_rate:
        return 0.0
    relative_doubt = doubt / max(usual_doubt, config.least_doubt)
    least = min(max(config.audit_evenly * audit_rate, config.audit_floor), audit_rate)
    return min(least + (audit_rate - least) * relative_doubt, 1.0)
