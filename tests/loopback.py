"""A server on 127.0.0.1 that imitates Claude's Messages API, including its failures.

`Loopback` is a context manager. Its `script` has one behaviour for each request in turn; `default` is for all later
requests. Run as a program, `python tests/loopback.py --reply TEXT` prints the URL and serves until it is signalled.
"""

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Text = str | Callable[[str], str]
"""A reply, or a function that makes it from the request's last user text."""


@dataclass(frozen=True)
class Request:
    """A request that the server received."""

    path: str
    headers: Mapping[str, str]  # names in lower case
    body: dict[str, Any]
    at: float  # time.monotonic()
    raw: bytes = b""  # the body's bytes

    @property
    def last_user_text(self) -> str:
        contents = [message["content"] for message in self.body.get("messages", []) if message["role"] == "user"]
        last = contents[-1] if contents else ""
        return last if isinstance(last, str) else "".join(block.get("text", "") for block in last)


MODELS = {
    "data": [{"type": "model", "id": "claude-x", "display_name": "X", "created_at": "2026-01-01T00:00:00Z"}],
    "has_more": False,
    "first_id": "claude-x",
    "last_id": "claude-x",
}
Behaviour = Callable[["Wire", Request], None]


def reply(
    text: Text,
    *,
    stop_reason: str = "end_turn",
    model: str | None = None,
    thinking: str | None = None,
    usage: Mapping[str, int] | None = None,
) -> Behaviour:
    """Answer in full, streamed if the request asks for it; `model` defaults to the one in the request."""

    def behave(wire: "Wire", request: Request) -> None:
        message = Message(_text_for(text, request), model or request.body["model"], stop_reason, thinking, usage)
        if request.body.get("stream"):
            wire.begin_stream()
            wire.events(message.opening())
            wire.events(message.closing())
            wire.end_stream()
        else:
            wire.json(200, message.whole())

    return behave


def cut(text: Text, *, abrupt: bool = False) -> Behaviour:
    """Send this text, then stop before the message ends; if `abrupt`, in the middle of the HTTP body."""

    def behave(wire: "Wire", request: Request) -> None:
        _begin(wire, request, text)
        if not abrupt:
            wire.end_stream()

    return behave


def stall(text: Text) -> Behaviour:
    """Send this text, then nothing more, but keep the connection open."""

    def behave(wire: "Wire", request: Request) -> None:
        _begin(wire, request, text)
        wire.wait()

    return behave


def break_down(text: Text, error_type: str = "overloaded_error", message: str = "Overloaded") -> Behaviour:
    """Send this text, then an error event inside the stream."""

    def behave(wire: "Wire", request: Request) -> None:
        _begin(wire, request, text)
        wire.events([_error(error_type, message)])
        wire.end_stream()

    return behave


def hang() -> Behaviour:
    """Read the request and never answer."""
    return lambda wire, request: wire.wait()


ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
OUT_OF_CREDIT = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."
OVER_LIMIT = "You have reached your specified API usage limits. You will regain access on 2027-01-01 at 00:00 UTC."


UNPRICED = ("/v1/messages/batches", "/v1/messages/count_tokens", "/v1/complete")  # they answer without a usage


def fail(
    status: int, message: Text = "Something.", *, code: str | None = None, retry_after: float | None = None
) -> Behaviour:
    """Answer with an error in Claude's format; `code` is its machine-readable cause."""

    def behave(wire: "Wire", request: Request) -> None:
        body = _error(ERROR_TYPES[status], _text_for(message, request))
        if code:
            body["error"]["details"] = {"error_code": code}
        wire.json(status, body, {} if retry_after is None else {"retry-after": str(retry_after)})

    return behave


def page(html: str) -> Behaviour:
    """Answer 200 with a web page, as a captive portal does."""
    return lambda wire, request: wire.send(200, "text/html", html.encode())


@dataclass(frozen=True)
class Message:
    """One reply, as a message and as the events of a stream."""

    text: str
    model: str
    stop_reason: str = "end_turn"
    thinking: str | None = None
    usage: Mapping[str, int] | None = None

    @property
    def blocks(self) -> list[dict[str, Any]]:
        thinking = {"type": "thinking", "thinking": self.thinking, "signature": "sig"}
        return ([thinking] if self.thinking is not None else []) + [{"type": "text", "text": self.text}]

    def whole(self) -> dict[str, Any]:
        return {
            "id": "msg_loopback",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": self.blocks,
            "stop_reason": self.stop_reason,
            "stop_sequence": None,
            "usage": {"input_tokens": 10, "output_tokens": 20, **(self.usage or {})},
        }

    def opening(self) -> list[dict[str, Any]]:
        """Return the events up to the last piece of text."""
        whole = self.whole()
        start = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
        events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
        for index, block in enumerate(self.blocks):
            if index > 0:
                events.append({"type": "content_block_stop", "index": index - 1})
            events.append({"type": "content_block_start", "index": index, "content_block": _empty(block)})
            if index == 0:
                events.append({"type": "ping"})
            events.extend({"type": "content_block_delta", "index": index, "delta": delta} for delta in _deltas(block))
        return events

    def closing(self) -> list[dict[str, Any]]:
        """Return the events after the last piece of text."""
        whole = self.whole()
        return [
            {"type": "content_block_stop", "index": len(self.blocks) - 1},
            {
                "type": "message_delta",
                "delta": {"stop_reason": self.stop_reason, "stop_sequence": None},
                "usage": {"output_tokens": whole["usage"]["output_tokens"]},
            },
            {"type": "message_stop"},
        ]


def _empty(block: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if name == "type" else "" for name, value in block.items()}


def _deltas(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    kind = block["type"]
    text = block[kind]
    deltas = [{"type": f"{kind}_delta", kind: text[start : start + 4]} for start in range(0, len(text), 4)]
    if "signature" in block:
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    return deltas


def _text_for(text: Text, request: Request) -> str:
    return text if isinstance(text, str) else text(request.last_user_text)


def _begin(wire: "Wire", request: Request, text: Text) -> None:
    message = Message(_text_for(text, request), request.body["model"])
    wire.begin_stream()
    wire.events(message.opening())


def _error(error_type: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": error_type, "message": message}, "request_id": "req_loopback"}


class Wire(BaseHTTPRequestHandler):
    """One connection with one request, and the operations that a behaviour may use."""

    protocol_version = "HTTP/1.1"
    timeout = 2  # seconds to wait for a client that sends nothing
    server: "_Server"

    def do_GET(self) -> None:
        self._behave(b"{}")

    def do_POST(self) -> None:
        self._behave(self.rfile.read(int(self.headers.get("content-length", 0))))

    def _behave(self, raw: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            body = None
        request = Request(self.path, headers, body if isinstance(body, dict) else {}, time.monotonic(), raw)
        if not isinstance(body, dict):
            fail(400, "The body is not a JSON object.")(self, request)
            return
        try:
            self.server.behaviour_for(request)(self, request)
        except ConnectionError:
            self.close_connection = True  # the client hung up first, which is allowed

    def json(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        self.send(status, "application/json", json.dumps(body).encode(), headers)

    def send(self, status: int, content_type: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self._head(status, {"content-type": content_type, "content-length": str(len(body)), **(headers or {})})
        self.wfile.write(body)

    def begin_stream(self) -> None:
        self._head(200, {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"})

    def events(self, events: Iterable[Mapping[str, Any]]) -> None:
        for event in events:
            self.chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def wait(self) -> None:
        """Stay silent until the server closes."""
        self.server.closing.wait()

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "connection": "close"}.items():  # so that the thread ends with the request
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close waits for the threads

    def __init__(self, script: Iterable[Behaviour], default: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Wire)
        self.closing = threading.Event()
        self.requests: list[Request] = []
        self._script = iter(script)
        self.default = default
        self.models: Behaviour = lambda wire, _: wire.json(200, MODELS)
        self._lock = threading.Lock()

    def behaviour_for(self, request: Request) -> Behaviour:
        with self._lock:
            self.requests.append(request)
            if request.path.partition("?")[0] == "/v1/models":
                return self.models
            if request.path.partition("?")[0] in UNPRICED:
                return lambda wire, _: wire.json(200, {"id": "batch_or_completion"})
            if request.path.partition("?")[0] != "/v1/messages":
                return fail(404, f"there is no {request.path}")
            return next(self._script, self.default)


class Loopback:
    """A context manager that runs the server."""

    def __init__(self, *script: Behaviour, default: Behaviour | None = None) -> None:
        self._server = _Server(script, default or reply("Hello."))
        # serve_forever polls for its end; the default of half a second would be most of a test's time.
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def requests(self) -> list[Request]:
        return self._server.requests

    def default_to(self, behaviour: Behaviour) -> None:
        """Set the behaviour for requests after the script."""
        self._server.default = behaviour

    def list_models_by(self, behaviour: Behaviour) -> None:
        """Set the behaviour for requests for the list of models."""
        self._server.models = behaviour

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.closing.set()
        self._server.server_close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reply", default="Hello.", help="what to answer to everything")
    text = parser.parse_args().reply
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before the threads start: they inherit it
    with Loopback(default=reply(text)) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
