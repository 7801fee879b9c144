"""Say how probable it is that a draft is bad, by everything that was found out about it. Pure.

Nobody sees whether a draft is bad. The meter returns a probability that was fitted to people's judgements, for pairs of
which half are bad; the judge errs at a known rate, both ways. Given whether the draft is bad, the two are taken to be
independent. So odds multiply (Bayes):

    odds of bad = prior odds · odds by the meter · Π (1 - error) / error for "bad", error / (1 - error) for "good"
"""

import math

from shammah_mlx.config import DivergenceConfig
from shammah_mlx.events import ScoredDraft
from shammah_mlx.numerics import log_odds, sigmoid

NEUTRAL = 0.5  # the prior where nothing else is known
MOST = 12.0  # log-odds; the meter and the judge can be wrong, and two certainties must not make NaN


def p_bad(scored: ScoredDraft, divergence: DivergenceConfig, error: float, prior: float = NEUTRAL) -> float | None:
    """Return the probability that a draft is bad; None if nothing was found out.

    `error` is the judge's rate of wrong verdicts, `prior` the probability before anything was found out.
    """
    verdicts = scored.verdicts or ()
    if scored.divergence is None and not verdicts:
        return None
    odds = _bounded(log_odds(prior))
    for verdict in verdicts:
        odds += log_odds(error) if verdict.good else -log_odds(error)
    if scored.divergence is not None:
        by_meter = divergence.p_bad(scored.divergence)
        if by_meter in (0.0, 1.0) and not verdicts:
            return by_meter  # the same text, or a meter that knows no doubt
        odds += _bounded(log_odds(by_meter))
    return sigmoid(odds)


def _bounded(odds: float) -> float:
    return math.copysign(min(abs(odds), MOST), odds)
