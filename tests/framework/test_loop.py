"""Every branch of the specification's Complete Training Loop, by name, on fakes."""

import subprocess
import sys

import msgspec
import pytest

from shammah_mlx.config import Config
from shammah_mlx.events import DraftSource, ForcedSource, Interaction, Outage, Request, Show, Threshold
from shammah_mlx.framework import loop
from shammah_mlx.framework.loop import NOTHING_LOCAL, learn, observe, run_consultation
from shammah_mlx.presets import PRESETS
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
