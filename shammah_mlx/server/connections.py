"""Keep idle and slow connections from using up what the service needs: uvicorn's HTTP protocol with two limits."""

import asyncio
import resource
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 100  # connections over the port; those over the home's own socket are counted apart
HEADERS_S = 10.0  # from the first byte, or from the connection, until the headers of a request are complete
FILES = 1024  # that the process may have open; a Mac's usual limit is 256


class Connection(H11Protocol):
    """One connection; it is closed if there are too many, or if no request comes."""

    def __init__(self, *arguments: Any, **others: Any) -> None:
        super().__init__(*arguments, **others)
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def is_own(self) -> bool:
        """Say whether it came over the home's own socket, which has no port."""
        return self.server is None or self.server[1] is None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take up the connection, or close it at once."""
        super().connection_made(transport)
        if sum(other.is_own == self.is_own for other in self.connections if isinstance(other, Connection)) > MOST:
            transport.abort()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        """Read on; the headers of the next request have a time limit too."""
        super().data_received(data)
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are no HTTP; if a response has begun or may begin, only close the connection."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering:
            self.cycle.disconnected = True  # so that the application sends nothing more
            self.cycle.message_event.set()
        if is_answering or self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
        else:
            super().send_400_response(msg)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the connection go."""
        self._stop_watching()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:  # a request is being answered
            self._stop_watching()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEADERS_S, self.transport.abort)

    def _stop_watching(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def allow_files() -> None:
    """Let the process have enough files open for all connections, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
