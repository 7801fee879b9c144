"""The way to Claude for other programs' requests: with our key, and otherwise byte for byte as they came."""

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import httpx2

from shammah_mlx.keys import Credential

Headers = list[tuple[str, str]]

CLAUDE = "https://api.anthropic.com"
BASE_URL = "ANTHROPIC_BASE_URL"
US = "shammah"  # in `via`: a request of ours that comes back to us would go on for ever
CONNECT_S = 10.0  # to reach Claude; how long it may be silent is the config's
_HOP_BY_HOP = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
    *("te", "trailer", "transfer-encoding", "upgrade"),
}  # RFC 9110, 7.6.1
_OURS = {"host", "x-api-key", "authorization", "cookie", "content-length", "via"}


class Relay:
    """One client of Claude's API for a whole service; to be made and used in one event loop."""

    def __init__(self, credential: Credential | None, silence_s: float, base_url: str | None = None) -> None:
        self._credential = credential
        self._base = (base_url or os.environ.get(BASE_URL, "").strip() or CLAUDE).rstrip("/")
        timeout = httpx2.Timeout(silence_s, connect=CONNECT_S)
        limits = httpx2.Limits(max_connections=None)  # the service's own bound holds
        self._client = httpx2.AsyncClient(timeout=timeout, limits=limits)

    @property
    def has_key(self) -> bool:
        """Say whether there is anything to show Claude."""
        return self._credential is not None

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def asked(
        self, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes
    ) -> AsyncIterator[httpx2.Response]:
        """Send a request on; yield Claude's response, of which nothing is read yet but its headers.

        Raises:
            httpx2.HTTPError: Claude cannot be reached, or stops in between.
        """
        kept = [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP | _OURS]
        shown = self._credential.headers if self._credential else {}
        request = self._client.build_request(
            method, self._base + target, headers=[*kept, *shown.items(), ("via", f"1.1 {US}")], content=body
        )
        response = await self._client.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()


def comes_from_us(headers: Iterable[tuple[str, str]]) -> bool:
    """Say whether a request has been through here before."""
    return any(name.lower() == "via" and US in value for name, value in headers)


def passed_back(response: httpx2.Response) -> Headers:
    """Return the headers of Claude's response that go on to the client."""
    return [(name, value) for name, value in response.headers.multi_items() if name.lower() not in _HOP_BY_HOP]
