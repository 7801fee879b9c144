"""Who may ask a service: whoever can open the home's own socket, and on a port who knows the token."""

import hmac
import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shammah_mlx import wire

JSON = "application/json"
_OWN_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)  # a tunnel may have another port


class Guard:
    """Lets in from a TCP port who knows the token, and no page of a browser; from the home's own socket, anybody.

    Who may open that socket is decided by the file system.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and not is_from_own_socket(scope):
            refused = self._refusal(Request(scope))
            if refused is not None:
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if not _OWN_HOST.fullmatch(host) or origin not in (None, f"http://{host}"):
            return refusal("permission_error", "This service is for programs on this machine.")
        given = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if request.url.path != "/health" and not hmac.compare_digest(given.encode(), self._token.encode()):
            hint = "Give the token in the file `token` of shammah's home as the API key."
            return refusal("authentication_error", hint)
        return None


def is_from_own_socket(scope: Scope) -> bool:
    """Say whether a request came over the home's socket; a TCP port has a number."""
    server = scope.get("server")
    return server is not None and server[1] is None


def refusal(kind: str, told: str) -> Response:
    """Return an error in Claude's format."""
    status, body = wire.error(kind, told)
    return Response(body, status, media_type=JSON)
