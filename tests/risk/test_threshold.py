"""The thresholds: by hand, by property, and what feedback makes of an adversary."""

import math
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.config import RiskConfig
from shammah_mlx.events import Bar, Draft, DraftSource, Interaction, Judged, Route, Turn
from shammah_mlx.presets import PRESETS
from shammah_mlx.risk.threshold import HONEST, Evidence, Seen, bad_rate, choose, learnt, no_evidence, record, slack
from tests.fakes import reply, turn

CONFIG = RiskConfig(max_bad_rate=0.05)
scores = st.floats(min_value=0.0, max_value=1.0)


def unaudited(rate: float) -> float:
    return 0.0


def fed(evidence: Evidence, labels: list[tuple[float, bool]], config: RiskConfig = CONFIG) -> Evidence:
    for score, bad in labels:
        evidence = record(evidence, Seen(score, "shadow", bad, 1.0), HONEST, config)
    return evidence


def honest(seed: int, count: int) -> list[tuple[float, bool]]:
    chance = random.Random(seed)
    drawn = [chance.betavariate(3.0, 0.5) for _ in range(count)]
    return [(score, chance.random() > score) for score in drawn]


def test_without_drafts_nothing_is_served() -> None:
    assert choose(Evidence(), CONFIG, unaudited) == Bar(candidate=1.0, serve=1.0, offset=0.0, slope=1.0)


def test_the_threshold_by_hand() -> None:
    """Two cells, of a curve beyond doubt: 2 % and 29 % bad, together 9 %: only the upper will do."""
    sure = msgspec.structs.replace(CONFIG, offset_strength=1e9, slope_strength=1e9, caution=0.0)
    evidence = fed(Evidence(), [(0.98, False)] * 75 + [(0.71, False)] * 25, sure)
    bar = choose(evidence, sure, unaudited)
    assert 0.71 < bar.candidate < 0.98
    assert [bad_rate(score, bar) for score in (0.98, 0.71)] == pytest.approx([0.02, 0.29], abs=1e-3)
    looser = msgspec.structs.replace(sure, max_bad_rate=0.10)
    assert choose(evidence, looser, unaudited).candidate < 0.71


def test_what_an_audit_would_catch_does_not_count() -> None:
    evidence = fed(Evidence(), honest(0, 400))
    assert choose(evidence, CONFIG, lambda rate: 0.5).candidate < choose(evidence, CONFIG, unaudited).candidate


def test_a_draft_that_would_be_audited_for_certain_is_no_better_than_forwarded() -> None:
    evidence = fed(Evidence(), honest(0, 400))
    assert choose(evidence, CONFIG, lambda rate: 1.0).candidate == 1.0


def test_honest_scores_move_the_curve_little_and_false_ones_close_it() -> None:
    bar = choose(fed(Evidence(), honest(1, 600)), CONFIG, unaudited)
    assert abs(bar.offset) < 0.5
    assert abs(bar.slope - 1.0) < 0.3
    assert 0.6 < bar.candidate < 0.95
    false = [(score, index % 4 == 0) for index, (score, _) in enumerate(honest(2, 600))]
    calm = msgspec.structs.replace(CONFIG, alarm=1e9)
    assert choose(fed(Evidence(), false, calm), calm, unaudited).candidate > 0.97


def test_more_caution_and_a_lower_rate_never_serve_more() -> None:
    evidence = fed(Evidence(), honest(3, 300))

    def candidate(**changes: float) -> float:
        return choose(evidence, msgspec.structs.replace(CONFIG, **changes), unaudited).candidate

    assert candidate(caution=0.0) <= candidate(caution=1.0) <= candidate(caution=3.0)
    assert candidate(max_bad_rate=0.1) <= candidate(max_bad_rate=0.05) <= candidate(max_bad_rate=0.02)


def test_feedback_by_hand() -> None:
    bar = Bar(candidate=0.8, serve=0.8, offset=0.0, slope=1.0)

    def after(*seen: Seen) -> float:
        evidence = Evidence(feedback=0.5)
        for one in seen:
            evidence = record(evidence, one, bar, CONFIG)
        return evidence.feedback

    step, rate = CONFIG.feedback, CONFIG.max_bad_rate
    assert after(Seen(0.9, "stood", None, 0.1)) == pytest.approx(0.5 - step * rate)
    assert after(Seen(0.9, "stood", False, 0.1)) == pytest.approx(0.5 - step * rate)
    assert after(Seen(0.9, "stood", True, 0.1)) == pytest.approx(0.5 + step * 9)
    assert after(Seen(0.9, "shadow", False, 1.0)) == pytest.approx(0.5 - step * rate)
    assert after(Seen(0.9, "shadow", True, 0.5)) == pytest.approx(0.5 + step * (1 - rate))
    assert after(Seen(0.7, "shadow", True, 1.0)) == 0.5  # no candidate
    assert after(Seen(0.9, "missed", None, 0.1)) == pytest.approx(0.5 + step * (10 - rate))
    assert after(Seen(0.9, "missed", None, 0.1), Seen(0.9, "late", True, 0.1)) == pytest.approx(
        0.5 + step * (10 - rate)
    )
    assert after(Seen(0.9, "missed", None, 0.1), Seen(0.9, "late", None, 0.1)) == pytest.approx(
        0.5 + step * (10 - rate)
    )
    assert after(Seen(0.9, "missed", None, 0.1), Seen(0.9, "late", False, 0.1)) == pytest.approx(0.5 - step * rate)


def test_feedback_of_one_serves_nothing_and_shadows_bring_it_down() -> None:
    evidence = msgspec.structs.replace(fed(Evidence(), honest(4, 400)), feedback=1.0)
    bar = choose(evidence, CONFIG, unaudited)
    assert bar.candidate < bar.serve == 1.0
    worse = record(evidence, Seen(0.99, "shadow", True, 1.0), bar, CONFIG)
    assert worse.feedback == 1.0  # more would only take longer to undo
    better = record(worse, Seen(0.99, "shadow", False, 1.0), bar, CONFIG)
    assert choose(better, CONFIG, unaudited).serve < 1.0


def test_labels_that_look_nothing_like_the_curve_start_the_evidence_anew() -> None:
    evidence = fed(Evidence(), honest(5, 400))
    assert (evidence.restarts, choose(evidence, CONFIG, unaudited).candidate < 1.0) == (0, True)
    for _ in range(5):
        if not evidence.restarts:
            evidence = record(evidence, Seen(0.95, "shadow", True, 1.0), HONEST, CONFIG)
    assert evidence.restarts == 1
    assert sum(evidence.measured) == 0
    assert choose(evidence, CONFIG, unaudited).candidate == 1.0
    again = fed(evidence, honest(6, 200))
    assert choose(again, CONFIG, unaudited).candidate < 1.0


@given(st.lists(st.tuples(scores, st.booleans()), max_size=60), scores)
def test_thresholds_and_rates_are_what_they_claim(labels: list[tuple[float, bool]], feedback: float) -> None:
    evidence = msgspec.structs.replace(fed(Evidence(), labels), feedback=feedback)
    bar = choose(evidence, CONFIG, lambda rate: 0.1)
    assert 0.0 < bar.candidate <= bar.serve <= 1.0
    assert all(math.isfinite(value) for value in (bar.offset, bar.slope))
    assert all(0.0 <= bad_rate(score, bar) <= 1.0 for score, _ in labels)
    assert sum(evidence.drafts) >= sum(evidence.measured) >= sum(evidence.bad) >= 0.0
    assert msgspec.json.decode(msgspec.json.encode(evidence), type=Evidence) == evidence  # resumed exactly


class Count:
    served = bad = estimated = 0.0
    left_out = 0


def play(seed: int, queries: int = 3000) -> tuple[Count, Evidence, float]:
    """An adversary: it knows the thresholds, and its drafts are bad wherever they stand."""
    chance, evidence, told, least = random.Random(seed), fed(Evidence(), honest(7, 200)), Count(), 1.0
    for _ in range(queries):
        bar = choose(evidence, CONFIG, unaudited)
        score = min(bar.serve + 1e-3, 1.0 - 1e-6) if chance.random() < 0.7 else max(bar.candidate, 0.5)
        stood = score > bar.serve
        pi = 0.02 if chance.random() < 0.5 else 0.3
        if not stood:
            told.left_out += score >= bar.candidate
            evidence = record(evidence, Seen(score, "shadow", False, 1.0), bar, CONFIG)
            continue
        bad, audited = chance.random() < 0.5, chance.random() < pi
        least = min(least, pi)
        told.served += not (bad and audited)
        told.bad += bad and not audited
        told.estimated += bad and audited and (1.0 - pi) / pi
        evidence = record(evidence, Seen(score, "stood", bad if audited else None, pi), bar, CONFIG)
    return told, evidence, least


@pytest.mark.parametrize("seed", range(5))
def test_what_is_estimated_to_be_bad_stays_within_the_rate_and_the_slack_whatever_an_adversary_does(seed: int) -> None:
    told, evidence, least = play(seed)
    assert (
        told.estimated
        <= CONFIG.max_bad_rate * (told.served + told.left_out) + evidence.feedback / CONFIG.feedback + 1e-6
    )
    assert told.estimated <= CONFIG.max_bad_rate * told.served + slack(told.left_out, least, CONFIG) + 1e-6


def test_the_estimate_is_right_on_average() -> None:
    runs = [play(seed)[0] for seed in range(40)]
    errors = [told.estimated - told.bad for told in runs]
    mean = sum(errors) / len(errors)
    spread = math.sqrt(sum((error - mean) ** 2 for error in errors) / (len(errors) - 1) / len(errors))
    assert abs(mean) < 4 * spread


DEFAULT = msgspec.structs.replace(PRESETS["default"], generator="recall")
LOCAL = Route({"recall": 0.9}, 0.5, ("recall",))
GOOD, BAD = 0.1, 0.9


def judged(divergence: float | None) -> tuple[Judged, ...]:
    return (Judged(Draft("a draft", "recall", entry=3), 0.9, divergence),)


def learnt_from(interaction: Interaction) -> Evidence:
    return learnt(no_evidence(DEFAULT), interaction, DEFAULT)["recall"]


def sampled() -> Turn:
    return turn(sampled=True)


def test_what_an_interaction_shows() -> None:
    forwarded = msgspec.structs.replace(Interaction.forwarded(turn(), LOCAL, reply()), drafts=judged(BAD))
    assert (sum(learnt_from(forwarded).measured), sum(learnt_from(forwarded).bad)) == (1, 1)
    approved = Interaction.approved(turn(), LOCAL, judged(None), 0.1)
    assert (sum(learnt_from(approved).drafts), sum(learnt_from(approved).measured)) == (1, 0)
    audited = Interaction.audited(sampled(), LOCAL, judged(GOOD), 0.1, reply(), good=True)
    assert (sum(learnt_from(audited).measured), sum(learnt_from(audited).bad)) == (1, 0)
    missed = Interaction.approved(sampled(), LOCAL, judged(None), 0.1)
    late = Interaction.late(sampled(), missed, judged(BAD), reply())
    assert (sum(learnt_from(late).drafts), sum(learnt_from(late).bad)) == (0, 1)


def test_what_the_user_insisted_on_is_not_counted() -> None:
    taken = msgspec.structs.replace(turn(), wish="local")
    assert learnt_from(Interaction.unchecked(taken, LOCAL, judged(None), accepted=True)) == Evidence()


def test_what_the_router_would_not_try_is_not_counted() -> None:
    doubted = Route({"recall": 0.4}, 0.5)
    shadow = msgspec.structs.replace(Interaction.forwarded(turn(), doubted, reply()), drafts=judged(BAD))
    assert learnt_from(shadow) == Evidence()
    early = msgspec.structs.replace(shadow, route=Route({"recall": 0.4}, None))
    assert sum(learnt_from(early).measured) == 1


def test_where_nothing_is_promised_nothing_is_kept() -> None:
    unbound = msgspec.structs.replace(DEFAULT, risk=RiskConfig())
    forwarded = msgspec.structs.replace(Interaction.forwarded(turn(), LOCAL, reply()), drafts=judged(BAD))
    kept: dict[DraftSource, Evidence] = {"recall": fed(Evidence(), honest(8, 20))}
    assert learnt(kept, forwarded, unbound) == kept  # nor lost: the promise may be made again
    assert learnt(kept, forwarded, DEFAULT, ["recall"]) == kept  # of other parts


def test_a_threshold_needs_measured_drafts_above_it() -> None:
    few, enough = [(0.99, False)] * 59, [(0.99, False)] * 62  # a few have faded
    assert [choose(fed(Evidence(), labels), CONFIG, unaudited).candidate < 1.0 for labels in (few, enough)] == [
        False,
        True,
    ]
    low = fed(Evidence(), [*few, *[(0.3, True)] * 200])
    assert choose(low, CONFIG, unaudited).candidate == 1.0


def test_a_label_fades_as_drafts_come_measured_or_not() -> None:
    evidence = fed(Evidence(), [(0.9, True)])
    for _ in range(3000):
        evidence = record(evidence, Seen(0.9, "stood", None, 0.1), HONEST, CONFIG)
    assert sum(evidence.measured) == pytest.approx(math.exp(-1), abs=1e-3)


@given(
    st.lists(st.tuples(st.integers(0, 28), st.integers(0, 400), st.floats(0.0, 1.0)), max_size=12),
)
def test_the_curve_is_the_most_probable_one(cells: list[tuple[int, int, float]]) -> None:
    """No small step away from it makes labels and prior more probable: Newton's method found the top."""
    measured, bad = [0.0] * 29, [0.0] * 29
    for cell, count, share in cells:
        measured[cell], bad[cell] = float(count), count * share
    bar = choose(Evidence(tuple(measured), tuple(measured), tuple(bad)), CONFIG, unaudited)

    def loss(offset: float, slope: float) -> float:
        total = 0.5 * (CONFIG.offset_strength * offset**2 + CONFIG.slope_strength * (slope - 1.0) ** 2)
        for cell, (count, wrong) in enumerate(zip(measured, bad, strict=True)):
            x = -1.0 + 0.25 * (cell + 0.5)
            if cell >= 4:  # where the tail begins
                total += count * math.log1p(math.exp(-(offset + slope * x))) + wrong * (offset + slope * x)
        return total

    best = loss(bar.offset, bar.slope)
    assert all(best <= loss(bar.offset + a, bar.slope + b) + 1e-9 for a in (-1e-2, 0, 1e-2) for b in (-1e-2, 0, 1e-2))
