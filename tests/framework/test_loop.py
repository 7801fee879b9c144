"""Every branch of the specification's Complete Training Loop, by name, on fakes."""

import subprocess
import sys
from typing import Any

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from shammah_mlx.config import Config, PrivacyConfig
from shammah_mlx.events import (
    DraftSource,
    ForcedSource,
    Interaction,
    Judging,
    Outage,
    Reply,
    Request,
    Show,
    Threshold,
    Verdict,
)
from shammah_mlx.framework import loop
from shammah_mlx.framework.loop import NOTHING_LOCAL, judge_shadows, learn, observe, run_consultation
from shammah_mlx.framework.metrics import Spent, Tally, count
from shammah_mlx.presets import PRESETS
from shammah_mlx.risk.observations import counted_drafts
from shammah_mlx.teacher.recordings import Scripted
from shammah_mlx.text.divergence import Meter
from tests.fakes import ScriptedRoles, make_request, reply

CONFIG = PRESETS["literal"]
GOOD, BAD = 0.29, 0.30  # either side of the threshold: at it is not below it
OUTAGE = Outage("unreachable", "Claude could not be reached.", "check the network")


def answer(
    request: Request, roles: ScriptedRoles, teacher: Scripted, meter: Meter, config: Config, show: Show | None = None
) -> Interaction | Outage:
    return run_consultation(loop.answer(request, roles, meter, config, show), teacher, show)


def run(
    roles: ScriptedRoles,
    teacher: Scripted,
    divergence: float,
    *,
    sampled: bool,
    seen: int = 1000,
    forced_source: ForcedSource | None = None,
) -> tuple[Interaction, list[tuple[str, float | None]]]:
    """Answer, observe, learn; return the interaction and the labels each model was trained with."""
    answered = answer(
        make_request(seen, sampled=sampled, forced_source=forced_source), roles, teacher, lambda *_: divergence, CONFIG
    )
    assert isinstance(answered, Interaction)
    assert not roles.steps
    observed = observe(answered, roles, lambda *_: divergence, CONFIG)
    learn(observed, roles, CONFIG)
    return observed, [(target.role, target.label) for target, _ in roles.steps]


def test_forward_trains_the_generator_alone_when_not_sampled() -> None:
    roles, teacher = ScriptedRoles(p_local=0.1), Scripted(reply())
    happened, labels = run(roles, teacher, GOOD, sampled=False)
    assert happened.answer == "Claude's answer"
    assert (happened.outcome, happened.source, happened.called_claude) == ("forwarded", "claude", True)
    assert roles.calls == ["route", "train generator"]
    assert labels == [("generator", None)]
    assert roles.steps[0][0].response == "Claude's answer"


@pytest.mark.parametrize(("divergence", "label"), [(GOOD, 1), (BAD, 0)])
def test_forward_sampled_tries_local_and_labels_router_and_validator(divergence: float, label: int) -> None:
    roles, teacher = ScriptedRoles(p_local=0.1, p_accept=0.9), Scripted(reply())
    happened, labels = run(roles, teacher, divergence, sampled=True)
    assert happened.answer == "Claude's answer"  # even when the shadow was good
    assert labels == [("router", label), ("validator", label), ("generator", None)]
    assert roles.steps[1][0].response == "a draft"
    assert not happened.audit


def test_local_rejected_returns_claudes_answer_and_trains_the_router_to_forward() -> None:
    roles, teacher = ScriptedRoles(p_local=0.9, p_accept=0.5), Scripted(reply())
    happened, labels = run(roles, teacher, BAD, sampled=False)
    assert (happened.outcome, happened.answer) == ("rejected", "Claude's answer")
    assert labels == [("router", 0), ("validator", 0), ("generator", None)]


def test_local_rejected_wrongly_trains_the_validator_to_approve_and_the_router_still_to_forward() -> None:
    roles, teacher = ScriptedRoles(p_local=0.9, p_accept=0.1), Scripted(reply())
    _, labels = run(roles, teacher, GOOD, sampled=False)
    assert labels == [("router", 0), ("validator", 1), ("generator", None)]


def test_local_approved_returns_the_draft_without_a_call_and_trains_the_router_alone() -> None:
    roles, teacher = ScriptedRoles(p_local=0.9, p_accept=0.9), Scripted()
    happened, labels = run(roles, teacher, BAD, sampled=False)
    assert (happened.outcome, happened.answer, happened.source) == ("approved", "a draft", "decoder")
    assert not happened.called_claude
    assert labels == [("router", 1)]


def test_local_approved_and_sampled_returns_the_draft_when_it_is_as_good() -> None:
    roles, teacher = ScriptedRoles(p_local=0.9, p_accept=0.9), Scripted(reply())
    happened, labels = run(roles, teacher, GOOD, sampled=True)
    assert (happened.outcome, happened.answer) == ("audited", "a draft")
    assert happened.audit
    assert labels == [("router", 1), ("validator", 1), ("generator", None)]


def test_local_approved_and_sampled_returns_claudes_answer_when_the_draft_diverges() -> None:
    roles, teacher = ScriptedRoles(p_local=0.9, p_accept=0.9), Scripted(reply())
    happened, labels = run(roles, teacher, BAD, sampled=True)
    assert (happened.outcome, happened.answer, happened.source) == ("audited", "Claude's answer", "claude")
    assert labels == [("router", 1), ("validator", 0), ("generator", None)]  # the literal Router keeps its 1


def test_with_nothing_to_say_a_local_route_is_forwarded_and_no_draft_is_scored() -> None:
    roles, teacher = ScriptedRoles(p_local=0.9, draft=None), Scripted(reply())
    happened, labels = run(roles, teacher, GOOD, sampled=True)
    assert (happened.outcome, happened.answer, happened.draft) == ("forwarded", "Claude's answer", None)
    assert labels == [("generator", None)]
    assert "judge" not in roles.calls


@pytest.mark.parametrize(
    ("p_accept", "sampled", "divergence", "measured"),
    [
        (0.9, False, GOOD, False),
        (0.9, True, GOOD, True),
        (0.9, True, BAD, True),
        (0.1, False, GOOD, True),
        (0.1, False, BAD, True),
    ],
    ids=["approved", "audited good", "audited bad", "rejected good", "rejected bad"],
)
def test_in_the_default_preset_only_what_was_measured_trains_the_router(
    p_accept: float, sampled: bool, divergence: float, measured: bool
) -> None:
    roles, teacher = ScriptedRoles(p_local=0.9, p_accept=p_accept), Scripted(reply())
    config = PRESETS["default"]
    taken = msgspec.structs.replace(make_request(sampled=sampled), usual_doubt=(1 - p_accept) ** 2)
    answered = answer(taken, roles, teacher, lambda *_: divergence, config)
    assert isinstance(answered, Interaction)
    learn(observe(answered, roles, lambda *_: divergence, config), roles, config)
    labels = [target.label for target, _ in roles.steps if target.role == "router"]
    assert labels == (pytest.approx([1.0 - divergence]) if measured else [])  # the fitted meter's own probability


def test_the_first_fifty_queries_are_forwarded_and_shadowed_all_the_same() -> None:
    roles, teacher = ScriptedRoles(p_local=1.0, p_accept=1.0), Scripted(reply())
    happened, labels = run(roles, teacher, GOOD, sampled=True, seen=49)
    assert happened.source == "claude"
    assert labels == [("router", 1), ("validator", 1), ("generator", None)]


def test_a_query_the_user_sends_to_claude_is_forwarded() -> None:
    happened, _ = run(
        ScriptedRoles(p_local=1.0, p_accept=1.0), Scripted(reply()), GOOD, sampled=False, forced_source="claude"
    )
    assert happened.outcome == "forwarded"


def test_the_draft_is_made_and_scored_before_any_model_sees_the_reply() -> None:
    roles = ScriptedRoles(p_local=0.1)
    run(roles, Scripted(reply()), GOOD, sampled=True)
    assert roles.calls == ["route", "draft", "judge", "train router", "train validator", "train generator"]


@pytest.mark.parametrize("p_local", [0.1, 0.9], ids=["forwarded", "rejected"])
def test_an_outage_where_claude_is_needed_comes_back_as_it_is(p_local: float) -> None:
    roles = ScriptedRoles(p_local=p_local, p_accept=0.1)
    assert answer(make_request(), roles, Scripted(OUTAGE), lambda *_: GOOD, CONFIG) is OUTAGE


@pytest.mark.parametrize("failed", [OUTAGE, reply("half a", stop_reason=None)], ids=["outage", "cut"])
def test_an_approved_draft_is_served_uncovered_when_its_audit_fails(failed: Outage) -> None:
    roles, teacher = ScriptedRoles(p_local=0.9, p_accept=0.9), Scripted(failed)
    happened, labels = run(roles, teacher, GOOD, sampled=True)
    assert (happened.answer, happened.uncovered, happened.divergence) == ("a draft", True, None)
    assert labels == [("router", 1)]  # as for any approval, and nothing of the reply that failed


@pytest.mark.parametrize("stop_reason", [None, "max_tokens", "refusal", "pause_turn"])
def test_a_reply_that_is_not_complete_is_shown_and_never_a_target(stop_reason: str | None) -> None:
    shown: list[str] = []
    roles, teacher = ScriptedRoles(p_local=0.1), Scripted(reply("half a", stop_reason))
    happened = answer(make_request(sampled=True), roles, teacher, lambda *_: GOOD, CONFIG, shown.append)
    assert isinstance(happened, Interaction)
    assert (shown, happened.answer) == (["half a"], "half a")
    assert observe(happened, roles, lambda *_: GOOD, CONFIG) == happened
    assert learn(happened, roles, CONFIG) == ()


def test_only_words_sure_to_be_the_answer_are_shown_as_they_come() -> None:
    shown: list[str] = []
    audited = ScriptedRoles(p_local=0.9, p_accept=0.9)
    answer(make_request(sampled=True), audited, Scripted(reply()), lambda *_: GOOD, CONFIG, shown.append)
    assert shown == []
    rejected = ScriptedRoles(p_local=0.9, p_accept=0.1)
    answer(make_request(), rejected, Scripted(reply()), lambda *_: GOOD, CONFIG, shown.append)
    assert shown == ["Claude's answer"]


BOTH: dict[DraftSource, float] = {"recall": 0.9, "decoder": 0.9}


def test_recall_that_is_accepted_keeps_the_decoder_silent() -> None:
    roles = ScriptedRoles(BOTH, p_accept={"recall": 0.8, "decoder": 0.9})
    happened, _ = run(roles, Scripted(), GOOD, sampled=False)
    assert (happened.source, len(happened.drafts)) == ("recall", 1)
    assert roles.calls.count("draft") == 1


def test_the_decoder_is_asked_where_recall_is_not_accepted_and_the_better_draft_stands() -> None:
    roles = ScriptedRoles(BOTH, p_accept={"recall": 0.2, "decoder": 0.8})
    happened, _ = run(roles, Scripted(), GOOD, sampled=False)
    assert (happened.source, happened.p_accept) == ("decoder", 0.8)
    refused = ScriptedRoles(BOTH, p_accept={"recall": 0.4, "decoder": 0.2})
    happened, labels = run(refused, Scripted(reply()), BAD, sampled=False)
    assert (happened.outcome, [scored.draft.source for scored in happened.drafts]) == (
        "rejected",
        ["recall", "decoder"],
    )
    assert labels.count(("validator", 0)) == 2  # every draft that was compared gives a label


@pytest.mark.parametrize(
    ("serve", "judging", "before"),
    [
        (0.99, UNSET, 1),
        (1.0, UNSET, 0),
        (1.0, Judging(error=0.03, thresholds={"decoder": 0.9}, both=0.1), 1),
        (1.0, Judging(error=0.03, thresholds={"decoder": 1.0}, both=0.1), 0),
    ],
)
def test_nobody_waits_for_a_text_that_could_not_be_served_and_it_is_written_all_the_same(
    serve: float, judging: Judging | UnsetType, before: int
) -> None:
    roles = ScriptedRoles({"decoder": 0.9}, p_accept=0.5)
    threshold = Threshold(candidate=serve, serve=serve, offset=0.0, slope=1.0)
    request = msgspec.structs.replace(
        make_request(), thresholds={"decoder": threshold}, shadow_rates={"decoder": 0.0}, judging=judging
    )
    answered = answer(request, roles, Scripted(reply()), lambda *_: GOOD, PRESETS["default"])
    assert isinstance(answered, Interaction)
    assert (roles.calls.count("draft"), len(answered.drafts)) == (before, before)
    observed = observe(answered, roles, lambda *_: GOOD, PRESETS["default"])
    assert [scored.divergence for scored in observed.drafts] == [GOOD]
    assert [scored.draft.source for scored in counted_drafts(observed)] == ["decoder"]
    assert observed.p_found("decoder") == 1.0


def test_a_forwarded_query_is_shadowed_by_each_source_at_its_own_rate() -> None:
    rates: dict[DraftSource, float] = {"recall": 1.0, "decoder": 0.1}
    for audit_draw, sources in ((0.05, {"recall", "decoder"}), (0.5, {"recall"})):
        roles = ScriptedRoles({"recall": 0.1, "decoder": 0.1}, p_accept=0.3)
        taken = msgspec.structs.replace(make_request(), shadow_rates=rates, audit_draw=audit_draw)
        answered = answer(taken, roles, Scripted(reply()), lambda *_: GOOD, CONFIG)
        assert isinstance(answered, Interaction)
        assert answered.drafts == ()
        observed = observe(answered, roles, lambda *_: GOOD, CONFIG)
        assert {scored.draft.source for scored in observed.drafts} == sources
        assert all(scored.divergence == GOOD for scored in observed.drafts)


@pytest.mark.parametrize(("p_accept", "uncovered"), [(0.9, False), (0.1, True)])
def test_a_user_who_wants_a_local_answer_gets_the_likeliest_draft_as_it_is_written(
    p_accept: float, uncovered: bool
) -> None:
    shown: list[str] = []
    roles = ScriptedRoles({"recall": 0.2, "decoder": 0.4}, p_accept=p_accept)
    happened = answer(
        make_request(sampled=True, forced_source="local"), roles, Scripted(), lambda *_: GOOD, CONFIG, shown.append
    )
    assert isinstance(happened, Interaction)
    assert (happened.source, happened.called_claude, happened.uncovered) == ("decoder", False, uncovered)
    assert (shown, roles.calls.count("draft")) == (["a draft"], 1)
    assert not happened.audit


def test_a_user_who_wants_a_local_answer_is_told_when_there_is_none() -> None:
    assert (
        answer(make_request(forced_source="local"), ScriptedRoles(draft=None), Scripted(), lambda *_: GOOD, CONFIG)
        is NOTHING_LOCAL
    )


def test_in_the_first_fifty_queries_a_local_answer_is_never_covered() -> None:
    roles = ScriptedRoles(p_local=1.0, p_accept=1.0)
    happened = answer(make_request(seen=49, forced_source="local"), roles, Scripted(), lambda *_: GOOD, CONFIG)
    assert isinstance(happened, Interaction)
    assert happened.uncovered


def test_doubtful_drafts_are_audited_more_often_by_default() -> None:
    config = PRESETS["default"]
    for p_accept, outcome in ((0.99, "approved"), (0.8, "audited")):
        taken = msgspec.structs.replace(make_request(), audit_draw=0.15, usual_doubt=0.02)
        roles = ScriptedRoles({"recall": 0.9}, p_accept=p_accept)
        happened = answer(taken, roles, Scripted(reply()), lambda *_: GOOD, config)
        assert isinstance(happened, Interaction)
        assert happened.outcome == outcome
        assert happened.audit_probability == pytest.approx(0.02 + 0.08 * (1 - p_accept) ** 2 / 0.02)


def test_each_model_steps_at_its_own_scheduled_rate() -> None:
    roles = ScriptedRoles(p_local=0.1)
    run(roles, Scripted(reply()), GOOD, sampled=True, seen=1000)
    assert {target.role: rate for target, rate in roles.steps} == pytest.approx(
        {"generator": 0.95e-5, "router": 0.95e-4, "validator": 0.95e-4}
    )


def test_observing_twice_changes_nothing() -> None:
    roles = ScriptedRoles(p_local=0.1)
    answered = answer(make_request(sampled=True), roles, Scripted(reply()), lambda *_: GOOD, CONFIG)
    assert isinstance(answered, Interaction)
    once = observe(answered, roles, lambda *_: GOOD, CONFIG)
    refuse: Meter = lambda *_: pytest.fail("measured again")  # noqa: E731
    assert observe(once, roles, refuse, CONFIG) == once


def test_the_loop_does_not_import_mlx() -> None:
    code = "import sys, shammah_mlx.framework.loop; sys.exit('mlx' in sys.modules or 'mlx.core' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


PROMISED = {"decoder": Threshold(candidate=0.5, serve=0.5, offset=0.0, slope=1.0)}


def strictly(teacher: Scripted, **given: object) -> Interaction | Outage:
    asked = msgspec.structs.replace(make_request(sampled=True), strict=True, thresholds=PROMISED, **given)
    return answer(asked, ScriptedRoles(p_local=0.9, p_accept=0.9), teacher, lambda *_: GOOD, CONFIG)


def test_strictly_a_draft_whose_audit_cannot_be_had_is_no_answer() -> None:
    assert strictly(Scripted(OUTAGE)) == OUTAGE


def test_strictly_what_came_of_an_audit_that_was_cut_is_shown_in_place_of_the_draft() -> None:
    asked = strictly(Scripted(reply("half an", stop_reason=None)))
    assert isinstance(asked, Interaction)
    assert (asked.outcome, asked.answer, asked.uncovered) == ("rejected", "half an", False)


@pytest.mark.parametrize("given", [{"open_audits": 1}, {"stored": False, "audit_draw": 0.95}])
def test_strictly_claude_is_asked_where_nothing_can_be_covered(given: dict[str, object]) -> None:
    asked = strictly(Scripted(reply()), **given)
    assert isinstance(asked, Interaction)
    assert (asked.outcome, asked.answer) == ("rejected", "Claude's answer")


DEFAULT = PRESETS["default"]
JUDGE_OUT = Outage("no_verdict", "Claude gave no verdict.", "")
PASS, FAIL = (Verdict(good=good, model="judge", rubric="1", with_reply=False, cost_usd=1e-5) for good in (True, False))
JUDGING = Judging(error=0.03, thresholds={"recall": 0.4, "repeat": 0.4}, both=0.1, shadow_doubt=0.2)
BY_VALIDATOR, DOUBTFUL, LIKELY, SURE = 0.8, 0.7, 0.95, 0.999  # the threshold, and p_accept on either side of it


def judged_request(audit_draw: float = 0.95, seen: int = 1000, **given: Any) -> Request:
    """Return a request for which verdicts may be bought; a draft of score p is bad at a rate of 1 - p."""
    honest = Threshold(candidate=BY_VALIDATOR, serve=BY_VALIDATOR, offset=0.0, slope=1.0)
    return msgspec.structs.replace(
        make_request(seen),
        audit_draw=audit_draw,
        audit_rate=0.1,
        thresholds={"recall": honest, "repeat": honest},
        **{"judging": JUDGING, **given},
    )


def judged(
    p_accept: float,
    teacher: Scripted,
    request: Request | None = None,
    divergence: float = GOOD,
    source: DraftSource = "recall",
) -> Interaction:
    """Answer with a draft of this score, observe, and return the interaction; every reply and verdict must be used."""
    roles = ScriptedRoles({source: 0.9}, p_accept=p_accept)
    answered = answer(request or judged_request(), roles, teacher, lambda *_: divergence, DEFAULT)
    assert isinstance(answered, Interaction)
    return observe(answered, roles, lambda *_: divergence, DEFAULT)


def labels_of(interaction: Interaction) -> dict[str, float]:
    """Learn from an interaction; return the labels of Router and Validator."""
    roles = ScriptedRoles({"recall": 0.9})
    learn(interaction, roles, DEFAULT)
    return {target.role: target.label for target, _ in roles.steps if target.label is not None}


@pytest.mark.parametrize("p_accept", [DOUBTFUL, LIKELY], ids=["not accepted", "accepted"])
def test_a_doubtful_draft_that_passes_a_check_is_served_without_a_call(p_accept: float) -> None:
    teacher = Scripted(verdicts=[PASS])
    happened = judged(p_accept, teacher)
    assert (happened.outcome, happened.answer, happened.source) == ("approved", "a draft", "recall")
    assert (happened.by_check, happened.accepted, happened.uncovered) == (True, True, False)
    assert teacher.judged == [(happened.request.query, "a draft", None)]
    assert (teacher.asked, happened.verdicts, happened.cost_usd) == ([], (PASS,), 1e-5)
    assert labels_of(happened) == pytest.approx({"router": 0.97, "validator": 0.97})


def test_what_must_not_be_forwarded_is_not_shown_to_the_judge_either() -> None:
    """Question and past answer may be older than the setting."""
    for pattern in ("a draft", "monad"):
        config = msgspec.structs.replace(DEFAULT, privacy=PrivacyConfig(never_forward=(pattern,)))
        teacher, roles = Scripted(reply()), ScriptedRoles({"recall": 0.9}, p_accept=DOUBTFUL)
        asked = answer(judged_request(), roles, teacher, lambda *_: GOOD, config)
        assert isinstance(asked, Interaction)
        assert (asked.source, teacher.judged) == ("claude", [])
        seen = observe(asked, roles, lambda *_: UNSURE, config)
        assert run_consultation(judge_shadows(seen, config), teacher).verdicts == ()


@pytest.mark.parametrize("p_accept", [DOUBTFUL, LIKELY], ids=["not accepted", "accepted"])
def test_a_doubtful_draft_that_fails_its_check_goes_to_claude(p_accept: float) -> None:
    happened = judged(p_accept, Scripted(reply(), verdicts=[FAIL]), divergence=0.6)
    assert (happened.outcome, happened.answer, happened.source) == ("rejected", "Claude's answer", "claude")
    assert (happened.accepted, happened.by_check, happened.audit_probability) == (False, msgspec.UNSET, None)
    assert (happened.drafts[0].passed, happened.divergence) == (False, 0.6)
    assert happened.cost_usd == pytest.approx(0.001 + 1e-5)
    odds_bad = 0.97 / 0.03 * 0.6 / 0.4  # the judge's word and the meter's are independent evidence
    assert labels_of(happened) == pytest.approx(dict.fromkeys(("router", "validator"), 1 / (1 + odds_bad)))


@pytest.mark.parametrize(
    ("p_accept", "outcome"), [(DOUBTFUL, "rejected"), (LIKELY, "approved")], ids=["not accepted", "accepted"]
)
def test_without_a_verdict_the_validators_word_holds(p_accept: float, outcome: str) -> None:
    replies = [reply()] if outcome == "rejected" else []
    happened = judged(p_accept, Scripted(*replies, verdicts=[JUDGE_OUT]))
    assert (happened.outcome, happened.verdicts, happened.by_check) == (outcome, (), msgspec.UNSET)


def test_an_outage_of_claude_after_a_failed_check_comes_back_as_it_is() -> None:
    roles, teacher = ScriptedRoles({"recall": 0.9}, p_accept=LIKELY), Scripted(OUTAGE, verdicts=[FAIL])
    assert answer(judged_request(), roles, teacher, lambda *_: GOOD, DEFAULT) is OUTAGE


def test_a_sure_draft_is_served_and_a_hopeless_one_goes_to_claude_without_a_check() -> None:
    assert judged(SURE, Scripted()).outcome == "approved"
    assert judged(0.3, Scripted(reply())).outcome == "rejected"


def test_from_the_first_query_on_a_check_lets_a_draft_pass_that_nothing_else_would() -> None:
    happened = judged(SURE, Scripted(verdicts=[PASS]), judged_request(seen=0))
    assert (happened.outcome, happened.by_check, happened.covered) == ("approved", True, True)
    assert judged(SURE, Scripted(reply(), verdicts=[FAIL]), judged_request(seen=0)).outcome == "rejected"


def test_claudes_own_answer_to_the_same_text_is_served_from_the_first_query_on_without_a_check() -> None:
    happened = judged(LIKELY, Scripted(), judged_request(seen=0), source="repeat")
    assert (happened.outcome, happened.source, happened.covered) == ("approved", "repeat", True)


def test_only_the_best_draft_is_checked() -> None:
    sources: dict[DraftSource, float] = {"repeat": 0.9, "recall": 0.9}
    roles = ScriptedRoles(sources, p_accept={"repeat": 0.5, "recall": 0.7})
    teacher = Scripted(reply(), verdicts=[FAIL])
    happened = answer(judged_request(), roles, teacher, lambda *_: GOOD, DEFAULT)
    assert isinstance(happened, Interaction)
    assert [(each.draft.source, each.passed) for each in happened.drafts] == [("recall", False), ("repeat", None)]


@pytest.mark.parametrize("given", [{"forced_source": "claude"}, {"strict": True, "open_audits": 1}])
def test_no_verdict_is_bought_where_claude_answers_anyway(given: dict[str, Any]) -> None:
    happened = judged(LIKELY, Scripted(reply()), judged_request(**given))
    assert (happened.source, happened.verdicts) == ("claude", ())


def test_no_verdict_is_bought_where_the_user_wants_a_local_answer() -> None:
    happened = judged(DOUBTFUL, Scripted(), judged_request(forced_source="local"))
    assert (happened.answer, happened.accepted, happened.uncovered) == ("a draft", False, True)


CHEAP, BOTH_BOUGHT = 0.015, 0.0001  # draws below the audit probability of a sure draft, above and below a tenth of it


def test_a_cheap_audit_that_passes_ends_without_a_reply() -> None:
    teacher = Scripted(verdicts=[PASS])
    happened = judged(SURE, teacher, judged_request(CHEAP))
    assert (happened.outcome, happened.answer, happened.source) == ("audited", "a draft", "recall")
    assert (happened.reply, happened.divergence, happened.called_claude) == (None, None, False)
    assert (happened.by_check, happened.covered, teacher.judged) == (
        msgspec.UNSET,
        True,
        [(happened.request.query, "a draft", None)],
    )
    assert labels_of(happened) == pytest.approx({"router": 0.97, "validator": 0.97})


@pytest.mark.parametrize(("divergence", "source"), [(0.01, "recall"), (GOOD, "claude"), (BAD, "claude")])
def test_a_cheap_audit_that_fails_buys_the_reply_and_both_decide(divergence: float, source: str) -> None:
    happened = judged(SURE, Scripted(reply(), verdicts=[FAIL]), judged_request(CHEAP), divergence)
    assert (happened.outcome, happened.source, happened.divergence) == ("audited", source, divergence)
    assert happened.verdicts == (FAIL,)


@pytest.mark.parametrize("verdict", [PASS, FAIL, JUDGE_OUT], ids=["pass", "fail", "outage"])
def test_a_share_of_the_audits_buys_the_reply_whatever_the_verdict(verdict: Verdict | Outage) -> None:
    happened = judged(SURE, Scripted(reply(), verdicts=[verdict]), judged_request(BOTH_BOUGHT), BAD)
    assert (happened.outcome, happened.source, happened.divergence) == ("audited", "claude", BAD)
    assert happened.verdicts == (() if verdict is JUDGE_OUT else (verdict,))


def test_a_cheap_audit_without_a_verdict_buys_the_reply() -> None:
    happened = judged(SURE, Scripted(reply(), verdicts=[JUDGE_OUT]), judged_request(CHEAP))
    assert (happened.outcome, happened.source, happened.called_claude) == ("audited", "recall", True)


def test_the_audit_of_a_draft_that_passed_a_check_buys_the_reply_and_no_second_verdict() -> None:
    happened = judged(LIKELY, Scripted(reply(), verdicts=[PASS]), judged_request(0.0), BAD)
    assert (happened.outcome, happened.by_check, happened.source) == ("audited", True, "claude")
    assert (happened.verdicts, happened.divergence) == ((PASS,), BAD)


def test_a_repeat_is_audited_by_a_verdict_first_too() -> None:
    happened = judged(LIKELY, Scripted(verdicts=[PASS]), judged_request(0.05), source="repeat")
    assert (happened.outcome, happened.source, happened.audit_probability) == ("audited", "repeat", 0.1)


UNSURE = 0.5  # a divergence that leaves the meter in doubt
NOTHING_SAID = msgspec.structs.replace(PASS, good=None)
BESIDE = {good: Verdict(good=good, model="judge", rubric="1", with_reply=True, cost_usd=2e-5) for good in (True, False)}


def with_shadow(teacher: Scripted, divergence: float = UNSURE, request: Request | None = None) -> Interaction:
    """Return a query that went to Claude although there was a draft, with what was found out about that."""
    roles = ScriptedRoles({"recall": 0.9}, p_accept=0.3)
    asked = msgspec.structs.replace(request or judged_request(), shadow_rates={"recall": 1.0})
    answered = answer(asked, roles, teacher, lambda *_: divergence, DEFAULT)
    assert isinstance(answered, Interaction)
    seen = observe(answered, roles, lambda *_: divergence, DEFAULT)
    return run_consultation(judge_shadows(seen, DEFAULT), teacher)


@pytest.mark.parametrize("good", [True, False])
def test_the_verdict_on_a_shadow_that_the_meter_doubts_becomes_its_label(good: bool) -> None:
    teacher = Scripted(reply(), verdicts=[BESIDE[good]])
    happened = with_shadow(teacher)
    assert teacher.judged == [(happened.request.query, "a draft", "Claude's answer")]
    assert (happened.source, happened.verdicts, happened.drafts[0].passed) == ("claude", (BESIDE[good],), None)
    assert happened.cost_usd == pytest.approx(0.001 + 2e-5)
    assert labels_of(happened) == pytest.approx(dict.fromkeys(("router", "validator"), 0.97 if good else 0.03))


@pytest.mark.parametrize("divergence", [0.0, 0.15, 0.85, 1.0])
def test_no_verdict_on_a_shadow_is_bought_where_the_meter_is_sure(divergence: float) -> None:
    assert with_shadow(Scripted(reply()), divergence).verdicts == ()


@pytest.mark.parametrize("judging", [msgspec.UNSET, Judging(error=0.03, thresholds={"recall": 0.4}, both=0.1)])
def test_no_verdict_on_a_shadow_is_bought_where_the_judge_is_off_for_it(judging: Judging | UnsetType) -> None:
    assert with_shadow(Scripted(reply()), request=judged_request(judging=judging)).verdicts == ()


def test_no_verdict_on_a_shadow_is_bought_beside_a_reply_that_was_cut() -> None:
    assert with_shadow(Scripted(reply("half a", stop_reason=None))).verdicts == ()


def test_a_draft_that_was_refused_gets_no_second_verdict() -> None:
    happened = judged(DOUBTFUL, Scripted(reply(), verdicts=[FAIL]), divergence=UNSURE)
    assert run_consultation(judge_shadows(happened, DEFAULT), Scripted()) == happened


def test_an_accepted_draft_gets_no_verdict_beside_its_audit() -> None:
    happened = judged(SURE, Scripted(reply(), verdicts=[JUDGE_OUT]), judged_request(CHEAP), UNSURE)
    assert run_consultation(judge_shadows(happened, DEFAULT), Scripted()) == happened


def test_a_paid_reply_that_is_no_verdict_changes_the_cost_and_nothing_else() -> None:
    happened = judged(DOUBTFUL, Scripted(reply(), verdicts=[NOTHING_SAID]))
    assert (happened.outcome, happened.is_judged, happened.drafts[0].passed) == ("rejected", False, None)
    assert happened.cost_usd == pytest.approx(0.001 + 1e-5)
    assert labels_of(happened) == labels_of(judged(DOUBTFUL, Scripted(reply(), verdicts=[JUDGE_OUT])))
    assert count(Tally(), happened, (), DEFAULT).spent == Spent(replies=0.001, verdicts=1e-5)


@pytest.mark.parametrize("failed", [OUTAGE, reply("half a", stop_reason=None)], ids=["outage", "cut"])
def test_a_draft_that_the_judge_refused_is_not_served_if_claude_cannot_answer(failed: Reply | Outage) -> None:
    roles, teacher = ScriptedRoles({"recall": 0.9}, p_accept=SURE), Scripted(failed, verdicts=[FAIL])
    happened = answer(judged_request(CHEAP), roles, teacher, lambda *_: GOOD, DEFAULT)
    if isinstance(failed, Outage):
        assert happened == failed
    else:
        assert isinstance(happened, Interaction)
        assert (happened.outcome, happened.served_local, happened.drafts[0].passed) == ("rejected", False, False)


def test_strictly_a_cheap_audit_that_passes_is_enough_and_one_that_fails_needs_the_reply() -> None:
    strict = judged_request(CHEAP, strict=True)
    assert judged(SURE, Scripted(verdicts=[PASS]), strict).source == "recall"
    roles = ScriptedRoles({"recall": 0.9}, p_accept=SURE)
    assert answer(strict, roles, Scripted(OUTAGE, verdicts=[FAIL]), lambda *_: GOOD, DEFAULT) == OUTAGE
