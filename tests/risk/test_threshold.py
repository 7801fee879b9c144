"""The thresholds: by hand, by property, and what feedback makes of an adversary."""

import math
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.config import DivergenceConfig, JudgeConfig, RiskConfig
from shammah_mlx.events import (
    Draft,
    DraftSource,
    Interaction,
    Judging,
    Request,
    Route,
    ScoredDraft,
    Threshold,
    Verdict,
    counted_as,
    pair_of,
)
from shammah_mlx.presets import PRESETS
from shammah_mlx.risk.observations import Observation, observe
from shammah_mlx.risk.threshold import (
    SERVE_NOTHING,
    CountsBySource,
    ScoreCounts,
    add_interaction,
    asked_in,
    bad_rate,
    choose,
    no_counts,
    record,
    slack,
    spread,
)
from tests.fakes import make_request, reply

CONFIG = RiskConfig(max_bad_rate=0.05)
scores = st.floats(min_value=0.0, max_value=1.0)


def unaudited(rate: float) -> float:
    return 0.0


def fed(counts: ScoreCounts, labels: list[tuple[float, bool]], config: RiskConfig = CONFIG) -> ScoreCounts:
    for score, bad in labels:
        counts = record(counts, Observation(score, "shadow", bad, 1.0), SERVE_NOTHING, config)
    return counts


def honest(seed: int, count: int) -> list[tuple[float, bool]]:
    chance = random.Random(seed)
    drawn = [chance.betavariate(3.0, 0.5) for _ in range(count)]
    return [(score, chance.random() > score) for score in drawn]


def test_without_drafts_nothing_is_served() -> None:
    assert choose(ScoreCounts(), CONFIG, unaudited) == Threshold(candidate=1.0, serve=1.0, offset=0.0, slope=1.0)


def test_the_threshold_by_hand() -> None:
    """Two cells, of a curve beyond doubt: 2 % and 29 % bad, together 9 %: only the upper will do."""
    sure = msgspec.structs.replace(CONFIG, offset_strength=1e9, slope_strength=1e9, caution=0.0)
    counts = fed(ScoreCounts(), [(0.98, False)] * 75 + [(0.71, False)] * 25, sure)
    threshold = choose(counts, sure, unaudited)
    assert 0.71 < threshold.candidate < 0.98
    assert [bad_rate(score, threshold) for score in (0.98, 0.71)] == pytest.approx([0.02, 0.29], abs=1e-3)
    looser = msgspec.structs.replace(sure, max_bad_rate=0.10)
    assert choose(counts, looser, unaudited).candidate < 0.71


def test_what_an_audit_would_catch_does_not_count() -> None:
    counts = fed(ScoreCounts(), honest(0, 400))
    assert choose(counts, CONFIG, lambda rate: 0.5).candidate < choose(counts, CONFIG, unaudited).candidate


def test_a_draft_that_would_be_audited_for_certain_is_no_better_than_forwarded() -> None:
    counts = fed(ScoreCounts(), honest(0, 400))
    assert choose(counts, CONFIG, lambda rate: 1.0).candidate == 1.0


def test_honest_scores_move_the_curve_little_and_false_ones_close_it() -> None:
    threshold = choose(fed(ScoreCounts(), honest(1, 600)), CONFIG, unaudited)
    assert abs(threshold.offset) < 0.5
    assert abs(threshold.slope - 1.0) < 0.3
    assert 0.6 < threshold.candidate < 0.95
    false = [(score, index % 4 == 0) for index, (score, _) in enumerate(honest(2, 600))]
    calm = msgspec.structs.replace(CONFIG, alarm=1e9)
    assert choose(fed(ScoreCounts(), false, calm), calm, unaudited).candidate > 0.97


def test_more_caution_and_a_lower_rate_never_serve_more() -> None:
    counts = fed(ScoreCounts(), honest(3, 300))

    def candidate(**changes: float) -> float:
        return choose(counts, msgspec.structs.replace(CONFIG, **changes), unaudited).candidate

    assert candidate(caution=0.0) <= candidate(caution=1.0) <= candidate(caution=3.0)
    assert candidate(max_bad_rate=0.1) <= candidate(max_bad_rate=0.05) <= candidate(max_bad_rate=0.02)


def test_feedback_by_hand() -> None:
    threshold = Threshold(candidate=0.8, serve=0.8, offset=0.0, slope=1.0)

    def after(*seen: Observation) -> float:
        counts = ScoreCounts(feedback=0.5)
        for one in seen:
            counts = record(counts, one, threshold, CONFIG)
        return counts.feedback

    step, rate = CONFIG.feedback, CONFIG.max_bad_rate
    assert after(Observation(0.9, "accepted", None, 0.1)) == pytest.approx(0.5 - step * rate)
    assert after(Observation(0.9, "accepted", None, 0.0)) == pytest.approx(0.5 - step * rate)  # never audited
    assert after(Observation(0.9, "accepted", False, 0.1)) == pytest.approx(0.5 - step * rate)
    assert after(Observation(0.9, "replaced", True, 0.1)) == pytest.approx(0.5 + step * 9)
    assert after(Observation(0.9, "shadow", False, 1.0)) == pytest.approx(0.5 - step * rate)
    assert after(Observation(0.9, "shadow", True, 0.5)) == pytest.approx(0.5 + step * (1 - rate))
    assert after(Observation(0.7, "shadow", True, 1.0)) == 0.5  # no candidate
    assert after(Observation(0.9, "missed", None, 0.1)) == pytest.approx(0.5 + step * (10 - rate))
    assert after(Observation(0.9, "missed", None, 0.1), Observation(0.9, "late", True, 0.1)) == pytest.approx(
        0.5 + step * (10 - rate)
    )
    assert after(Observation(0.9, "missed", None, 0.1), Observation(0.9, "late", None, 0.1)) == pytest.approx(
        0.5 + step * (10 - rate)
    )
    assert after(Observation(0.9, "missed", None, 0.1), Observation(0.9, "late", False, 0.1)) == pytest.approx(
        0.5 - step * rate
    )


def test_feedback_of_one_serves_nothing_and_shadows_bring_it_down() -> None:
    counts = msgspec.structs.replace(fed(ScoreCounts(), honest(4, 400)), feedback=1.0)
    threshold = choose(counts, CONFIG, unaudited)
    assert threshold.candidate < threshold.serve == 1.0
    worse = record(counts, Observation(0.99, "shadow", True, 1.0), threshold, CONFIG)
    assert worse.feedback == 1.0  # more would only take longer to undo
    better = record(worse, Observation(0.99, "shadow", False, 1.0), threshold, CONFIG)
    assert choose(better, CONFIG, unaudited).serve < 1.0


def test_labels_that_look_nothing_like_the_curve_start_the_counts_anew() -> None:
    counts = fed(ScoreCounts(), honest(5, 400))
    assert (counts.restarts, choose(counts, CONFIG, unaudited).candidate < 1.0) == (0, True)
    for _ in range(5):
        if not counts.restarts:
            counts = record(counts, Observation(0.95, "shadow", True, 1.0), SERVE_NOTHING, CONFIG)
    assert counts.restarts == 1
    assert sum(counts.measured) == 0
    assert choose(counts, CONFIG, unaudited).candidate == 1.0
    again = fed(counts, honest(6, 200))
    assert choose(again, CONFIG, unaudited).candidate < 1.0


@given(st.lists(st.tuples(scores, st.booleans()), max_size=60), scores)
def test_thresholds_and_rates_are_what_they_claim(labels: list[tuple[float, bool]], feedback: float) -> None:
    counts = msgspec.structs.replace(fed(ScoreCounts(), labels), feedback=feedback)
    threshold = choose(counts, CONFIG, lambda rate: 0.1)
    assert 0.0 < threshold.candidate <= threshold.serve <= 1.0
    assert all(math.isfinite(value) for value in (threshold.offset, threshold.slope))
    assert all(0.0 <= bad_rate(score, threshold) <= 1.0 for score, _ in labels)
    assert sum(counts.drafts) >= sum(counts.measured) >= sum(counts.bad) >= 0.0
    assert msgspec.json.decode(msgspec.json.encode(counts), type=ScoreCounts) == counts  # resumed exactly


class Count:
    served = bad = estimated = 0.0
    left_out = 0


def play(seed: int, queries: int = 3000) -> tuple[Count, ScoreCounts, float]:
    """An adversary: it knows the thresholds, and its drafts are bad wherever they stand."""
    chance, counts, told, least = random.Random(seed), fed(ScoreCounts(), honest(7, 200)), Count(), 1.0
    for _ in range(queries):
        threshold = choose(counts, CONFIG, unaudited)
        score = min(threshold.serve + 1e-3, 1.0 - 1e-6) if chance.random() < 0.7 else max(threshold.candidate, 0.5)
        stood = score > threshold.serve
        audit_probability = 0.02 if chance.random() < 0.5 else 0.3
        if not stood:
            told.left_out += score >= threshold.candidate
            counts = record(counts, Observation(score, "shadow", False, 1.0), threshold, CONFIG)
            continue
        bad, audited = chance.random() < 0.5, chance.random() < audit_probability
        least = min(least, audit_probability)
        told.served += not (bad and audited)
        told.bad += bad and not audited
        told.estimated += bad and audited and (1.0 - audit_probability) / audit_probability
        counts = record(
            counts, Observation(score, "accepted", bad if audited else None, audit_probability), threshold, CONFIG
        )
    return told, counts, least


@pytest.mark.parametrize("seed", range(5))
def test_what_is_estimated_to_be_bad_stays_within_the_rate_and_the_slack_whatever_an_adversary_does(seed: int) -> None:
    told, counts, least = play(seed)
    assert (
        told.estimated <= CONFIG.max_bad_rate * (told.served + told.left_out) + counts.feedback / CONFIG.feedback + 1e-6
    )
    assert told.estimated <= CONFIG.max_bad_rate * told.served + slack(told.left_out, least, CONFIG) + 1e-6


@pytest.mark.slow
def test_the_estimate_is_right_on_average() -> None:
    """A third of the queries will do: the error is compared with its own spread, which shrinks as they get fewer."""
    runs = [play(seed, 1000)[0] for seed in range(40)]
    errors = [told.estimated - told.bad for told in runs]
    mean = sum(errors) / len(errors)
    spread = math.sqrt(sum((error - mean) ** 2 for error in errors) / (len(errors) - 1) / len(errors))
    assert abs(mean) < 4 * spread


DEFAULT = msgspec.structs.replace(
    PRESETS["default"], generator="recall", divergence=DivergenceConfig(kind="exact"), judge=JudgeConfig(error=0.05)
)
LOCAL = Route({"recall": 0.9}, 0.5, ("recall",))
GOOD, BAD = 0.1, 0.9


def scored(divergence: float | None) -> tuple[ScoredDraft, ...]:
    return (ScoredDraft(Draft("a draft", "recall", entry=3), 0.9, divergence),)


def learnt_from(interaction: Interaction) -> ScoreCounts:
    return add_interaction(no_counts(DEFAULT), interaction, DEFAULT)["recall"]


def sampled() -> Request:
    return make_request(sampled=True)


def test_what_an_interaction_shows() -> None:
    forwarded = msgspec.structs.replace(Interaction.forwarded(make_request(), LOCAL, reply()), drafts=scored(BAD))
    assert (sum(learnt_from(forwarded).measured), sum(learnt_from(forwarded).bad)) == (1, 1)
    approved = Interaction.approved(make_request(), LOCAL, scored(None), 0.1)
    assert (sum(learnt_from(approved).drafts), sum(learnt_from(approved).measured)) == (1, 0)
    audited = Interaction.audited(
        Interaction.approved(sampled(), LOCAL, scored(None), 0.1), scored(GOOD), reply(), good=True
    )
    assert (sum(learnt_from(audited).measured), sum(learnt_from(audited).bad)) == (1, 0)
    missed = Interaction.approved(sampled(), LOCAL, scored(None), 0.1)
    late = Interaction.late(sampled(), missed, scored(BAD), reply())
    assert (sum(learnt_from(late).drafts), sum(learnt_from(late).bad)) == (0, 1)


def test_what_the_user_insisted_on_is_not_counted() -> None:
    taken = msgspec.structs.replace(make_request(), forced_source="local")
    assert learnt_from(Interaction.unchecked(taken, LOCAL, scored(None), accepted=True)) == ScoreCounts()


def test_what_the_router_would_not_try_is_not_counted() -> None:
    doubted = Route({"recall": 0.4}, 0.5)
    shadow = msgspec.structs.replace(Interaction.forwarded(make_request(), doubted, reply()), drafts=scored(BAD))
    assert learnt_from(shadow) == ScoreCounts()
    early = msgspec.structs.replace(shadow, route=Route({"recall": 0.4}, None))
    assert sum(learnt_from(early).measured) == 1


def test_where_nothing_is_promised_nothing_is_kept() -> None:
    unbound = msgspec.structs.replace(DEFAULT, risk=RiskConfig())
    forwarded = msgspec.structs.replace(Interaction.forwarded(make_request(), LOCAL, reply()), drafts=scored(BAD))
    kept: dict[str, ScoreCounts] = {"recall": fed(ScoreCounts(), honest(8, 20))}
    assert add_interaction(kept, forwarded, unbound) == kept  # nor lost: the promise may be made again
    assert add_interaction(kept, forwarded, DEFAULT, ["recall"]) == kept  # of other parts


def test_a_threshold_needs_measured_drafts_above_it() -> None:
    few, enough = [(0.99, False)] * 59, [(0.99, False)] * 62  # a few have faded
    assert [choose(fed(ScoreCounts(), labels), CONFIG, unaudited).candidate < 1.0 for labels in (few, enough)] == [
        False,
        True,
    ]
    low = fed(ScoreCounts(), [*few, *[(0.3, True)] * 200])
    assert choose(low, CONFIG, unaudited).candidate == 1.0


def test_a_label_fades_as_drafts_come_measured_or_not() -> None:
    counts = fed(ScoreCounts(), [(0.9, True)])
    for _ in range(3000):
        counts = record(counts, Observation(0.9, "accepted", None, 0.1), SERVE_NOTHING, CONFIG)
    assert sum(counts.measured) == pytest.approx(math.exp(-1), abs=1e-3)


@given(
    st.lists(st.tuples(st.integers(0, 28), st.integers(0, 400), st.floats(0.0, 1.0)), max_size=12),
)
def test_the_curve_is_the_most_probable_one(cells: list[tuple[int, int, float]]) -> None:
    """No small step away from it makes labels and prior more probable: Newton's method found the top."""
    measured, bad = [0.0] * 29, [0.0] * 29
    for cell, count, share in cells:
        measured[cell], bad[cell] = float(count), count * share
    threshold = choose(ScoreCounts(tuple(measured), tuple(measured), tuple(bad)), CONFIG, unaudited)

    def loss(offset: float, slope: float) -> float:
        total = 0.5 * (CONFIG.offset_strength * offset**2 + CONFIG.slope_strength * (slope - 1.0) ** 2)
        for cell, (count, wrong) in enumerate(zip(measured, bad, strict=True)):
            x = -1.0 + 0.25 * (cell + 0.5)
            if cell >= 4:  # where the tail begins
                total += count * math.log1p(math.exp(-(offset + slope * x))) + wrong * (offset + slope * x)
        return total

    best = loss(threshold.offset, threshold.slope)
    assert all(
        best <= loss(threshold.offset + a, threshold.slope + b) + 1e-9
        for a in (-1e-2, 0, 1e-2)
        for b in (-1e-2, 0, 1e-2)
    )


FITTED = msgspec.structs.replace(DEFAULT, divergence=msgspec.structs.replace(DEFAULT.divergence, kind="fitted"))
JUDGING = Judging(error=0.05, thresholds={"recall": 0.5}, both=0.1)
THRESHOLD = Threshold(candidate=0.8, serve=0.8, offset=0.0, slope=1.0)


def judged(good: bool, divergence: float | None = None) -> tuple[ScoredDraft, ...]:
    (one,) = scored(divergence)
    return (one.judged(Verdict(good, "judge", "1", with_reply=False)),)


def observed(interaction: Interaction) -> Observation:
    return observe(interaction.drafts[0], interaction, FITTED)


def audited(drafts: tuple[ScoredDraft, ...], *, good: bool, was_checked: bool = False) -> Interaction:
    request = msgspec.structs.replace(sampled(), judging=JUDGING, thresholds={"recall": THRESHOLD})
    before = judged(True) if was_checked else scored(None)
    answer = reply() if drafts[0].divergence is not None else None
    return Interaction.audited(Interaction.approved(request, LOCAL, before, 0.1), drafts, answer, good=good)


def test_an_audit_that_a_verdict_ended_counts_for_the_curve_and_not_for_feedback() -> None:
    seen = observed(audited(judged(True), good=True))
    assert (seen.kind, seen.bad) == ("checked", None)
    assert seen.p_found == pytest.approx(0.1 * (1 - 0.9 * 0.05))
    assert seen.evidence == pytest.approx(-math.log(19))
    after = record(ScoreCounts(feedback=0.5), seen, THRESHOLD, FITTED.risk)
    assert sum(after.measured) == 1
    assert after.feedback == pytest.approx(0.5 - 0.01 * 0.05 / seen.shown)


def test_feedback_starts_from_the_allowed_rate_whatever_score_and_check_promised() -> None:
    """A draft served on a verdict is measured by its reply alone; the curve gets verdict and reply."""
    seen = observed(audited(judged(True, 0.5), good=True, was_checked=True))
    assert (seen.kind, seen.p_found) == ("accepted", 0.1)
    assert seen.bad == pytest.approx(0.05)  # the reading says nothing
    assert seen.evidence == pytest.approx(-math.log(19))
    found = observed(audited(judged(False, 0.5), good=False))
    assert found.kind == "replaced"
    assert found.bad == pytest.approx(0.5)


def test_a_draft_that_the_judge_rejected_counts_for_the_curve_and_not_for_feedback() -> None:
    request = msgspec.structs.replace(make_request(), judging=JUDGING, thresholds={"recall": THRESHOLD})
    seen = observed(Interaction.rejected(request, LOCAL, judged(False, 0.5), reply()))
    assert seen.kind == "shadow"
    assert seen.bad is None
    assert seen.evidence == pytest.approx(math.log(19))


def test_bad_answers_of_claude_himself_are_allowed() -> None:
    request = msgspec.structs.replace(make_request(), spread=0.1, thresholds={"recall": THRESHOLD})
    served = observed(Interaction.approved(request, LOCAL, scored(None), 0.1))
    after = record(ScoreCounts(feedback=0.5), served, THRESHOLD, FITTED.risk)
    assert after.feedback == pytest.approx(0.5 - 0.01 * 0.15 / served.shown)


def repeats(count: int, evidence: float, config: RiskConfig) -> dict[str, ScoreCounts]:
    """Count repeats of which one in ten looks bad."""
    counts = ScoreCounts()
    for index in range(count):
        found = evidence if index % 10 == 0 else -evidence
        counts = record(counts, Observation(0.97, "shadow", 0.0, 1.0, evidence=found), SERVE_NOTHING, config)
    return {"repeat": counts}


def test_the_spread_is_the_rate_of_repeats_lowered_by_its_error() -> None:
    calm = msgspec.structs.replace(CONFIG, alarm=1e9, max_bad_rate=0.2)
    assert spread(repeats(19, math.inf, calm), calm) == 0.0  # too few
    assert spread({}, calm) == 0.0
    few, many = (spread(repeats(count, 5.0, calm), calm) for count in (30, 300))
    assert 0.0 < few < many < 0.1
    strict = msgspec.structs.replace(calm, max_bad_rate=0.05)
    assert spread(repeats(300, 5.0, strict), strict) == 0.05  # such a teacher is no yardstick


def test_evidence_is_stored_only_where_it_is_uncertain() -> None:
    certain = fed(ScoreCounts(), honest(9, 50))
    assert b"evidence" not in msgspec.json.encode(certain)
    seen = record(certain, Observation(0.9, "shadow", 0.1, 1.0, evidence=0.7), SERVE_NOTHING, CONFIG)
    assert sum(map(sum, seen.tallies)) == pytest.approx(sum(seen.measured))
    assert msgspec.json.decode(msgspec.json.encode(seen), type=ScoreCounts) == seen


def test_a_meter_that_is_unsure_adds_to_the_slack() -> None:
    assert slack(10, 0.1, CONFIG) == pytest.approx(0.5 + 100 + 10)
    assert slack(10, 0.1, CONFIG, shown=0.4) == pytest.approx(0.5 + 100 + 25)


def imported(source: DraftSource, divergence: float, p_accept: float = 0.99) -> Interaction:
    """Return an imported question, with a draft that its reply was compared with."""
    request = msgspec.structs.replace(make_request(forced_source="claude"), imported_from="llm")
    scored = ScoredDraft(Draft("a draft", source), p_accept, divergence)
    forwarded = Interaction.forwarded(request, Route({source: 0.9}, 0.5), reply())
    return msgspec.structs.replace(forwarded, drafts=(scored,))


def test_imported_drafts_move_the_curve_and_never_the_feedback() -> None:
    config = msgspec.structs.replace(PRESETS["default"], generator="recall")
    counts = dict(no_counts(config))
    counts["recall"] = ScoreCounts(feedback=0.3)
    for divergence in (0.0, 1.0, 1.0, 0.0):
        counts = dict(add_interaction(counts, imported("recall", divergence), config))
    assert counts["recall"].feedback == 0.3
    assert sum(counts["recall"].measured) == pytest.approx(4, abs=0.01)
    shadowed = dict(no_counts(config))
    asked = msgspec.structs.replace(imported("recall", 1.0), request=make_request(forced_source="claude"))
    low = {"recall": Threshold(0.5, 0.5, 0.0, 1.0)}
    asked = msgspec.structs.replace(asked, request=msgspec.structs.replace(asked.request, thresholds=low))
    assert add_interaction(shadowed, asked, config)["recall"].feedback > 0.0  # as one that was asked here


def test_imported_repeats_are_no_part_of_the_spread() -> None:
    risk = msgspec.structs.replace(
        PRESETS["default"].risk, alarm=1e9
    )  # or so many bad ones would start the counts anew
    config = msgspec.structs.replace(PRESETS["default"], generator="recall", risk=risk)

    def asked_here(counts: CountsBySource) -> CountsBySource:
        for number in range(60):
            asked = msgspec.structs.replace(imported("repeat", float(number % 10 == 0)), request=make_request())
            counts = add_interaction(counts, asked, config)
        return counts

    from_elsewhere = no_counts(config)
    for number in range(60):
        from_elsewhere = add_interaction(from_elsewhere, imported("repeat", float(number % 2)), config)
    assert from_elsewhere == no_counts(config)
    assert spread(from_elsewhere, risk) == 0.0
    alone = spread(asked_here(no_counts(config)), risk)
    assert 0.0 < alone < risk.max_bad_rate * 2
    assert spread(asked_here(from_elsewhere), risk) == pytest.approx(alone, rel=0.05)


def borrowed(divergence: float, learnt_in: int) -> Interaction:
    """Return a forwarded question with a draft that was learnt in another context."""
    draft = Draft("a draft", "other_model", pair=pair_of(learnt_in, 9))
    low = {draft.counted_as: Threshold(0.5, 0.5, 0.0, 1.0)}
    request = msgspec.structs.replace(make_request(), thresholds=low)
    forwarded = Interaction.forwarded(request, Route({"other_model": 0.9}, 0.5), reply())
    return msgspec.structs.replace(forwarded, drafts=(ScoredDraft(draft, 0.99, divergence),))


def test_each_pair_of_contexts_is_counted_apart_and_all_share_their_feedback() -> None:
    config = msgspec.structs.replace(PRESETS["default"], generator="recall")
    counts = no_counts(config)
    for learnt_in, divergence in ((1, 0.0), (1, 0.0), (2, 1.0), (3, 0.0)):
        counts = add_interaction(counts, borrowed(divergence, learnt_in), config)
    one, other, last = (counts[counted_as("other_model", pair_of(n, 9))] for n in (1, 2, 3))
    assert [sum(each.measured) for each in (one, other, last)] == [pytest.approx(n, abs=0.01) for n in (2, 1, 1)]
    assert (sum(one.bad), sum(last.bad)) == (0.0, 0.0)
    assert one.feedback == other.feedback == last.feedback > 0.0
    assert (counts["recall"], counts["repeat"]) == (ScoreCounts(), ScoreCounts())
    assert slack(0, 1.0, config.risk, borrowed=1) == 2 * slack(0, 1.0, config.risk)
    assert asked_in(counts, 8) == no_counts(config)


def test_where_nothing_is_recalled_nothing_is_borrowed() -> None:
    assert add_interaction({"decoder": ScoreCounts()}, borrowed(0.0, 1), DEFAULT) == {"decoder": ScoreCounts()}
