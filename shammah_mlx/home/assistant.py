"""One home, open: answer a query and journal it, learn from the journal, and save."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import UNSET, UnsetType

from shammah_mlx.config import Config
from shammah_mlx.events import Announce, AskOptions, DecisionContext, Event, Interaction, Outage, Query, Show
from shammah_mlx.framework import loop, metrics, policy, screening
from shammah_mlx.framework.budget import WithinBudget
from shammah_mlx.framework.claude_only import without_data
from shammah_mlx.framework.loop import Teacher
from shammah_mlx.home import forgetting, hindsight, importing, late_audits
from shammah_mlx.home.conversations import continued
from shammah_mlx.home.journal import Journal, Progress
from shammah_mlx.home.ledger import Ledger, month_start
from shammah_mlx.home.locks import HomeLock
from shammah_mlx.home.snapshots import Snapshots
from shammah_mlx.home.training import Begin, Spent, Training, shown_to_nobody
from shammah_mlx.learners.roles import PersistentRoles
from shammah_mlx.models.weights import Weights
from shammah_mlx.text.divergence import Meter


class AssistantOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a home is opened."""

    saves: bool = True  # False: nothing is saved, for a home that is thrown away
    afresh: bool = False  # True: learn everything from the beginning, save at the end, and keep other learners out
    on_wait: Callable[[], None] = loop.do_nothing  # called when another process makes this one wait
    give_way: Callable[[], None] = loop.do_nothing  # called again and again while it learns; it may answer queries
    clock: Callable[[], float] = time.time  # Unix time, seconds
    secret_audits: bool = False  # True: drawn with the home's own seed, which nobody can guess; else with the config's
    relearning: Begin = shown_to_nobody  # told of the replies from which the memory has to be made again, when opened
    origin: int | UnsetType = UNSET  # hash of who the teacher is, if that is not Anthropic; see `Query`


class Assistant:
    """A home, open to ask and to learn in; a context manager. Other processes may do the same: see `locks`.

    Learning is saved when a save is cheap beside it, and when the home is closed. A crash loses nothing: what the
    journal holds and the saved models have not seen is learnt again.

    Raises:
        BadStateError: the home is in use, is damaged, or was made by another preset.
        WeightsError: the pretrained weights are missing.
    """

    def __init__(
        self,
        home: Path,
        config: Config,
        teacher: Teacher,
        weights: Weights,
        options: AssistantOptions = AssistantOptions(),  # noqa: B008  it is frozen
    ) -> None:
        self.config = config
        self._teacher, self._options = WithinBudget(teacher, self.is_budget_spent, config), options
        self._lock = HomeLock(home, config.state, options.on_wait)
        snapshots = Snapshots(home, config.state)
        with ExitStack() as opened:
            self._journal = opened.enter_context(closing(Journal(home / "journal.db")))
            opened.enter_context(forgetting.all_forgotten(home, self._journal, snapshots, self._lock))
            if options.afresh:
                opened.enter_context(self._lock.learning())
            elif self._journal.progress().state is None and snapshots.adopt():
                self._adopt(snapshots)
            self._training = Training(
                home,
                config,
                weights,
                self._journal,
                snapshots,
                afresh=options.afresh,
                relearning=options.relearning,
                clock=options.clock,
            )
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._opened:
            if not self._options.saves or error is not None:
                return
            if self._training.is_unsaved:
                self.save()
            elif self._training.is_remade:  # or else every process would have to make the memory again
                with self._lock.learning_if_free() as is_free:
                    if is_free:
                        self.save()

    def _adopt(self, snapshots: Snapshots) -> None:
        """Record the models that are there as the current ones: the journal is new and does not know them."""
        with self._lock.learning():
            found = snapshots.adopt()
            if found and self._journal.progress().state is None:
                self._journal.commit(Progress(found.cursor, found.name))

    @property
    def roles(self) -> PersistentRoles:
        """Return Router, Generator and Validator as they are now."""
        return self._training.roles

    @property
    def meter(self) -> Meter:
        """Return the function that measures divergence."""
        return self._training.meter

    @property
    def spent(self) -> Spent:
        """Return how long this process has spent on learning so far."""
        return self._training.spent

    @property
    def saved(self) -> str | None:
        """Return the name of the state that was saved last, by any process."""
        return self._training.base.state

    @property
    def ledger(self) -> Ledger:
        """Return what this home spent and saved."""
        return self._journal.ledger

    def is_budget_spent(self) -> bool:
        """Say whether this month's spending has reached the budget."""
        budget = self.config.budget
        return budget.is_set and self.ledger.spent_since(month_start(self._options.clock())) >= budget.month

    def ask(
        self,
        query: Query,
        show: Show | None = None,
        options: AskOptions = AskOptions(),  # noqa: B008  it is frozen
        since: float | None = None,
        announce: Announce = loop.tell_nobody,
    ) -> Interaction | Outage:
        """Answer one query, asking the teacher where needed, and journal it; see `answering`."""
        return loop.run_consultation(self.answering(query, show, options, since, announce), self._teacher, show)

    def answering(
        self,
        query: Query,
        show: Show | None = None,
        options: AskOptions = AskOptions(),  # noqa: B008  it is frozen
        since: float | None = None,
        announce: Announce = loop.tell_nobody,
    ) -> loop.Consultation[Interaction | Outage]:
        """Answer one query and journal it; nothing is learnt yet.

        `show` receives the text of the answer as it comes, `announce` what is awaited. `since` is the time of
        `time.perf_counter` at which the user began to wait, if that was before this call.
        """
        self._note_asked(options)
        training = self._training
        training.catch_up()
        since = time.perf_counter() if since is None else since
        asked = msgspec.structs.replace(
            query,
            model=query.model or self.config.teacher.model,
            max_tokens=query.max_tokens or self.config.teacher.max_tokens,
            at=self._options.clock(),
            origin=self._options.origin,
        )
        options = hindsight.with_unhelpful(options, asked, self._journal, self.config.policy)
        seed = self._journal.audit_seed() if self._options.secret_audits else self.config.seed
        pending = training.pending_events()
        request = policy.make_request(
            asked, self._journal.next_number(), self._counts(pending), options, self.config, seed
        )
        roles = training.roles if request.claude_only else training.roles_for(request.local_query, pending)
        del pending  # there may be much of it, and Claude may take long
        answered = yield from loop.answer(request, roles, self.meter, self.config, show, announce)
        if isinstance(answered, Outage):
            return answered
        known = DecisionContext() if request.claude_only else roles.decision_context(request.local_query)
        decision_context = msgspec.structs.replace(known, versions=training.versions)
        ms = 1000.0 * (time.perf_counter() - since)
        interaction = msgspec.structs.replace(without_data(answered), decision_context=decision_context, ms=ms)
        screened = screening.screened(interaction, self.config.privacy)
        return self._write(screened) if screened.request.stored else screened

    def _note_asked(self, options: AskOptions) -> None:
        """Note that a question is asked in a terminal, unless it is an earlier one that is asked again."""
        if options.terminal is not UNSET and options.unhelpful is None:
            self._journal.conversations.note_asked(options.terminal, self._journal.next_number())

    def _counts(self, pending: Sequence[Event]) -> policy.HomeCounts:
        training, spent = self._training, self._training.tally.spent or metrics.Spent()
        return policy.HomeCounts(
            seen=training.tally.queries + self._journal.queries_after(training.cursor),
            imported=training.tally.imported or 0,
            usual_doubt=metrics.usual_doubt(training.tally, self.config.policy),
            score_counts=training.score_counts_with(pending),
            open_audits=len(self._journal.open_audits()),
            replies_usd=spent.replies,
            verdicts_usd=spent.verdicts,
        )

    def _write(self, interaction: Interaction) -> Interaction:
        started = time.perf_counter()
        written = self._journal.write(screening.without_secret(interaction))
        self.spent.journal_s += time.perf_counter() - started
        return msgspec.structs.replace(interaction, request=written.request)

    def write_imported(self, interactions: Sequence[Interaction]) -> int:
        """Journal what another program had Claude answer, all of it or nothing; return how many were journalled.

        What another import has journalled since these were chosen is left out.
        """
        self._training.check_home()
        return self._journal.write_all(
            lambda: map(screening.without_secret, importing.still_new(interactions, self._journal))
        )

    def has_reached_claude(self) -> bool:
        """Say whether Claude replied in full to the last query."""
        last = self._journal.last()
        return last is not None and last.reply is not None and last.reply.complete

    def make_late_audits(self, *, reached: bool) -> int:
        """Do what `auditing_late` does, with the home's own teacher."""
        return loop.run_consultation(self.auditing_late(reached=reached), self._teacher)

    def auditing_late(self, *, reached: bool) -> loop.Consultation[int]:
        """Make the audits that are due, journal them, and return how many were journalled; see `late_audits`."""
        under = late_audits.Circumstances(self._training.versions, self._options.origin, self._options.clock)
        return late_audits.auditing(self._journal, self.config, under, reached=reached)

    def continued(
        self,
        text: str,
        system: str | None = None,
        model: str | None = None,
        options: AskOptions = AskOptions(),  # noqa: B008  it is frozen
        conversation: int | None = None,
    ) -> Query:
        """Return a query that continues a conversation: the one given, or else the last one of the options' terminal.

        Raises:
            BadInputError: there is none; or its last question was to stay here, and this one may be sent.
        """
        last = self._journal.conversations.last_turn(conversation, options.terminal, is_noted=options.handed_back)
        stays_here = options.forced_source == "local"
        corrected = self._journal.feedback.own_answer(last.request.number)
        return continued(last, text, system, model, self.config, stays_here=stays_here, corrected=corrected)

    def asked(self, number: int) -> Query:
        """Return the query of a past interaction, to ask it again in its place of its conversation."""
        request = self._journal.read(number).request
        return msgspec.structs.replace(request.query, conversation=request.conversation, row=None)

    def pending(self) -> int:
        """Return how many journalled interactions, and how much feedback, are not learnt yet."""
        return self._journal.count_after(self._training.cursor)

    def learn_pending(self, advance: Callable[[], None] = loop.do_nothing) -> list[Interaction]:
        """Learn every journalled interaction that is not learnt yet, and feedback; return the former as observed.

        `advance` is called after each.
        """
        return [learnt for learnt in self._learn_pending(advance) if learnt is not None]

    def _learn_pending(
        self, advance: Callable[[], None], between: Callable[[], None] = loop.do_nothing
    ) -> list[Interaction | None]:
        """Do what `learn_pending` does, and call `between` after each too; return None for feedback."""
        learnt: list[Interaction | None] = []
        with self._learning():
            count = self.pending()
            for pending in self._journal.events_after(self._training.cursor):
                if self._is_to_leave:
                    break
                self._lock.note_progress(len(learnt), count)
                learnt.append(self._training.learn(pending, self._teacher, self._options.give_way))
                if not self._options.saves:
                    self._training.drop_lines()
                elif self._options.afresh:
                    self._training.keep_checkpoint()
                elif self._training.is_save_due:
                    self._training.save(self._options.give_way)
                advance()
                between()
            self._lock.note_progress(count, count)
        return learnt

    @property
    def _is_to_leave(self) -> bool:
        """Say whether to stop learning, since another process waits for the home; a rebuild is made whole."""
        return not self._options.afresh and self._lock.is_wanted()

    def learn_all(self, begin: Begin, *, wait: bool) -> int | None:
        """Learn until nothing is pending, as `learn_rest` does, and make the audits that are due.

        They are tried at the beginning, and again once more was asked meanwhile.
        """
        tried: int | None = None

        def audit() -> None:
            nonlocal tried
            if tried != self._journal.next_number() and not self._is_to_leave:
                self.make_late_audits(reached=self.has_reached_claude())
                tried = self._journal.next_number()

        audit()
        return self.learn_rest(begin, wait=wait, between=audit)

    def learn_rest(self, begin: Begin, *, wait: bool, between: Callable[[], None] = loop.do_nothing) -> int | None:
        """Learn until nothing is pending, or another process waits for the home, and save; return how many were learnt.

        `between` is called after each. If another process is learning, `wait` for it, or else return None: unless it
        has to leave the home it looks for pending interactions again before it ends.
        """
        learnt = 0
        while (pending := self.pending()) and not self._is_to_leave:
            self._training.check_home()
            held = self._lock.learning(math.inf) if wait else self._lock.learning_if_free()
            with held as is_mine:
                if not is_mine:
                    return None
                with begin(pending) as advance:
                    learnt += len(self._learn_pending(advance, between))
                if self._training.is_unsaved:
                    self.save(self._options.give_way)
        return learnt

    def warm_up(self) -> None:
        """Load the models that are otherwise loaded when they are first needed."""
        self._training.warm_up()

    def decode_rate(self) -> float | None:
        """Return how many tokens a second the decoder writes, or None where there is none."""
        return self._training.decode_rate()

    def save(self, give_way: loop.GiveWay = loop.do_nothing) -> str:
        """Save everything that was learnt as one state; return its name. `give_way` is called meanwhile."""
        with self._learning():
            return self._training.save(give_way)

    @contextmanager
    def _learning(self) -> Iterator[None]:
        """Hold the learner's lock, and continue from the state that was saved last."""
        self._training.check_home()  # taking the lock would create the folder again
        with self._lock.learning():
            self._training.take_over()
            yield
