"""Pass other programs' requests on to Claude: with our key or their own credential, otherwise byte for byte."""

import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from shammah_mlx.teacher.identity import CLAUDE, OUR_VIA, base_url_here
from shammah_mlx.teacher.keys import Credential

Headers = list[tuple[bytes, bytes]]
Unpack = Callable[[bytes, int], bytes]
"""Unpacks the next piece of a body, to at most so many bytes."""

HIGHEST_STATUS = 599
LONGEST_TARGET = 8_000  # bytes; what every server should accept (RFC 9112, 3)
CONNECT_S = 10.0  # to connect to Claude; the config says how long Claude may be silent
_HOP_BY_HOP = {
    *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"),
    *(b"te", b"trailer", b"transfer-encoding", b"upgrade"),
}  # RFC 9110, 7.6.1
CREDENTIALS = (b"x-api-key", b"authorization")  # headers by which one signs in to Claude
_SET_BY_US = {*CREDENTIALS, b"host", b"cookie", b"content-length", b"via", b"expect"}
_FOR_US = {b"shammah-cache", b"shammah-scope", b"shammah-token"}
_FROM_US = {b"shammah-source", b"shammah-covered", b"shammah-query-id"}  # no server says them for us
_NO_DEFAULT = ("accept", "accept-encoding", "user-agent")  # sent only if the client sent them
_DOT_SEGMENT = re.compile(rb"/(\.|%2e){1,2}(/|$)", re.IGNORECASE)  # resolving it would give another path


class Proxy:
    """One HTTP client of Claude's API for a whole service; created and used in one event loop."""

    def __init__(self, credential: Credential | None, silence_s: float, base_url: str | None = None) -> None:
        self._credential = credential
        self._base = (base_url or base_url_here() or CLAUDE).rstrip("/")
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(silence_s, connect=CONNECT_S),
            # The service's own slots are the limit. No connection is used twice: what a server sends beyond its
            # response would be read as the response to the next question, and learnt.
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # clients must not share cookies
        )
        for name in _NO_DEFAULT:
            del self._client.headers[name]

    @property
    def has_key(self) -> bool:
        """Say whether there is a credential for Claude."""
        return self._credential is not None

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def send(
        self, method: str, target: bytes, headers: Headers, body: bytes, signed_in: Headers
    ) -> AsyncIterator[httpx2.Response]:
        """Send a request to Claude; yield the response once its headers are read, with its body still to be read.

        `target` is the path and the query string. `signed_in` has the client's own credential; if it is empty, ours is
        used.

        Raises:
            httpx2.HTTPError: Claude cannot be reached, or breaks off.
        """
        passed_on = _without({*_HOP_BY_HOP, *_SET_BY_US, *_FOR_US, *_named_in_connection(headers)}, headers)
        credential = self._credential.headers if self._credential and not signed_in else {}
        ours = [(name.encode(), value.encode()) for name, value in {**credential, "via": OUR_VIA}.items()]
        url = self._base + target.decode("ascii")
        request = self._client.build_request(method, url, headers=[*passed_on, *signed_in, *ours], content=body)
        response = await self._client.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()


def is_safe_target(target: bytes) -> bool:
    """Say whether a path can be passed on: below the host, ASCII, not too long, without segments that lead elsewhere.

    `%2Fv1/` is `/v1/` to a router; behind a host it would be a part of the host.
    """
    path = target.partition(b"?")[0]
    return (
        path.startswith(b"/") and target.isascii() and len(target) <= LONGEST_TARGET and not _DOT_SEGMENT.search(path)
    )


def check_response(response: httpx2.Response) -> None:
    """Check that a response may be passed on: its status is valid, its length is said in one way, it is no redirect.

    Raises:
        httpx2.RemoteProtocolError: it may not be. Two readers might disagree about where it ends (RFC 9112, 6.3), or
            the client would take its question, and our token, to another host.
    """
    if response.status_code > HIGHEST_STATUS:
        raise httpx2.RemoteProtocolError("the response has no valid status")
    if {"transfer-encoding", "content-length"} <= response.headers.keys():
        raise httpx2.RemoteProtocolError("the response has two lengths")
    if response.has_redirect_location:
        raise httpx2.RemoteProtocolError("the response leads to another place")


def unpacker(headers: Headers) -> Unpack:
    """Return what unpacks the pieces of a response for reading; those that are passed on stay as they are.

    Nothing packed is asked for, but some servers send gzip all the same. Of another packing nothing is read. What is
    returned raises httpx2.DecodingError if a piece is not what the headers say.
    """
    packings = [value.strip().lower() for name, value in headers if name.lower() == b"content-encoding"]
    if packings in ([], [b"identity"]):
        return lambda piece, _: piece
    if packings in ([b"gzip"], [b"x-gzip"]):
        return _gzip_unpacker()
    return lambda _, __: b""


def _gzip_unpacker() -> Unpack:
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def unpack(piece: bytes, most: int) -> bytes:
        try:
            return unpacking.decompress(piece, most)
        except zlib.error as error:
            raise httpx2.DecodingError("the response is not packed as it says") from error

    return unpack


def response_headers(response: httpx2.Response) -> Headers:
    """Return the headers of Claude's response that are passed on to the client."""
    return _without({*_HOP_BY_HOP, *_FROM_US, *_named_in_connection(response.headers.raw)}, response.headers.raw)


def _named_in_connection(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """Return the names of the headers that `connection` limits to this hop."""
    values = [value for name, value in headers if name.lower() == b"connection"]
    return {part.strip().lower() for value in values for part in value.split(b",")}


def _without(names: set[bytes], headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return [(name, value) for name, value in headers if name.lower() not in names]
