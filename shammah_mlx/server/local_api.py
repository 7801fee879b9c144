"""The service's side of the conversation with commands, over the home's own socket; `client` is the other side."""

import asyncio
import functools
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from shammah_mlx.errors import ShammahError, as_user_error
from shammah_mlx.events import Awaited, Interaction, Outage, Query, Reply, Show, Verdict
from shammah_mlx.framework.loop import Call, VerdictCall
from shammah_mlx.framework.our_claude import our_claude
from shammah_mlx.home.assistant import Assistant
from shammah_mlx.server.auth import OWN, error_response
from shammah_mlx.server.limits import Limits, RefusedBodyError, refusal
from shammah_mlx.server.prometheus import Counters
from shammah_mlx.server.protocol import (
    LIFE_S,
    SIGN_OF_LIFE,
    Answered,
    AskRequest,
    Awaiting,
    Away,
    Continuing,
    Failed,
    Message,
    Piece,
    Unanswered,
)
from shammah_mlx.server.service import AwayError, Service
from shammah_mlx.teacher.claude import Claude
from shammah_mlx.teacher.keys import Credential
from shammah_mlx.teacher.outages import NO_KEY, outage

LINES = "application/x-ndjson"
AUDITS_S = 5.0  # between two checks for late audits that can be made


class _DisconnectedError(Exception):
    """The client hung up."""


class _NoKeyError(Exception):
    """Claude is needed, and the service has no key; the command that asks has one."""


class LocalApi:
    """The routes for commands. They ask Claude through the SDK, in threads."""

    def __init__(self, service: Service, limits: Limits, counters: Counters, credential: Credential | None) -> None:
        self._service, self._limits, self._counters, self._credential = service, limits, counters, credential
        self._callers = ThreadPoolExecutor(service.config.service.most_requests, "claude")
        self._ending: set[asyncio.Task[None]] = set()  # of clients that hung up; an event loop forgets its tasks

    @property
    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(f"{OWN}ask", self._ask, methods=["POST"]),
            Route(f"{OWN}away", self._away, methods=["POST"]),
            Route(f"{OWN}decode-rate", self._decode_rate),
            Route(f"{OWN}pending", self._pending),
        ]

    async def audit_late(self) -> None:
        """Make late audits whenever Claude has been reached again; never return."""
        while True:
            await asyncio.sleep(AUDITS_S)
            with suppress(ShammahError, OSError, sqlite3.Error):  # audits stay due; the next question reports the error
                await self._service.make_late_audits(self.consult)

    async def consult(self, call: Call) -> Reply | Verdict | Outage:
        """Ask Claude or the judge with the service's own key."""
        return await self._consult(self._claude(), lambda _: None, call)

    def _claude(self) -> Claude:
        return our_claude(self._service.config, self._credential)

    async def _consult(self, claude: Claude, show: Show, call: Call) -> Reply | Verdict | Outage:
        """Ask Claude or the judge; `show` receives an answer as it arrives."""
        ask: Callable[[], Reply | Verdict | Outage]
        if isinstance(call, VerdictCall):
            ask = functools.partial(claude.judge, call.query, call.draft, call.reply)
        else:
            ask = functools.partial(claude.ask, call.query, show if call.is_answer else None)
        return await asyncio.get_running_loop().run_in_executor(self._callers, ask)

    async def _consult_for_command(self, claude: Claude, show: Show, call: Call) -> Reply | Verdict | Outage:
        """Ask Claude or the judge for a command that has a key of its own.

        Raises:
            _NoKeyError: there is no key here, so the command answers by itself.
        """
        came = await self._consult(claude, show, call)
        if isinstance(came, Outage) and came.kind == NO_KEY:
            raise _NoKeyError
        return came

    async def _ask(self, request: Request) -> Response:
        try:
            async with self._limits.body(request) as body:
                wanted = msgspec.json.decode(body, type=AskRequest)
        except ClientDisconnect:
            return Response()  # nobody gets it
        except RefusedBodyError as refused:
            return refusal(refused)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return error_response("invalid_request_error", "The body is not a valid ask request.")
        return StreamingResponse(self._answer(wanted), media_type=LINES)

    async def _answer(self, wanted: AskRequest) -> AsyncIterator[bytes]:
        """Yield the messages to the client, one a line."""
        messages: asyncio.Queue[Message | None] = asyncio.Queue()
        event_loop, claude = asyncio.get_running_loop(), self._claude()
        is_answered = is_given_up = False

        def send(message: Message | None) -> None:
            event_loop.call_soon_threadsafe(messages.put_nowait, message)

        def show(piece: str) -> None:
            if is_given_up:
                raise _DisconnectedError
            send(Piece(piece))

        task = asyncio.create_task(self._converse(wanted, claude, show, send))
        yield SIGN_OF_LIFE
        try:
            while True:
                try:
                    message = await asyncio.wait_for(messages.get(), LIFE_S)
                except TimeoutError:
                    yield SIGN_OF_LIFE
                    continue
                if message is None:
                    break
                is_answered |= isinstance(message, Answered)
                yield msgspec.json.encode(message) + b"\n"
        finally:  # the client hung up, or all is sent
            if not is_answered and claude.hang_up():  # what came is paid for: it is journalled as it is
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
            else:
                is_given_up = True
                task.cancel()

    async def _converse(
        self, wanted: AskRequest, claude: Claude, show: Show, send: Callable[[Message | None], None]
    ) -> None:
        """Answer a question; send every message about it, then None."""

        def make(assistant: Assistant) -> Query:
            query = wanted.query(assistant.continued, assistant.asked)
            if query.history:
                send(Continuing(query.history[-1].question))
            return query

        def announce(what: Awaited) -> None:
            send(Awaiting(what))

        try:
            if wanted.host not in (None, claude.origin or 0):
                raise AwayError("the service asks another host than this command", "unset ANTHROPIC_BASE_URL")
            async with self._limits.slot() as has_slot:
                if not has_slot:
                    raise ShammahError("the service has too many requests at once", "ask again soon")
                ask = self._consult_for_command if wanted.own_key else self._consult
                consult = functools.partial(ask, claude, show)
                answered = await self._service.ask(make, consult, show, wanted.options, announce)
            if isinstance(answered, Interaction):
                self._counters.count(answered, (answered.ms or 0.0) / 1000.0)
                send(Answered(answered, self._service.config.preset))
                if wanted.waits:
                    await self._service.until_learnt(lambda learnt, of: send(Awaiting("learning", learnt, of)))
            else:
                send(Unanswered(answered))
        except AwayError:
            send(Away())
        except _NoKeyError:
            send(Unanswered(outage(NO_KEY)))
        except ShammahError as error:
            send(Failed(error.message, error.hint, error.exit_code))
        except (OSError, sqlite3.Error) as error:
            failure = as_user_error(error)
            send(Failed(failure.message, failure.hint, failure.exit_code))
        finally:
            send(None)

    async def _decode_rate(self, _: Request) -> Response:
        try:
            return JSONResponse({"tokens_per_s": await self._service.decode_rate()})
        except ShammahError:
            return JSONResponse({"tokens_per_s": None})

    async def _pending(self, _: Request) -> Response:
        try:
            return JSONResponse({"pending": await self._service.count_pending()})
        except ShammahError:
            return JSONResponse({"pending": None})

    async def _away(self, _: Request) -> Response:
        """Keep the service out of the home until the client disconnects."""

        async def stay_away() -> AsyncIterator[bytes]:
            async with self._service.away():
                yield b"away\n"
                await asyncio.Event().wait()  # the end of the connection cancels this

        return StreamingResponse(stay_away(), media_type=LINES)
