"""What the settings do not let be stored leaves no text behind, and an audit keeps its verdict."""

import msgspec

from shammah_mlx.config import PrivacyConfig
from shammah_mlx.events import Draft, Interaction, Reply, Route, ScoredDraft
from shammah_mlx.framework.screening import screened, without_secret
from tests.fakes import make_request, reply

PRIVACY = PrivacyConfig(never_store=("Heron",))
REPLY = Reply("Project Heron.", "claude-sonnet-5-5", "end_turn")


def test_a_reply_that_may_not_be_stored_takes_its_question_with_it() -> None:
    asked = Interaction.forwarded(make_request(), Route({}, 0.5), REPLY)
    marked = screened(asked, PRIVACY)
    assert (marked.request.stored, marked.answer) == (False, REPLY.text)
    harmless = Interaction.forwarded(make_request(), Route({}, 0.5), reply())
    assert screened(harmless, PRIVACY) == harmless


def test_an_audit_is_kept_without_the_reply_that_may_not_be_stored() -> None:
    route, draft = Route({"recall": 0.9}, 0.5, ("recall",)), ScoredDraft(Draft("a draft", "recall"), 0.9)
    stood = Interaction.approved(make_request(sampled=True), route, (draft,), 0.5)
    measured = (msgspec.structs.replace(draft, divergence=1.0),)
    marked = screened(Interaction.audited(stood, measured, REPLY, good=False), PRIVACY)
    assert (marked.request.stored, marked.answer) == (True, REPLY.text)
    written = without_secret(marked)
    assert written.reply is not None
    assert (written.reply.text, written.divergence) == ("", 1.0)
    assert msgspec.json.decode(msgspec.json.encode(written), type=Interaction) == written
