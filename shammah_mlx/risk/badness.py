"""Say how probable it is that a draft is bad, by everything that was found out about it. Pure.

Nobody sees whether a draft is bad. The meter returns a probability that was fitted to people's judgements, for pairs of
which half are bad; the judge errs at a known rate, both ways. Given whether the draft is bad, the two are taken to be
independent. So odds multiply (Bayes):

    odds of bad = prior odds · odds by the meter · Π (1 - error) / error for "bad", error / (1 - error) for "good"

The product without the prior is called *evidence* here, and kept as a logarithm: it does not depend on what was
believed before.
"""

import functools
import math

import numpy as np

from shammah_mlx.config import Config, DivergenceConfig
from shammah_mlx.events import Judging, Request, ScoredDraft
from shammah_mlx.numerics import log_odds, sigmoid, sigmoids

REMEMBERED = 64  # priors: the spread moves them a little with every repeat
NEUTRAL = 0.5  # the prior where nothing else is known
MOST = 12.0  # log-odds; the meter and the judge can be wrong, and two certainties must not make NaN
SHARPNESS = 2.2  # sd of the fitted meter's log-odds, given the truth; an AUC of .94
STRETCHED = 0.2  # prior of labels: a lower one gives less noise, a higher one keeps them nearer to [0, 1]
NODES = 40  # of the quadrature: enough for four digits
STEP, FARTHEST = 0.01, 8.0  # sd, of the sum where the mean has jumps; enough for four digits too


def judge_error(request: Request, config: Config) -> float:
    """Return the judge's rate of wrong verdicts as it was assumed when the query was asked."""
    return request.judging.error if request.judging else config.judge.error


def p_bad(scored: ScoredDraft, divergence: DivergenceConfig, error: float, prior: float = NEUTRAL) -> float | None:
    """Return the probability that a draft is bad; None if nothing was found out.

    `error` is the judge's rate of wrong verdicts, `prior` the probability before anything was found out.
    """
    return posterior(evidence(scored, divergence, error), prior)


def evidence(
    scored: ScoredDraft, divergence: DivergenceConfig, error: float, *, skipping_check: bool = False
) -> float | None:
    """Return the log-odds by which all that was found out speaks for "bad"; None if nothing was found out.

    They are infinite for the same text, and by a meter that knows no doubt. `skipping_check` leaves out the first
    verdict: what was known before the draft was served.
    """
    verdicts = scored.said[1 if skipping_check else 0 :]
    if scored.divergence is None and not verdicts:
        return None
    odds = sum((log_odds(error) if verdict.good else -log_odds(error)) for verdict in verdicts)
    if scored.divergence is not None:
        by_meter = divergence.p_bad(scored.divergence)
        if by_meter in (0.0, 1.0) and not verdicts:
            return math.copysign(math.inf, by_meter - NEUTRAL)
        odds += _bounded(log_odds(by_meter))
    return odds


def posterior(evidence: float | None, prior: float) -> float | None:
    """Return the probability of "bad" after evidence; None without any."""
    if evidence is None:
        return None
    return sigmoid(_bounded(log_odds(prior)) + evidence) if math.isfinite(evidence) else float(evidence > 0.0)


def label(scored: ScoredDraft, divergence: DivergenceConfig) -> float:
    """Return a number whose mean is 1 for bad drafts and 0 for good ones, whatever the prior and the judge's errors.

    It is the posterior at a fixed prior, stretched by what the meter does not show; so it can lie outside of [0, 1].
    """
    by_meter = divergence.p_bad(scored.divergence or 0.0)
    if by_meter in (0.0, 1.0) or divergence.kind != "fitted":
        return by_meter
    return STRETCHED + (sigmoid(log_odds(STRETCHED) + log_odds(by_meter)) - STRETCHED) / _shown(STRETCHED)


def most_label(divergence: DivergenceConfig) -> float:
    """Return the largest value of `label`."""
    return STRETCHED + (1.0 - STRETCHED) / _shown(STRETCHED) if divergence.kind == "fitted" else 1.0


def shown(divergence: DivergenceConfig, prior: float, judging: Judging | None = None) -> float:
    """Return the share of a difference in bad rates that an audit shows.

    It is the mean probability of "bad" for bad drafts, less that for good ones; where nothing is found it is 0, and
    both are divided by the share of bad drafts that is found. If drafts are bad at another rate than the prior, the
    mean follows by this share of the difference. With `judging` an audit begins with a verdict.
    """
    if divergence.kind != "fitted":
        return 1.0
    return _shown(prior, judging.error, judging.both) if judging else _shown(prior)


def shown_by_shadow(divergence: DivergenceConfig, prior: float, judging: Judging | None) -> float:
    """Return the same for a shadow: with `judging` the judge is asked where the meter is in doubt."""
    if divergence.kind != "fitted" or not judging:
        return shown(divergence, prior)
    return _shown_beside(prior, judging.error, judging.shadow_doubt)


@functools.lru_cache(REMEMBERED)
def _shown_beside(prior: float, error: float, doubt: float) -> float:
    """Return the share for a meter whose readings between `doubt` and 1 - `doubt` get a verdict as well."""
    odds, step, widest = log_odds(prior), log_odds(1.0 - error), -log_odds(doubt)
    deviations = np.arange(-FARTHEST, FARTHEST, STEP)
    weights = np.exp(-(deviations**2) / 2.0)

    def mean(sign: float) -> float:
        """Return the mean posterior of bad drafts (sign 1) or good ones (-1)."""
        by_meter = sign * SHARPNESS**2 / 2.0 + SHARPNESS * deviations
        right, wrong = sigmoids(odds + by_meter + sign * step), sigmoids(odds + by_meter - sign * step)
        judged = (1.0 - error) * right + error * wrong
        posteriors = np.where(np.abs(by_meter) < widest, judged, sigmoids(odds + by_meter))
        return float((weights * posteriors).sum() / weights.sum())

    return mean(1.0) - mean(-1.0)


@functools.lru_cache(REMEMBERED)
def _shown(prior: float, error: float = NEUTRAL, both: float = 1.0) -> float:
    """Return the same for a meter alone, or after a verdict; by default the verdict says nothing."""
    odds, step = log_odds(prior), log_odds(1.0 - error)
    of_bad = (1.0 - error) * _mean(odds + step, 1.0) + both * error * _mean(odds - step, 1.0)
    of_good = error * _mean(odds + step, -1.0) + both * (1.0 - error) * _mean(odds - step, -1.0)
    return (of_bad - of_good) / (1.0 - (1.0 - both) * error)


def _mean(odds: float, sign: float) -> float:
    """Return the mean posterior of bad drafts (sign 1) or good ones (-1) from prior odds.

    The meter's log-odds are normal given the truth; calibrated ones have means of half their variance.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    posteriors = sigmoids(odds + sign * SHARPNESS**2 / 2.0 + SHARPNESS * nodes)
    return float((weights * posteriors).sum() / weights.sum())


def _bounded(odds: float) -> float:
    return math.copysign(min(abs(odds), MOST), odds)
