"""Decide who may use a service: everybody who can open the home's own socket, and holders of the token on a port."""

import re
import secrets
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shammah_mlx.server import messages_api
from shammah_mlx.server.credentials import ClientCredentials
from shammah_mlx.teacher.identity import ITSELF, OUR_VIA, SOURCE

JSON = "application/json"
OWN = "/own/"  # prefix of the paths for commands, which exist on the home's own socket only
TOKEN = "token"  # file in the home: what clients on a TCP port must send
_OWN_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)  # a tunnel may have another port


class Guard:
    """Checks every request before it reaches the application.

    A TCP client needs the token, and web pages are refused. A client of the home's own socket needs nothing: the file
    system decides who can open it. A request that shammah itself sent is refused, because it was meant for Claude.
    """

    def __init__(self, app: ASGIApp, credentials: ClientCredentials) -> None:
        self._app, self._credentials = app, credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the application, or refuse it."""
        refused = self._refusal(Request(scope)) if scope["type"] == "http" else None
        await (refused or self._app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        if OUR_VIA in request.headers.get("via", ""):
            response = error_response(
                "invalid_request_error", "ANTHROPIC_BASE_URL points shammah to its own service: unset it for shammah."
            )
            response.headers[SOURCE] = ITSELF
            return response
        if _is_from_own_socket(request.scope):
            return None
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if not _OWN_HOST.fullmatch(host) or origin not in (None, f"http://{host}"):
            return error_response("permission_error", "Only programs on this machine may use this service.")
        path = request.scope["path"]
        if path != "/health" and not self._credentials.show_token(request.headers.raw):
            return error_response("authentication_error", self._credentials.hint)
        return not_found() if path.startswith(OWN) else None


def _is_from_own_socket(scope: Scope) -> bool:
    """Say whether a request came over the home's socket, which has no port number."""
    server = scope.get("server")
    return server is not None and server[1] is None


def error_response(kind: str, message: str) -> Response:
    """Return an error response in Claude's format."""
    status, body = messages_api.error(kind, message)
    return Response(body, status, media_type=JSON)


def not_found() -> Response:
    """Return the response for a path that does not exist."""
    return error_response("not_found_error", "There is no such path.")


def token_of(home: Path) -> str:
    """Return the token that clients on a TCP port must send; create it if there is none.

    Raises:
        BadStateError: others can read the file.
    """
    from shammah_mlx.teacher.keys import KeyFile

    file = KeyFile(home / TOKEN)
    if (token := file.get()) is None:
        token = secrets.token_urlsafe(32)
        file.set(token)
    return token
