"""Who answers, and when Claude is asked as well: pure decisions (specification, Cold Start and Sampling Strategy)."""

import random
from collections.abc import Iterable, Mapping, Sequence

from shammah_mlx.config import Config, PolicyConfig
from shammah_mlx.events import Bar, DraftSource, Judged, Query, Route, Turn, Wish
from shammah_mlx.framework.schedules import band_value
from shammah_mlx.risk.threshold import Evidence, bad_rate, choose
from shammah_mlx.text.destructive import destroys
from shammah_mlx.text.sensitive import holds_secret


def take_turn(
    query: Query,
    number: int,
    seen: int,
    config: Config,
    *,
    wish: Wish | None = None,
    usual_doubt: float = 1.0,
    selection: Mapping[DraftSource, Evidence] = {},
    kept: bool = True,
    strict: bool = False,
    open_audits: int = 0,
) -> Turn:
    """Draw the query's coin and look up its rates, before anything is drafted. A secret is not kept."""
    said = (query.text, query.system or "", *(text for turn in query.history for text in (turn.question, turn.answer)))
    secret = any(holds_secret(text) for text in said)
    audit_rate = (band_value(config.policy.audits, seen) or 0.0) if kept and not secret else 0.0

    return Turn(
        number=number,
        seen=seen,
        query=query,
        wish=wish,
        coin=coin(config.seed, number, query.text),
        audit_rate=audit_rate,
        shadow_rates={source: band_value(bands, seen) or 0.0 for source, bands in config.policy.shadows.items()},
        usual_doubt=usual_doubt,
        bars=bars(selection, audit_rate, usual_doubt, config),
        secret=secret,
        kept=kept and not secret,
        strict=strict,
        open_audits=open_audits,
    )


def bars(
    selection: Mapping[DraftSource, Evidence], audit_rate: float, usual_doubt: float, config: Config
) -> dict[DraftSource, Bar]:
    """Return what drafts of each source must reach for the sake of `max_bad_rate`."""

    def audited(bad_rate: float) -> float:
        return _audit_probability(bad_rate**config.policy.audit_focus, audit_rate, usual_doubt, config.policy)

    promised = selection if config.risk.promises else {}
    return {source: choose(evidence, config.risk, audited) for source, evidence in promised.items()}


def coin(seed: int, number: int, text: str) -> float:
    """Draw the uniform number of one query: the same for the same seed, journal number and text, on every machine.

    The text, because two queries asked at once begin with one number.
    """
    return random.Random(f"{seed}/{number}/{text}").random()  # a string seed is hashed with SHA-512


def route(p_locals: Mapping[DraftSource, float], turn: Turn, config: PolicyConfig) -> Route:
    """Decide between local tries and Claude: local only above the threshold of the phase `seen` is in."""
    threshold = route_threshold(turn.seen, config)
    if turn.wish == "local":
        tries = tuple(sorted(p_locals, key=lambda source: -p_locals[source]))
    elif turn.wish == "claude" or threshold is None:
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


def accepts(judged: Judged, turn: Turn, config: PolicyConfig) -> bool:
    """Say whether the Validator's probability lets a draft stand; a command that destroys must be surer."""
    bar = bar_for(judged, turn, config)
    return bar is not None and judged.p_accept > bar


def bar_for(judged: Judged, turn: Turn, config: PolicyConfig) -> float | None:
    """Return what p_accept must exceed for this draft; None while nothing may be served locally."""
    bar = accept_threshold(turn.seen, config)
    if bar is None:
        return None
    if (promised := turn.bars.get(judged.draft.source)) is not None:
        bar = max(bar, promised.serve)
    if judged.p_accept > bar and destroys(judged.draft.text):
        return max(bar, config.accept_destroying)  # looked at only where it matters: reading a draft takes its time
    return bar


def stands(drafts: Sequence[Judged], route: Route, turn: Turn, config: PolicyConfig) -> bool:
    """Say whether the best draft is to be served, or else Claude asked."""
    if not drafts or route.threshold is None or (turn.strict and not turn.can_be_covered):
        return False
    return accepts(drafts[0], turn, config)


def best_first(drafts: Iterable[Judged], turn: Turn, config: PolicyConfig) -> tuple[Judged, ...]:
    """Return the drafts in the order they would be served."""
    return tuple(sorted(drafts, key=lambda judged: (accepts(judged, turn, config), judged.p_accept), reverse=True))


def doubt(judged: Judged, turn: Turn, config: PolicyConfig) -> float:
    """Return how much there is to learn from an audit of a draft that stood."""
    bar = turn.bars.get(judged.draft.source)
    rate = 1.0 - judged.p_accept if bar is None else bad_rate(judged.p_accept, bar)
    return float(rate**config.audit_focus)


def audit_probability(judged: Judged, turn: Turn, config: PolicyConfig) -> float:
    """Return the probability of an audit: the schedule's on average, more where the draft is more doubtful.

    A function of the past, the query, the draft and its score alone, so that what was measured can be weighed without
    bias.
    """
    return _audit_probability(doubt(judged, turn, config), turn.audit_rate, turn.usual_doubt, config)


def _audit_probability(doubt: float, audit_rate: float, usual_doubt: float, config: PolicyConfig) -> float:
    if not audit_rate:
        return 0.0
    share = doubt / max(usual_doubt, config.least_doubt)
    least = min(max(config.audit_evenly * audit_rate, config.audit_floor), audit_rate)
    return min(least + (audit_rate - least) * share, 1.0)
