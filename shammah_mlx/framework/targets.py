"""Training labels, all made here from observed interactions (specification, Training Signals for Each Model).

A label is the probability that a draft is good, by the meter and the judge; a meter that knows no doubt says 0 or 1.
`TargetsConfig` says whether the Router also learns
from the Validator's decisions.
"""

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, UnsetType

from shammah_mlx.config import Config
from shammah_mlx.events import (
    DecisionContext,
    Draft,
    DraftSource,
    Feedback,
    Interaction,
    Query,
    Role,
    ScoredDraft,
)
from shammah_mlx.framework import screening
from shammah_mlx.risk.badness import judge_error, p_bad

DOUBT = 0.5  # of a label: below it the draft is rather bad


class Target(msgspec.Struct, frozen=True):
    """One training example for one role: a label, or for the Generator the reply to write."""

    role: Role
    number: int  # the interaction's, in the journal
    query: Query
    response: str | None  # the reply to write; for Router and Validator the draft that the label is about
    label: float | None  # 1: good or local, 0: bad or forward, between: in doubt; None for the Generator
    features: Mapping[str, float] = {}  # what the model saw when it decided
    source: DraftSource | None = None  # of that draft
    versions: Mapping[str, str] = {}  # of the parts that made the features and the label
    refuted: int | None = None  # the interaction whose answer was recalled, and which this reply shows to be wrong here
    refuted_was_accepted: bool = False  # whether the Validator had accepted that draft
    by_user: bool = False  # the user says so, who speaks where he likes: no fair sample of anything
    withdrawn: bool = False  # he calls it bad further on: it is known until then, and nothing is trained towards it
    pair: str | UnsetType = UNSET  # of a borrowed draft: its contexts


class Withdrawal(msgspec.Struct, frozen=True):
    """An answer that the user called bad: it is neither proposed again nor learnt from again."""

    query: Query
    number: int  # the interaction whose answer it is; earlier answers to the same question go with it
    by: int  # number of the feedback that says so
    refuted: int  # the interaction that the bad text came from: it is not proposed for other questions either


def make_targets(interaction: Interaction, config: Config, *, withdrawn: bool = False) -> tuple[Target, ...]:
    """Make all training targets of one interaction: the labels first, and the reply last.

    `withdrawn` says that the user has called the reply bad, in words that are learnt later.
    """
    request, reply, decision_context = interaction.request, interaction.reply, interaction.decision_context
    targets: list[Target] = []
    for scored in interaction.drafts if interaction.measures_drafts else ():
        if scored.draft.by_user is True:
            continue
        draft, good = scored.draft, _label(scored, interaction, config)
        label = _router_label(interaction, good, config) if scored is interaction.drafts[0] else good
        if label is not None:
            details = (_routed_by(draft, decision_context), draft.source, decision_context.versions)
            targets.append(
                Target("router", request.number, request.local_query, draft.text, label, *details, pair=draft.pair)
            )
        if good is not None:
            details = (draft.features, draft.source, decision_context.versions)
            targets.append(
                Target("validator", request.number, request.local_query, draft.text, good, *details, pair=draft.pair)
            )
    may_teach = reply is not None and reply.teaches and not request.claude_only
    if reply is not None and may_teach and not screening.is_secret(request.query, reply):
        wrong = [
            scored
            for scored in interaction.drafts
            if interaction.measures_drafts
            and scored.draft.entry
            and scored.draft.by_user is not True
            and scored.draft.pair is UNSET  # it may be right where it was learnt
            and (label := _label(scored, interaction, config)) is not None
            and label < DOUBT
        ]
        refuted = wrong[0].draft.entry if wrong else None
        was_served = interaction.audit_probability is not None or request.unhelpful is not UNSET
        accepted = bool(wrong) and wrong[0] is interaction.drafts[0] and was_served
        targets.append(
            Target(
                "generator",
                request.number,
                request.query,
                reply.text,
                label=None,
                refuted=refuted,
                refuted_was_accepted=accepted,
                withdrawn=withdrawn,
            )
        )
    return tuple(targets)


def make_withdrawal(feedback: Feedback, about: Interaction) -> Withdrawal | None:
    """Return what is taken back because the user called an answer bad; None if it was good.

    If an answer of his own stood in its place, that is what he means. It belongs to the question in its conversation.
    """
    if feedback.good:
        return None
    if feedback.own is not UNSET:
        return Withdrawal(about.request.query, feedback.own, feedback.number, feedback.own)
    entry = about.draft.entry if about.draft and about.served_local else None
    return Withdrawal(about.answered_query, feedback.about, feedback.number, feedback.about if entry is None else entry)


def make_feedback_targets(feedback: Feedback, about: Interaction, *, withdrawn: bool = False) -> tuple[Target, ...]:
    """Make the targets of what the user said of an answer: labels for a draft that was served, and his own answer.

    Saying the same twice makes one label. `withdrawn` says that he has called his own answer bad too, later.
    Nothing is learnt from the text of a bad answer but that it is bad. The user's own answer belongs to the question in
    its conversation, as Claude's does, even where this machine answered without that.
    """
    decision_context = about.decision_context
    targets: list[Target] = []
    is_new = feedback.repeated is not True
    if about.draft is not None and about.served_local and not about.is_by_user and is_new:
        draft, label, versions = about.draft, float(feedback.good), decision_context.versions
        by_router = _routed_by(draft, decision_context)
        features: dict[Role, Mapping[str, float]] = {"router": by_router, "validator": draft.features}
        targets += [
            Target(
                role,
                feedback.about,
                about.answered_query,
                draft.text,
                label,
                seen,
                draft.source,
                versions,
                by_user=True,
                pair=draft.pair,
            )
            for role, seen in features.items()
        ]
    if feedback.answer is not UNSET and not about.request.claude_only:
        said = msgspec.structs.replace(about.request.query, at=feedback.at)
        own = Target("generator", feedback.number, said, feedback.answer, label=None, by_user=True, withdrawn=withdrawn)
        targets.append(own)
    return tuple(targets)


def _routed_by(draft: Draft, decision_context: DecisionContext) -> Mapping[str, float]:
    """Return the features that the Router weighed: of a borrowed draft its own, which show it nothing less."""
    return decision_context.features if draft.pair is UNSET else draft.features


def _label(scored: ScoredDraft, interaction: Interaction, config: Config) -> float | None:
    """Return the probability that a draft is good by what was found out, whatever its score; None if nothing was."""
    bad = p_bad(scored, config.divergence, judge_error(interaction.request, config))
    return None if bad is None else 1.0 - bad


def _router_label(interaction: Interaction, good: float | None, config: Config) -> float | None:
    if interaction.accepted and config.targets.trust_approval and interaction.late_for is None:
        return 1
    if interaction.outcome == "rejected" and config.targets.trust_rejection:
        return 0
    return good
