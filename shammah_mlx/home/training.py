"""Everything that training produces in a home: the roles, the counts and the score counts, in memory and saved.

The result is a function of the journal, bit for bit, whichever processes learnt it and wherever they stopped; but for
a decoder that had learnt a text before the user called it bad: made again, it never learns that text.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import BinaryIO

import msgspec

from shammah_mlx.config import Config
from shammah_mlx.errors import BadInputError, BadStateError
from shammah_mlx.events import BORROWED, DraftSource, Event, Feedback, Interaction, Query, source_counted
from shammah_mlx.framework import loop, metrics
from shammah_mlx.framework.loop import Teacher
from shammah_mlx.framework.metrics import Tally, metrics_path
from shammah_mlx.framework.policy import HomeCounts
from shammah_mlx.framework.targets import Target, Withdrawal
from shammah_mlx.home.bad_texts import BadTexts
from shammah_mlx.home.journal import Journal, Progress
from shammah_mlx.home.replies import replies_until
from shammah_mlx.home.snapshots import Manifest, Snapshots
from shammah_mlx.learners import learning_thread
from shammah_mlx.learners.features import FEATURES_VERSION
from shammah_mlx.learners.hybrid import DEPENDS_ON, HybridRoles, made_by
from shammah_mlx.learners.questions import QUESTION_RULES, standalone_question
from shammah_mlx.learners.roles import PersistentRoles
from shammah_mlx.learners.scratch import ScratchRoles
from shammah_mlx.learners.second_opinion import reader_version
from shammah_mlx.learners.student import Student
from shammah_mlx.learners.unlearnt import find_unlearnt
from shammah_mlx.learners.written import WRITTEN_VERSION
from shammah_mlx.models import tokenizers
from shammah_mlx.models.backend import Arrays, load_arrays, mx
from shammah_mlx.models.embedder import LazyEmbedder
from shammah_mlx.models.language_model import is_folder
from shammah_mlx.models.reader import Reader
from shammah_mlx.models.weights import Weights, find_embedder
from shammah_mlx.risk import threshold
from shammah_mlx.risk.threshold import CountsBySource
from shammah_mlx.text import rules
from shammah_mlx.text.divergence import make_meter


class Spent(msgspec.Struct):
    """How long this process spent on learning, in seconds."""

    steps_s: float = 0.0  # training steps of all roles
    saves_s: float = 0.0
    journal_s: float = 0.0  # writing interactions to the journal


Begin = Callable[[int], AbstractContextManager[Callable[[], None]]]
"""Receives how many steps something will take; yields the function to call after each of them."""


def shown_to_nobody(_: int) -> AbstractContextManager[Callable[[], None]]:
    """Show nothing of how something goes on."""
    return nullcontext(loop.do_nothing)


class Training:
    """The trained state of a home, and everything that the next step depends on.

    It starts from the state that was saved last, or from nothing if `afresh`. Only the process that holds the learner's
    lock may call `learn`, `save` or `keep_checkpoint`.

    Raises:
        BadStateError: the saved state is damaged, or was made by another preset.
        WeightsError: the pretrained weights are missing.
    """

    roles: PersistentRoles
    _student: Student | None  # the decoder, where there is one
    cursor: int  # number of the last interaction trained on
    tally: Tally
    score_counts: CountsBySource
    is_remade: bool  # the memory was made again from the journal, and is not saved yet
    base: Progress  # the state that was saved last, by any process
    _torn: bool  # a step was interrupted, so memory differs from any saved state
    _is_checkpoint: bool  # the last thing learnt was the query after which a checkpoint is made
    _count: int  # interactions learnt since `base`
    _learning_s: float  # seconds spent on them
    _lines: list[dict[str, object]]  # their lines of metrics, not written yet
    _saved: Manifest | None  # of `base`
    _is_published: bool

    def __init__(
        self,
        home: Path,
        config: Config,
        weights: Weights,
        journal: Journal,
        snapshots: Snapshots,
        *,
        afresh: bool,
        relearning: Begin = shown_to_nobody,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._relearning, self._clock = relearning, clock
        self._home, self._config, self._weights = home, config, weights
        self._journal, self._snapshots, self._afresh = journal, snapshots, afresh
        self._bad_texts = BadTexts(journal)
        embedder = find_embedder(config.embedder, weights)
        self.versions = versions(config, embedder)
        self._embed = LazyEmbedder(embedder)
        self.meter = make_meter(config.divergence, self._embed)
        self._reader = self._make_reader()
        self._save_s = 0.0  # seconds that the last save took
        self.spent = Spent()
        self.base = journal.of_current(self._take_up)

    def warm_up(self) -> None:
        """Load the models that are otherwise loaded when they are first needed."""
        if self._config.generator != "scratch":
            self._embed(["one"])
        if self._student:
            self._student.warm_up()
        if self._reader:
            self._reader.warm_up()

    def decode_rate(self) -> float | None:
        """Return how many tokens a second the decoder writes, or None where there is none."""
        return self._student.decode_rate() if self._student else None

    def learn(
        self, pending: Event, teacher: Teacher, give_way: Callable[[], None] = loop.do_nothing
    ) -> Interaction | None:
        """Observe an interaction, train on it and count it; return it as observed. Nothing is saved yet.

        From feedback the roles learn; nothing is counted as a query, or returned. `teacher` is asked for verdicts on
        shadows; about an interaction that was observed before it is not asked again. `give_way` is called between two
        steps and while a shadow is drafted; it may ask these roles for answers.
        """
        try:
            if isinstance(pending, Feedback):
                self._learn_feedback(pending, give_way)
                return None
            return self._learn(pending, teacher, give_way)
        except BaseException:
            self._torn = True
            raise

    def _learn(self, pending: Interaction, teacher: Teacher, give_way: Callable[[], None]) -> Interaction:
        started = time.perf_counter()
        self._recall(pending)
        pending = self._decided(pending) if pending.is_undecided else pending
        interaction = loop.observe(pending, self.roles, self.meter, self._config, give_way)
        if interaction != pending and metrics.can_afford_verdicts(self.tally, self._config.judge):
            judged = loop.run_consultation(loop.judge_shadows(interaction, self._config), teacher)
            if judged != interaction:
                interaction = msgspec.structs.replace(judged, judged_at=self._clock())
        stepping = time.perf_counter()
        withdrawn = self._bad_texts.hold(interaction.request.query, interaction.request.number)
        steps = loop.learn(interaction, self.roles, self._config, give_way, withdrawn=withdrawn)
        self.spent.steps_s += time.perf_counter() - stepping
        self._journal.complete(interaction)
        self.cursor = interaction.request.number
        before, self.tally = self.tally, metrics.count(self.tally, interaction, steps, self._config)
        self._is_checkpoint = self.tally.queries > before.queries and self._snapshots.is_due(self.tally.queries)
        self.score_counts = threshold.add_interaction(
            self.score_counts, interaction, self._config, self._void(interaction)
        )
        if interaction.late_for is None:  # one line for each query
            self._lines.append(metrics.line(self.tally, interaction, steps, self._config))
        self._count += 1
        self._learning_s += time.perf_counter() - started
        return interaction

    def _decided(self, undecided: Interaction) -> Interaction:
        """Return an imported interaction with what the roles, as they are now, think of its query."""
        usual = metrics.usual_doubt(self.tally, self._config.policy)
        counts = HomeCounts(self.tally.queries, self.tally.imported or 0, usual, self.score_counts)
        decided = loop.decide_imported(undecided, self.roles, counts, self._config)
        known = self.roles.decision_context(decided.request.query)
        return msgspec.structs.replace(decided, decision_context=msgspec.structs.replace(known, versions=self.versions))

    def _recall(self, pending: Interaction) -> None:
        """Take up the vectors of an interaction that was learnt before: reading its texts is most of learning."""
        query, reply, known = pending.request.query, pending.reply, {}
        before = (
            None if self._afresh else self._journal.memory.made_before(made_by(self.versions), pending.request.number)
        )
        if before is not None and reply is not None:
            known = {standalone_question(query): before.question.vector, reply.text: before.reply}
        self._embed.recall(known)

    def _learn_feedback(self, feedback: Feedback, give_way: Callable[[], None]) -> None:
        started, about = time.perf_counter(), self._journal.read(feedback.about)
        withdrawn = self._bad_texts.hold(about.request.query, feedback.number)
        loop.learn_feedback(feedback, about, self.roles, self._config, give_way, withdrawn=withdrawn)
        self.score_counts = self._with_feedback(self.score_counts, feedback)
        self.cursor, self._is_checkpoint = feedback.number, False
        self._count += 1
        self._learning_s += time.perf_counter() - started

    def _with_feedback(self, score_counts: CountsBySource, feedback: Feedback) -> CountsBySource:
        about = self._journal.read(feedback.about)
        if feedback.good or feedback.complained is True or (about.draft and about.draft.source in self._void(about)):
            return score_counts
        return threshold.add_complaint(score_counts, about, self._config)

    def pending_events(self) -> list[Event]:
        """Return what is journalled and not learnt yet: decoding it is slow, so read it once for each question."""
        return list(self._journal.events_after(self.cursor))

    def roles_for(self, query: Query, pending: Iterable[Event]) -> PersistentRoles:
        """Return the roles as they answer this query, with what is pending about it."""
        if self._config.generator == "scratch":  # it has no memory that could be out of date
            return self.roles
        return self.roles.ahead(find_unlearnt(query, pending, self._journal.read))

    def check_home(self) -> None:
        """Check that the home is still the one that was opened.

        Raises:
            BadStateError: it was deleted or replaced.
        """
        if not self._journal.is_in_place():
            raise BadStateError(f"{self._home} was deleted or replaced", "nothing was written; run the command again")

    def catch_up(self) -> None:
        """Load the saved state again if another process has saved since, or if a step was interrupted."""
        self.check_home()
        if self._torn or self._journal.progress() != self.base:
            self.base = self._journal.of_current(self._take_up)

    def take_over(self) -> None:
        """Catch up, and publish the state if the process that saved it died before doing so."""
        self.catch_up()
        if self._saved and not self._is_published and not self._afresh:
            cursor = self._saved.cursor
            self._snapshots.drop_checkpoints(lambda _, manifest: manifest is not None and manifest.cursor > cursor)
            self._snapshots.publish(self._saved)
            self._is_published = True

    def score_counts_with(self, pending: Iterable[Event]) -> CountsBySource:
        """Return the score counts, including answers served since the last learning: the bound must not lag behind."""
        found = self.score_counts
        for event in pending:
            if isinstance(event, Feedback):
                found = self._with_feedback(found, event)
            elif event.audit_probability is not None:  # the others are not compared with the reply yet
                found = threshold.add_interaction(found, event, self._config, self._void(event))
        return found

    @property
    def is_unsaved(self) -> bool:
        """Say whether there is something to save; an interrupted step is not saved."""
        return self._count > 0 and not self._torn

    @property
    def is_save_due(self) -> bool:
        """Say whether a checkpoint is due, or a save is cheap beside the time spent on learning."""
        state = self._config.state
        return not self._afresh and (self._is_checkpoint or self._save_s <= state.save_share * self._learning_s)

    def save(self, give_way: loop.GiveWay = loop.do_nothing) -> str:
        """Save everything that was learnt as one state; return its name. `give_way` is called while files are written.

        What is asked meanwhile is answered from the same state, and pending afterwards.
        """
        started = time.perf_counter()
        self.check_home()
        manifest, given_way_s = self._write(give_way)
        if self._saved and self._is_to_be_kept(self._saved, manifest):
            self._snapshots.archive(self._saved)
        metrics.append(metrics_path(self._home), self.tally.queries - len(self._lines), self._lines)
        progress = Progress(self.cursor, manifest.name)
        self._journal.note_pace(self._count, self._learning_s)
        self._journal.commit(progress)  # from this commit on the new state is the current one
        self.roles.saved()
        self.base, self._saved, self._count, self._learning_s, self._lines = progress, manifest, 0, 0.0, []
        self.is_remade = False
        if self._afresh:
            self._snapshots.drop_undo()
        self._snapshots.publish(manifest)
        rolled_back = self._journal.rollbacks.before()
        if not (rolled_back and self._snapshots.can_undo(rolled_back[1])) and not self._journal.count_after(
            self.cursor
        ):
            self._journal.drop_undo()
        self._is_published = True
        self._save_s = time.perf_counter() - started - given_way_s
        self.spent.saves_s += self._save_s
        return manifest.name

    def keep_checkpoint(self) -> None:
        """Make a checkpoint if one is due, during a rebuild, which saves only at its end."""
        if self._is_checkpoint:
            self._snapshots.make_checkpoint(self._write()[0])

    def _write(self, give_way: loop.GiveWay = loop.do_nothing) -> tuple[Manifest, float]:
        """Write a state, calling `give_way` meanwhile; return the seconds that those calls took."""
        given_way_s = 0.0

        def let_others() -> None:
            nonlocal given_way_s
            since = time.perf_counter()
            give_way()
            given_way_s += time.perf_counter() - since

        state = self.roles.state()
        mx.eval(state)  # what is lazy can be computed on its own thread only
        write = {stem: partial(_write_arrays, arrays) for stem, arrays in state.items()}
        unsealed = Manifest(self._config.preset, self.cursor, self.tally, {}, self.versions, dict(self.score_counts))
        adapter_config = self._student.adapter_config() if self._student else None
        work = partial(self._snapshots.write, write, unsealed, adapter_config)
        return learning_thread.run(work, let_others), given_way_s

    def _is_to_be_kept(self, old: Manifest, new: Manifest) -> bool:
        """Say whether an old state must be archived: it cannot be made again, and the new one lacks its adapters."""
        decoder = old.versions.get("decoder", "")
        is_another_decoder = "decoder" in decoder.split(" ")[0] and decoder != self.versions["decoder"]
        return old.name != new.name and (self._afresh or is_another_decoder)

    def drop_lines(self) -> None:
        """Drop staged rows and metrics lines, in a home that is never saved."""
        self._journal.unstage()
        self._lines.clear()

    def _take_up(self, progress: Progress) -> Progress:
        self._journal.unstage()
        self._torn, self._count, self._learning_s, self.is_remade = False, 0, 0.0, False
        self._lines, self._saved, self._is_published = [], None, False
        self._is_checkpoint = False
        self.cursor, self.tally, self.score_counts = 0, Tally(), threshold.no_counts(self._config)
        self.roles = self._make_roles()
        if self._afresh:
            if (found := self._snapshots.find(progress.state)) is not None:
                self._snapshots.check_preset(found, self._config.preset)
            self._saved = found
        elif (manifest := self._snapshots.manifest(progress.state)) is not None:
            self._continue_from(manifest)
            return progress
        self._journal.memory.clear()
        return progress

    def _continue_from(self, manifest: Manifest) -> None:
        self._snapshots.check_preset(manifest, self._config.preset)
        files = self._snapshots.files(manifest)
        parts = self.versions.keys() | manifest.versions.keys()
        changed = {part for part in parts if manifest.versions.get(part) != self.versions.get(part)}
        try:
            arrays = {stem: load_arrays(path) for stem, path in files.items()}
        except RuntimeError as error:
            raise self._misfit(error) from error
        try:
            self.roles.load(arrays, changed, lambda: self._replies_again(manifest.cursor))
        except ValueError as error:
            raise self._misfit(error) from error
        self.is_remade = self.is_remade and not changed  # other settings may be tried without a trace
        self.cursor, self.tally = manifest.cursor, manifest.tally
        self.score_counts = self._kept(manifest.score_counts, changed)
        self._saved = manifest

    def _kept(self, score_counts: CountsBySource, changed: set[str]) -> CountsBySource:
        """Return the saved counts that still hold; new ones where they do not, or this generator had none."""
        kept = {name: counts for name, counts in score_counts.items() if not DEPENDS_ON[source_counted(name)] & changed}
        own = {source: kept.get(source, new) for source, new in self.score_counts.items()}
        pairs = {name: counts for name, counts in kept.items() if source_counted(name) in BORROWED}
        return {**own, **(pairs if "recall" in own else {})}

    def _misfit(self, error: Exception) -> BadStateError:
        return BadStateError(
            f"the saved models in {self._home} do not fit the settings: {error}",
            "undo the change in config.toml, or use another --home",
        )

    def _make_roles(self) -> PersistentRoles:
        self._student = None
        if self._config.generator == "scratch":
            return ScratchRoles(self._config, self._weights)
        has_decoder = self._config.generator == "recall+decoder"
        if has_decoder:
            _check_folder("lora.model", self._config.lora.model)
            self._student = Student(self._weights.decoder, self._config, self._journal.read)
        lookup, rows = self._journal.read, self._journal.memory
        return HybridRoles(
            self._config,
            self.versions,
            self._embed,
            self.meter,
            lookup,
            rows,
            self._student,
            self._reader,
            self._afresh,
        )

    def _make_reader(self) -> Reader | None:
        """Return the local reader, not loaded yet; None if there is none."""
        judge = self._config.judge
        if not judge.local or self._config.generator == "scratch":
            return None
        _check_folder("judge.local", judge.local)
        return Reader(judge.local, judge.local_tokens)

    def _void(self, interaction: Interaction) -> list[DraftSource]:
        """Return the sources whose drafts were scored or measured under other versions than today's."""
        recorded = interaction.decision_context.versions
        return [
            source
            for source, parts in DEPENDS_ON.items()
            if any(recorded.get(name) != self.versions.get(name) for name in parts)
        ]

    def _replies_again(self, last: int) -> Iterator[Target | Withdrawal]:
        """Yield what a memory that is made again has to learn, and show how it goes on."""
        self.is_remade = True
        replies = list(replies_until(self._journal, last, self._config))
        with self._relearning(len(replies)) as advance:
            for reply in replies:
                yield reply
                advance()


def versions(config: Config, embedder: Path) -> dict[str, str]:
    """Return the versions that features and labels depend on: when one changes, what depends on it starts anew."""
    size = (embedder / "model.safetensors").stat().st_size
    meter, lora = config.divergence, config.lora
    return {
        "embedder": f"{embedder.name} {size}",
        "meter": f"{meter.kind} {meter.threshold} {rules.RULES}",
        "questions": QUESTION_RULES,
        "evidence": FEATURES_VERSION,
        "prompt": f"{tokenizers.PROMPT} {lora.show_nearest}",
        "written": f"{WRITTEN_VERSION} {config.head.layers} {config.head.rank} {config.head.scale}",
        "decoder": f"{config.generator} {lora.model} {lora.rank} {lora.scale}",
        **reader_version(config.judge),
    }


def _check_folder(setting: str, model: str) -> None:
    """Check that a model that is named by its folder is there.

    Raises:
        BadInputError: it is not.
    """
    if is_folder(model) and not Path(model).expanduser().is_dir():
        raise BadInputError(f"{setting} names no folder: {model}", f"correct {setting} in config.toml")


def _write_arrays(arrays: Arrays, file: BinaryIO) -> None:
    """Write arrays to an open file, so that equal arrays give equal bytes.

    On a full disk, writing through a Python file raises OSError; MLX alone would raise RuntimeError.
    """
    mx.save_safetensors(file, dict(sorted(arrays.items())))
