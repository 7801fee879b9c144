"""What commands and the service of their home say to each other, over the home's own socket; the service's side."""

import asyncio
import functools
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from shammah_mlx.errors import ShammahError, as_told
from shammah_mlx.events import Interaction, Outage, Query, Reply, Show
from shammah_mlx.framework.loop import ClaudeCall
from shammah_mlx.home.assistant import Assistant
from shammah_mlx.server.auth import OWN, refusal
from shammah_mlx.server.limits import Gateway
from shammah_mlx.server.protocol import Answered, AskRequest, Away, Continuing, Failed, Piece, Said, Unanswered
from shammah_mlx.server.service import AwayError, Service
from shammah_mlx.teacher.claude import Claude
from shammah_mlx.teacher.keys import Credential

LINES = "application/x-ndjson"
AUDITS_S = 5.0  # from one look whether audits can be made up for to the next


class _GoneError(Exception):
    """Nobody reads the answer any more."""


class LocalApi:
    """Where commands are served; Claude is asked through the SDK, in threads."""

    def __init__(self, gateway: Gateway, credential: Credential | None) -> None:
        self._gateway, self._credential = gateway, credential
        self._callers = ThreadPoolExecutor(gateway.service.config.service.most_requests, "claude")

    @property
    def routes(self) -> list[Route]:
        """Return what can be asked for."""
        return [
            Route(f"{OWN}ask", self._ask, methods=["POST"]),
            Route(f"{OWN}away", self._away, methods=["POST"]),
            Route(f"{OWN}decode-rate", self._decode_rate),
        ]

    async def audit_late(self) -> None:
        """Make up for audits, whenever Claude was reached again; for ever."""
        while True:
            await asyncio.sleep(AUDITS_S)
            with suppress(ShammahError, OSError, sqlite3.Error):  # they stay due, and the next question says what it is
                await self._service.make_late_audits(functools.partial(self._consult, show=lambda _: None))

    @property
    def _service(self) -> Service:
        return self._gateway.service

    async def _consult(self, call: ClaudeCall, show: Show) -> Reply | Outage:
        claude = Claude(self._service.config.teacher, self._credential)
        asked = functools.partial(claude.ask, call.query, show if call.is_answer else None)
        return await asyncio.get_running_loop().run_in_executor(self._callers, asked)

    async def _ask(self, request: Request) -> Response:
        body = await self._gateway.body(request)
        try:
            wanted = msgspec.json.decode(body or b"", type=AskRequest)
        except msgspec.DecodeError:
            return refusal("invalid_request_error", "That is no question.")
        return StreamingResponse(self._answer(wanted), media_type=LINES)

    async def _answer(self, wanted: AskRequest) -> AsyncIterator[bytes]:
        """Yield a line for all there is to say."""
        lines: asyncio.Queue[Said | None] = asyncio.Queue()
        here, is_gone = asyncio.get_running_loop(), False

        def say(said: Said | None) -> None:
            here.call_soon_threadsafe(lines.put_nowait, said)

        def show(piece: str) -> None:
            if is_gone:
                raise _GoneError
            say(Piece(piece))

        task = asyncio.create_task(self._converse(wanted, show, say))
        try:
            while (said := await lines.get()) is not None:
                yield msgspec.json.encode(said) + b"\n"
        finally:  # nobody waits for it any more, or it is done
            is_gone = True
            task.cancel()

    async def _converse(self, wanted: AskRequest, show: Show, say: Callable[[Said | None], None]) -> None:
        def make(assistant: Assistant) -> Query:
            query = assistant.make_query(wanted.text, wanted.system, wanted.model, continues=wanted.continues)
            if query.history:
                say(Continuing(query.history[-1].question))
            return query

        try:
            async with self._gateway.slot() as has_slot:
                if not has_slot:
                    raise ShammahError("the service has too many requests at once", "ask again soon")
                answered = await self._service.ask(
                    make, functools.partial(self._consult, show=show), show, wanted.options
                )
            if isinstance(answered, Interaction):
                self._gateway.counters.count(answered, (answered.ms or 0.0) / 1000.0)
                say(Answered(answered, self._service.config.preset))
                if wanted.waits:
                    await self._service.until_learnt()
            else:
                say(Unanswered(answered))
        except AwayError:
            say(Away())
        except ShammahError as error:
            say(Failed(error.message, error.hint, error.exit_code))
        except (OSError, sqlite3.Error) as error:
            failure = as_told(error)
            say(Failed(failure.message, failure.hint, failure.exit_code))
        finally:
            say(None)

    async def _decode_rate(self, _: Request) -> Response:
        try:
            return JSONResponse({"tokens_per_s": await self._service.decode_rate()})
        except ShammahError:
            return JSONResponse({"tokens_per_s": None})

    async def _away(self, _: Request) -> Response:
        """Be out of the home for as long as the client stays."""

        async def stay_away() -> AsyncIterator[bytes]:
            async with self._service.away():
                yield b"away\n"
                await asyncio.Event().wait()  # the end of the connection ends this

        return StreamingResponse(stay_away(), media_type=LINES)
