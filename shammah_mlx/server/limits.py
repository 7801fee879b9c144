"""How many requests a service answers at once, and how large a request body may be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.requests import Request

from shammah_mlx.config import ServiceConfig
from shammah_mlx.server.prometheus import Counters

DRAIN_S = 5.0  # how long the rest of a body that is too large is read and dropped


class Limits:
    """The limits on requests, shared by all routes; used in one event loop."""

    def __init__(self, config: ServiceConfig, counters: Counters) -> None:
        self._config, self._counters = config, counters
        self._present = 0

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

    async def read_body(self, request: Request) -> bytes | None:
        """Return the body of a request; None if it is too large.

        Raises:
            ClientDisconnect: the client hung up.
        """
        most, read, is_too_large = self._config.most_body_bytes, bytearray(), False
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as deadline:
                async for piece in request.stream():
                    if not is_too_large:
                        read += piece
                        is_too_large = len(read) > most
                    elif deadline.when() is None:  # a client that is still sending may not read the error
                        deadline.reschedule(asyncio.get_running_loop().time() + DRAIN_S)
        return None if is_too_large else bytes(read)
