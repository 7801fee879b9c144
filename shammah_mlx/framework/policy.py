"""Who answers, and when Claude is asked as well: pure decisions (specification, Cold Start and Sampling Strategy)."""

import random
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from shammah_mlx.config import Config, PolicyConfig
from shammah_mlx.events import AskOptions, DraftSource, Query, Request, Route, ScoredDraft, Threshold
from shammah_mlx.framework.schedules import band_value
from shammah_mlx.risk.threshold import CountsBySource, bad_rate, choose
from shammah_mlx.text.destructive import destroys
from shammah_mlx.text.sensitive import holds_secret


class Standing(msgspec.Struct, frozen=True):
    """What the past of a home says about the next request."""

    seen: int  # queries handled so far
    usual_doubt: float = 1.0  # mean doubt of the drafts that stood
    score_counts: CountsBySource = {}
    open_audits: int = 0  # audits that are due because Claude could not be reached


def make_request(query: Query, number: int, standing: Standing, options: AskOptions, config: Config) -> Request:
    """Draw the query's random number and look up its rates, before anything is drafted. A secret is not stored."""
    said = (
        query.text,
        query.system or "",
        *(text for turn in query.history for text in (turn.question, turn.answer)),
    )
    secret = any(holds_secret(text) for text in said)
    stored = options.stored and not secret
    audit_rate = (band_value(config.policy.audits, standing.seen) or 0.0) if stored else 0.0
    shadows = config.policy.shadows.items()
    return Request(
        number=number,
        seen=standing.seen,
        query=query,
        forced_source=options.forced_source,
        audit_draw=audit_draw(config.seed, number, query.text),
        audit_rate=audit_rate,
        shadow_rates={source: band_value(bands, standing.seen) or 0.0 for source, bands in shadows},
        usual_doubt=standing.usual_doubt,
        thresholds=thresholds(standing.score_counts, audit_rate, standing.usual_doubt, config),
        secret=secret,
        stored=stored,
        strict=options.strict,
        open_audits=standing.open_audits,
    )


def thresholds(
    score_counts: CountsBySource, audit_rate: float, usual_doubt: float, config: Config
) -> dict[DraftSource, Threshold]:
    """Return what drafts of each source must reach for the sake of `max_bad_rate`."""

    def audited(bad_rate: float) -> float:
        return _audit_probability(bad_rate**config.policy.audit_focus, audit_rate, usual_doubt, config.policy)

    promised = score_counts if config.risk.promises else {}
    return {source: choose(counts, config.risk, audited) for source, counts in promised.items()}


def audit_draw(seed: int, number: int, text: str) -> float:
    """Draw the uniform number of one query: the same for the same seed, journal number and text, on every machine.

    The text, because two queries asked at once begin with one number.
    """
    return random.Random(f"{seed}/{number}/{text}").random()  # a string seed is hashed with SHA-512


def route(p_locals: Mapping[DraftSource, float], request: Request, config: PolicyConfig) -> Route:
    """Decide between local tries and Claude: local only above the threshold of the phase `seen` is in."""
    threshold = route_threshold(request.seen, config)
    if request.forced_source == "local":
        tries = tuple(sorted(p_locals, key=lambda source: -p_locals[source]))
    elif request.forced_source == "claude" or threshold is None:
        tries = ()
    else:
        tries = tuple(source for source, p_local in p_locals.items() if p_local > threshold)
    return Route(dict(p_locals), threshold, tries)


def route_threshold(seen: int, config: PolicyConfig) -> float | None:
    """Return what p_local must exceed; None while nothing may be served locally."""
    return None if seen < config.forward_only else band_value(config.route_thresholds, seen)


def accept_threshold(seen: int, config: PolicyConfig) -> float | None:
    """Return what p_accept must exceed; None while nothing may be served locally."""
    return None if seen < config.forward_only else band_value(config.accept_thresholds, seen)


def accepts(scored: ScoredDraft, request: Request, config: PolicyConfig) -> bool:
    """Say whether the Validator's probability lets a draft stand; a command that destroys must be surer."""
    threshold = threshold_for(scored, request, config)
    return threshold is not None and scored.p_accept > threshold


def threshold_for(scored: ScoredDraft, request: Request, config: PolicyConfig) -> float | None:
    """Return what p_accept must exceed for this draft; None while nothing may be served locally."""
    threshold = accept_threshold(request.seen, config)
    if threshold is None:
        return None
    if (promised := request.thresholds.get(scored.draft.source)) is not None:
        threshold = max(threshold, promised.serve)
    if scored.p_accept > threshold and destroys(scored.draft.text):
        return max(
            threshold, config.accept_destroying
        )  # looked at only where it matters: reading a draft takes its time
    return threshold


def stands(drafts: Sequence[ScoredDraft], route: Route, request: Request, config: PolicyConfig) -> bool:
    """Say whether the best draft is to be served, or else Claude asked."""
    if not drafts or route.threshold is None or (request.strict and not request.can_be_covered):
        return False
    return accepts(drafts[0], request, config)


def best_first(drafts: Iterable[ScoredDraft], request: Request, config: PolicyConfig) -> tuple[ScoredDraft, ...]:
    """Return the drafts in the order they would be served."""
    return tuple(sorted(drafts, key=lambda scored: (accepts(scored, request, config), scored.p_accept), reverse=True))


def doubt(scored: ScoredDraft, request: Request, config: PolicyConfig) -> float:
    """Return how much there is to learn from an audit of a draft that stood."""
    threshold = request.thresholds.get(scored.draft.source)
    rate = 1.0 - scored.p_accept if threshold is None else bad_rate(scored.p_accept, threshold)
    return float(rate**config.audit_focus)


def audit_probability(scored: ScoredDraft, request: Request, config: PolicyConfig) -> float:
    """Return the probability of an audit: the schedule's on average, more where the draft is more doubtful.

    A function of the past, the query, the draft and its score alone, so that what was measured can be weighed without
    bias.
    """
    return _audit_probability(doubt(scored, request, config), request.audit_rate, request.usual_doubt, config)


def _audit_probability(doubt: float, audit_rate: float, usual_doubt: float, config: PolicyConfig) -> float:
    if not audit_rate:
        return 0.0
    share = doubt / max(usual_doubt, config.least_doubt)
    least = min(max(config.audit_evenly * audit_rate, config.audit_floor), audit_rate)
    return min(least + (audit_rate - least) * share, 1.0)
