"""A home that is kept open: answers first, learns when nobody waits, and lets go of what nobody has used for long.

All that touches models or journal happens on one thread. Claude is asked elsewhere meanwhile.
"""

import asyncio
import functools
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from shammah_mlx.config import Config
from shammah_mlx.errors import BadStateError, ShammahError
from shammah_mlx.events import AskOptions, Interaction, Outage, Query, Reply, Show
from shammah_mlx.framework import loop
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.folder import make_home
from shammah_mlx.models.backend import mx
from shammah_mlx.models.weights import Weights, weights_folder
from shammah_mlx.presets import load_config
from shammah_mlx.server.worker import Worker
from shammah_mlx.teacher.recordings import Recorded

Result = TypeVar("Result")
Consult = Callable[[loop.ClaudeCall], Awaitable[Reply | Outage]]

RETRY_S = 30.0  # after learning has failed: a full disk does not get better by asking it
ALIVE_S = 1.0  # from one look whether the worker lives to the next
PENDING_S = 0.1  # from one look to the next of who waits until all is learnt


class AwayError(BadStateError):
    """Somebody else is alone in the home."""


class _EndedError(Exception):
    """Learning is to stop where it is."""


class Service:
    """One home's models, warm. Made and used in an event loop; `flags` are settings that replace the file's.

    `say` is told what those who run it want to know, without a word of any query.
    """

    def __init__(self, home: Path, flags: Mapping[str, Any], say: Show) -> None:
        self._home, self._flags, self._say = home, flags, say
        self.config = self._read_config()
        self._assistant: Assistant | None = None
        self._used, self._retry_at = time.monotonic(), 0.0
        self._away = 0  # how many change the home and want nobody in it
        self._has_news = False  # whether Claude was reached since audits were last made up for
        self._is_warm = False  # whether all models are loaded that may be needed
        self._worker = Worker(self._rest)
        self.pending = 0  # interactions, as last counted
        self.learnt = 0  # by this process
        self.failure: str | None = None  # why learning has stopped

    async def start(self) -> None:
        """Begin to work, and open the home.

        Raises:
            ShammahError: it cannot be opened.
        """
        self._worker.start()
        try:
            await self._do(self._opened)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Finish the step at hand, save, and let go of the home."""
        if self._worker.is_alive:
            closed = self._worker.submit_quietly(self._close)
            await asyncio.to_thread(self._worker.stop)
            closed.result()

    async def until_it_dies(self) -> None:
        """Return if the worker ends without having been told to."""
        while self._worker.is_alive:
            await asyncio.sleep(ALIVE_S)

    @property
    def is_well(self) -> bool:
        """Say whether questions can be answered."""
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
    ) -> Interaction | Outage:
        """Answer a query, which `make` may make of what was asked before, and journal it; see `Assistant.answering`.

        `consult` asks Claude; nothing is learnt until it has. `show` is called on another thread.

        Raises:
            ShammahError: the home cannot be used.
        """
        since = time.perf_counter()

        def begin() -> loop.Consultation[Interaction | Outage]:
            assistant = self._opened()
            return assistant.answering(make(assistant), show, options, since)

        with self._worker.attended():
            answering = await self._do(begin)
            answered = await self._consult(answering, consult)
        if isinstance(answered, Interaction):
            self._has_news |= answered.called_claude
            await self._do(functools.partial(self._count, answered))
        return answered

    async def make_late_audits(self, consult: Consult) -> None:
        """Make up for audits that Claude could not be had for, if it was reached since."""
        if self._has_news:
            self._has_news = False
            with self._worker.attended():
                auditing = await self._do(self._begin_audits)
                await self._consult(auditing, consult)

    async def until_learnt(self) -> None:
        """Return when nothing is pending, or learning has stopped."""
        while self.failure is None and await self._do(lambda: self._opened().pending() > 0):
            await asyncio.sleep(PENDING_S)

    async def decode_rate(self) -> float | None:
        """Return how fast the decoder writes here, tokens a second; None where there is none."""
        with self._worker.attended():
            return await self._do(lambda: self._opened().decode_rate())

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Be out of the home, all saved, for somebody who must be alone there."""
        self._away += 1
        try:
            await asyncio.shield(asyncio.wrap_future(self._worker.submit_quietly(self._close)))
            yield
        finally:
            self._away -= 1

    async def _consult(self, consulting: loop.Consultation[Result], consult: Consult) -> Result:
        """Go through with it, every step on the worker, every call here."""

        def advance(reply: Reply | Outage | None) -> tuple[loop.ClaudeCall | None, Result | None]:
            try:
                return (next(consulting) if reply is None else consulting.send(reply)), None
            except StopIteration as done:
                return None, done.value

        call, result = await self._do(functools.partial(advance, None))
        while call is not None:
            call, result = await self._do(functools.partial(advance, await consult(call)))
        return result  # type: ignore[return-value]  # it is there once there is no call

    async def _do(self, work: Callable[[], Result]) -> Result:
        """Do this on the worker; finish it even if whoever waits for it has gone."""
        return await asyncio.shield(asyncio.wrap_future(self._worker.submit(work)))

    # What follows runs on the worker.

    def _read_config(self) -> Config:
        path = self._home / "config.toml"
        self._config_stamp = _stamp(path)
        return load_config(path, self._flags)

    def _opened(self) -> Assistant:
        """Return the home, open; with today's settings, if it was not."""
        self._used = time.monotonic()
        if self._away:
            raise AwayError("the home is being changed by another command", "ask again when that is done")
        if self._assistant is None:
            self.config, self._is_warm = self._read_config(), False
            self._assistant = Assistant(
                make_home(self._home),
                self.config,
                Recorded(()),  # Claude is asked elsewhere
                Weights(weights_folder()),
                options=AssistantOptions(give_way=self._give_way),
            )
        return self._assistant

    def _count(self, answered: Interaction) -> None:
        self.pending += answered.request.stored

    def _give_way(self) -> None:
        """Answer who waits; break off what is being learnt, to be learnt again, if the home is to be left."""
        self._worker.give_way()
        if self._worker.is_stopping or self._away:
            raise _EndedError

    def _is_stale(self) -> bool:
        """Say whether the settings have changed since they were read."""
        return self._config_stamp != _stamp(self._home / "config.toml")

    def _begin_audits(self) -> loop.Consultation[int]:
        assistant = self._opened()
        return assistant.auditing_late(reached=assistant.has_reached_claude())

    def _close(self, error: Exception | None = None) -> None:
        """Save what is learnt, unless there was an error, and give memory back."""
        assistant, self._assistant = self._assistant, None
        if assistant is not None:
            assistant.__exit__(None if error is None else type(error), error, None)
            del assistant
            gc.collect()  # models hold themselves in circles, and nothing else happens that would have them found
            mx.clear_cache()

    def _rest(self) -> bool:
        """Use a moment in which nobody waits; say whether there was something to do."""
        is_to_learn = self._assistant is not None or self.failure is not None
        if self._away or not is_to_learn or time.monotonic() < self._retry_at:
            return False
        try:
            if self._is_stale():
                self._close()
            return self._learn(self._assistant or self._opened())
        except Exception as error:  # noqa: BLE001  whatever it is, questions are answered; it is said, and tried again
            told = error.message if isinstance(error, ShammahError) else type(error).__name__
            if told != self.failure:  # once, not at every try
                self._say(f"learning stopped: {told}")
            self.failure, self._retry_at = told, time.monotonic() + RETRY_S
            self._close(error)  # what is not saved is learnt again
            return False

    def _learn(self, assistant: Assistant) -> bool:
        self.pending = assistant.pending()
        if not self.pending:
            if not self._is_warm:
                assistant.warm_up()
                self._is_warm = True
            if time.monotonic() - self._used > self.config.service.unload_after_s:
                self._close()
                self._say("models unloaded: nobody asked anything for a while")
            return False
        try:
            learnt = assistant.learn_rest(self._between, wait=False)
        except _EndedError:
            return True
        mx.clear_cache()  # or a long life fills it
        self.failure = None
        return learnt is not None  # None: another process learns

    def _between(self, pending: int) -> AbstractContextManager[Callable[[], None]]:
        """Return what is called after each interaction that is learnt."""
        self.pending = pending

        def advance() -> None:
            self.pending -= 1
            self.learnt += 1
            self._give_way()
            if self._is_stale():
                raise _EndedError

        return nullcontext(advance)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
