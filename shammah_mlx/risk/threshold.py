"""Which scores may be served: thresholds under which, by what was measured here, few enough drafts are bad.

A draft's score is the Validator's p_accept, recorded before any reply is seen. Drafts are counted by score, in cells.
Where a query was forwarded its draft is measured for certain (a shadow), where it was served with probability π; given
the score that is chance, so a cell's share of bad ones needs no weights. A curve through the cells, log-odds of good =
offset + slope · log-odds of the score, is fitted from the prior that scores are honest. The *candidate* threshold is
the lowest at which what would reach the user is bad at most at the rate a that is allowed, the curve's own doubt added.
That is a selector: it forgets slowly, and starts anew when labels stop looking like its curve (Page's test, 1954).

*Feedback* only tightens it. Let S mark drafts that stood, U candidates that did not, A an audit, D a bad draft, π the
probability of that audit. After every draft

    f = max(0, f + h (S A D (1 - π) / π - a S (1 - A D) + U (D - a)))

and the next stands if its score exceeds t + f (1 - t), t the candidate threshold: none does at f = 1, until shadows of
candidates have brought it down (those that are bad raise it to 1 at most). Summing up, since the clip at 0 only adds,

    Σ S A D (1 - π) / π  <=  a Σ S (1 - A D) + a Σ U + f / h,   and f < 1 + h / π after the last that stood.

The left side estimates the bad answers served without bias, whatever drafts, models and thresholds do, those of an
adversary included. So the expected number of bad answers is at most a times that of the answers served, and `slack`. An
audit that Claude could not be had for counts as bad at once, for itself and those it stands for; what it owes is given
back if the late reply agrees. That cells need no weights is the selector's assumption alone: the sum above needs none.
Pure: no clock, no chance, no disk.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np

from shammah_mlx.config import Config, RiskConfig
from shammah_mlx.events import DraftSource, Interaction, ScoredDraft, Threshold
from shammah_mlx.numerics import log_odds, newton, sigmoid

LOWEST, WIDTH, CELLS = -1.0, 0.25, 29  # log-odds of the score, 0.27 to 0.998; the rest goes to the ends
WORTH = 0.9  # probability of an audit from which a draft is as good as forwarded
NEWTON_STEPS, LONGEST_STEP = 50, 0.5  # a full step overshoots where the curve is far from the prior
Pair = tuple[float, float]
SOURCES: dict[str, tuple[DraftSource, ...]] = {
    "scratch": ("decoder",),
    "recall": ("recall",),
    "recall+decoder": ("recall", "decoder"),
}


How = Literal["stood", "missed", "shadow", "late"]


class ScoreCounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was measured of one source of drafts."""

    drafts: tuple[float, ...] = (0.0,) * CELLS  # by score, measured or not
    measured: tuple[float, ...] = (0.0,) * CELLS
    bad: tuple[float, ...] = (0.0,) * CELLS  # of the measured
    feedback: float = 0.0
    surprise: float = 0.0  # Page's sum: how much less the latest labels look like the curve than like a worse one
    restarts: int = 0  # times that it went too far


HONEST = Threshold(candidate=1.0, serve=1.0, offset=0.0, slope=1.0)  # before anything is promised


class Observation(msgspec.Struct, frozen=True):
    """One draft, as the selector sees it."""

    score: float
    how: How  # a refused one is a shadow; a late one had been missed, and is measured only now
    bad: bool | None  # None: not measured; a late one: given up, which counts as bad
    p: float  # probability that it was to be measured


def slack(candidates: float, least_probability: float, config: RiskConfig) -> float:
    """Return how many bad answers may be served, in expectation, beyond the rate of those served.

    `candidates` did not stand; `least_pi` is the least probability with which any that stood was to be audited.
    """
    return config.max_bad_rate * candidates + 1.0 / config.feedback + 1.0 / least_probability


CountsBySource = Mapping[DraftSource, ScoreCounts]
"""What was measured, by source."""


def no_counts(config: Config) -> CountsBySource:
    """Return what a home starts from."""
    return {source: ScoreCounts() for source in SOURCES[config.generator]}


def updated(
    score_counts: CountsBySource, interaction: Interaction, config: Config, void: Collection[DraftSource] = ()
) -> CountsBySource:
    """Add the drafts of one interaction, but for those of the sources in `void`: scored or measured by other parts.

    Those that the Router would not have tried say nothing of those it tries, however sure the Validator is. What the
    user insisted on (`--local`) promises nothing. Nor is anything learnt where nothing is promised.
    """
    if interaction.request.forced_source == "local" or not config.risk.promises:
        return score_counts
    found = dict(score_counts)
    for scored in counted(interaction):
        source, divergence = scored.draft.source, scored.divergence
        if source not in found or source in void:
            continue
        observation = Observation(
            score=scored.p_accept,
            how=_how(interaction),
            bad=None if divergence is None else not config.divergence.is_good(divergence),
            p=interaction.p_measured(source),
        )
        found[source] = record(
            found[source], observation, interaction.request.thresholds.get(source, HONEST), config.risk
        )
    return found


def counted(interaction: Interaction) -> list[ScoredDraft]:
    """Return the drafts that are evidence: beside one that stood none is, since the others were not to be served."""
    drafts, route = interaction.drafts, interaction.route
    return [
        scored
        for scored in (drafts if interaction.audit_probability is None else drafts[:1])
        if route.threshold is None or route.p_locals.get(scored.draft.source, 0.0) > route.threshold
    ]


def _how(interaction: Interaction) -> How:
    if interaction.audit_probability is None:
        return "shadow"
    if interaction.late_for is not None:
        return "late"
    return "missed" if interaction.audit_open else "stood"


def bad_rate(score: float, threshold: Threshold) -> float:
    """Return how often drafts of this score are bad, by the curve of the bar."""
    return sigmoid(-(threshold.offset + threshold.slope * log_odds(score)))


def choose(counts: ScoreCounts, config: RiskConfig, audited: Callable[[float], float]) -> Threshold:
    """Return the thresholds; `audited` gives the probability of an audit of a draft that is bad at some rate."""
    (offset, slope), spread = _fit(counts, config)
    curve = Threshold(candidate=1.0, serve=1.0, offset=offset, slope=slope)
    candidate = 1.0
    known = served = bad = 0.0
    pull = (0.0, 0.0)  # of offset and slope on the bad ones
    for cell in reversed(range(CELLS)):
        count, x = counts.drafts[cell], LOWEST + (cell + 0.5) * WIDTH
        rate = sigmoid(-(offset + slope * x))
        audit_probability = audited(rate)
        if audit_probability >= WORTH:
            break
        known += counts.measured[cell]
        served += count * (1.0 - audit_probability * rate)  # what an audit finds bad is not served
        bad += count * (1.0 - audit_probability) * rate
        change = count * (1.0 - audit_probability) * rate * (1.0 - rate)
        pull = (pull[0] + change, pull[1] + change * x)
        doubt = math.sqrt(max(_quadratic(spread, pull), 0.0))
        if count and known >= config.known and bad + config.caution * doubt <= config.max_bad_rate * served:
            candidate = _edge(cell)
    return msgspec.structs.replace(
        curve, candidate=candidate, serve=min(candidate + counts.feedback * (1.0 - candidate), 1.0)
    )


def record(counts: ScoreCounts, observation: Observation, threshold: Threshold, config: RiskConfig) -> ScoreCounts:
    """Add one draft; `bar` is what it was held against."""
    cell = _cell(observation.score)
    is_new = observation.how != "late"
    kept = 1.0 - 1.0 / config.memory if is_new else 1.0
    feedback = max(0.0, counts.feedback + config.feedback * _owed(observation, threshold, config.max_bad_rate))
    if observation.how == "shadow":
        feedback = min(feedback, max(counts.feedback, 1.0))  # more would only take longer to undo
    drafts = _added(counts.drafts, cell, float(is_new), kept)
    measured = _added(counts.measured, cell, float(observation.bad is not None), kept)
    bad = _added(counts.bad, cell, float(observation.bad or 0.0), kept)
    surprise = counts.surprise
    if observation.bad is not None and observation.score >= config.tail:
        surprise = max(
            0.0, surprise + _surprise(bad_rate(observation.score, threshold), config.worse_odds, bad=observation.bad)
        )
    if surprise > config.alarm:
        return ScoreCounts(drafts=drafts, feedback=feedback, restarts=counts.restarts + 1)
    return ScoreCounts(drafts, measured, bad, feedback, surprise, counts.restarts)


def _owed(observation: Observation, threshold: Threshold, rate: float) -> float:
    """Return by how much what is known of this draft exceeds what is allowed, weighed by how seldom it is known."""
    if observation.how == "missed":
        return 1.0 / observation.p - rate  # beside those it stands for, it was served itself
    if observation.how == "late":
        return -1.0 / observation.p if observation.bad is False else 0.0
    if observation.how == "stood":
        return (1.0 - observation.p) / observation.p if observation.bad else -rate
    if observation.score < threshold.candidate or observation.bad is None:
        return 0.0
    return float(observation.bad) - rate


def _surprise(rate: float, worse_odds: float, *, bad: bool) -> float:
    """Return the log-likelihood of one label if bad drafts are so many times likelier than by the curve, less by it."""
    expected = min(max(rate, 1e-3), 1.0 - 1e-3)
    odds = worse_odds * expected / (1.0 - expected)
    worse = odds / (1.0 + odds)
    return math.log(worse / expected) if bad else math.log((1.0 - worse) / (1.0 - expected))


def _fit(counts: ScoreCounts, config: RiskConfig) -> tuple[Pair, tuple[float, float, float]]:
    """Return offset and slope of the curve, and their covariance (oo, os, ss): Newton's method from the prior."""
    cells = [
        (LOWEST + (cell + 0.5) * WIDTH, counts.measured[cell], counts.measured[cell] - counts.bad[cell])
        for cell in _tail(config)
        if counts.measured[cell]
    ]
    covariance = (1.0 / config.offset_strength, 0.0, 1.0 / config.slope_strength)

    def step(curve: np.ndarray) -> np.ndarray:
        nonlocal covariance
        offset, slope = curve.tolist()
        by_offset, by_slope = config.offset_strength * offset, config.slope_strength * (slope - 1.0)
        oo, os, ss = config.offset_strength, 0.0, config.slope_strength
        for x, measured, good in cells:
            p = sigmoid(offset + slope * x)
            by_offset, by_slope = by_offset + measured * p - good, by_slope + (measured * p - good) * x
            weight = measured * p * (1.0 - p)
            oo, os, ss = oo + weight, os + weight * x, ss + weight * x * x
        determinant = oo * ss - os * os
        covariance = (ss / determinant, -os / determinant, oo / determinant)
        return np.array(
            [covariance[0] * by_offset + covariance[1] * by_slope, covariance[1] * by_offset + covariance[2] * by_slope]
        )

    offset, slope = newton(np.array([0.0, 1.0]), step, longest_step=LONGEST_STEP, most_steps=NEWTON_STEPS).tolist()
    return (offset, slope), covariance


def _tail(config: RiskConfig) -> list[int]:
    """Return the cells that say something of what may be served."""
    return [cell for cell in range(CELLS) if _edge(cell) >= config.tail - 1e-9]


def _quadratic(covariance: tuple[float, float, float], pull: Pair) -> float:
    oo, os, ss = covariance
    return pull[0] ** 2 * oo + 2.0 * pull[0] * pull[1] * os + pull[1] ** 2 * ss


def _cell(score: float) -> int:
    return min(max(math.floor((log_odds(score) - LOWEST) / WIDTH), 0), CELLS - 1)


def _edge(cell: int) -> float:
    """Return the lowest score of a cell."""
    return sigmoid(LOWEST + cell * WIDTH)


def _added(counts: Sequence[float], cell: int, amount: float, kept: float) -> tuple[float, ...]:
    return tuple(kept * count + amount * (place == cell) for place, count in enumerate(counts))
