"""A turn of a chat that stands alone is answered here without the conversation, and by Claude with it."""

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from shammah_mlx.events import (
    AskOptions,
    Draft,
    DraftSource,
    Exchange,
    Interaction,
    Judging,
    Outage,
    Query,
    Reply,
    Request,
    Show,
    Threshold,
    Verdict,
)
from shammah_mlx.framework import loop, policy
from shammah_mlx.framework.targets import make_targets
from shammah_mlx.presets import PRESETS
from shammah_mlx.risk.accounts import summarise
from shammah_mlx.risk.threshold import add_interaction, no_counts
from shammah_mlx.teacher.recordings import Scripted
from tests.fakes import ScriptedRoles, make_request, reply

DEFAULT = PRESETS["default"]
HISTORY = (Exchange("which moons has Mars?", "Phobos and Deimos."),)
TURN = Query("how do I boil an egg?", history=HISTORY, at=1e9)
HONEST = Threshold(candidate=0.5, serve=0.5, offset=0.0, slope=1.0)  # a draft of score p is bad at a rate of 1 - p
PROMISED: dict[DraftSource, Threshold] = {"recall": HONEST, "repeat": HONEST}
JUDGING = Judging(error=0.03, thresholds={"recall": 0.4, "repeat": 0.4}, both=0.1)
PASSES, REFUSES, SAYS_NOTHING = (
    Verdict(good, "claude-judge", "1", with_reply=False, cost_usd=0.0001) for good in (True, False, None)
)
NO_JUDGE = Outage("unreachable", "Claude could not be reached.", "check the network")
GOOD, BAD = 0.0, 1.0


class ListeningRoles(ScriptedRoles):
    """Roles that note what they were asked."""

    def __init__(self, source: DraftSource = "recall", p_accept: float = 0.99) -> None:
        super().__init__({source: 0.9}, p_accept={source: p_accept})
        self.heard: list[Query] = []

    def p_local(self, query: Query) -> dict[DraftSource, float]:
        self.heard.append(query)
        return super().p_local(query)

    def draft(
        self, query: Query, source: DraftSource, show: Show = loop.show_nobody, give_way: loop.GiveWay | None = None
    ) -> Draft | None:
        self.heard.append(query)
        return super().draft(query, source, show, give_way)


def alone(**changes: Any) -> Request:
    given = {"query": TURN, "alone": True, "thresholds": PROMISED, "judging": JUDGING, **changes}
    return msgspec.structs.replace(make_request(), **given)


def answer(
    request: Request, roles: ScriptedRoles, *outcomes: Reply | Outage, verdicts: tuple[Verdict | Outage, ...] = ()
) -> tuple[Interaction, Scripted]:
    teacher = Scripted(*outcomes, verdicts=verdicts)
    answered = loop.run_consultation(loop.answer(request, roles, lambda *_: BAD, DEFAULT), teacher)
    assert isinstance(answered, Interaction)
    return answered, teacher


def asked(query: Query, *, in_chat: bool) -> Request:
    return policy.make_request(query, 1, policy.HomeCounts(0), AskOptions(in_chat=in_chat), DEFAULT, 0)


def test_only_a_chats_turn_with_words_of_its_own_stands_alone() -> None:
    assert asked(TURN, in_chat=True).alone is True
    assert asked(TURN, in_chat=True).local_query == msgspec.structs.replace(TURN, history=())
    others = (
        asked(TURN, in_chat=False),
        asked(Query("how do I boil an egg?"), in_chat=True),
        asked(msgspec.structs.replace(TURN, text="how big are they?"), in_chat=True),
    )
    for request in others:
        assert request.alone is UNSET
        assert request.local_query is request.query


def test_the_machine_hears_the_turn_alone_and_the_judge_the_whole_conversation() -> None:
    roles = ListeningRoles()
    happened, teacher = answer(alone(), roles, verdicts=(PASSES,))
    assert (happened.source, happened.called_claude, happened.by_check) == ("recall", False, True)
    assert {query.history for query in roles.heard} == {()}
    assert [query for query, _, _ in teacher.judged] == [TURN]


@pytest.mark.parametrize("verdict", [REFUSES, SAYS_NOTHING, NO_JUDGE])
@pytest.mark.parametrize("source", ["recall", "repeat"])
def test_however_sure_the_validator_is_nothing_is_served_that_the_judge_did_not_pass(
    source: DraftSource, verdict: Verdict | Outage
) -> None:
    happened, teacher = answer(alone(), ListeningRoles(source, 0.9999), reply(), verdicts=(verdict,))
    assert (happened.outcome, happened.source) == ("rejected", "claude")
    assert teacher.asked == [TURN]


def test_without_a_judge_claude_is_asked_and_where_nothing_is_promised_the_words_decide() -> None:
    happened, teacher = answer(alone(judging=UNSET), ListeningRoles(), reply())
    assert (happened.outcome, teacher.asked) == ("rejected", [TURN])
    happened, teacher = answer(alone(judging=UNSET, thresholds={}), ListeningRoles())
    assert (happened.source, teacher.asked) == ("recall", [])


def test_the_users_own_answer_stands_without_a_judge() -> None:
    class OwnAnswer(ListeningRoles):
        def draft(self, *given: Any, **named: Any) -> Draft | None:
            draft = super().draft(*given, **named)
            return draft and msgspec.structs.replace(draft, by_user=True)

    happened, teacher = answer(alone(judging=UNSET), OwnAnswer("repeat"))
    assert (happened.source, happened.is_by_user, teacher.asked) == ("repeat", True, [])


def test_a_reply_with_the_conversation_is_learnt_with_it_and_says_nothing_about_drafts_without_it() -> None:
    roles = ListeningRoles()
    happened, _ = answer(alone(shadow_rates={"recall": 1.0}), roles, reply(), verdicts=(REFUSES,))
    observed = loop.observe(happened, roles, lambda *_: BAD, DEFAULT)
    assert [scored.divergence for scored in observed.drafts] == [None]
    (target,) = make_targets(observed, DEFAULT)
    assert (target.role, target.query, target.refuted) == ("generator", TURN, None)
    assert add_interaction(no_counts(DEFAULT), observed, DEFAULT) == no_counts(DEFAULT)


def test_no_shadow_is_drafted_for_it() -> None:
    roles = ListeningRoles(p_accept=0.1)
    request = alone(forced_source="claude", shadow_rates={"recall": 1.0})
    happened, _ = answer(request, roles, reply())
    assert loop.observe(happened, roles, lambda *_: BAD, DEFAULT).drafts == ()


def test_an_audit_measures_what_was_served_by_claudes_reply_to_the_whole_conversation() -> None:
    roles = ListeningRoles()
    request = alone(audit_draw=0.0, audit_rate=1.0)
    happened, teacher = answer(request, roles, reply(), verdicts=(PASSES,))
    assert (happened.outcome, happened.served_local, teacher.asked) == ("audited", False, [TURN])
    labels = [
        (target.role, target.query.history, (target.label or 0.0) < 0.5) for target in make_targets(happened, DEFAULT)
    ]
    assert labels == [("router", (), True), ("validator", (), True), ("generator", HISTORY, True)]
    assert sum(add_interaction(no_counts(DEFAULT), happened, DEFAULT)["recall"].measured) == 1


def test_claude_does_not_seem_to_contradict_himself_since_a_conversation_changed_the_question() -> None:
    for request, repeats in ((alone(audit_draw=0.0, audit_rate=1.0), 0), (alone(alone=UNSET, audit_draw=0.0), 1)):
        happened, _ = answer(request, ListeningRoles("repeat", 0.9999), reply(), verdicts=(PASSES,))
        assert happened.divergence == BAD
        assert summarise([happened], DEFAULT).spread.repeats == repeats
        assert sum(add_interaction(no_counts(DEFAULT), happened, DEFAULT)["repeat"].measured) == repeats
