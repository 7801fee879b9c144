"""How many requests a service answers at once, and how large and how slow a request body may be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.responses import Response

from shammah_mlx.config import ServiceConfig
from shammah_mlx.server.auth import error_response
from shammah_mlx.server.prometheus import Counters

BODY_S = 30.0  # until a body is there; clients are on this machine
DRAIN_S = 5.0  # how long the rest of a body that is refused is read and dropped
MOST_HELD = 4  # of the largest bodies may be in memory at once


class RefusedBodyError(Exception):
    """A body is not read; `kind` is an error type of Claude's."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(f"The request body {why}.")
        self.kind = kind


def refusal(refused: RefusedBodyError) -> Response:
    """Return the error response for a body that was not read."""
    response = error_response(refused.kind, str(refused))
    response.headers["connection"] = "close"  # otherwise the client would keep sending and wait for ever
    return response


class Limits:
    """The limits on requests, shared by all routes; used in one event loop."""

    def __init__(self, config: ServiceConfig, counters: Counters) -> None:
        self._config, self._counters = config, counters
        self._present = 0
        self._held = 0  # bytes of bodies

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[bool]:
        """Reserve a slot for one request; yield False if all slots are taken."""
        if self._present >= self._config.most_requests:
            self._counters.refused.inc()
            yield False
            return
        self._present += 1
        self._counters.present.set(self._present)
        try:
            yield True
        finally:
            self._present -= 1
            self._counters.present.set(self._present)

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """Read the body of a request, and yield it; it counts as held until the context ends.

        Raises:
            RefusedBodyError: it is too large, too slow, or too much is held already.
            ClientDisconnect: the client hung up.
        """
        pieces: list[bytes] = []
        try:
            await self._read(request, pieces)
            yield b"".join(pieces)
        finally:
            self._held -= sum(map(len, pieces))

    async def _read(self, request: Request, pieces: list[bytes]) -> None:
        """Read a body into `pieces`, each of which counts as held. What is refused is read on for a while, and dropped.

        A client that is still sending may not read an error before.
        """
        refused: RefusedBodyError | None = None
        size, now = 0, asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(BODY_S) as deadline:
                async for piece in request.stream():
                    size += len(piece)
                    if refused is not None:
                        continue
                    if size > self._config.most_body_bytes:
                        refused = RefusedBodyError("request_too_large", "is larger than this service accepts")
                    elif self._held + len(piece) > MOST_HELD * self._config.most_body_bytes:
                        refused = RefusedBodyError("overloaded_error", "is one too many. Try again soon")
                    else:
                        pieces.append(piece)
                        self._held += len(piece)
                    if refused is not None:
                        deadline.reschedule(now() + DRAIN_S)
        except TimeoutError:
            refused = refused or RefusedBodyError("invalid_request_error", "did not arrive in time")
        if refused is not None:
            raise refused
