"""Who answers, and when Claude is asked as well: pure decisions (specification, Cold Start and Sampling Strategy)."""

import random

from shammah_mlx.config import Config, PolicyConfig
from shammah_mlx.events import Query, Route, Turn
from shammah_mlx.schedules import band_value


def take_turn(query: Query, number: int, seen: int, at: float, config: Config, *, forced: bool) -> Turn:
    """Draw the query's coin and look up its rates, before anything is drafted."""
    audit_rate = band_value(config.policy.audits, seen) or 0.0
    shadow_rate = band_value(config.policy.shadows, seen) or 0.0
    return Turn(number, seen, at, query, forced, coin(config.seed, number), audit_rate, shadow_rate)


def coin(seed: int, number: int) -> float:
    """Draw the uniform number of one query: the same for the same seed and journal number, on every machine."""
    return random.Random(f"{seed}/{number}").random()  # a string seed is hashed with SHA-512


def route(p_local: float, turn: Turn, config: PolicyConfig) -> Route:
    """Decide between a local try and Claude: local only above the threshold of the phase `seen` is in."""
    threshold = route_threshold(turn.seen, config)
    local = not turn.forced and threshold is not None and p_local > threshold
    return Route(local=local, p_local=p_local, threshold=threshold)


def route_threshold(seen: int, config: PolicyConfig) -> float | None:
    """Return what p_local must exceed; None while nothing may be served locally."""
    return None if seen < config.forward_only else band_value(config.route_thresholds, seen)


def accepts(p_accept: float, config: PolicyConfig) -> bool:
    """Say whether the Validator's probability lets a draft stand."""
    return p_accept > config.accept_threshold
