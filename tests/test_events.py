import msgspec
import pytest

from shammah_mlx.events import Draft, Interaction, Outcome, Reply, Route
from tests.fakes import reply, turn

LOCAL, FORWARD = Route(True, 0.9, 0.5), Route(False, 0.1, 0.5)
DRAFT = Draft("a draft", "decoder")

LEGAL = {
    "forwarded": Interaction.forwarded(turn(), FORWARD, reply()),
    "rejected": Interaction.rejected(turn(), LOCAL, DRAFT, 0.2, reply()),
    "approved": Interaction.approved(turn(), LOCAL, DRAFT, 0.8),
    "audited": Interaction.audited(turn(sampled=True), LOCAL, DRAFT, 0.8, reply(), 0.1, good=True),
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
        ("forwarded", {"draft": DRAFT}),
        ("forwarded", {"divergence": 0.1}),
        ("rejected", {"draft": None}),
        ("rejected", {"reply": None}),
        ("rejected", {"route": FORWARD}),
        ("approved", {"reply": reply()}),
        ("approved", {"served_local": False}),
        ("approved", {"divergence": 0.1}),
        ("audited", {"divergence": None}),
        ("audited", {"reply": reply("half", None)}),
        ("audited", {"turn": turn(sampled=False)}),
    ],
)
def test_what_no_path_through_the_loop_produces_cannot_be_built(outcome: Outcome, changes: dict[str, object]) -> None:
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
def test_only_a_reply_that_ended_by_itself_is_complete(stop_reason: str | None, text: str, complete: bool) -> None:
    assert Reply(text, "m", stop_reason).complete is complete
