"""The HTTP application: answer Anthropic clients from the home, or pass their requests on to Claude.

Handles requests and responses only: `service` decides who answers, `messages_api` knows the format.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio
import httpx2
from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shammah_mlx.errors import ShammahError
from shammah_mlx.events import AskOptions, Interaction, Outage, Reply, Verdict
from shammah_mlx.framework.loop import STAYS_HERE, Call, VerdictCall
from shammah_mlx.framework.screening import stays_here
from shammah_mlx.server import messages_api
from shammah_mlx.server.auth import JSON, Guard, error_response, not_found
from shammah_mlx.server.charges import UsageReader, is_charged, reports_usage, uncounted, unpriced
from shammah_mlx.server.credentials import ClientCredentials
from shammah_mlx.server.limits import Limits, RefusedBodyError, refusal
from shammah_mlx.server.prometheus import Counters
from shammah_mlx.server.proxy import Headers, Proxy, Unpack, check_response, is_safe_target, response_headers, unpacker
from shammah_mlx.server.service import AwayError, Consult, Service
from shammah_mlx.teacher.claude import api_version
from shammah_mlx.teacher.identity import SOURCE, local_model
from shammah_mlx.teacher.outages import kind_of, outage

LONGEST_REPLY = 32_000_000  # bytes of one reply that are kept until it ends; Claude's longest are a few hundred kB
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
EVENTS = "text/event-stream; charset=utf-8"
SIGN_IN_BETA = "oauth-2025-04-20"  # the beta that says how one signs in, and changes no answer
CACHE = "shammah-cache"  # request header: with `no`, Claude answers and nothing is learnt
COVERED, QUERY_ID = "shammah-covered", "shammah-query-id"  # response headers, beside SOURCE
_KEY_REFUSED = (401, 403)  # the key is ours, so the client does not see what Claude said about it


@dataclass(frozen=True)
class Gateway:
    """What all routes share."""

    service: Service
    proxy: Proxy
    limits: Limits
    counters: Counters
    judge: Consult  # gives verdicts
    credentials: ClientCredentials


class AnthropicApi:
    """Everything under /v1: the loop answers the questions that it covers, Claude gets the rest."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        async with self._gateway.limits.slot() as has_slot:
            if not has_slot:
                error: Response | None = error_response(
                    "overloaded_error", "Too many requests at once. Try again soon."
                )
            else:
                error = await self._answer(request, receive, send)
            if error is not None:
                await error(scope, receive, send)

    async def _answer(self, request: Request, receive: Receive, send: Send) -> Response | None:
        """Send the answer; return an error response instead if nothing was sent."""
        target = request.scope["raw_path"] + (b"?" + query if (query := request.scope["query_string"]) else b"")
        if not is_safe_target(target) or request.method not in METHODS:
            return not_found()
        try:
            async with self._gateway.limits.body(request) as body:
                return await self._answer_body(request, target, body, receive, send)
        except ClientDisconnect:
            return None
        except RefusedBodyError as refused:
            return refusal(refused)

    async def _answer_body(
        self, request: Request, target: bytes, body: bytes, receive: Receive, send: Send
    ) -> Response | None:
        exchange = _Exchange(self._gateway, request, target, body, receive, send)
        is_question = request.method == "POST" and request.scope["path"] == "/v1/messages"
        wants_claude = any(value.strip().lower() == "no" for value in request.headers.getlist(CACHE))
        is_doubled = any(len(request.headers.getlist(name)) > 1 for name in messages_api.CONTEXT_HEADERS)
        betas = request.headers.getlist("anthropic-beta")
        has_beta = betas != ([SIGN_IN_BETA] if betas and exchange.signed_in else [])
        if is_question and not (wants_claude or is_doubled or has_beta):
            most = self._gateway.service.config.max_query_bytes
            covered = messages_api.read_request(body, request.headers, most, api_version(), exchange.signed_in)
            if covered is not None:
                return await exchange.answer(covered)
        return await exchange.pass_on()


class _Exchange:
    """One request and its response."""

    def __init__(
        self, gateway: Gateway, request: Request, target: bytes, body: bytes, receive: Receive, send: Send
    ) -> None:
        self._gateway, self._request, self._target, self._body = gateway, request, target, body
        self._receive, self._send = receive, send
        # The client's own credential for Claude, if it has one:
        self.signed_in = gateway.credentials.sign_in_headers(request.headers.raw)
        self._streams = False
        self._response_start: tuple[int, Headers] | None = None  # status and headers of Claude's response
        self._unsent: list[bytes] = []  # pieces of Claude's body that are held back
        self._source_headers: dict[str, str] = {SOURCE: "claude"}
        self._has_begun = False  # whether anything was sent to the client
        self._failure: httpx2.HTTPError | None = None  # what broke Claude's response off

    async def answer(self, covered: messages_api.CoveredRequest) -> Response | None:
        """Let the loop answer, and send that. While the service is out of the home, Claude answers."""
        since, self._streams = time.perf_counter(), covered.streams
        try:
            answered = await self._gateway.service.ask(
                lambda _: covered.query,
                self._consult,
                options=AskOptions(by_client=True, own_account=bool(self.signed_in)),
            )
        except AwayError:
            return await self.pass_on()
        except ShammahError as error:
            return error_response("api_error", f"{error.message}: {error.hint}")
        if isinstance(answered, Interaction):
            self._gateway.counters.count(answered, time.perf_counter() - since)
            self._source_headers = _source_headers(answered)
            if answered.served_local:
                await self._send_local(answered)
                return None
        elif self._response_start is None or self._is_key_refused:
            return outage_response(answered)
        return await self._finish()

    async def pass_on(self) -> Response | None:
        """Send the request to Claude unchanged, and Claude's response back."""
        if not self._has_key:
            return outage_response(outage("no_key"))
        if await self._stays_here():
            return outage_response(STAYS_HERE)
        method, path = self._request.method, self._request.scope["path"]
        if is_charged(method, path) and not self.signed_in:
            try:
                refused = await self._gateway.service.refusal() or await self._uncounted()
            except ShammahError as error:
                return error_response("api_error", f"{error.message}: {error.hint}")
            if refused is not None:
                return outage_response(refused)
        self._gateway.counters.passed_on.inc()
        usage: UsageReader | None = None
        says_usage = reports_usage(method, path)

        async def send_back(piece: bytes) -> None:
            nonlocal usage
            if self._is_ok and self._response_start is not None and says_usage:
                usage = usage or UsageReader(self._response_start[1])
                usage.feed(piece)
            if not self._is_key_refused:
                await self._send_piece(piece)

        headers = self._request.headers.raw
        await self._call_claude(_readable(headers) if says_usage else headers, send_back)
        if usage is not None or (self._is_ok and is_charged(method, path) and not says_usage):
            self._count_passed_on(usage)
        return outage_response(outage("key_refused")) if self._is_key_refused else await self._finish()

    async def _uncounted(self) -> Outage | None:
        """Return the outage if the budget cannot count the request; others are answered while the body is read."""
        asked = self._request.method, self._request.scope["path"], self._body, self._gateway.service.config
        return await anyio.to_thread.run_sync(uncounted, *asked)

    async def _stays_here(self) -> bool:
        """Say whether the user's settings let nothing of this request leave the machine."""
        privacy = self._gateway.service.config.privacy
        if not privacy.keeps_some_here:
            return False
        return await anyio.to_thread.run_sync(lambda: stays_here(messages_api.texts_of(self._body), privacy))

    def _count_passed_on(self, usage: UsageReader | None) -> None:
        """Record what Claude charged for a request that was passed on, also if the client hung up meanwhile.

        Without `usage` the response does not say it, as that of a batch.
        """
        service, is_own, now = self._gateway.service, bool(self.signed_in), time.time()
        if usage is None:
            passed = unpriced(now, own_account=is_own)
        else:
            passed = usage.passed_on(now, service.config.teacher.prices, own_account=is_own)
        service.note_passed_on(passed)
        self._gateway.counters.count_passed_on(passed.usd)

    async def _consult(self, call: Call) -> Reply | Verdict | Outage:
        """Send the client's request to Claude; stream the reply to the client if it is the answer."""
        if isinstance(call, VerdictCall):
            return await self._gateway.judge(call)
        if not self._has_key:
            return outage("no_key")
        listener = messages_api.Listener(call.query.model or "", streams=self._streams)
        room = LONGEST_REPLY

        unpack: Unpack | None = None

        async def listen(piece: bytes) -> None:
            nonlocal room, unpack
            unpack = unpack or unpacker(self._response_start[1] if self._response_start else [])
            read = unpack(piece, messages_api.LONGEST_EVENT + 1)
            room -= max(len(piece), len(read))
            if room < 0 or len(read) > messages_api.LONGEST_EVENT:
                raise httpx2.RemoteProtocolError("the reply does not end")
            listener.feed(read)
            if call.is_answer and self._streams and not listener.has_ended and self._is_ok:
                await self._send_piece(piece)
            else:
                self._unsent.append(piece)  # the stream ends only after the interaction is journalled

        readable = [(name, value) for name, value in self._request.headers.raw if name != b"accept-encoding"]
        await self._call_claude([*readable, (b"accept-encoding", b"identity")], listen)
        if self._response_start is None:
            return outage(kind_of(self._failure) if self._failure else "cut")
        if not self._is_ok:
            return messages_api.outage_of(self._response_start[0], b"".join(self._unsent))
        if self._failure is not None:
            listener.mark_cut()
        return listener.reply({} if self.signed_in else self._gateway.service.config.teacher.prices)

    async def _call_claude(self, headers: Headers, take: Callable[[bytes], Awaitable[None]]) -> None:
        """Call Claude until the client hangs up; keep the start of the response, and the error if it breaks off."""

        async def call() -> None:
            sending = self._gateway.proxy.send(self._request.method, self._target, headers, self._body, self.signed_in)
            try:
                async with sending as response:
                    check_response(response)
                    self._response_start = response.status_code, response_headers(response)
                    async for piece in response.aiter_raw():
                        await take(piece)
            except httpx2.HTTPError as error:
                self._failure = error

        await _until_disconnect(self._receive, call)

    @property
    def _is_ok(self) -> bool:
        return self._response_start is not None and self._response_start[0] == 200

    @property
    def _has_key(self) -> bool:
        return bool(self.signed_in) or self._gateway.proxy.has_key

    @property
    def _is_key_refused(self) -> bool:
        """Say whether Claude refused our key; what it says of a client's own credential is for the client."""
        start = self._response_start
        return start is not None and start[0] in _KEY_REFUSED and not self.signed_in

    async def _send_piece(self, piece: bytes) -> None:
        """Send a piece of Claude's body to the client.

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
        """Send the rest of Claude's response; return an error response if Claude failed before anything was sent."""
        if self._failure is not None and not self._has_begun:
            return outage_response(outage(kind_of(self._failure)))
        if self._failure is None:
            await self._begin()
            await self._send({"type": "http.response.body", "body": b"".join(self._unsent)})
        return None  # a response that broke off gets no end, so that the client notices

    async def _begin(self) -> None:
        if not self._has_begun and self._response_start is not None:
            status, headers = self._response_start
            headers = [*headers, *((name.encode(), value.encode()) for name, value in self._source_headers.items())]
            await self._send({"type": "http.response.start", "status": status, "headers": headers})
            self._has_begun = True

    async def _send_local(self, answered: Interaction) -> None:
        model = local_model(self._gateway.service.config.preset)
        body = messages_api.message_events(answered, model) if self._streams else messages_api.message(answered, model)
        response = Response(body, headers=self._source_headers, media_type=EVENTS if self._streams else JSON)
        await response(self._request.scope, self._receive, self._send)


def _readable(headers: Headers) -> Headers:
    """Return a request's headers without a wish for a packed response: its usage is to be read here too."""
    return [(name, b"identity" if name == b"accept-encoding" else value) for name, value in headers]


def outage_response(found: Outage) -> Response:
    """Return an outage as an error response in Claude's format."""
    status, body = messages_api.outage_error(found)
    return Response(body, status, media_type=JSON)


def _source_headers(answered: Interaction) -> dict[str, str]:
    """Return the headers that say who answered; a stream of Claude's begins before all of them are known."""
    headers: dict[str, str] = {SOURCE: answered.source}
    if answered.covered is not None:
        headers[COVERED] = str(answered.covered).lower()
    if answered.request.stored:
        headers[QUERY_ID] = str(answered.request.number)
    return headers


async def _until_disconnect(receive: Receive, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work`; cancel it if the client hangs up, because tokens that nobody reads are charged too."""
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()

        group.start_soon(watch)
        await work()
        group.cancel_scope.cancel()


def make_app(gateway: Gateway, own_routes: Sequence[Route]) -> ASGIApp:
    """Return the application; `own_routes` are only for the home's own socket."""

    async def health(_: Request) -> Response:
        service = gateway.service
        body = {
            "status": "ok" if service.is_well else "learning stopped",
            "preset": service.config.preset,
            "models": "loaded" if service.is_open else "unloaded",
            "pending": service.pending,
            "process": os.getpid(),
            "key": gateway.proxy.has_key,
        }
        return JSONResponse(body)

    async def metrics(_: Request) -> Response:
        service = gateway.service
        gateway.counters.note(pending=service.pending, learnt=service.learnt, is_well=service.is_well)
        return Response(generate_latest(gateway.counters.registry), media_type="text/plain; version=0.0.4")

    async def unknown_path(_: Request) -> Response:
        return not_found()

    async def failed(_: Request, __: Exception) -> Response:
        return error_response("api_error", "shammah failed on this request. Its log says why.")

    anthropic = AnthropicApi(gateway)
    app = Starlette(
        routes=[
            Route("/health", health),
            Route("/metrics", metrics),
            *own_routes,
            Route("/v1/{path:path}", anthropic),
            Route("/{path:path}", unknown_path, methods=METHODS),
        ],
        exception_handlers={Exception: failed},
    )
    return Guard(app, gateway.credentials)
