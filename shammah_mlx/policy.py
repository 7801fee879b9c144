"""Who answers, and when Claude is asked as well: pure decisions (specification, Cold Start and Sampling Strategy)."""

import random
from collections.abc import Iterable, Mapping

from shammah_mlx.config import Config, PolicyConfig
from shammah_mlx.destruction import destroys
from shammah_mlx.events import DraftSource, Judged, Query, Route, Turn, Wish
from shammah_mlx.schedules import band_value
from shammah_mlx.secrecy import holds_secret


def take_turn(
    query: Query,
    number: int,
    seen: int,
    config: Config,
    *,
    wish: Wish | None = None,
    doubt: float = 1.0,
    kept: bool = True,
) -> Turn:
    """Draw the query's coin and look up its rates, before anything is drafted. A secret is not kept."""
    said = (query.text, query.system or "", *(text for turn in query.history for text in (turn.question, turn.answer)))
    secret = any(holds_secret(text) for text in said)
    return Turn(
        number=number,
        seen=seen,
        query=query,
        wish=wish,
        coin=coin(config.seed, number),
        audit_rate=(band_value(config.policy.audits, seen) or 0.0) if kept and not secret else 0.0,
        shadow_rates={source: band_value(bands, seen) or 0.0 for source, bands in config.policy.shadows.items()},
        usual_doubt=doubt,
        secret=secret,
        kept=kept and not secret,
    )


def coin(seed: int, number: int) -> float:
    """Draw the uniform number of one query: the same for the same seed and journal number, on every machine."""
    return random.Random(f"{seed}/{number}").random()  # a string seed is hashed with SHA-512


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


def accepts(judged: Judged, seen: int, config: PolicyConfig) -> bool:
    """Say whether the Validator's probability lets a draft stand; a command that destroys must be surer."""
    bar = bar_for(judged, seen, config)
    return bar is not None and judged.p_accept > bar


def bar_for(judged: Judged, seen: int, config: PolicyConfig) -> float | None:
    """Return what p_accept must exceed for this draft; None while nothing may be served locally."""
    bar = accept_threshold(seen, config)
    if bar is not None and judged.p_accept > bar and destroys(judged.draft.text):
        return max(bar, config.accept_destroying)  # looked at only where it matters: reading a draft takes its time
    return bar


def best_first(drafts: Iterable[Judged], seen: int, config: PolicyConfig) -> tuple[Judged, ...]:
    """Return the drafts in the order they would be served."""
    return tuple(sorted(drafts, key=lambda judged: (accepts(judged, seen, config), judged.p_accept), reverse=True))


def doubt(p_accept: float, config: PolicyConfig) -> float:
    """Return how much there is to learn from an audit of a draft that stood."""
    return float((1.0 - p_accept) ** config.audit_focus)


def audit_probability(p_accept: float, turn: Turn, config: PolicyConfig) -> float:
    """Return the probability of an audit: the schedule's on average, more where the draft is more doubtful.

    A function of the past, the query and p_accept alone, so that what was measured can be weighed without bias.
    """
    if not turn.audit_rate:
        return 0.0
    share = doubt(p_accept, config) / max(turn.usual_doubt, config.least_doubt)
    least = min(max(config.audit_evenly * turn.audit_rate, config.audit_floor), turn.audit_rate)
    return min(least + (turn.audit_rate - least) * share, 1.0)
