"""Tell the service's token from a client's own credential for Claude. Neither is stored or logged."""

import contextlib
import hmac
import re
from base64 import b64decode
from collections.abc import Iterable

from shammah_mlx.server.proxy import CREDENTIALS, Headers

_SCHEME = re.compile(rb"^(?:bearer|basic)(?:\s+|$)", re.IGNORECASE)
TOKEN_HEADER = b"shammah-token"  # shows the token where the usual headers carry a client's own credential


class ClientCredentials:
    """What clients show: the token of the service, and where they `sign_in` to Claude themselves, a credential too.

    Raises:
        ValueError: the token is empty.
    """

    def __init__(self, token: str, *, sign_in: bool = False) -> None:
        if not token:
            raise ValueError("an empty token would let anybody in")
        self._token, self._sign_in = token.encode(), sign_in

    @property
    def hint(self) -> str:
        """Return where a client shows the token."""
        header = f", or in the header {TOKEN_HEADER.decode()}" if self._sign_in else ""
        return f"Give the token in the file `token` of shammah's home as the API key{header}."

    def show_token(self, headers: Headers) -> bool:
        """Return whether the request has the token: as API key, as Bearer, or in a header of its own."""
        names = (*CREDENTIALS, TOKEN_HEADER) if self._sign_in else CREDENTIALS
        return any(hmac.compare_digest(_secret_of(value), self._token) for value in _values(names, headers))

    def sign_in_headers(self, headers: Headers) -> Headers:
        """Return the headers by which the client signs in to Claude; none if it uses the service's key."""
        if not self._sign_in:
            return []
        return [
            (name, value)
            for name, value in headers
            if name.lower() in CREDENTIALS and _secret_of(value) and not self._holds_token(value)
        ]

    def _holds_token(self, value: bytes) -> bool:
        """Return whether a header's value shows the token, in plain or as a password of Basic authentication."""
        with contextlib.suppress(ValueError):
            value += b64decode(_secret_of(value), validate=True)
        return self._token in value


def _secret_of(value: bytes) -> bytes:
    """Return a header's value without the name of a scheme."""
    return _SCHEME.sub(b"", value.strip())


def _values(names: Iterable[bytes], headers: Headers) -> list[bytes]:
    return [value for name, value in headers if name.lower() in names]
