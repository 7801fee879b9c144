"""Fit how often drafts are bad, by their score, to evidence that is rarely certain. Pure.

Evidence about one draft is a log-odds (see `risk.badness`); drafts are counted by cell of the score and by bin of the
evidence. With e the probability of "bad" in a bin at a neutral prior, a draft of a bad rate p makes it as likely as
p e + (1 - p) (1 - e). The curve with the greatest product of these is fitted directly. Fitting to posteriors under the
curve of the moment would let it confirm itself: it would follow the truth late, and from below. Certain evidence makes
this a logistic regression.
"""

import functools
import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from shammah_mlx.config import RiskConfig
from shammah_mlx.numerics import log_odds, newton, sigmoid, sigmoids

LOWEST, WIDTH, CELLS = -1.0, 0.25, 29  # in log-odds of the score, 0.27 to 0.998; scores beyond go to the end cells
STRONGEST = 6  # log-odds of evidence, in steps of 1; stronger ones count as this strong
BINS = 2 * STRONGEST + 3  # the first and the last one are for certain evidence
STEPS, LONGEST_STEP = 100, 0.5  # a full step overshoots where the curve is far from the prior
LEAST_INFORMATION = 0.25  # share of what certain labels would give; keeps steps short where the Hessian is not convex
HALVINGS = 40  # of the interval that holds a rate
LEAST_RATE = 1e-9
REMEMBERED = 8  # fits: of two queries in a row, most sources have the same counts
ANGLES = 1000  # of the sum over rates: enough for three digits of one in a thousand

Pair = tuple[float, float]
Covariance = tuple[float, float, float]
"""Variance of the offset, covariance, variance of the slope."""
Tally = tuple[float, ...]
"""Drafts of one cell, by bin of the evidence about them."""
NOTHING: Tally = (0.0,) * BINS


def bin_of(evidence: float) -> int:
    """Return the bin of evidence."""
    if math.isinf(evidence):
        return 0 if evidence < 0.0 else BINS - 1
    return 1 + STRONGEST + round(min(max(evidence, -STRONGEST), STRONGEST))


def certain(measured: float, bad: float) -> Tally:
    """Return the tally of drafts that were measured beyond doubt."""
    return (measured - bad, *NOTHING[1:-1], bad)


def tally(evidence: Iterable[float]) -> Tally:
    """Count evidence by bin."""
    count = Counter(map(bin_of, evidence))
    return tuple(float(count[place]) for place in range(BINS))


def _neutral() -> np.ndarray:
    """Return e of each bin."""
    inner = sigmoids(np.arange(-STRONGEST, STRONGEST + 1, dtype=np.float64))
    return np.concatenate([[0.0], inner, [1.0]])


NEUTRAL = _neutral()  # e of each bin; 1 - e comes next
OTHERWISE = 1.0 - NEUTRAL
EDGES = tuple(sigmoid(LOWEST + cell * WIDTH) for cell in range(CELLS))
MIDDLES = tuple(LOWEST + (cell + 0.5) * WIDTH for cell in range(CELLS))


def cell_of(score: float) -> int:
    """Return the cell of a score."""
    return min(max(math.floor((log_odds(score) - LOWEST) / WIDTH), 0), CELLS - 1)


def edge(cell: int) -> float:
    """Return the lowest score of a cell."""
    return EDGES[cell]


def middle(cell: int) -> float:
    """Return the log-odds of the score in the middle of a cell."""
    return MIDDLES[cell]


def fit(tallies: Sequence[Tally], config: RiskConfig) -> tuple[Pair, Covariance]:
    """Return the most probable offset and slope, and their covariance; `tallies` has one for each cell."""
    return _fit(tuple(tallies), config)


@functools.lru_cache(REMEMBERED)
def _fit(tallies: tuple[Tally, ...], config: RiskConfig) -> tuple[Pair, Covariance]:
    """Fit, as `fit` says; the arguments can be hashed."""
    used = [cell for cell in range(CELLS) if edge(cell) >= config.tail - 1e-9 and any(tallies[cell])]
    x = np.array([middle(cell) for cell in used])
    counts = np.array([tallies[cell] for cell in used]).reshape(-1, BINS)
    measured, strengths = counts.sum(axis=1), np.array([config.offset_strength, config.slope_strength])
    squares = x * x

    def expand(curve: np.ndarray, least: float) -> tuple[np.ndarray, Covariance]:
        """Return the gradient of the negative log-posterior, and the inverse of its Hessian."""
        p = sigmoids(-(curve[0] + curve[1] * x))
        posteriors = _posteriors(p[:, None])
        bad, expected = counts * posteriors, measured * p
        excess = bad.sum(axis=1) - expected
        labelled = expected * (1.0 - p)  # the information if the truth were seen
        weight = np.maximum(labelled - (bad * (1.0 - posteriors)).sum(axis=1), least * labelled)
        h_offset = config.offset_strength + float(weight.sum())
        h_cross, h_slope = float(weight @ x), config.slope_strength + float(weight @ squares)
        determinant = h_offset * h_slope - h_cross * h_cross
        gradient = strengths * (curve - PRIOR) + np.array([excess.sum(), excess @ x])
        return gradient, (h_slope / determinant, -h_cross / determinant, h_offset / determinant)

    def step(curve: np.ndarray) -> np.ndarray:
        gradient, (offset, cross, slope) = expand(curve, LEAST_INFORMATION)
        change: np.ndarray = np.array([[offset, cross], [cross, slope]]) @ gradient
        return change

    best = newton(PRIOR, step, longest_step=LONGEST_STEP, most_steps=STEPS)
    return (float(best[0]), float(best[1])), expand(best, 0.0)[1]


PRIOR = np.array([0.0, 1.0])  # honest scores


def rate(tallies: Sequence[Tally]) -> Pair:
    """Return the most likely bad rate of all drafts together, and its standard error; no prior."""
    counts = np.sum(np.array(tallies), axis=0)

    def slopes(p: float) -> np.ndarray:
        found: np.ndarray = (NEUTRAL - OTHERWISE) / (p * NEUTRAL + (1.0 - p) * OTHERWISE)
        return found

    low, high = LEAST_RATE, 1.0 - LEAST_RATE
    for _ in range(HALVINGS):
        half = (low + high) / 2.0
        low, high = (half, high) if float(counts @ slopes(half)) > 0.0 else (low, half)
    return low, 1.0 / math.sqrt(max(float(counts @ slopes(low) ** 2), 1.0))


def mean_rate(tallies: Sequence[Tally]) -> float:
    """Return the mean bad rate of all drafts together, by Jeffreys' prior: .5 without evidence, .01 after 50 good ones.

    That prior is uniform in the angle whose squared sine is the rate.
    """
    counts = np.sum(np.array(tallies), axis=0)
    p = np.sin((np.arange(ANGLES) + 0.5) * (math.pi / 2.0 / ANGLES))[:, None] ** 2
    log_likelihood = np.log(p * NEUTRAL + (1.0 - p) * OTHERWISE) @ counts
    weights = np.exp(log_likelihood - log_likelihood.max())
    return float(weights @ p[:, 0] / weights.sum())


def _posteriors(p: np.ndarray) -> np.ndarray:
    """Return the probability of "bad" in each bin, for bad rates p that broadcast against (bins,)."""
    bad = p * NEUTRAL
    found: np.ndarray = bad / (bad + (1.0 - p) * OTHERWISE)
    return found
