"""What all requests to a service share: the service, the way to Claude, and how many and how much may come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.requests import Request

from shammah_mlx.server.prometheus import Counters
from shammah_mlx.server.proxy import Proxy
from shammah_mlx.server.service import Service

HEARD_OUT_S = 5.0  # of a body that is too long


class Gateway:
    """What the routes share: the service, the way to Claude, and how many may come at once."""

    def __init__(self, service: Service, proxy: Proxy, counters: Counters) -> None:
        self.service, self.proxy, self.counters = service, proxy, counters
        self._config = service.config.service
        self._present = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[bool]:
        """Hold one of the places there are; say whether there was one."""
        if self._present >= self._config.most_requests:
            self.counters.refused.inc()
            yield False
            return
        self._present += 1
        self.counters.present.set(self._present)
        try:
            yield True
        finally:
            self._present -= 1
            self.counters.present.set(self._present)

    async def body(self, request: Request) -> bytes | None:
        """Return what was sent; None if that is too much.

        Raises:
            ClientDisconnect: the client has gone.
        """
        most, read, is_too_long = self._config.most_body_bytes, bytearray(), False
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as deadline:
                async for piece in request.stream():
                    if not is_too_long:
                        read += piece
                        is_too_long = len(read) > most
                    elif deadline.when() is None:  # who is not heard out may not hear the answer
                        deadline.reschedule(asyncio.get_running_loop().time() + HEARD_OUT_S)
        return None if is_too_long else bytes(read)
