"""What a journal shows when drafts are measured by verdicts and by a meter that is never sure."""

import msgspec
import pytest

from shammah_mlx.events import Draft, DraftSource, Interaction, Judging, Route, ScoredDraft, Threshold, Verdict
from shammah_mlx.presets import PRESETS
from shammah_mlx.risk.accounts import summarise
from shammah_mlx.risk.badness import label, shown
from tests.fakes import make_request, reply

DEFAULT = PRESETS["default"]
CONFIG = msgspec.structs.replace(
    DEFAULT, generator="recall", divergence=msgspec.structs.replace(DEFAULT.divergence, kind="fitted")
)
REQUEST = msgspec.structs.replace(
    make_request(sampled=True),
    judging=Judging(error=0.05, thresholds={"recall": 0.5}, both=0.1),
    thresholds={"recall": Threshold(candidate=0.8, serve=0.8, offset=0.0, slope=1.0)},
)
P_FOUND = 0.1 * (1 - 0.9 * 0.05)


def draft(divergence: float | None, good: bool | None = None, source: DraftSource = "recall") -> ScoredDraft:
    scored = ScoredDraft(Draft("a draft", source), 0.9, divergence)
    return scored if good is None else scored.judged(Verdict(good, "judge", "1", with_reply=False, cost_usd=0.001))


def audited(scored: ScoredDraft, *, good: bool) -> Interaction:
    stood = Interaction.approved(REQUEST, Route({"recall": 0.9}, 0.5, ("recall",)), (draft(None),), 0.1)
    answer = None if scored.divergence is None else reply()
    return Interaction.audited(stood, (scored,), answer, good=good)


def test_a_verdict_alone_finds_nothing() -> None:
    told = summarise([audited(draft(None, good=True), good=True)] * 3, CONFIG)
    assert (told.served.local, told.served.audits, told.served.bad) == (3, 3, 0.0)
    assert told.validator == 1.0
    assert (told.judge.verdicts, told.judge.compared) == (3, 0)
    assert told.judge.usd == pytest.approx(0.003)
    assert told.judge.unreadable == 0


def test_what_was_found_counts_by_its_label() -> None:
    found = draft(0.99, good=False)
    told = summarise([audited(found, good=False)], CONFIG)
    assert (told.served.local, told.served.audits) == (0, 1)
    assert told.served.bad == pytest.approx((1 - P_FOUND) / P_FOUND * label(found, CONFIG.divergence))
    assert told.judge[1:4] == (1, 1, 0)


def test_a_judge_who_contradicts_a_sure_meter_is_counted() -> None:
    wrong, open_question = audited(draft(0.02, good=False), good=True), audited(draft(0.6, good=True), good=False)
    told = summarise([wrong, open_question], CONFIG)
    assert told.judge[:4] == (2, 2, 1, 1)


def test_a_late_audit_counts_as_served() -> None:
    missed = Interaction.approved(REQUEST, Route({"recall": 0.9}, 0.5, ("recall",)), (draft(None),), 0.1)
    assert summarise([missed], CONFIG).served.uncovered == 1
    late = Interaction.late(REQUEST, missed, (draft(0.01),), reply())
    told = summarise([missed, late], CONFIG)
    assert (told.served.local, told.served.audits, told.served.uncovered) == (1, 1, 0)
    assert told.served.bad < 0.1


def test_repeats_show_the_spread() -> None:
    def repeat(divergence: float) -> Interaction:
        forwarded = Interaction.forwarded(make_request(), Route({"repeat": 0.9}, None), reply())
        return msgspec.structs.replace(forwarded, drafts=(draft(divergence, source="repeat"),))

    told = summarise([repeat(0.999)] * 4 + [repeat(0.0)] * 16, CONFIG)
    assert told.spread.repeats == 20
    assert told.spread.rate == pytest.approx(0.2, abs=0.01)
    assert summarise([], CONFIG).spread == (None, 0)


def test_the_slack_knows_what_the_meter_shows() -> None:
    told = summarise([audited(draft(None, good=True), good=True)], CONFIG)
    assert told.slack == pytest.approx(100 + 1 / (P_FOUND * shown(CONFIG.divergence, 0.05)))
