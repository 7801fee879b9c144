"""Estimate how many of the answers served unmeasured were bad, with an interval, from what audits found.

Each accepted draft has a probability π of an audit, fixed before the random draw decides. Where an audit finds a bad
draft, Claude's answer replaces it. So bad answers reach the user only unaudited. Let D be 1 for a bad draft, A for an
audited one. Then

    E[A (1 - π) / π] = E[1 - A],  so  Σ A D (1 - π) / π  estimates  Σ (1 - A) D  without bias.

For any stake g in [0, π / (1 - π)) chosen before the draw, the product of 1 - g D (A / π - 1) is a nonnegative
martingale: with probability 1 - δ it never reaches 1 / δ (Ville), however drafts, models and π depend on the past. With
g = c π / (1 - π) a bad draft multiplies it by 1 + g if unaudited and by 1 - c if audited, so at all times together

    Σ (1 - A) D log(1 + g)  ≤  log(1 / δ) - (bad audits) log(1 - c).

The largest number of bad answers that satisfies this is the interval's upper end. Stakes are capped too: a draft that
is almost certain to be audited says little about the unaudited ones when it is. The lower end follows in the same way
with -g (confidence sequences by betting, arXiv 2010.09686). Nothing is assumed about the drafts: where π is 0, all may
be bad. Pure: no clock, no disk.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

MISS = 0.05  # probability that the interval ever misses the true number
STAKES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)  # values of c; each gets a share of MISS, and the tightest bound counts
CAPS = (0.1, 1.0, math.inf)  # of stakes; they share MISS too
MOST_STAKE = 0.5  # for the lower end, where a stake of 1 would make the product 0

AuditResult = Literal["unaudited", "good", "bad", "late", "open"]
"""What is known of an accepted draft. `open`: its audit is still due, since Claude could not be reached, and the draft
was served. `late`: the same, but a late audit has found it bad."""


class AcceptedDraft(NamedTuple):
    """A draft that the Validator accepted."""

    audit_probability: float
    result: AuditResult


class Estimate(NamedTuple):
    """How many of the answers served locally were bad."""

    local: int  # answers served
    audits: int  # audits made
    uncovered: int  # audits still due
    bad: float  # unbiased; a draft whose audit is still due counts as bad
    low: float  # interval that holds at all times together, with probability 1 - MISS
    high: float

    @property
    def rate(self) -> float | None:
        """Return the estimated share of bad answers; None if nothing was served."""
        return self.bad / self.local if self.local else None

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
        not (0.0 <= audit_probability < 1.0 if result == "unaudited" else 0.0 < audit_probability <= 1.0)
        for audit_probability, result in drafts
    ):
        raise ValueError("a draft's result is impossible at its audit probability")
    unaudited = [_odds(draft.audit_probability) for draft in drafts if draft.result == "unaudited"]
    good, bad, late, due = (sum(draft.result == kind for draft in drafts) for kind in ("good", "bad", "late", "open"))
    found = [draft.audit_probability for draft in drafts if draft.result in ("bad", "late")]
    missed = [draft.audit_probability for draft in drafts if draft.result == "open"]
    return Estimate(
        local=len(unaudited) + good + late + due,
        audits=good + bad + late,
        uncovered=due,
        bad=sum((1.0 - audit_probability) / audit_probability for audit_probability in found + missed) + late + due,
        low=_fewest_bad(unaudited, found) + late,
        high=_most_bad(unaudited, found + missed) + late + due,
    )


def _odds(audit_probability: float) -> float:
    return audit_probability / (1.0 - audit_probability) if audit_probability < 1.0 else math.inf


def _most_bad(unaudited: Sequence[float], bad_audits: Sequence[float]) -> int:
    """Return how many unaudited drafts may be bad.

    `unaudited` has their odds of an audit, `bad_audits` the audit probabilities of drafts that were found bad.
    """
    budget = math.log(2.0 * len(STAKES) * len(CAPS) / MISS)
    counts = []
    for c, cap in itertools.product(STAKES, CAPS):
        costs = (math.log1p(min(c * odds, cap)) for odds in sorted(unaudited))
        lost = sum(
            math.log1p(-min(c, cap * (1.0 - audit_probability) / audit_probability))
            for audit_probability in bad_audits
            if audit_probability < 1.0
        )
        counts.append(_fitting(costs, budget - lost))
    return min(counts)


def _fitting(costs: Iterable[float], budget: float) -> int:
    """Return how many of the costs fit into the budget, taken in the order given."""
    count = 0
    for cost in costs:
        budget -= cost
        if budget < 0.0:
            break
        count += 1
    return count


def _fewest_bad(unaudited: Sequence[float], bad_audits: Sequence[float]) -> int:
    """Return how many unaudited drafts must be bad; arguments as for `_most_bad`."""
    proven = []
    for c in STAKES:
        stakes = [min(c * _odds(audit_probability), MOST_STAKE) for audit_probability in bad_audits]
        won = sum(
            math.log1p(stake * (1.0 - audit_probability) / audit_probability)
            for stake, audit_probability in zip(stakes, bad_audits, strict=True)
        )
        owed = won - math.log(2.0 * len(STAKES) / MISS)
        costs = sorted((-math.log1p(-min(c * odds, MOST_STAKE)) for odds in unaudited), reverse=True)
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
