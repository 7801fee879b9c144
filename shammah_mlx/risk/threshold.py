"""Thresholds on scores: the lowest at which few enough drafts are bad, by what was measured in this home.

A draft's score is the Validator's p_accept, recorded before any reply is seen. Drafts are counted by score, in cells.
The draft of a forwarded query is always measured (a shadow); an accepted draft is measured with probability π. Given
the score that is pure chance, so a cell's share of bad drafts needs no weights. A curve is fitted through the cells,
log-odds of good = offset + slope · log-odds of the score, starting from the prior that scores are honest. The
*candidate* threshold is the lowest one at which the served answers would be bad at most at the allowed rate a, with the
curve's own uncertainty added. This part is a selector: it forgets slowly, and it starts anew when labels stop looking
like its curve (Page's test, 1954).

*Feedback* only tightens the threshold. Let S mark accepted drafts, U candidates that were not accepted, A an audit,
D a bad draft, π the probability of that audit. After every draft

    f = max(0, f + h (S A D (1 - π) / π - a S (1 - A D) + U (D - a)))

and the next draft is accepted if its score exceeds t + f (1 - t), where t is the candidate threshold. At f = 1 none is,
until shadows of candidates have brought f down (bad shadows raise f to 1 at most). Summing up, since clipping at 0 only
adds,

    Σ S A D (1 - π) / π  <=  a Σ S (1 - A D) + a Σ U + f / h,   and f < 1 + h / π after the last that was accepted.

The left side estimates the bad answers served without bias, whatever drafts, models and thresholds do, an adversary's
included. So the expected number of bad answers is at most a times that of the answers served, plus `slack`. An audit
that Claude could not answer counts as bad at once, for itself and for the drafts it stands for; a late reply that
agrees takes this back. Only the selector assumes that cells need no weights; the sum above does not.
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
from shammah_mlx.risk.badness import p_bad

LOWEST, WIDTH, CELLS = -1.0, 0.25, 29  # in log-odds of the score, 0.27 to 0.998; scores beyond go to the end cells
AS_GOOD_AS_FORWARDED = 0.9  # audit probability from which serving a draft saves hardly any call
NEWTON_STEPS, LONGEST_STEP = 50, 0.5  # a full step overshoots where the curve is far from the prior
Pair = tuple[float, float]
SOURCES: dict[str, tuple[DraftSource, ...]] = {
    "scratch": ("decoder",),
    "recall": ("repeat", "recall"),
    "recall+decoder": ("repeat", "recall", "decoder"),
}
Kind = Literal["accepted", "checked", "missed", "shadow", "late"]
"""How a draft came to be observed. `checked`: the judge let it pass, and no audit fell on it; `missed`: it was accepted, but its audit got no reply; `late`: that audit is done or
given up; `shadow`: the draft was not accepted."""


class ScoreCounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was measured of the drafts of one source, by cell of the score. Field names are stored."""

    drafts: tuple[float, ...] = (0.0,) * CELLS  # measured or not
    measured: tuple[float, ...] = (0.0,) * CELLS
    bad: tuple[float, ...] = (0.0,) * CELLS  # among the measured
    feedback: float = 0.0
    surprise: float = 0.0  # Page's sum: log-likelihood of the latest labels under a worse curve, over this curve's
    restarts: int = 0  # times that it passed the alarm and the counts started anew


SERVE_NOTHING = Threshold(candidate=1.0, serve=1.0, offset=0.0, slope=1.0)  # the curve is the prior: honest scores


class Observation(msgspec.Struct, frozen=True):
    """One draft, as `record` sees it."""

    score: float
    kind: Kind
    bad: float | None  # probability that it is; None: not measured; for a `late` one: given up, which counts as bad
    p_found: float  # probability that it would be found if it is bad
    spread: float = 0.0  # of Claude's own answers; only what exceeds it counts against the bound


def slack(candidates: float, least_probability: float, config: RiskConfig) -> float:
    """Return how many bad answers may be served, in expectation, beyond `max_bad_rate` of the answers served.

    `candidates` is the number of candidates not accepted, `least_probability` the smallest audit probability of an
    accepted draft.
    """
    return config.max_bad_rate * candidates + 1.0 / config.feedback + 1.0 / least_probability


CountsBySource = Mapping[DraftSource, ScoreCounts]
"""What was measured, by source of the drafts."""


def no_counts(config: Config) -> CountsBySource:
    """Return the counts of a new home."""
    return {source: ScoreCounts() for source in SOURCES[config.generator]}


def add_interaction(
    score_counts: CountsBySource, interaction: Interaction, config: Config, void: Collection[DraftSource] = ()
) -> CountsBySource:
    """Add the drafts of one interaction, except those of sources in `void`, which other versions scored or measured.

    Left out are drafts that the Router would not have tried, which say nothing about those it tries, and answers that
    the user forced (`--local`). Nothing changes where nothing is promised.
    """
    if interaction.request.forced_source == "local" or not config.risk.promises:
        return score_counts
    updated = dict(score_counts)
    for scored in counted_drafts(interaction):
        source = scored.draft.source
        if source not in updated or source in void:
            continue
        threshold = interaction.request.thresholds.get(source, SERVE_NOTHING)
        observation = Observation(
            score=scored.p_accept,
            kind=_kind(interaction),
            bad=_p_bad(scored, threshold, interaction, config),
            p_found=interaction.p_found(source),
            spread=interaction.request.spread or 0.0,
        )
        updated[source] = record(updated[source], observation, threshold, config.risk)
    return updated


def _p_bad(scored: ScoredDraft, threshold: Threshold, interaction: Interaction, config: Config) -> float | None:
    judging = interaction.request.judging
    error = judging.error if judging else config.judge.error
    return p_bad(scored, config.divergence, error, bad_rate(scored.p_accept, threshold))


def spread(score_counts: CountsBySource, config: RiskConfig) -> float:
    """Return how bad Claude's own answer is on average when the same question is asked again, with caution.

    The meter and Claude himself differ from time to time; no local answer can do better than another answer of
    Claude's. The mean is over repeated questions; it is lowered by its standard error.
    """
    counts = score_counts.get("repeat", ScoreCounts())
    measured, bad = sum(counts.measured), sum(counts.bad)
    if measured < config.known_spread:
        return 0.0
    mean = bad / measured
    return max(0.0, mean - config.caution * math.sqrt(mean * (1.0 - mean) / measured))


def with_feedback(candidate: float, feedback: float) -> float:
    """Return the threshold after feedback: f = 0 leaves the candidate, f = 1 accepts nothing."""
    return min(candidate + feedback * (1.0 - candidate), 1.0)


def counted_drafts(interaction: Interaction) -> list[ScoredDraft]:
    """Return the drafts that count: those the Router would try; beside an accepted draft no other."""
    drafts, route = interaction.drafts, interaction.route
    return [
        scored
        for scored in (drafts if interaction.audit_probability is None else drafts[:1])
        if route.threshold is None
        or scored.draft.source in route.tries
        or route.p_locals.get(scored.draft.source, 0.0) > route.threshold
    ]


def _kind(interaction: Interaction) -> Kind:
    if interaction.audit_probability is None:
        return "shadow"
    if interaction.late_for is not None:
        return "late"
    if interaction.audit_open:
        return "missed"
    return "checked" if interaction.by_check and interaction.outcome == "approved" else "accepted"


def bad_rate(score: float, threshold: Threshold) -> float:
    """Return how often drafts of this score are bad, by the threshold's curve."""
    return sigmoid(-(threshold.offset + threshold.slope * log_odds(score)))


def choose(
    counts: ScoreCounts,
    config: RiskConfig,
    audited: Callable[[float], float],
    *,
    spread: float = 0.0,
    is_trusted: bool = False,
) -> Threshold:
    """Return the thresholds for the next draft.

    `audited` returns the audit probability of a draft that is bad at a given rate. A source that `is_trusted` is
    served from the first draft on, where its curve allows it draft by draft: nothing need be counted before.
    """
    (offset, slope), covariance = _fit(counts, config)
    curve = Threshold(candidate=1.0, serve=1.0, offset=offset, slope=slope)
    if is_trusted:
        allowed = (
            cell
            for cell in range(CELLS)
            if _cautious_rate(LOWEST + (cell + 0.5) * WIDTH, (offset, slope), covariance, config) <= config.max_bad_rate
        )
        first = next(allowed, None)
        candidate = 1.0 if first is None else _edge(first)
        return msgspec.structs.replace(curve, candidate=candidate, serve=with_feedback(candidate, counts.feedback))
    candidate = 1.0
    known = served = bad = 0.0
    gradient = (0.0, 0.0)  # of the bad answers served, by offset and slope
    for cell in reversed(range(CELLS)):
        count, x = counts.drafts[cell], LOWEST + (cell + 0.5) * WIDTH
        rate = sigmoid(-(offset + slope * x))
        audit_probability = audited(rate)
        if audit_probability >= AS_GOOD_AS_FORWARDED:
            break
        known += counts.measured[cell]
        served += count * (1.0 - audit_probability * rate)  # what an audit finds bad is not served
        bad += count * (1.0 - audit_probability) * rate
        change = count * (1.0 - audit_probability) * rate * (1.0 - rate)
        gradient = (gradient[0] + change, gradient[1] + change * x)
        deviation = math.sqrt(max(_quadratic(covariance, gradient), 0.0))
        if (
            count
            and known >= config.known
            and bad + config.caution * deviation <= (config.max_bad_rate + spread) * served
        ):
            candidate = _edge(cell)
    return msgspec.structs.replace(curve, candidate=candidate, serve=with_feedback(candidate, counts.feedback))


def record(counts: ScoreCounts, observation: Observation, threshold: Threshold, config: RiskConfig) -> ScoreCounts:
    """Add one draft; `threshold` is the one it was compared with."""
    cell = _cell(observation.score)
    is_new = observation.kind != "late"
    fading = 1.0 - 1.0 / config.memory if is_new else 1.0
    feedback = max(0.0, counts.feedback + config.feedback * _excess(observation, threshold, config.max_bad_rate))
    if observation.kind == "shadow":
        feedback = min(feedback, max(counts.feedback, 1.0))  # more would only take longer to undo
    drafts = _added(counts.drafts, cell, float(is_new), fading)
    measured = _added(counts.measured, cell, float(observation.bad is not None), fading)
    bad = _added(counts.bad, cell, float(observation.bad or 0.0), fading)
    surprise = counts.surprise
    if observation.bad is not None and observation.score >= config.tail:
        surprise = max(
            0.0,
            surprise
            + _log_likelihood_ratio(bad_rate(observation.score, threshold), config.worse_odds, observation.bad),
        )
    if surprise > config.alarm:
        return ScoreCounts(drafts=drafts, feedback=feedback, restarts=counts.restarts + 1)
    return ScoreCounts(drafts, measured, bad, feedback, surprise, counts.restarts)


def _excess(observation: Observation, threshold: Threshold, rate: float) -> float:
    """Return how far a draft exceeds the allowed rate, weighted by the inverse of the probability of finding it."""
    p, bad = observation.p_found, observation.bad
    if observation.kind == "missed":
        return 1.0 / p - rate  # it counts for the drafts it stands for, and was served itself
    if observation.kind == "late":
        return 0.0 if bad is None else -(1.0 - bad) / p
    if observation.kind == "checked":
        return -rate
    if observation.kind == "accepted":
        if bad is None:
            return -rate
        return (1.0 - p) / p * (bad - observation.spread) - rate * (1.0 - bad)
    if observation.score < threshold.candidate or bad is None:
        return 0.0
    return bad - observation.spread - rate


def _log_likelihood_ratio(rate: float, worse_odds: float, bad: float) -> float:
    """Return the log-likelihood ratio of one label: bad odds `worse_odds` times the curve's, over the curve's own."""
    expected = min(max(rate, 1e-3), 1.0 - 1e-3)
    odds = worse_odds * expected / (1.0 - expected)
    worse = odds / (1.0 + odds)
    return bad * math.log(worse / expected) + (1.0 - bad) * math.log((1.0 - worse) / (1.0 - expected))


def _fit(counts: ScoreCounts, config: RiskConfig) -> tuple[Pair, tuple[float, float, float]]:
    """Fit the curve with Newton's method, starting from the prior.

    Returns:
        offset and slope, and their covariance as (variance of offset, covariance, variance of slope)
    """
    cells = [
        (LOWEST + (cell + 0.5) * WIDTH, counts.measured[cell], counts.measured[cell] - counts.bad[cell])
        for cell in _tail(config)
        if counts.measured[cell]
    ]
    covariance = (1.0 / config.offset_strength, 0.0, 1.0 / config.slope_strength)

    def step(curve: np.ndarray) -> np.ndarray:
        nonlocal covariance
        offset, slope = curve.tolist()
        # gradient and Hessian of the negative log-posterior
        d_offset, d_slope = config.offset_strength * offset, config.slope_strength * (slope - 1.0)
        h_offset, h_cross, h_slope = config.offset_strength, 0.0, config.slope_strength
        for x, measured, good in cells:
            p = sigmoid(offset + slope * x)
            d_offset, d_slope = d_offset + measured * p - good, d_slope + (measured * p - good) * x
            weight = measured * p * (1.0 - p)
            h_offset, h_cross, h_slope = h_offset + weight, h_cross + weight * x, h_slope + weight * x * x
        determinant = h_offset * h_slope - h_cross * h_cross
        covariance = (h_slope / determinant, -h_cross / determinant, h_offset / determinant)
        return np.array(
            [covariance[0] * d_offset + covariance[1] * d_slope, covariance[1] * d_offset + covariance[2] * d_slope]
        )

    offset, slope = newton(np.array([0.0, 1.0]), step, longest_step=LONGEST_STEP, most_steps=NEWTON_STEPS).tolist()
    return (offset, slope), covariance


def _cautious_rate(x: float, curve: Pair, covariance: tuple[float, float, float], config: RiskConfig) -> float:
    """Return how often drafts are bad whose score has log-odds x, by the curve, with its uncertainty added."""
    deviation = math.sqrt(max(_quadratic(covariance, (1.0, x)), 0.0))
    return sigmoid(-(curve[0] + curve[1] * x) + config.caution * deviation)


def _tail(config: RiskConfig) -> list[int]:
    """Return the cells of scores high enough to say something about drafts that may be served."""
    return [cell for cell in range(CELLS) if _edge(cell) >= config.tail - 1e-9]


def _quadratic(covariance: tuple[float, float, float], gradient: Pair) -> float:
    """Return the variance of a quantity with this gradient by offset and slope."""
    var_offset, cross, var_slope = covariance
    return gradient[0] ** 2 * var_offset + 2.0 * gradient[0] * gradient[1] * cross + gradient[1] ** 2 * var_slope


def _cell(score: float) -> int:
    return min(max(math.floor((log_odds(score) - LOWEST) / WIDTH), 0), CELLS - 1)


def _edge(cell: int) -> float:
    """Return the lowest score of a cell."""
    return sigmoid(LOWEST + cell * WIDTH)


def _added(counts: Sequence[float], cell: int, amount: float, fading: float) -> tuple[float, ...]:
    return tuple(fading * count + amount * (place == cell) for place, count in enumerate(counts))
