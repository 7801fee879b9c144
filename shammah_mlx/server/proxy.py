"""The way to Claude for other programs' requests: with our key, and otherwise byte for byte as they came."""

import os
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from shammah_mlx.teacher.identity import OUR_VIA
from shammah_mlx.teacher.keys import BASE_URL, Credential

Headers = list[tuple[bytes, bytes]]

CLAUDE = "https://api.anthropic.com"
CONNECT_S = 10.0  # to reach Claude; how long it may be silent is the config's
_HOP_BY_HOP = {
    *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"),
    *(b"te", b"trailer", b"transfer-encoding", b"upgrade"),
}  # RFC 9110, 7.6.1
_OURS = {b"host", b"x-api-key", b"authorization", b"cookie", b"content-length", b"via", b"expect"}
_OF_THE_CLIENT_ALONE = ("accept", "accept-encoding", "user-agent")  # nothing takes their place where it sent none
_DOTS = re.compile(rb"/(\.|%2e){1,2}(/|$)", re.IGNORECASE)  # a path that is another once it is resolved


class Proxy:
    """One client of Claude's API for a whole service; to be made and used in one event loop."""

    def __init__(self, credential: Credential | None, silence_s: float, base_url: str | None = None) -> None:
        self._credential = credential
        self._base = (base_url or os.environ.get(BASE_URL, "").strip() or CLAUDE).rstrip("/")
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(silence_s, connect=CONNECT_S),
            limits=httpx2.Limits(max_connections=None),  # the service's own bound holds
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # what one client gets is not for another
        )
        for name in _OF_THE_CLIENT_ALONE:
            del self._client.headers[name]

    @property
    def has_key(self) -> bool:
        """Say whether there is anything to show Claude."""
        return self._credential is not None

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def asked(self, method: str, target: bytes, headers: Headers, body: bytes) -> AsyncIterator[httpx2.Response]:
        """Send a request on; yield Claude's response, of which nothing is read yet but its headers.

        `target` is the path, and what comes after it.

        Raises:
            httpx2.HTTPError: Claude cannot be reached, or stops in between.
        """
        kept = _without({*_HOP_BY_HOP, *_OURS, *_named_in(headers)}, headers)
        shown = self._credential.headers if self._credential else {}
        ours = [(name.encode(), value.encode()) for name, value in {**shown, "via": OUR_VIA}.items()]
        url = self._base + target.decode("ascii")
        request = self._client.build_request(method, url, headers=[*kept, *ours], content=body)
        response = await self._client.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()


def can_be_passed_on(target: bytes) -> bool:
    """Say whether a path goes where it seems to."""
    return target.isascii() and not _DOTS.search(target.partition(b"?")[0])


def passed_back(response: httpx2.Response) -> Headers:
    """Return the headers of Claude's response that go on to the client."""
    return _without({*_HOP_BY_HOP, *_named_in(response.headers.raw)}, response.headers.raw)


def _named_in(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """Return the headers that are for this hop alone because `connection` says so."""
    told = [value for name, value in headers if name.lower() == b"connection"]
    return {part.strip().lower() for value in told for part in value.split(b",")}


def _without(names: set[bytes], headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return [(name, value) for name, value in headers if name.lower() not in names]
