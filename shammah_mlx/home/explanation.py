"""Read how one answer came about: what `why` prints.

The structs are what `--json` prints; the fields that are renamed have the names the output has always had.
"""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from shammah_mlx.config import Config
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import (
    OTHER_ANSWER,
    ClaudeOnly,
    DraftSource,
    Feedback,
    ForcedSource,
    Interaction,
    Outcome,
    ScoredDraft,
    Source,
)
from shammah_mlx.framework import policy
from shammah_mlx.home.background import is_learning
from shammah_mlx.home.history import iso_date
from shammah_mlx.home.journal import Journal
from shammah_mlx.risk.threshold import bad_rate

SURELY_READ = 400  # characters of a question that the embedder reads to its end, but for rare scripts


class Neighbour(msgspec.Struct, frozen=True):
    """A past question like the one that is explained."""

    query_id: int
    similarity: float
    query: str | None  # None: it was erased
    at: str | None = None  # when it was asked, ISO 8601


class ExplainedDraft(
    msgspec.Struct,
    frozen=True,
    rename={"entry": "from_query", "threshold": "bar", "features": "evidence"},
):
    """A draft and what it was held against."""

    source: DraftSource
    from_id: str | None
    entry: int | None  # the interaction that a recalled answer came from
    p_accept: float
    threshold: float | None  # what p_accept must exceed by today's policy; None: nothing is served locally yet
    bad_rate: float | None  # how often drafts of this score are bad, by what was known then
    divergence: float | None
    features: dict[str, float]
    verdict: bool | None  # what the judge said of it before there was a reply; None: it was not asked
    stood: bool  # it was accepted, or the user insisted on it; an audit may have replaced it
    minimum: float | None  # `threshold` as it would be without regard to `max_other_answer`
    other_answer: float  # probability, by the words that changed, that its question has another answer
    max_other_answer: float  # what today's settings allow of it; above, the draft is held back
    from_at: str | None = None  # when the interaction that it came from was asked, ISO 8601
    from_model: str | None = None  # the model that was asked then; None: it is no matter of that


class Explanation(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"forced_source": "wish", "features": "evidence", "audit_probability": "pi", "audit_draw": "coin"},
):
    """How one answer came about: what `why --json` prints, in this order."""

    query_id: int
    source: Source
    outcome: Outcome
    later: bool = False  # whether a question was asked after it that was not kept, or is not answered yet
    forced_source: ForcedSource | None
    nearest: tuple[Neighbour, ...]
    p_locals: dict[DraftSource, float]
    threshold: float | None  # what p_local had to exceed; None: nothing was to be served locally yet
    features: dict[str, float]
    drafts: tuple[ExplainedDraft, ...]
    accepted: bool
    audit_probability: float | None
    audit_draw: float
    audit: bool
    covered: bool | None  # None: this preset makes no promise
    learnt: str
    claude_only: ClaudeOnly | None = None  # why only Claude could answer
    files: tuple[str, ...] = ()  # names of the images and PDFs that it had
    versions: dict[str, str]
    conversation: int  # the number of its first question
    alone: bool  # whether this machine left out the conversation, since the question stands alone
    at: str | None = None  # when it was asked, ISO 8601; None: not recorded
    imported_from: str | None = None  # the kind of record that it came from; None: it was asked here
    feedback: Literal["good", "bad"] | None = None  # what the user said of the answer
    own_answer: bool = False  # whether the user gave another one in its place
    known_elsewhere: int | None = None  # the same question, answered by another host than was asked: not given here
    unhelpful: int | None = None  # the question whose answer did not help, for which Claude was asked


class _Known(NamedTuple):
    """What the home knows of an interaction beside its own record."""

    questions: Mapping[int, str]  # of those that the interaction names, by number
    dates: Mapping[int, str | None]
    models: Mapping[int, str | None]  # that were asked for the answers that drafts were borrowed from
    learnt: str
    said: Feedback | None  # what the user said last of its answer
    elsewhere: int | None  # number of the same question, answered by another host


def explain(
    home: Path, config: Config, number: int | None, terminal: int | UnsetType = UNSET
) -> tuple[str, Explanation]:
    """Return the text of a question, and how its answer came about.

    Without a `number` it is the last one of this terminal, or of any if nothing was asked in this one.

    Raises:
        BadInputError: there is no such question.
        BadStateError: the journal is damaged.
    """
    path = home / "journal.db"
    if not path.exists():
        raise BadInputError("nothing was asked yet", "ask something first")
    with closing(Journal(path)) as journal:
        interaction, is_latest = _last(journal, terminal) if number is None else (journal.find(number), True)
        if interaction is None and number is None:
            raise BadInputError("nothing was asked yet", "ask something first")
        if interaction is None:
            raise BadInputError("there is no such question", "`shammah why` without a number explains the last one")
        known = _read_known(interaction, journal, home, config)
    return interaction.request.query.text, _explanation(interaction, known, config, later=not is_latest)


def _last(journal: Journal, terminal: int | UnsetType) -> tuple[Interaction | None, bool]:
    """Return the last question of this terminal, or of any, and whether nothing was asked after it there."""
    asked = journal.conversations
    if (here := asked.last_asked(terminal)) is not None:
        return here, asked.is_last_kept(terminal)
    last = journal.last()
    return last, last is None or asked.is_latest(last.request.number)


def _read_known(interaction: Interaction, journal: Journal, home: Path, config: Config) -> _Known:
    """Read what the home knows of an interaction beside its own record."""
    return _Known(
        questions=journal.questions(near.number for near in interaction.decision_context.nearest),
        dates={number: iso_date(at) for number, at in journal.dates(_mentioned(interaction)).items()},
        models=_other_models(interaction, journal),
        learnt=_learnt(interaction, journal, home, config),
        said=journal.feedback.about(interaction.request.number),
        elsewhere=journal.other_hosts.knows(interaction.request.query) if interaction.source == "claude" else None,
    )


def _explanation(interaction: Interaction, known: _Known, config: Config, *, later: bool) -> Explanation:
    """Put the explanation together; read nothing."""
    request, said = interaction.request, known.said
    return Explanation(
        query_id=request.number,
        later=later,
        source=interaction.source,
        outcome=interaction.outcome,
        forced_source=request.forced_source,
        nearest=tuple(
            Neighbour(near.number, near.similarity, known.questions.get(near.number), known.dates.get(near.number))
            for near in interaction.decision_context.nearest
        ),
        p_locals=interaction.route.p_locals,
        threshold=interaction.route.threshold,
        features=interaction.decision_context.features,
        drafts=tuple(
            _explained(
                interaction, scored, known, config, stood=place == 0 and interaction.audit_probability is not None
            )
            for place, scored in enumerate(interaction.drafts)
        ),
        accepted=interaction.accepted,
        audit_probability=interaction.audit_probability,
        audit_draw=request.audit_draw,
        audit=interaction.audit,
        covered=interaction.covered,
        learnt=known.learnt,
        claude_only=request.claude_only or None,
        files=tuple(attached.name for attached in request.query.attachments or ()),
        versions=interaction.decision_context.versions,
        at=iso_date(request.query.at),
        imported_from=request.imported_from or None,
        feedback=None if said is None else said.word,
        own_answer=said is not None and said.answer is not UNSET,
        known_elsewhere=known.elsewhere,
        unhelpful=request.unhelpful or None,
        conversation=request.conversation,
        alone=request.alone is True,
    )


def _learnt(interaction: Interaction, journal: Journal, home: Path, config: Config) -> str:
    """Say whether an interaction was learnt, and if not, why."""
    if journal.is_archived(interaction.request.number):
        return "no: set aside by a rollback"
    if interaction.reply is not None and interaction.reply.secret is True:
        return "not Claude's reply: it looks like it holds a secret"
    if interaction.reply is not None and interaction.reply.private is True:
        return "not Claude's reply: the settings in [privacy] do not let it be stored"
    if interaction.request.claude_only:
        return (
            "nothing: "
            + {
                "files": "it has an image or a PDF, which no local model reads",
                "length": f"it is longer than {config.max_query_bytes:,} bytes (max_query_bytes)",
            }[interaction.request.claude_only]
        )
    if interaction.reply is not None and not interaction.reply.teaches:
        is_whole = interaction.reply.complete
        return "nothing: " + (
            "another model than the one asked replied" if is_whole else "Claude's reply was not whole"
        )
    if interaction.request.number <= journal.progress().cursor:
        if config.generator == "scratch" or interaction.reply is None or not _is_beyond_memory(interaction, journal):
            return "yes"
        by = "no" if config.generator == "recall" else "by the decoder alone"
        return f"{by}: the question is longer than the memory reads, about 200 words"
    if is_learning(home, config):
        return "not yet: being learnt now"
    return "not yet: `shammah learn` does it, or the next question"


def _is_beyond_memory(interaction: Interaction, journal: Journal) -> bool:
    """Say whether a question that was learnt is not in the memory since it is too long to be read to its end."""
    is_long = len(interaction.request.query.text) > SURELY_READ
    return is_long and not journal.memory.holds(interaction.request.number)


def _mentioned(interaction: Interaction) -> list[int]:
    """Return the numbers of the interactions that an explanation names."""
    nearest = [near.number for near in interaction.decision_context.nearest]
    return nearest + [scored.draft.entry for scored in interaction.drafts if scored.draft.entry]


def _other_models(interaction: Interaction, journal: Journal) -> dict[int, str | None]:
    """Return the model of each interaction that a draft was borrowed from, unless it was erased."""
    entries = {each.draft.entry for each in interaction.drafts if each.draft.entry and each.draft.pair}
    found = {entry: journal.find(entry) for entry in entries}
    return {entry: lender.request.query.model for entry, lender in found.items() if lender is not None}


def _explained(
    interaction: Interaction,
    scored: ScoredDraft,
    known: _Known,
    config: Config,
    *,
    stood: bool,
) -> ExplainedDraft:
    by_score = msgspec.structs.replace(config.policy, max_other_answer=1.0)
    threshold = interaction.request.thresholds.get(scored.draft.counted_as)
    return ExplainedDraft(
        source=scored.draft.source,
        from_id=scored.draft.from_id,
        entry=scored.draft.entry,
        p_accept=scored.p_accept,
        threshold=policy.required_p_accept(scored, interaction.request, config.policy),
        bad_rate=None if threshold is None else bad_rate(scored.p_accept, threshold),
        divergence=scored.divergence,
        features=scored.draft.features,
        verdict=scored.passed,
        stood=stood,
        minimum=policy.required_p_accept(scored, interaction.request, by_score),
        other_answer=scored.draft.features.get(OTHER_ANSWER, 0.0),
        max_other_answer=config.policy.max_other_answer,
        from_at=known.dates.get(scored.draft.entry or 0),
        from_model=known.models.get(scored.draft.entry or 0),
    )
