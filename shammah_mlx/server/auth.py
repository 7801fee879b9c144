"""Who may ask a service: whoever can open the home's own socket, and on a port who knows the token."""

import hmac
import re
import secrets
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shammah_mlx.server import messages_api
from shammah_mlx.teacher.identity import ITSELF, OUR_VIA, SOURCE

JSON = "application/json"
OWN = "/own/"  # how the paths begin that are for commands, on the home's own socket
_OWN_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)  # a tunnel may have another port


class Guard:
    """Lets in from a TCP port who knows the token, and no page of a browser; from the home's own socket, anybody.

    Who may open that socket is decided by the file system. Nobody gets in who was sent by this program: an answer of
    ours is not what it wants of Claude.

    Raises:
        ValueError: the token is empty.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        if not token:
            raise ValueError("an empty token would let anybody in")
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        refused = self._refusal(Request(scope)) if scope["type"] == "http" else None
        await (refused or self._app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        if OUR_VIA in request.headers.get("via", ""):
            told = refusal("invalid_request_error", "ANTHROPIC_BASE_URL leads shammah to itself: unset it there.")
            told.headers[SOURCE] = ITSELF
            return told
        if _is_from_own_socket(request.scope):
            return None
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if not _OWN_HOST.fullmatch(host) or origin not in (None, f"http://{host}"):
            return refusal("permission_error", "This service is for programs on this machine.")
        path = request.scope["path"]
        given = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if path != "/health" and not hmac.compare_digest(given.encode(), self._token.encode()):
            hint = "Give the token in the file `token` of shammah's home as the API key."
            return refusal("authentication_error", hint)
        return nothing_here() if path.startswith(OWN) else None


def _is_from_own_socket(scope: Scope) -> bool:
    """Say whether a request came over the home's socket; a TCP port has a number."""
    server = scope.get("server")
    return server is not None and server[1] is None


def refusal(kind: str, told: str) -> Response:
    """Return an error in Claude's format."""
    status, body = messages_api.error(kind, told)
    return Response(body, status, media_type=JSON)


def nothing_here() -> Response:
    """Return that there is no such thing."""
    return refusal("not_found_error", "There is nothing here.")


TOKEN = "token"  # file in the home that holds what TCP clients must send


def token_of(home: Path) -> str:
    """Return what clients on a TCP port must show; made when first needed.

    Raises:
        BadStateError: others can read it.
    """
    from shammah_mlx.teacher.keys import KeyFile

    kept = KeyFile(home / TOKEN)
    if (token := kept.get()) is None:
        token = secrets.token_urlsafe(32)
        kept.set(token)
    return token
