"""Estimate how many of the answers served were bad, with an interval, from what audits found.

Each accepted draft has a probability p of being found if it is bad, fixed before the random draw decides. Where an
audit finds a bad draft, Claude's answer replaces it. Let Y be 1 for a bad draft and F for one that was found. A found
draft has a label L whose mean is Y, whatever else is known; it is Y itself if that is certain. Then E[F L] = p E[Y], so

    Σ F L (1 - p) / p  estimates  Σ (1 - F) Y  without bias.

Let m be the largest label that is possible. For any stake g in [0, p / (m (1 - p))) chosen before the draw, the product
of 1 + g Y for drafts not found and 1 - g L (1 - p) / p for found ones is a nonnegative martingale: with probability
1 - δ it never reaches 1 / δ (Ville), however drafts, models and p depend on the past. With g = (c / m) p / (1 - p) a
bad draft that was not found multiplies it by 1 + g, and a found one by 1 - (c / m) L, so at all times together

    Σ (1 - F) Y log(1 + g)  ≤  log(1 / δ) - Σ F log(1 - (c / m) L).

The largest number of bad answers that satisfies this is the interval's upper end. Drafts that were found and yet served
have a Y that nobody knows. With q the probability of "bad" after all that was found, they multiply the product by
(1 + g Y) / (1 + g q) as well, whose mean is 1, and enter the sum in the same way. Stakes are capped too: a draft that
is almost certain to be audited says little about the unaudited ones when it is. The lower end follows in the same way
with -g (confidence sequences by betting, arXiv 2010.09686). Nothing is assumed about the drafts: where p is 0, all may
be bad. Pure: no clock, no disk.
"""

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

MISS = 0.05  # probability that the interval ever misses the true number
STAKES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)  # values of c; each gets a share of MISS, and the tightest bound counts
CAPS = (0.1, 1.0, math.inf)  # of stakes; they share MISS too
MOST_STAKE = 0.5  # for the lower end, where a stake of 1 would make the product 0

MOST_ON_SERVED = 1.0  # stake on a draft that was found and served; p can be 1, and its odds infinite

AuditResult = Literal["unaudited", "passed", "served", "replaced", "open"]
"""What came of an accepted draft. `passed`: the judge alone looked at it, and found nothing; `served`: it was compared
with Claude's reply, in time or late, and served; `replaced`: Claude's answer was served instead; `open`: its audit is
still due, since Claude could not be reached, and the draft was served."""


class AcceptedDraft(NamedTuple):
    """A draft that was accepted."""

    p_found: float  # probability that it is found if it is bad
    result: AuditResult
    bad: float = 0.0  # probability that it is, by all that was found; of `served` and `replaced` ones only
    label: float | None = None  # its mean is 1 for bad drafts and 0 for good ones; None: that is certain, by `bad`
    most: float = 1.0  # largest label that was possible

    @property
    def found(self) -> bool:
        """Say whether it was found out how bad it is."""
        return self.result in ("served", "replaced")


class _Found(NamedTuple):
    p: float
    label: float
    most: float


class Estimate(NamedTuple):
    """How many of the answers served locally were bad."""

    local: int  # answers served
    audits: int  # audits made
    uncovered: int  # audits still due, or given up
    bad: float  # unbiased, so it may be below 0; a draft whose audit is still due counts as bad
    low: float  # interval that holds at all times together, with probability 1 - MISS
    high: float

    @property
    def rate(self) -> float | None:
        """Return the estimated share of bad answers; None if nothing was served."""
        return min(max(self.bad / self.local, 0.0), 1.0) if self.local else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the interval of that share."""
        return (self.low / self.local, min(1.0, self.high / self.local)) if self.local else None


def accuracy(decisions: Iterable[tuple[bool, float]]) -> float | None:
    """Return the estimated share of right decisions from (right, probability of being measured); None without any."""
    weighed = [(right / p, 1.0 / p) for right, p in decisions]
    total = sum(weight for _, weight in weighed)
    return sum(right for right, _ in weighed) / total if total else None


def estimate(accepted: Iterable[AcceptedDraft]) -> Estimate:
    """Estimate the number of bad answers served, from all drafts ever accepted.

    Raises:
        ValueError: a result is impossible at its audit probability.
    """
    drafts = list(accepted)
    if any(
        not (0.0 <= draft.p_found < 1.0 if draft.result in ("unaudited", "passed") else 0.0 < draft.p_found <= 1.0)
        for draft in drafts
    ):
        raise ValueError("a draft's result is impossible at its audit probability")
    count = Counter(draft.result for draft in drafts)
    hidden = [_odds(draft.p_found) / draft.most for draft in drafts if draft.result in ("unaudited", "passed")]
    found = [
        _Found(draft.p_found, draft.bad if draft.label is None else draft.label, draft.most)
        for draft in drafts
        if draft.found
    ]
    due = [_Found(draft.p_found, draft.most, draft.most) for draft in drafts if draft.result == "open"]
    served = [(draft.p_found, draft.bad, draft.most) for draft in drafts if draft.result == "served"]
    certain = sum(bad == 1.0 for _, bad, _ in served)
    doubtful = [(_odds(p) / most, bad) for p, bad, most in served if 0.0 < bad < 1.0]
    return Estimate(
        local=len(drafts) - count["replaced"],
        audits=count["passed"] + count["served"] + count["replaced"],
        uncovered=count["open"],
        bad=sum((1.0 - p) / p * label for p, label, _ in found)
        + sum(1.0 / p for p, _, _ in due)
        + sum(bad for _, bad, _ in served),
        low=_fewest_bad(hidden, found, doubtful) + certain,
        high=_most_bad(hidden, found + due, doubtful) + certain + len(due),
    )


def _odds(p_found: float) -> float:
    return p_found / (1.0 - p_found) if p_found < 1.0 else math.inf


def _most_bad(hidden: Sequence[float], found: Sequence[_Found], doubtful: Sequence[tuple[float, float]]) -> int:
    """Return how many of the answers served may be bad, apart from those that are for certain.

    `found` has the drafts that were found. `hidden` has, of the others, the odds of being found divided by the largest
    label that was possible; `doubtful` has the same, and the probability of "bad", of those found and yet served.
    """
    budget = math.log(2.0 * len(STAKES) * len(CAPS) / MISS)
    on_hidden, on_served = sorted(hidden), sorted(odds for odds, _ in doubtful)
    counts = []
    for c, cap in itertools.product(STAKES, CAPS):
        cap_on_served = min(cap, MOST_ON_SERVED)
        costs = heapq.merge(_upper_costs(on_hidden, c, cap), _upper_costs(on_served, c, cap_on_served))
        lost = sum(math.log1p(-min(c / most, cap * (1.0 - p) / p) * label) for p, label, most in found if p < 1.0)
        expected = sum(math.log1p(min(c * odds, cap_on_served) * bad) for odds, bad in doubtful)
        counts.append(_fitting(costs, budget - lost + expected))
    return min(counts)


def _upper_costs(odds: Iterable[float], c: float, cap: float) -> Iterator[float]:
    return (math.log1p(min(c * each, cap)) for each in odds)


def _fitting(costs: Iterable[float], budget: float) -> int:
    """Return how many of the costs fit into the budget, taken in the order given."""
    count = 0
    for cost in costs:
        budget -= cost
        if budget < 0.0:
            break
        count += 1
    return count


def _fewest_bad(hidden: Sequence[float], found: Sequence[_Found], doubtful: Sequence[tuple[float, float]]) -> int:
    """Return how many of the answers served must be bad; arguments as for `_most_bad`."""
    proven = []
    for c in STAKES:
        won = sum(math.log1p(min(c * _odds(p) / most, MOST_STAKE) * (1.0 - p) / p * label) for p, label, most in found)
        expected = -sum(math.log1p(-min(c * odds, MOST_STAKE) * bad) for odds, bad in doubtful)
        owed = won + expected - math.log(2.0 * len(STAKES) / MISS)
        odds_of_served = (*hidden, *(odds for odds, _ in doubtful))
        costs = sorted((-math.log1p(-min(c * odds, MOST_STAKE)) for odds in odds_of_served), reverse=True)
        proven.append(_needed(costs, owed))
    return max(proven)


def _needed(costs: Iterable[float], owed: float) -> int:
    """Return how many of the costs it takes to reach `owed`, taken in the order given."""
    count = 0
    for cost in costs:
        if owed <= 0.0:
            break
        owed -= cost
        count += 1
    return count
