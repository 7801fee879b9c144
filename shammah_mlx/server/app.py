"""Claude's Messages API in front of a home: whatever an Anthropic client sends is answered here, or passed on.

Requests and responses only: who answers is the service's business, what it looks like the wire's.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence

import anyio
import httpx2
from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shammah_mlx.errors import ShammahError
from shammah_mlx.events import Interaction, Outage, Reply
from shammah_mlx.framework.loop import ClaudeCall
from shammah_mlx.server import messages_api
from shammah_mlx.server.auth import JSON, Guard, nothing_here, refusal
from shammah_mlx.server.limits import Gateway
from shammah_mlx.server.proxy import Headers, can_be_passed_on, passed_back
from shammah_mlx.server.service import AwayError
from shammah_mlx.teacher.identity import SOURCE, local_model
from shammah_mlx.teacher.outages import kind_of, outage

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
EVENTS = "text/event-stream; charset=utf-8"
COVERED, NUMBER = "shammah-covered", "shammah-query-id"  # headers of what was answered, beside the source
_CREDENTIALS_ARE_OURS = (401, 403)  # so a client need not be told what Claude said of them


def unanswered(found: Outage) -> Response:
    """Return an outage in Claude's format."""
    status, body = messages_api.outage_error(found)
    return Response(body, status, media_type=JSON)


class Anthropic:
    """Everything under /v1: questions are answered by the loop, the rest is passed on."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        async with self._gateway.slot() as has_slot:
            if not has_slot:
                refused: Response | None = refusal("overloaded_error", "Too many requests at once. Ask again soon.")
            else:
                refused = await self._answer(request, receive, send)
            if refused is not None:
                await refused(scope, receive, send)

    async def _answer(self, request: Request, receive: Receive, send: Send) -> Response | None:
        """Answer; return what is to be sent if it is an error of ours."""
        target = request.scope["raw_path"] + (b"?" + query if (query := request.scope["query_string"]) else b"")
        if not can_be_passed_on(target):
            return nothing_here()
        try:
            body = await self._gateway.body(request)
        except ClientDisconnect:
            return None
        if body is None:
            refused = refusal("request_too_large", "The request is longer than this service takes.")
            refused.headers["connection"] = "close"  # or the client would go on sending, and wait for ever
            return refused
        exchange = _Exchange(self._gateway, request, target, body, receive, send)
        is_question = request.method == "POST" and request.scope["path"] == "/v1/messages"
        if is_question and "anthropic-beta" not in request.headers:
            asked = messages_api.read_request(body, self._gateway.service.config.max_query_bytes)
            if asked is not None:
                return await exchange.answer(asked)
        return await exchange.pass_on()


class _Exchange:
    """One request and its response."""

    def __init__(
        self, gateway: Gateway, request: Request, target: bytes, body: bytes, receive: Receive, send: Send
    ) -> None:
        self._gateway, self._request, self._target, self._body = gateway, request, target, body
        self._receive, self._send = receive, send
        self._streams = False
        self._claude: tuple[int, Headers] | None = None  # what its response began with
        self._held: list[bytes] = []  # of its body, not sent yet
        self._told: dict[str, str] = {SOURCE: "claude"}  # headers that say who answered
        self._is_begun = False  # whether anything was sent
        self._failure: httpx2.HTTPError | None = None  # what ended Claude's response, if it did not end by itself

    async def answer(self, asked: messages_api.Request) -> Response | None:
        """Let the loop answer, and send that; while somebody else is alone in the home, Claude answers."""
        since, self._streams = time.perf_counter(), asked.streams
        try:
            answered = await self._gateway.service.ask(lambda _: asked.query, self._consult)
        except AwayError:
            return await self.pass_on()
        except ShammahError as error:
            return refusal("api_error", f"{error.message}: {error.hint}")
        if isinstance(answered, Interaction):
            self._gateway.counters.count(answered, time.perf_counter() - since)
            self._told = _told_of(answered)
            if answered.served_local:
                await self._send_local(answered)
                return None
        elif self._claude is None or self._is_about_our_key:
            return unanswered(answered)
        return await self._finish()

    async def pass_on(self) -> Response | None:
        """Send the request on as it is, and what comes back."""
        if not self._gateway.proxy.has_key:
            return unanswered(outage("no_key"))
        self._gateway.counters.passed_on.inc()

        async def hand_over(piece: bytes) -> None:
            if not self._is_about_our_key:
                await self._send_piece(piece)

        await self._ask_claude(self._request.headers.raw, hand_over)
        return unanswered(outage("key_refused")) if self._is_about_our_key else await self._finish()

    async def _consult(self, call: ClaudeCall) -> Reply | Outage:
        """Ask Claude what the client asked; send its words on while they come, if they are the answer."""
        if not self._gateway.proxy.has_key:
            return outage("no_key")
        listener = messages_api.Listener(streams=self._streams)

        async def listen(piece: bytes) -> None:
            listener.hear(piece)
            if call.is_answer and self._streams and not listener.has_ended and self._is_well:
                await self._send_piece(piece)
            else:
                self._held.append(piece)  # the end comes when all is journalled

        readable = [(name, value) for name, value in self._request.headers.raw if name != b"accept-encoding"]
        await self._ask_claude([*readable, (b"accept-encoding", b"identity")], listen)
        if self._claude is None:
            return outage(kind_of(self._failure) if self._failure else "cut")
        if not self._is_well:
            return messages_api.outage_of(self._claude[0], b"".join(self._held))
        if self._failure is not None:
            listener.break_off()
        return listener.reply(self._gateway.service.config.teacher.prices)

    async def _ask_claude(self, headers: Headers, take: Callable[[bytes], Awaitable[None]]) -> None:
        """Ask for as long as the client stays; note how the response begins, and how it ends if badly."""

        async def ask() -> None:
            asking = self._gateway.proxy.asked(self._request.method, self._target, headers, self._body)
            try:
                async with asking as response:
                    self._claude = response.status_code, passed_back(response)
                    async for piece in response.aiter_raw():
                        await take(piece)
            except httpx2.HTTPError as error:
                self._failure = error

        await _until_gone(self._receive, ask)

    @property
    def _is_well(self) -> bool:
        return self._claude is not None and self._claude[0] == 200

    @property
    def _is_about_our_key(self) -> bool:
        return self._claude is not None and self._claude[0] in _CREDENTIALS_ARE_OURS

    async def _send_piece(self, piece: bytes) -> None:
        """Send a piece on.

        Raises:
            httpx2.WriteTimeout: the client does not read.
        """
        await self._begin()
        message = {"type": "http.response.body", "body": piece, "more_body": True}
        try:
            await asyncio.wait_for(self._send(message), self._gateway.service.config.service.silence_s)
        except TimeoutError as error:
            raise httpx2.WriteTimeout("the client does not read") from error

    async def _finish(self) -> Response | None:
        """Send the rest of Claude's response; return the error instead, if there is nothing else."""
        if self._failure is not None and not self._is_begun:
            return unanswered(outage(kind_of(self._failure)))
        if self._failure is None:
            await self._begin()
            await self._send({"type": "http.response.body", "body": b"".join(self._held)})
        return None  # what was broken off in between has no end, and the client is to see that

    async def _begin(self) -> None:
        if not self._is_begun and self._claude is not None:
            status, headers = self._claude
            told = [*headers, *((name.encode(), value.encode()) for name, value in self._told.items())]
            await self._send({"type": "http.response.start", "status": status, "headers": told})
            self._is_begun = True

    async def _send_local(self, answered: Interaction) -> None:
        model = local_model(self._gateway.service.config.preset)
        told = messages_api.message_events(answered, model) if self._streams else messages_api.message(answered, model)
        response = Response(told, headers=self._told, media_type=EVENTS if self._streams else JSON)
        await response(self._request.scope, self._receive, self._send)


def _told_of(answered: Interaction) -> dict[str, str]:
    """Return the headers that say who answered; of a stream of Claude's not all is known when it begins."""
    told: dict[str, str] = {SOURCE: answered.source}
    if answered.covered is not None:
        told[COVERED] = str(answered.covered).lower()
    if answered.request.stored:
        told[NUMBER] = str(answered.request.number)
    return told


async def _until_gone(receive: Receive, work: Callable[[], Awaitable[None]]) -> None:
    """Work, but no longer than the client is there: words that nobody reads cost as much."""
    async with anyio.create_task_group() as both:

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            both.cancel_scope.cancel()

        both.start_soon(watch)
        await work()
        both.cancel_scope.cancel()


def web(gateway: Gateway, token: str, own_routes: Sequence[Route]) -> ASGIApp:
    """Return the application; `own_routes` are for the home's own socket."""

    async def health(_: Request) -> Response:
        service = gateway.service
        told = {
            "status": "ok" if service.is_well else "learning stopped",
            "preset": service.config.preset,
            "models": "loaded" if service.is_open else "unloaded",
            "pending": service.pending,
            "process": os.getpid(),
            "key": gateway.proxy.has_key,
        }
        return JSONResponse(told)

    async def metrics(_: Request) -> Response:
        service = gateway.service
        gateway.counters.note(pending=service.pending, learnt=service.learnt, is_well=service.is_well)
        return Response(generate_latest(gateway.counters.registry), media_type="text/plain; version=0.0.4")

    async def nothing(_: Request) -> Response:
        return nothing_here()

    async def failed(_: Request, __: Exception) -> Response:
        return refusal("api_error", "Something is wrong with shammah; its log says what.")

    anthropic = Anthropic(gateway)
    app = Starlette(
        routes=[
            Route("/health", health),
            Route("/metrics", metrics),
            *own_routes,
            Route("/v1/{path:path}", anthropic),
            Route("/{path:path}", nothing, methods=METHODS),
        ],
        exception_handlers={Exception: failed},
    )
    return Guard(app, token)
