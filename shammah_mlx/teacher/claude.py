"""Ask Claude over the network, for an answer or for a verdict on one.

Knows nothing about routing, learning or storage. If Claude cannot be reached, that is a normal outcome, an `Outage`.
Its words are ours; the server's, which may repeat the query, stand apart from them.
"""

import functools
import re
import socket
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, final

import msgspec

from shammah_mlx.config import JudgeConfig, TeacherConfig
from shammah_mlx.events import Outage, Query, Reply, Show, Verdict
from shammah_mlx.teacher.connection import make_http_client
from shammah_mlx.teacher.identity import OUR_VIA, base_url_here, origin
from shammah_mlx.teacher.judge import RUBRIC, VERDICT_TOKENS, judge_request, parse_verdict
from shammah_mlx.teacher.keys import Credential
from shammah_mlx.teacher.outages import explained, kind_of, outage, words_of
from shammah_mlx.teacher.reply import ReplyBuilder

if TYPE_CHECKING:
    import httpx2
    from anthropic import APIRequest, APIResponse, CallNext, MiddlewareCallable
    from anthropic.types import MessageParam


class Redaction(Protocol):
    """Hides the secrets of one query."""

    def hide(self, query: Query) -> Query | None:
        """Return the query with stand-ins; None if something in it still looks like a secret."""

    def restore(self, text: str) -> str:
        """Return a text with the secrets in their places."""

    def restoring(self, show: Show) -> tuple[Show, Callable[[], None]]:
        """Return what shows a text's pieces with the secrets in their places, and what shows the rest at the end."""


class _Call(NamedTuple):
    """One request to Claude."""

    model: str
    max_tokens: int
    system: str | None
    messages: "list[MessageParam]"
    timeout_s: float
    max_retries: int
    stop_sequences: tuple[str, ...] = ()
    is_verdict: bool = False  # no thinking then, which would use up the tokens of a one-word answer


@functools.cache
def api_version() -> str:
    """Return the version of Claude's API that our own questions are asked in: the SDK's."""
    import anthropic

    return str(anthropic.Anthropic(api_key="none").default_headers["anthropic-version"])


@final
class Claude:
    """Claude through Anthropic's SDK, one client per question: nothing to close, no stale connection after a sleep."""

    def __init__(
        self,
        config: TeacherConfig,
        credential: Credential | None,
        base_url: str | None = None,
        judge: JudgeConfig | None = None,
        redaction: Callable[[Query], Redaction] | None = None,
    ) -> None:
        self._config, self._credential, self._base_url = config, credential, base_url
        self._judge = JudgeConfig() if judge is None else judge
        self._redaction = redaction
        self.origin = origin(base_url or base_url_here())
        self._response: httpx2.Response | None = None  # of the latest call for a reply, once it has begun
        self._is_hung_up = False

    def ask(self, query: Query, show: Show | None = None) -> Reply | Outage:
        """Return Claude's reply, whole or cut, or the outage if there is none.

        An exception of `show` is raised again after the connection is closed.
        """
        if self._redaction is None:
            return self._ask(query, show)
        redaction = self._redaction(query)
        hidden = redaction.hide(query)
        if hidden is None:
            return outage("not_hidden")
        if hidden == query:
            return self._ask(query, show)
        show_restored, end = redaction.restoring(show or (lambda _: None))
        reply = self._ask(hidden, show_restored)
        end()
        if isinstance(reply, Outage):
            return reply
        return msgspec.structs.replace(reply, text=redaction.restore(reply.text))

    def _ask(self, query: Query, show: Show | None) -> Reply | Outage:
        model, max_tokens = query.model or self._config.model, query.max_tokens or self._config.max_tokens
        limits = (self._config.timeout_s, self._config.max_retries)
        call = _Call(model, max_tokens, query.system, _messages(query), *limits, query.stop_sequences)
        builder = ReplyBuilder(model)
        came = self._run(call, builder, show)
        return explained(came, model, builder.said) if isinstance(came, Outage) else came

    def hang_up(self) -> bool:
        """End the reply that is arriving, and ask nothing more; return False, and do nothing, if no reply has begun.

        For a signal handler, or another thread. What came of the reply is then returned as one that was cut. A verdict
        is no reply: there would be nothing to keep.
        """
        response = self._response
        if response is None:
            return False
        self._is_hung_up = True
        network = response.extensions.get("network_stream")
        connection = network.get_extra_info("socket") if network else None
        if connection is not None:
            with suppress(OSError):  # it is closed already
                # Not the method of a TLS socket, which takes apart what another thread is reading.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        return True

    def judge(self, query: Query, answer: str, reply: str | None) -> Verdict | Outage:
        """Return the verdict whether `answer` serves `query`, beside Claude's own `reply` if it is given.

        Only one of the two words, whole, is "good" or "bad": what a server says cannot become a verdict by chance. A
        priced reply that says anything else is a verdict without a word, since it was paid for; the rest are outages.
        """
        rubric, content = judge_request(query, answer, reply)
        asked: list[MessageParam] = [{"role": "user", "content": content}]
        limits = (self._judge.timeout_s, 0)  # the user waits, and Claude can answer instead
        call = _Call(self._judge.model, VERDICT_TOKENS, rubric, asked, *limits, is_verdict=True)
        builder = ReplyBuilder(call.model)
        said = self._run(call, builder)
        if isinstance(said, Outage):
            return said
        good = parse_verdict(said.text) if said.teaches else None
        if good is None and (said.cost_usd is None or said.estimated is True):
            return outage(builder.failure or "no_verdict")
        return Verdict(
            good=good,
            model=said.model,
            rubric=RUBRIC,
            with_reply=reply is not None,
            input_tokens=said.input_tokens,
            output_tokens=said.output_tokens,
            cost_usd=said.cost_usd,
        )

    def _run(self, call: _Call, builder: ReplyBuilder, show: Show | None = None) -> Reply | Outage:
        """Make the call and return what `builder` collected; show the text as it arrives."""
        self._response = None
        if self._is_hung_up:
            return outage("interrupted")
        if self._credential is None:
            return outage("no_key")
        with closing(self._pieces(call, self._credential, builder)) as pieces:
            for piece in pieces:
                if show:
                    show(piece)
        return builder.build(self._config.prices)

    def _pieces(self, call: _Call, credential: Credential, builder: ReplyBuilder) -> Generator[str, None, None]:
        """Yield the text as it arrives; `builder` collects the rest of the reply, and any failure."""
        import anthropic  # takes 1.8 s, so imported only when Claude is asked
        import httpx2

        # The built-in exceptions: broken JSON, a query that is not text, an unusable proxy or certificate file.
        failures = (anthropic.AnthropicError, httpx2.HTTPError, httpx2.InvalidURL, ValueError, OSError, ImportError)
        try:
            with (
                anthropic.Anthropic(
                    api_key=None if credential.is_token else credential.secret,
                    auth_token=credential.secret if credential.is_token else None,
                    base_url=self._base_url,
                    max_retries=call.max_retries,
                    timeout=call.timeout_s,
                    middleware=[_refuse_waits_over(call.timeout_s)],
                    http_client=make_http_client(),
                    default_headers={"via": OUR_VIA},
                ) as client,
                client.messages.create(
                    model=call.model,
                    max_tokens=call.max_tokens,
                    system=call.system or anthropic.omit,
                    messages=call.messages,
                    stop_sequences=call.stop_sequences or anthropic.omit,
                    thinking={"type": "disabled"} if call.is_verdict else anthropic.omit,
                    stream=True,
                ) as stream,
            ):
                self._response = None if call.is_verdict else stream.response
                for event in stream:
                    if piece := builder.add_event(event):
                        yield piece
        except failures as error:
            builder.failure = "interrupted" if self._is_hung_up else kind_of(error)
            builder.said = words_of(error, credential.secret)


def _messages(query: Query) -> "list[MessageParam]":
    """Return the conversation so far and the question."""
    messages: list[MessageParam] = []
    for exchange in query.history:
        messages.append({"role": "user", "content": exchange.question})
        messages.append({"role": "assistant", "content": exchange.answer})
    return [*messages, {"role": "user", "content": _content(query)}]


def _content(query: Query) -> "str | list[Any]":
    """Return the question: its text, after the images and PDFs that it is about, as Anthropic advises."""
    if not query.attachments:
        return query.text
    blocks: list[Any] = [
        {
            "type": "image" if attached.media_type.startswith("image/") else "document",
            "source": {"type": "base64", "media_type": attached.media_type, "data": attached.data or ""},
        }
        for attached in query.attachments
    ]
    return [*blocks, {"type": "text", "text": query.text}]


def _refuse_waits_over(longest_s: float) -> "MiddlewareCallable":
    """Make the SDK fail at once if the server asks it to wait longer: for a spent monthly limit, that is days."""

    def handle(request: "APIRequest", call_next: "CallNext") -> "APIResponse[Any]":
        response = call_next(request)
        headers = response.http_response.headers
        wait = headers.get("retry-after", "")
        if re.fullmatch(r"\d+(\.\d+)?", wait) and float(wait) > longest_s:
            headers["x-should-retry"] = "false"
        return response

    return handle
