"""What audits say of the answers that were served unmeasured: an estimate of how many were bad, and an interval.

Each served draft had a probability π of an audit, known before the coin fell; Claude's answer replaces a draft that an
audit finds bad. So bad answers reach the user only unaudited. Let D be 1 for a bad draft, A for an audited one. Then

    E[A (1 - π) / π] = E[1 - A],  so  Σ A D (1 - π) / π  estimates  Σ (1 - A) D  without bias.

For any stake g in [0, π / (1 - π)) chosen before the coin falls, the product of 1 - g D (A / π - 1) is a nonnegative
martingale: with probability 1 - δ it never reaches 1 / δ (Ville), however drafts, models and π depend on the past. With
g = c π / (1 - π) a bad draft multiplies it by 1 + g if unaudited and by 1 - c if audited, so at all times together

    Σ (1 - A) D log(1 + g)  ≤  log(1 / δ) - (bad audits) log(1 - c).

The most bad answers that fit under this are the interval's upper end. Stakes are capped too, since a draft that is
nearly sure to be audited tells nothing when it is. The lower end is won in the same way with -g (confidence sequences
by betting, arXiv 2010.09686). Nothing is assumed of the drafts: of those that no coin could ever choose, all may be
bad. Pure: no clock, no disk.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

MISS = 0.05  # probability that the interval ever misses what it is about
STAKES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)  # values of c; the tightest counts, at a share of MISS each
CAPS = (0.1, 1.0, math.inf)  # of stakes, likewise
MOST_STAKE = 0.5  # where the product is to fall with every bad answer: at 1 it would not stay positive

Finding = Literal["unaudited", "good", "bad", "late", "open"]
"""What is known of a draft that stood: an `open` one was served, since Claude's answer for its audit could not be had;
a `late` one, too, and was found bad afterwards."""


class Stood(NamedTuple):
    """A draft that the Validator let stand."""

    audit_probability: float
    finding: Finding


class Estimate(NamedTuple):
    """How many of the answers served locally were bad."""

    local: int  # answers served
    audits: int  # that were made
    uncovered: int  # audits that are due
    bad: float  # without bias; audits that are due count as bad
    low: float  # of an interval that holds at all times together, with probability 1 - MISS
    high: float

    @property
    def rate(self) -> float | None:
        """Return the estimated share of bad answers; None before anything was served."""
        return self.bad / self.local if self.local else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the interval of that share."""
        return (self.low / self.local, min(1.0, self.high / self.local)) if self.local else None


def accuracy(judgements: Iterable[tuple[bool, float]]) -> float | None:
    """Return the share of right judgements, each with the probability that it was measured; None if none was."""
    weighed = [(right / p, 1.0 / p) for right, p in judgements]
    total = sum(weight for _, weight in weighed)
    return sum(right for right, _ in weighed) / total if total else None


def estimate(stood: Iterable[Stood]) -> Estimate:
    """Estimate the bad answers among what was served, from all drafts that ever stood.

    Raises:
        ValueError: a finding is impossible with its probability.
    """
    drafts = list(stood)
    if any(
        not (0.0 <= audit_probability < 1.0 if finding == "unaudited" else 0.0 < audit_probability <= 1.0)
        for audit_probability, finding in drafts
    ):
        raise ValueError("no audit is made with that probability")
    unaudited = [_odds(draft.audit_probability) for draft in drafts if draft.finding == "unaudited"]
    good, bad, late, due = (sum(draft.finding == kind for draft in drafts) for kind in ("good", "bad", "late", "open"))
    found = [draft.audit_probability for draft in drafts if draft.finding in ("bad", "late")]
    missed = [draft.audit_probability for draft in drafts if draft.finding == "open"]
    return Estimate(
        local=len(unaudited) + good + late + due,
        audits=good + bad + late,
        uncovered=due,
        bad=sum((1.0 - audit_probability) / audit_probability for audit_probability in found + missed) + late + due,
        low=_fewest(unaudited, found) + late,
        high=_most(unaudited, found + missed) + late + due,
    )


def _odds(audit_probability: float) -> float:
    return audit_probability / (1.0 - audit_probability) if audit_probability < 1.0 else math.inf


def _most(unaudited: Sequence[float], bad_audits: Sequence[float]) -> int:
    """Return how many of the unaudited may be bad, from their odds of an audit and the probabilities of bad ones."""
    room = math.log(2.0 * len(STAKES) * len(CAPS) / MISS)
    counts = []
    for c, cap in itertools.product(STAKES, CAPS):
        costs = (math.log1p(min(c * odds, cap)) for odds in sorted(unaudited))
        lost = sum(
            math.log1p(-min(c, cap * (1.0 - audit_probability) / audit_probability))
            for audit_probability in bad_audits
            if audit_probability < 1.0
        )
        counts.append(_fitting(costs, room - lost))
    return min(counts)


def _fitting(costs: Iterable[float], room: float) -> int:
    """Return how many of the costs, the least first, there is room for."""
    count = 0
    for cost in costs:
        room -= cost
        if room < 0.0:
            break
        count += 1
    return count


def _fewest(unaudited: Sequence[float], bad_audits: Sequence[float]) -> int:
    """Return how many of the unaudited must be bad, given the audit probabilities of what was found to be."""
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
    """Return how many of the costs, the greatest first, it takes to pay what is owed."""
    count = 0
    for cost in costs:
        if owed <= 0.0:
            break
        owed -= cost
        count += 1
    return count
