"""Summarise a journal: bad answers served, Claude's spread, and how often Router, Validator and judge were right."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec import UNSET

from shammah_mlx.config import Config, DivergenceConfig, RiskConfig
from shammah_mlx.events import BORROWED, Interaction, ScoredDraft
from shammah_mlx.risk import audits, curve
from shammah_mlx.risk.audits import AcceptedDraft, AuditResult, Estimate
from shammah_mlx.risk.badness import evidence, judge_error, label, most_label, p_bad, shown
from shammah_mlx.risk.observations import counted_drafts, is_fair_sample
from shammah_mlx.risk.threshold import SERVE_NOTHING, bad_rate, slack

DECISIVE = 0.9  # probability from which the meter's word counts against a verdict; between, both may be right


class Spread(NamedTuple):
    """How often Claude's own answer is bad when the same question is asked again."""

    rate: float | None  # most likely one; None: no repeat was measured
    repeats: int  # measured


class JudgeRecord(NamedTuple):
    """What the judge was asked, and how its verdicts fit Claude's replies."""

    verdicts: int  # bought
    compared: int  # with a whole reply beside them
    decisive: int  # among these, by a meter that was sure
    wrong: int  # among these, by that meter
    usd: float  # what they cost, and replies that were none, as far as they are priced
    unreadable: int  # replies that were none


class JournalSummary(NamedTuple):
    """Estimates from audits and shadows; each measurement is weighted by the inverse of its probability."""

    served: Estimate
    router: float | None  # share of right decisions; None: none was measured
    validator: float | None
    slack: float  # bad answers that the bound allows beyond its rate; see `risk.threshold`
    spread: Spread
    judge: JudgeRecord


def summarise(interactions: Iterable[Interaction], config: Config) -> JournalSummary:
    """Summarise the interactions since the embedder or the meter last changed."""
    current, divergence = _measured_alike(list(interactions)), config.divergence
    return JournalSummary(
        audits.estimate(_accepted_drafts(current, config)),
        audits.accuracy(_router_decisions(current, divergence)),
        audits.accuracy(_validator_decisions(current, divergence)),
        _slack(current, config.risk, shown(divergence, config.risk.max_bad_rate)),
        _spread(current, config),
        _judge_record(current, divergence),
    )


def estimates(interactions: Iterable[Interaction], config: Config, ends: Iterable[int]) -> list[Estimate]:
    """Return what was known of the bad answers served when the interaction of each of these numbers had ended."""
    current = _measured_alike(list(interactions))
    return [
        audits.estimate(_accepted_drafts([each for each in current if each.request.number <= end], config))
        for end in ends
    ]


def _slack(interactions: Iterable[Interaction], config: RiskConfig, shown: float) -> float:
    """Return the slack so far: it grows with the candidates that were not accepted."""
    least, left_out = 1.0, 0
    borrowed: set[str] = set()
    for interaction in interactions:
        if interaction.audit_probability:
            source = interaction.drafts[0].draft.source
            least = min(least, interaction.p_found(source))
            borrowed |= {source} & set(BORROWED)
        elif interaction.audit_probability is None and interaction.measures_drafts and not interaction.is_imported:
            thresholds = interaction.request.thresholds
            left_out += sum(
                scored.draft.counted_as in thresholds
                and scored.passed is not False
                and scored.p_accept >= thresholds[scored.draft.counted_as].candidate
                for scored in counted_drafts(interaction)
            )
    return slack(left_out, least, config, shown, borrowed=len(borrowed))


def _spread(interactions: Iterable[Interaction], config: Config) -> Spread:
    """Return how often repeats were bad that were asked here, by all evidence about them together."""
    found = [
        odds
        for interaction in interactions
        if not interaction.is_imported
        for scored in interaction.drafts
        if scored.draft.source == "repeat"
        and not interaction.request.alone  # with its conversation it is another question
        and is_fair_sample(scored, interaction)
        and scored.divergence is not None
        and (odds := evidence(scored, config.divergence, judge_error(interaction.request, config))) is not None
    ]
    return Spread(curve.rate([curve.tally(found)])[0] if found else None, len(found))


def _judge_record(interactions: Sequence[Interaction], divergence: DivergenceConfig) -> JudgeRecord:
    """Return how the verdicts bought before a reply fit what the meter said of the reply."""
    bought = [verdict for interaction in interactions for verdict in interaction.verdicts]
    compared = [
        (scored.passed, divergence.p_bad(scored.divergence))
        for interaction in interactions
        for scored in interaction.drafts
        if scored.passed is not None and scored.divergence is not None
    ]
    decisive = [(good, bad) for good, bad in compared if max(bad, 1.0 - bad) >= DECISIVE]
    return JudgeRecord(
        verdicts=sum(verdict.good is not None for verdict in bought),
        compared=len(compared),
        decisive=len(decisive),
        wrong=sum(good == (bad >= DECISIVE) for good, bad in decisive),
        usd=sum(verdict.cost_usd or 0.0 for verdict in bought),
        unreadable=sum(verdict.good is None for verdict in bought),
    )


def _measured_alike(interactions: Sequence[Interaction]) -> list[Interaction]:
    """Return the interactions with the same embedder and meter as the last query."""

    def measured_by(interaction: Interaction) -> list[str | None]:
        return [interaction.decision_context.versions.get(name) for name in ("embedder", "meter")]

    last = next((measured_by(each) for each in reversed(interactions) if each.late_for is None), [])
    return [each for each in interactions if measured_by(each) == last]


def _accepted_drafts(interactions: Sequence[Interaction], config: Config) -> Iterator[AcceptedDraft]:
    """Yield the accepted drafts; answers that the user forced (`--local`) or wrote are not covered by the promise."""
    late = {each.late_for: each for each in interactions if each.divergence is not None}
    for interaction in interactions:
        if (
            interaction.audit_probability is None
            or interaction.request.forced_source is not None
            or interaction.late_for is not None
            or interaction.is_by_user
        ):
            continue
        seen, result = interaction, _result(interaction)
        if result == "open" and interaction.request.number in late:
            seen, result = late[interaction.request.number], "served"
        scored, most = seen.drafts[0], most_label(config.divergence)
        p_found = interaction.p_found(scored.draft.source)
        if result in ("served", "replaced"):
            yield AcceptedDraft(
                p_found, result, _bad(scored, interaction, config), label(scored, config.divergence), most
            )
        else:
            yield AcceptedDraft(p_found, result, most=most)


def _result(interaction: Interaction) -> AuditResult:
    if interaction.outcome != "audited":
        return "open" if interaction.audit else "unaudited"
    if interaction.divergence is None:
        return "passed"
    return "served" if interaction.served_local else "replaced"


def _bad(scored: ScoredDraft, interaction: Interaction, config: Config) -> float:
    """Return how probable it is that a draft was bad, starting from the curve that it was accepted by."""
    threshold = interaction.request.thresholds.get(scored.draft.counted_as, SERVE_NOTHING)
    prior = bad_rate(scored.p_accept, threshold)
    return p_bad(scored, config.divergence, judge_error(interaction.request, config), prior) or 0.0


def _router_decisions(
    interactions: Iterable[Interaction], divergence: DivergenceConfig
) -> Iterator[tuple[bool, float]]:
    """Yield whether the Router was right, where it decided itself, and how probable it was that this was measured."""
    for interaction in interactions:
        chosen = interaction.request.forced_source or interaction.request.unhelpful is not UNSET
        if interaction.route.threshold is not None and not chosen:
            for good, probability in _measurement(interaction, divergence):
                yield interaction.route.local == good, probability


def _validator_decisions(
    interactions: Iterable[Interaction], divergence: DivergenceConfig
) -> Iterator[tuple[bool, float]]:
    """Yield the same for the Validator, for drafts that it scored before Claude was asked."""
    for interaction in interactions:
        if interaction.outcome in ("rejected", "audited", "late"):
            was_sure = interaction.accepted and not interaction.by_check
            for good, probability in _measurement(interaction, divergence):
                yield was_sure == good, probability


def _measurement(interaction: Interaction, divergence: DivergenceConfig) -> Iterator[tuple[bool, float]]:
    """Yield whether the best draft was good, and how probable it was that this was measured, if it was.

    An audit that a verdict ended counts as one that found the draft good: without those, good drafts would be missing.
    """
    if interaction.divergence is not None or (interaction.outcome == "audited" and interaction.is_judged):
        good = interaction.divergence is None or divergence.is_good(interaction.divergence)
        audited = interaction.audit_probability
        yield good, interaction.p_found(interaction.drafts[0].draft.source) if audited is None else audited
