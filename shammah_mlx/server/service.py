"""A home that is kept open: answers come first, learning fills idle time, unused models are unloaded.

Everything that touches models or the journal runs on one thread, but for what takes long of learning. Claude is called
outside it, and waits for the judge while learning serve clients meanwhile.
"""

import asyncio
import functools
import gc
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import (
    AbstractContextManager,
    asynccontextmanager,
    closing,
    contextmanager,
    nullcontext,
    suppress,
)
from pathlib import Path
from typing import Any, TypeVar

from shammah_mlx.config import Config
from shammah_mlx.errors import BadStateError, ShammahError
from shammah_mlx.events import Announce, AskOptions, Interaction, Outage, Query, Reply, Show, Verdict
from shammah_mlx.framework import loop
from shammah_mlx.framework.budget import uncounted
from shammah_mlx.framework.our_claude import our_claude
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.folder import make_home
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.ledger import Ledger, PassedOn, month_start
from shammah_mlx.models.backend import mx
from shammah_mlx.models.weights import Weights, weights_folder
from shammah_mlx.presets import load_config
from shammah_mlx.server.background_judge import BackgroundJudge
from shammah_mlx.server.worker import Worker
from shammah_mlx.teacher.keys import Credential
from shammah_mlx.teacher.outages import BUDGET_SPENT, outage

Result = TypeVar("Result")
Consult = Callable[[loop.Call], Awaitable[Reply | Verdict | Outage]]

RETRY_S = 30.0  # from a failure of learning to the next try: a full disk does not empty itself
ALIVE_POLL_S = 1.0  # between two checks whether the worker is alive
PENDING_POLL_S = 0.1  # between two checks whether everything is learnt


class AwayError(BadStateError):
    """Another command has the home to itself."""


class _StopLearningError(Exception):
    """Learning is to stop at once; what is not saved is learnt again."""


class Service:
    """The models of one home, kept in memory. Created and used in an event loop.

    `flags` are settings that override those of the file. `log` receives lines for the operator, which never contain
    the text of a query. Without a `credential`, what is learnt gets no verdicts.
    """

    def __init__(self, home: Path, flags: Mapping[str, Any], log: Show, credential: Credential | None = None) -> None:
        self._home, self._flags, self._log, self._credential = home, flags, log, credential
        self.config = self._read_config()
        self._assistant: Assistant | None = None
        self._last_used, self._retry_at = time.monotonic(), 0.0
        self._away = 0  # how many commands need the home to themselves
        self._has_reached_claude = False  # since late audits were last made
        self._is_warm = False  # whether all models that may be needed are loaded
        self._passed_on: deque[PassedOn] = deque()  # not in the ledger yet
        self._spent = 0.0  # this month, when last read
        self._worker = Worker(self._work_when_idle)
        self.pending = 0  # interactions not learnt yet, when last counted
        self.learnt = 0  # interactions, by this process
        self.failure: str | None = None  # why learning has stopped

    async def start(self) -> None:
        """Start the worker and open the home.

        Raises:
            ShammahError: the home cannot be opened.
        """
        self._worker.start()
        try:
            await self._on_worker(self._opened)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Finish the step in progress, save, and close the home."""
        if self._worker.is_alive:
            closed = self._worker.submit_when_idle(self._close)
            await asyncio.to_thread(self._worker.stop)
            closed.result()

    async def until_worker_ends(self) -> None:
        """Return when the worker has ended, which it should not do by itself."""
        while self._worker.is_alive:
            await asyncio.sleep(ALIVE_POLL_S)

    @property
    def is_well(self) -> bool:
        """Say whether the worker lives and learning works."""
        return self._worker.is_alive and self.failure is None

    @property
    def is_open(self) -> bool:
        """Say whether models are in memory."""
        return self._assistant is not None

    async def ask(
        self,
        make: Callable[[Assistant], Query],
        consult: Consult,
        show: Show | None = None,
        options: AskOptions = AskOptions(),  # noqa: B008  it is frozen
        announce: Announce = loop.tell_nobody,
    ) -> Interaction | Outage:
        """Answer the query that `make` returns, and journal it; see `Assistant.answering`.

        `make` may look at earlier queries. `consult` calls Claude; nothing is learnt until it has returned. `show` and
        `announce` are called on another thread.

        Raises:
            ShammahError: the home cannot be used.
        """
        since = time.perf_counter()

        def begin() -> loop.Consultation[Interaction | Outage]:
            assistant = self._opened()
            return assistant.answering(make(assistant), show, options, since, announce)

        with self._worker.reserved():
            answering = await self._on_worker(begin)
            paying = consult if options.own_account else functools.partial(self._within_budget, consult)
            answered = await self._run(answering, paying)
        if isinstance(answered, Interaction):
            self._has_reached_claude |= answered.called_claude
            await self._on_worker(functools.partial(self._count, answered))
        return answered

    async def make_late_audits(self, consult: Consult) -> None:
        """Make the audits that were missed during an outage, if Claude was reached since the last try."""
        if self._has_reached_claude:
            self._has_reached_claude = False
            with self._worker.reserved():
                auditing = await self._on_worker(self._begin_audits)
                await self._run(auditing, functools.partial(self._within_budget, consult))

    async def refusal(self) -> Outage | None:
        """Return the outage if this month's budget is spent, so that the service's own key asks nobody.

        Raises:
            ShammahError: the home cannot be used.
        """
        has_budget = self.config.budget.is_set or self._is_stale()  # another process may have edited the file
        return await self._on_worker(self._refusal) if has_budget else None

    def note_passed_on(self, passed: PassedOn) -> None:
        """Record what a request cost that was passed on unread; nobody waits for it."""
        self._passed_on.append(passed)
        self._worker.submit(self._write_passed_on)

    async def until_learnt(self, tell: Callable[[int, int], None]) -> None:
        """Return when nothing is pending, or learning has stopped; `tell` how many are learnt, of how many."""
        count = 0
        while self.failure is None and (pending := await self._on_worker(self._count_pending)) > 0:
            count = max(count, pending)
            tell(count - pending, count)
            await asyncio.sleep(PENDING_POLL_S)

    async def count_pending(self) -> int | None:
        """Return how much is not learnt yet, with what other processes stored; None if learning has stopped.

        Raises:
            ShammahError: the home cannot be used.
        """
        return None if self.failure is not None else await self._on_worker(self._count_pending)

    async def decode_rate(self) -> float | None:
        """Return how many tokens per second the decoder writes on this machine; None if there is no decoder."""
        with self._worker.reserved():
            return await self._on_worker(lambda: self._opened().decode_rate())

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Save and close the home, and keep it closed while another command needs it to itself."""
        self._away += 1
        try:
            await asyncio.shield(asyncio.wrap_future(self._worker.submit_when_idle(self._close)))
            yield
        finally:
            self._away -= 1

    async def _within_budget(self, consult: Consult, call: loop.Call) -> Reply | Verdict | Outage:
        """Make a call unless the month's budget forbids it."""
        refused = await self.refusal() or uncounted(call, self.config)
        return await consult(call) if refused is None else refused

    async def _run(self, consulting: loop.Consultation[Result], consult: Consult) -> Result:
        """Run `consulting` to its end: its steps on the worker, its calls of Claude here."""

        def advance(came: Reply | Verdict | Outage | None) -> tuple[loop.Call | None, Result | None]:
            try:
                return (next(consulting) if came is None else consulting.send(came)), None
            except StopIteration as done:
                return None, done.value

        call, result = await self._on_worker(functools.partial(advance, None))
        while call is not None:
            call, result = await self._on_worker(functools.partial(advance, await consult(call)))
        return result  # type: ignore[return-value]  # there is a result once there is no call

    async def _on_worker(self, work: Callable[[], Result]) -> Result:
        """Run `work` on the worker; it is finished even if the caller is cancelled."""
        return await asyncio.shield(asyncio.wrap_future(self._worker.submit(work)))

    # The methods below run on the worker.

    def _read_config(self) -> Config:
        path = self._home / "config.toml"
        self._config_stamp = _stamp(path)
        return load_config(path, self._flags)

    def _opened(self) -> Assistant:
        """Return the open home; open it with the present settings if it is closed."""
        self._last_used = time.monotonic()
        if self._away:
            raise AwayError("the home is being changed by another command", "ask again when that is done")
        if self._assistant is None:
            self.config, self._is_warm = self._read_config(), False
            claude = our_claude(self.config, self._credential)
            self._assistant = Assistant(
                make_home(self._home),
                self.config,
                BackgroundJudge(claude, self._give_way),  # for learning; the service calls Claude outside the assistant
                Weights(weights_folder()),
                options=AssistantOptions(give_way=self._give_way, secret_audits=True, origin=claude.origin),
            )
        return self._assistant

    def _refusal(self) -> Outage | None:
        if self._assistant is None and self._is_stale():
            with suppress(ShammahError):  # the next question reports it; until then the budget stays
                self.config = self._read_config()
        budget = self.config.budget
        if not budget.is_set:
            return None
        if not self._away:  # whoever has the home to itself may be rewriting the journal
            with self._ledger() as ledger:
                self._spent = ledger.spent_since(month_start(time.time()))
        unwritten = sum(passed.usd or 0.0 for passed in self._passed_on.copy())
        return outage(BUDGET_SPENT) if self._spent + unwritten >= budget.month else None

    @contextmanager
    def _ledger(self) -> Iterator[Ledger]:
        """Give the home's ledger; that needs no models."""
        if self._assistant is not None:
            yield self._assistant.ledger
        else:
            with closing(Journal(self._home / "journal.db")) as journal:
                yield journal.ledger

    def _write_passed_on(self) -> None:
        """Write what was passed on into the ledger; what fails, or comes while the service is away, is tried again."""
        if not self._passed_on or self._away:
            return
        noted = list(self._passed_on)
        with suppress(ShammahError, sqlite3.Error, OSError), self._ledger() as ledger:
            ledger.add(noted)
            for _ in noted:
                self._passed_on.popleft()

    def _count_pending(self) -> int:
        return self._opened().pending()

    def _count(self, answered: Interaction) -> None:
        self.pending += answered.request.stored

    def _give_way(self) -> None:
        """Let clients go first; stop learning if the home is to be closed."""
        self._worker.give_way()
        if self._worker.is_stopping or self._away:
            raise _StopLearningError

    def _is_stale(self) -> bool:
        """Say whether the settings have changed since they were read."""
        return self._config_stamp != _stamp(self._home / "config.toml")

    def _begin_audits(self) -> loop.Consultation[int]:
        assistant = self._opened()
        return assistant.auditing_late(reached=assistant.has_reached_claude())

    def _close(self, error: Exception | None = None) -> None:
        """Save what was learnt, unless there was an error, and free the memory."""
        assistant, self._assistant = self._assistant, None
        if assistant is not None:
            assistant.__exit__(None if error is None else type(error), error, None)
            del assistant
            gc.collect()  # models are in reference cycles, and an idle process would not collect them
            mx.clear_cache()

    def _work_when_idle(self) -> bool:
        """Learn, load or unload models; return whether there was anything to do."""
        self._write_passed_on()
        should_learn = self._assistant is not None or self.failure is not None
        if self._away or not should_learn or time.monotonic() < self._retry_at:
            return False
        try:
            if self._is_stale():
                self._close()
            return self._learn(self._assistant or self._opened())
        except Exception as error:  # noqa: BLE001  questions are answered whatever happens; log it, and try again
            failure = error.message if isinstance(error, ShammahError) else type(error).__name__
            if failure != self.failure:  # log it once, not at every try
                self._log(f"learning stopped: {failure}")
            self.failure, self._retry_at = failure, time.monotonic() + RETRY_S
            self._close(error)  # what is not saved is learnt again
            return False

    def _learn(self, assistant: Assistant) -> bool:
        self.pending = assistant.pending()
        if not self.pending:
            if not self._is_warm:
                assistant.warm_up()
                self._is_warm = True
            if time.monotonic() - self._last_used > self.config.service.unload_after_s:
                self._close()
                self._log("models unloaded: no question for a while")
            return False
        try:
            learnt = assistant.learn_rest(self._track_learning, wait=False)
        except _StopLearningError:
            return True
        mx.clear_cache()  # otherwise it grows for as long as the process lives
        self.failure = None
        return bool(learnt)  # None: another process learns; 0: another one waits to have the home alone

    def _track_learning(self, pending: int) -> AbstractContextManager[Callable[[], None]]:
        """Return a context with the function to call after each interaction that is learnt."""
        self.pending = pending

        def advance() -> None:
            self.pending -= 1
            self.learnt += 1
            self._give_way()
            if self._is_stale():
                raise _StopLearningError

        return nullcontext(advance)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
