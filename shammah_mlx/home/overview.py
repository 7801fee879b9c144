"""Read what a home has to tell its user: how it does as a whole (`status`), and how one answer came about (`why`).

The structs are what `--json` prints; the fields that are renamed have the names the output has always had.
"""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import UNSET

from shammah_mlx.config import Config
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import (
    OTHER_ANSWER,
    ClaudeOnly,
    DraftSource,
    ForcedSource,
    Interaction,
    Outcome,
    ScoredDraft,
    Source,
    source_counted,
)
from shammah_mlx.framework import policy
from shammah_mlx.home.background import is_learning, last_failure
from shammah_mlx.home.history import iso_date
from shammah_mlx.home.journal import Journal, Totals
from shammah_mlx.home.progress import (
    Borrowing,
    History,
    Lacking,
    MoneyOverview,
    lacking,
    read_borrowing,
    read_history,
    read_money,
    required_scores,
)
from shammah_mlx.home.snapshots import Manifest, Snapshots
from shammah_mlx.risk.accounts import JudgeRecord, summarise
from shammah_mlx.risk.threshold import bad_rate, no_counts

SURELY_READ = 400  # characters of a question that the embedder reads to its end, but for rare scripts


class BadRate(msgspec.Struct, frozen=True):
    """The share of bad answers among those served locally, as far as audits tell."""

    estimate: float | None  # None: nothing was served yet
    low: float | None  # of the interval
    high: float | None
    audits: int


class JudgeOverview(msgspec.Struct, frozen=True):
    """What the judge did, and how its verdicts fit what was found out later."""

    verdicts: int
    compared: int  # verdicts with a whole reply beside them, where the meter was sure
    wrong: int  # among these
    spent_usd: float
    unreadable: int = 0  # calls that were paid for and brought no verdict


class Overview(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"accept_threshold": "threshold", "thresholds": "bars", "is_learning": "learning"},
):
    """How a home does: what `status --json` prints, in this order."""

    seen: int  # queries handled
    journalled: int
    trained: int
    pending: int
    preset: str
    accept_threshold: float | None  # what p_accept must exceed for any source; None: nothing is served locally yet
    thresholds: dict[DraftSource, float | None]  # what it must exceed for `max_bad_rate`; None: nothing is served
    max_bad_rate: float | None  # None: this preset makes no promise
    slack: float | None
    bad_rate: BadRate
    served_local: int
    audits_missed: int
    covered: bool | None  # None: this preset makes no promise
    router_accuracy: float | None
    validator_accuracy: float | None
    forward_rate: float | None
    spent_usd: float
    unpriced_calls: int
    is_learning: bool
    learning_failed: str | None  # why the last process that learnt stopped early
    spread: float | None  # share of Claude's own answers that differ when he is asked again; None: never asked again
    repeats: int  # questions asked again whose answers were compared
    judge: JudgeOverview
    imported: int  # queries among those seen that another program had Claude answer
    money: MoneyOverview
    lacking: Lacking
    history: History
    service: bool  # whether a service runs in this home
    missing_files: list[str]  # of the models
    borrowing: list[Borrowing] = []  # one entry a pair of contexts, the one measured most first


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
    unhelpful: int | None = None  # the question whose answer did not help, for which Claude was asked


def read_overview(home: Path, config: Config, *, is_served: bool = False) -> Overview:
    """Read how a home does; a home that does not exist has done nothing, and is not made.

    `is_served` says whether a service runs there.

    Raises:
        BadInputError: the path is not a folder.
        BadStateError: journal or models are damaged.
    """
    snapshots, path = Snapshots(home, config.state), home / "journal.db"
    budget = config.budget
    spent, history = MoneyOverview(budget_usd=budget.month if budget.is_set else None), History()
    borrowing: list[Borrowing] = []
    if home.exists() and not home.is_dir():
        raise BadInputError(f"{home} is not a folder", "give --home a folder")
    if path.exists():
        with closing(Journal(path)) as journal:
            manifest = journal.of_current(lambda progress: snapshots.manifest(progress.state))
            totals = journal.totals(manifest.cursor if manifest else 0)
            accounts = summarise(journal.after(0), config)
            spent, history = read_money(journal, budget), read_history(journal, totals.journalled)
            asked_here = manifest.tally.queries + totals.pending - totals.imported if manifest else 0
            borrowing = read_borrowing(journal, config, manifest, asked_here) if manifest else []
    else:
        manifest, totals, accounts = snapshots.manifest(None), Totals(), summarise([], config)
    trained = manifest.tally.queries if manifest else 0
    seen = trained + totals.pending
    low, high = accounts.served.interval or (None, None)
    learns = bool(totals.pending) and is_learning(home, config)
    return Overview(
        seen=seen,
        journalled=totals.journalled,
        trained=trained,
        pending=totals.pending,
        preset=manifest.preset if manifest else config.preset,
        accept_threshold=policy.accept_threshold(seen - totals.imported_pending, config.policy),
        thresholds=_thresholds(config, manifest, seen - totals.imported),
        max_bad_rate=config.risk.max_bad_rate if config.risk.promises else None,
        slack=accounts.slack if config.risk.promises else None,
        bad_rate=BadRate(accounts.served.rate, low, high, accounts.served.audits),
        served_local=accounts.served.local,
        audits_missed=accounts.served.uncovered,
        covered=not totals.open_audits if config.risk.promises else None,
        router_accuracy=accounts.router,
        validator_accuracy=accounts.validator,
        forward_rate=totals.forwarded / totals.journalled if totals.journalled else None,
        spent_usd=totals.spent_usd,
        unpriced_calls=totals.unpriced_calls,
        is_learning=learns,
        learning_failed=last_failure(home) if totals.pending and not learns else None,
        spread=accounts.spread.rate,
        repeats=accounts.spread.repeats,
        judge=_judge(accounts.judge),
        imported=totals.imported,
        money=spent,
        lacking=lacking(config, manifest, seen),
        history=history,
        service=is_served,
        missing_files=snapshots.missing(manifest) if manifest else [],
        borrowing=borrowing,
    )


def _judge(record: JudgeRecord) -> JudgeOverview:
    return JudgeOverview(record.verdicts, record.decisive, record.wrong, record.usd, record.unreadable)


def _thresholds(config: Config, manifest: Manifest | None, asked_here: int) -> dict[DraftSource, float | None]:
    """Return what the next draft of each source must exceed for `max_bad_rate`; None: nothing is served."""
    known = manifest.score_counts if manifest else {}
    score_counts = {name: known.get(name, nothing) for name, nothing in no_counts(config).items()}
    found = required_scores(config, manifest, score_counts, asked_here)
    return {source_counted(name): threshold for name, threshold in found.items()}


def explain(home: Path, config: Config, number: int | None) -> tuple[str, Explanation]:
    """Return the text of a question, the last one if there is no `number`, and how its answer came about.

    Raises:
        BadInputError: there is no such question.
        BadStateError: the journal is damaged.
    """
    path = home / "journal.db"
    if not path.exists():
        raise BadInputError("nothing was asked yet", "ask something first")
    with closing(Journal(path)) as journal:
        interaction = journal.last() if number is None else journal.find(number)
        if interaction is None and number is None:
            raise BadInputError("nothing was asked yet", "ask something first")
        if interaction is None:
            raise BadInputError("there is no such question", "`shammah why` without a number explains the last one")
        questions = journal.questions(near.number for near in interaction.decision_context.nearest)
        dates = {number: iso_date(at) for number, at in journal.dates(_mentioned(interaction)).items()}
        models = _other_models(interaction, journal)
        learnt, said = _learnt(interaction, journal, home, config), journal.feedback.about(interaction.request.number)
    explanation = Explanation(
        query_id=interaction.request.number,
        source=interaction.source,
        outcome=interaction.outcome,
        forced_source=interaction.request.forced_source,
        nearest=tuple(
            Neighbour(near.number, near.similarity, questions.get(near.number), dates.get(near.number))
            for near in interaction.decision_context.nearest
        ),
        p_locals=interaction.route.p_locals,
        threshold=interaction.route.threshold,
        features=interaction.decision_context.features,
        drafts=tuple(
            _explained(
                interaction,
                scored,
                config,
                dates,
                models,
                stood=place == 0 and interaction.audit_probability is not None,
            )
            for place, scored in enumerate(interaction.drafts)
        ),
        accepted=interaction.accepted,
        audit_probability=interaction.audit_probability,
        audit_draw=interaction.request.audit_draw,
        audit=interaction.audit,
        covered=interaction.covered,
        learnt=learnt,
        claude_only=interaction.request.claude_only or None,
        files=tuple(attached.name for attached in interaction.request.query.attachments or ()),
        versions=interaction.decision_context.versions,
        at=iso_date(interaction.request.query.at),
        imported_from=interaction.request.imported_from or None,
        feedback=None if said is None else said.word,
        own_answer=said is not None and said.answer is not UNSET,
        unhelpful=interaction.request.unhelpful or None,
        conversation=interaction.request.conversation,
        alone=interaction.request.alone is True,
    )
    return interaction.request.query.text, explanation


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
    config: Config,
    dates: Mapping[int, str | None],
    models: Mapping[int, str | None],
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
        from_at=dates.get(scored.draft.entry or 0),
        from_model=models.get(scored.draft.entry or 0),
    )
