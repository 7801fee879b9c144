"""The thresholds on scores: the lowest at which few enough drafts are bad, by what was measured in this home.

A draft's score is the Validator's p_accept, recorded before any reply is seen. Drafts are counted by score, in cells,
and by the evidence about them (`risk.badness`). The draft of a forwarded query is always measured (a shadow); an
accepted draft is measured with probability π. Given the score that is pure chance, so a cell's share of bad drafts
needs no weights. A curve is fitted (`risk.curve`), log-odds of good = offset + slope · log-odds of the score, starting
from the prior that scores are honest. The *candidate* threshold is the lowest one at which the served answers would be
bad at most at the allowed rate a, with the curve's own uncertainty added. This part is a selector: it forgets slowly,
and it starts anew when labels stop looking like its curve (Page's test, 1954).

The allowed rate a is `max_bad_rate` plus the *spread*, how often Claude's own answer to the same question is bad by the
same measure; see `spread`.

*Feedback* only tightens the threshold. Let S mark accepted drafts, R those of them that an audit replaced by Claude's
answer, U candidates that were held back and not rejected by the judge, F drafts that were found, p the probability that
a bad one is found. Let q be the probability of "bad" after what was found since the draft was accepted, if it was a
before. After every draft

    f = max(0, f + h / k (S F q / p - S a - R k (q - a) + U (q - a)))

and the next draft is accepted if its score exceeds t + f (1 - t), where t is the candidate threshold. At f = 1 none is,
until shadows of candidates have brought f down (bad shadows raise f to 1 at most). Summing up, since clipping at 0 only
adds,

    Σ S (F q / p - a) / k - Σ R (q - a)  <=  Σ U (a - q) / k + f / h,   and f < 1 + h / (k p) after the last accepted.

q is linear in the true rate r of bad drafts: its mean is a + k (r - a), where k is the share of a difference in rates
that an audit shows (`badness.shown`; 1 for a meter without doubt). This holds for any r, since the prior is a itself:
a prior from the curve would let the curve confirm itself. So the left side estimates bad served - a · served, whatever
drafts, models and thresholds do, an adversary's included; the first sum on the right is at most a Σ U on average. So
the expected number of bad answers is at most a times that of the answers served, plus `slack`. With certain labels, q
is 0 or 1 and k is 1. An audit that Claude could not answer counts as bad at once, for itself and for the drafts it
stands for; a late reply that agrees takes this back.
Only the selector assumes that cells need no weights; the sum above does not. Pure: no clock, no chance, no disk.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from shammah_mlx.config import Config, RiskConfig
from shammah_mlx.events import Draft, DraftSource, Interaction, Threshold, is_counted_in, source_counted
from shammah_mlx.numerics import log_odds, sigmoid
from shammah_mlx.risk import curve
from shammah_mlx.risk.badness import NEUTRAL, posterior
from shammah_mlx.risk.curve import CELLS, Covariance, Pair, Tally
from shammah_mlx.risk.observations import Observation, counted_drafts, observe

AS_GOOD_AS_FORWARDED = 0.9  # audit probability from which serving a draft saves hardly any call
SOURCES: dict[str, tuple[DraftSource, ...]] = {
    "scratch": ("decoder",),
    "recall": ("repeat", "recall"),
    "recall+decoder": ("repeat", "recall", "decoder"),
}


class ScoreCounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was measured of the drafts of one source, by cell of the score. Field names are stored."""

    drafts: tuple[float, ...] = (0.0,) * CELLS  # measured or not
    measured: tuple[float, ...] = (0.0,) * CELLS
    bad: tuple[float, ...] = (0.0,) * CELLS  # among the measured
    feedback: float = 0.0
    surprise: float = 0.0  # Page's sum: log-likelihood of the latest labels under a worse curve, over this curve's
    restarts: int = 0  # times that it passed the alarm and the counts started anew
    evidence: tuple[Tally, ...] | UnsetType = UNSET  # of the measured, by cell; without it all of it was certain

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """Return the evidence about the measured drafts, by cell."""
        return self.evidence or tuple(map(curve.certain, self.measured, self.bad))


SERVE_NOTHING = Threshold(candidate=1.0, serve=1.0, offset=0.0, slope=1.0)  # the curve is the prior: honest scores


def slack(
    candidates: float, least_probability: float, config: RiskConfig, shown: float = 1.0, *, borrowed: int = 0
) -> float:
    """Return how many bad answers may be served, in expectation, beyond `max_bad_rate` of the answers served.

    `candidates` is the number of candidates not accepted, `least_probability` the smallest probability with which a
    bad one of the accepted drafts would have been found, `shown` the share of a difference in rates that the meter
    shows, `borrowed` the number of sources of borrowed drafts that were served: each has feedback of its own.
    """
    of_feedback = (1 + borrowed) * (1.0 / config.feedback + 1.0 / (least_probability * shown))
    return config.max_bad_rate * candidates + of_feedback


CountsBySource = Mapping[str, ScoreCounts]
"""What was measured, by source of the drafts; of borrowed drafts by pair of contexts, as `Draft.counted_as` says."""


def no_counts(config: Config) -> CountsBySource:
    """Return the counts of a new home."""
    return {source: ScoreCounts() for source in SOURCES[config.generator]}


def asked_in(score_counts: CountsBySource, context: int) -> CountsBySource:
    """Return what speaks of questions of one context."""
    return {name: counts for name, counts in score_counts.items() if is_counted_in(name, context)}


def _counts_of(score_counts: CountsBySource, draft: Draft) -> ScoreCounts | None:
    """Return the counts that a draft belongs to; None if none are kept. Those of a new pair of contexts are empty."""
    known = score_counts.get(draft.counted_as)
    if known is not None or draft.pair is UNSET or "recall" not in score_counts:
        return known
    return ScoreCounts(feedback=max((score_counts[name].feedback for name in _pairs(score_counts, draft)), default=0.0))


def _with_counts(score_counts: CountsBySource, draft: Draft, counts: ScoreCounts) -> CountsBySource:
    """Return the counts with those that a draft belongs to replaced.

    All pairs of contexts share the feedback of their source: with one for each, each would add to the slack.
    """
    shared = {
        name: msgspec.structs.replace(score_counts[name], feedback=counts.feedback)
        for name in _pairs(score_counts, draft)
    }
    return {**score_counts, **shared, draft.counted_as: counts}


def _pairs(score_counts: CountsBySource, draft: Draft) -> list[str]:
    """Return the names of all pairs of contexts that were measured for the source of a borrowed draft."""
    return [name for name in score_counts if draft.pair is not UNSET and source_counted(name) == draft.source]


def add_interaction(
    score_counts: CountsBySource, interaction: Interaction, config: Config, void: Collection[DraftSource] = ()
) -> CountsBySource:
    """Add the drafts of one interaction, except those of sources in `void`, which other versions scored or measured.

    Left out are drafts that the Router would not have tried, which say nothing about those it tries, and answers that
    the user forced (`--local`). So are drafts made without the conversation that their question stood in, unless they
    were accepted, and of repeats those too: Claude was asked another question there, and would seem to contradict
    himself (`spread`). Nothing changes where nothing is promised.
    """
    is_void = interaction.request.forced_source == "local" or not interaction.measures_drafts
    if is_void or not config.risk.promises:
        return score_counts
    for scored in counted_drafts(interaction):
        draft, source = scored.draft, scored.draft.source
        counts = _counts_of(score_counts, draft)
        if counts is None or source in void or (source == "repeat" and interaction.request.alone):
            continue
        threshold = interaction.request.thresholds.get(draft.counted_as, SERVE_NOTHING)
        counts = record(counts, observe(scored, interaction, config), threshold, config.risk)
        score_counts = _with_counts(score_counts, draft, counts)
    return score_counts


def add_complaint(score_counts: CountsBySource, about: Interaction, config: Config) -> CountsBySource:
    """Add that the user called an answer bad: feedback rises as by one bad answer, to serving nothing at most.

    Nobody knows how probable it was that the user would say so. So this is no audit: it changes neither the counts nor
    any estimate, and it only tightens, which no step of the argument above forbids. A draft that Claude's reply was
    compared with has its measurement, and an answer that the user forced or wrote was not chosen by the program.
    """
    counts = _counts_of(score_counts, about.draft) if about.draft else None
    was_chosen = about.request.forced_source == "local" or about.is_by_user
    is_counted = about.served_local and about.divergence is None and not was_chosen and config.risk.promises
    if about.draft is None or counts is None or not is_counted:
        return score_counts
    feedback = min(counts.feedback + config.risk.feedback, max(counts.feedback, 1.0))
    return _with_counts(score_counts, about.draft, msgspec.structs.replace(counts, feedback=feedback))


def spread(score_counts: CountsBySource, config: RiskConfig) -> float:
    """Return how often Claude's own answer is bad when the same question is asked again here, with caution.

    The meter and Claude himself differ from time to time; no local answer can do better than another answer of
    Claude's. The rate is the most likely one of all repeated questions, lowered by its standard error, and at most
    `max_bad_rate`: a teacher who contradicts himself more often than that is no yardstick.
    """
    counts = score_counts.get("repeat", ScoreCounts())
    if sum(counts.measured) < config.known_spread:
        return 0.0
    mean, deviation = curve.rate(counts.tallies)
    return min(max(0.0, mean - config.caution * deviation), config.max_bad_rate)


def repeat_rate(score_counts: CountsBySource) -> float:
    """Return how often repeats were bad in this home, a half as long as nothing is known."""
    return curve.mean_rate(score_counts.get("repeat", ScoreCounts()).tallies)


def with_feedback(candidate: float, feedback: float) -> float:
    """Return the threshold after feedback: f = 0 leaves the candidate, f = 1 accepts nothing."""
    return min(candidate + feedback * (1.0 - candidate), 1.0)


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
    (offset, slope), covariance = curve.fit(counts.tallies, config)
    fitted = Threshold(candidate=1.0, serve=1.0, offset=offset, slope=slope)
    if is_trusted:
        allowed = (
            cell
            for cell in range(CELLS)
            if _cautious_rate(curve.middle(cell), (offset, slope), covariance, config) <= config.max_bad_rate + spread
        )
        first = next(allowed, None)
        candidate = 1.0 if first is None else curve.edge(first)
        return msgspec.structs.replace(fitted, candidate=candidate, serve=with_feedback(candidate, counts.feedback))
    candidate = 1.0
    known = served = bad = 0.0
    gradient = (0.0, 0.0)  # of the bad answers served, by offset and slope
    for cell in reversed(range(CELLS)):
        count, x = counts.drafts[cell], curve.middle(cell)
        rate = sigmoid(-(offset + slope * x))
        audit_probability = audited(rate)
        if audit_probability >= AS_GOOD_AS_FORWARDED:
            break
        known += counts.measured[cell]
        served += count * (1.0 - audit_probability * rate)  # what an audit finds bad is not served
        bad += count * (1.0 - audit_probability) * rate
        change = count * (1.0 - audit_probability) * rate * (1.0 - rate)
        gradient = (gradient[0] + change, gradient[1] + change * x)
        if not count or known < config.known:
            continue
        deviation = math.sqrt(max(_quadratic(covariance, gradient), 0.0))
        if bad + config.caution * deviation <= (config.max_bad_rate + spread) * served:
            candidate = curve.edge(cell)
    return msgspec.structs.replace(fitted, candidate=candidate, serve=with_feedback(candidate, counts.feedback))


def record(counts: ScoreCounts, observation: Observation, threshold: Threshold, config: RiskConfig) -> ScoreCounts:
    """Add one draft; `threshold` is the one it was compared with."""
    cell = curve.cell_of(observation.score)
    is_new = observation.kind != "late"
    fading = 1.0 - 1.0 / config.memory if is_new else 1.0
    excess = _excess(observation, threshold, config.max_bad_rate) / observation.shown
    feedback = max(0.0, counts.feedback + config.feedback * excess)
    if observation.kind == "shadow":
        feedback = min(feedback, max(counts.feedback, 1.0))  # more would only take longer to undo
    found, rate = observation.found, bad_rate(observation.score, threshold)
    drafts = _added(counts.drafts, cell, float(is_new), fading)
    measured = _added(counts.measured, cell, float(found is not None), fading)
    bad = _added(counts.bad, cell, posterior(found, rate) or 0.0, fading)
    surprise = counts.surprise
    if found is not None and observation.score >= config.tail:
        surprise = max(0.0, surprise + _log_likelihood_ratio(rate, config.worse_odds, found))
    if surprise > config.alarm:
        return ScoreCounts(drafts=drafts, feedback=feedback, restarts=counts.restarts + 1)
    tallies = _with_evidence(counts, cell, found, fading)
    return ScoreCounts(drafts, measured, bad, feedback, surprise, counts.restarts, tallies)


def _with_evidence(counts: ScoreCounts, cell: int, found: float | None, fading: float) -> tuple[Tally, ...] | UnsetType:
    """Return the tallies with one draft more; UNSET as long as all evidence is certain."""
    if not counts.evidence and (found is None or math.isinf(found)):
        return UNSET
    tallies = [tuple(fading * count for count in tally) if any(tally) else tally for tally in counts.tallies]
    if found is not None:
        tallies[cell] = _added(tallies[cell], curve.bin_of(found), 1.0, 1.0)
    return tuple(tallies)


def _excess(observation: Observation, threshold: Threshold, rate: float) -> float:
    """Return how far a draft exceeds the allowed rate, as far as the meter shows it.

    What is found is weighted by the inverse of the probability of finding it. An imported question changes nothing:
    what was not to be served is no credit for what will be.
    """
    if observation.kind == "imported":
        return 0.0
    p, bad, allowed = observation.p_found, observation.bad, min(rate + observation.spread, 1.0)
    for_certain = allowed + observation.shown * (1.0 - allowed)  # mean probability of bad drafts
    if observation.kind == "missed":
        return for_certain / p - allowed  # it counts for the drafts it stands for, and was served itself
    if observation.kind == "late":
        return 0.0 if bad is None else (bad - for_certain) / p
    if observation.kind in ("accepted", "checked", "replaced"):
        credit = observation.shown * (bad - allowed) if observation.kind == "replaced" and bad is not None else 0.0
        found = bad / p if bad else 0.0  # where nothing is ever audited, p is 0 and nothing is found
        return found - allowed - credit
    if observation.score < threshold.candidate or bad is None:
        return 0.0
    return bad - allowed


def _log_likelihood_ratio(rate: float, worse_odds: float, found: float) -> float:
    """Return the log-likelihood ratio of evidence: bad odds `worse_odds` times the curve's, over the curve's own."""
    expected = min(max(rate, 1e-3), 1.0 - 1e-3)
    odds = worse_odds * expected / (1.0 - expected)
    worse, neutral = odds / (1.0 + odds), posterior(found, NEUTRAL) or 0.0
    return math.log(
        (worse * neutral + (1.0 - worse) * (1.0 - neutral)) / (expected * neutral + (1.0 - expected) * (1.0 - neutral))
    )


def _cautious_rate(x: float, fitted: Pair, covariance: Covariance, config: RiskConfig) -> float:
    """Return how often drafts are bad whose score has log-odds x, by the curve, with its uncertainty added."""
    deviation = math.sqrt(max(_quadratic(covariance, (1.0, x)), 0.0))
    return sigmoid(-(fitted[0] + fitted[1] * x) + config.caution * deviation)


def _quadratic(covariance: Covariance, gradient: Pair) -> float:
    """Return the variance of a quantity with this gradient by offset and slope."""
    var_offset, cross, var_slope = covariance
    return gradient[0] ** 2 * var_offset + 2.0 * gradient[0] * gradient[1] * cross + gradient[1] ** 2 * var_slope


def _added(counts: Sequence[float], cell: int, amount: float, fading: float) -> tuple[float, ...]:
    return tuple(fading * count + amount * (place == cell) for place, count in enumerate(counts))
