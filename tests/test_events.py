import msgspec
import pytest

from shammah_mlx.events import Draft, Exchange, Interaction, Outcome, Query, Reply, Route, ScoredDraft
from tests.fakes import make_request, reply

LOCAL, FORWARD = Route({"decoder": 0.9}, 0.5, ("decoder",)), Route({"decoder": 0.1}, 0.5)
DRAFT = Draft("a draft", "decoder")
SCORED, MEASURED = (ScoredDraft(DRAFT, 0.8),), (ScoredDraft(DRAFT, 0.8, 0.1),)

LEGAL = {
    "forwarded": Interaction.forwarded(make_request(), FORWARD, reply()),
    "rejected": Interaction.rejected(make_request(), LOCAL, SCORED, reply()),
    "approved": Interaction.approved(make_request(), LOCAL, SCORED, 0.1),
    "audited": Interaction.audited(
        Interaction.approved(make_request(sampled=True), LOCAL, SCORED, 0.1), MEASURED, reply(), good=True
    ),
}


@pytest.mark.parametrize("outcome", LEGAL)
def test_an_interaction_survives_the_journal(outcome: str) -> None:
    stored = msgspec.json.encode(LEGAL[outcome])
    assert msgspec.json.decode(stored, type=Interaction) == LEGAL[outcome]


@pytest.mark.parametrize(
    ("outcome", "changes"),
    [
        ("forwarded", {"reply": None}),
        ("forwarded", {"served_local": True}),
        ("forwarded", {"drafts": MEASURED, "reply": reply("half", None)}),
        ("forwarded", {"audit_probability": 0.1}),
        ("rejected", {"drafts": ()}),
        ("rejected", {"reply": None}),
        ("rejected", {"route": FORWARD}),
        ("approved", {"reply": reply()}),
        ("approved", {"served_local": False}),
        ("approved", {"drafts": MEASURED}),
        ("approved", {"audit_probability": None}),
        ("audited", {"drafts": SCORED}),
        ("audited", {"accepted": False}),
        ("audited", {"reply": reply("half", None)}),
    ],
)
def test_shapes_that_the_loop_cannot_produce_are_refused(outcome: Outcome, changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=outcome):
        msgspec.structs.replace(LEGAL[outcome], **changes)


@pytest.mark.parametrize(
    ("stop_reason", "text", "complete"),
    [
        ("end_turn", "yes", True),
        ("stop_sequence", "yes", True),
        ("end_turn", " \n", False),
        ("max_tokens", "yes", False),
        ("refusal", "no", False),
        ("tool_use", "yes", False),
        (None, "yes", False),
    ],
)
def test_only_a_reply_that_claude_finished_is_complete(stop_reason: str | None, text: str, complete: bool) -> None:
    assert Reply(text, "m", stop_reason).complete is complete


def test_an_audit_is_due_when_the_draw_is_below_its_probability() -> None:
    for audit_draw, audit in ((0.09, True), (0.1, False)):
        happened = Interaction.approved(
            msgspec.structs.replace(make_request(), audit_draw=audit_draw), LOCAL, SCORED, 0.1
        )
        assert (happened.audit, happened.uncovered) == (audit, audit)


def test_a_local_answer_that_the_validator_refused_is_not_covered() -> None:
    assert Interaction.unchecked(make_request(), LOCAL, SCORED, accepted=False).uncovered
    assert not Interaction.unchecked(make_request(), LOCAL, SCORED, accepted=True).uncovered


def test_the_conversation_so_far_is_part_of_the_context() -> None:
    alone, before = Query("how many are there?"), Exchange("which moons has Mars?", "Phobos and Deimos.")
    assert msgspec.structs.replace(alone, history=(before,)).context != alone.context
