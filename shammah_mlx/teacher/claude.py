"""Ask Claude over the network.

Knows nothing about drafts, learning or storage. If Claude cannot be reached, that is a normal outcome, an `Outage`. Its
words are ours, since a server's message may repeat the key or the query.
"""

import re
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any, final

from shammah_mlx.config import TeacherConfig
from shammah_mlx.events import Outage, Query, Reply, Show
from shammah_mlx.teacher.identity import OUR_VIA
from shammah_mlx.teacher.keys import Credential
from shammah_mlx.teacher.outages import kind_of, outage
from shammah_mlx.teacher.reply import ReplyBuilder

if TYPE_CHECKING:
    from anthropic import APIRequest, APIResponse, CallNext, MiddlewareCallable
    from anthropic.types import MessageParam


@final
class Claude:
    """Claude through Anthropic's SDK, one client per question: nothing to close, no stale connection after a sleep."""

    def __init__(self, config: TeacherConfig, credential: Credential | None, base_url: str | None = None) -> None:
        self._config, self._credential, self._base_url = config, credential, base_url

    def ask(self, query: Query, show: Show | None = None) -> Reply | Outage:
        """Return Claude's reply, whole or cut, or the outage if there is none.

        An exception of `show` is raised again after the connection is closed.
        """
        if self._credential is None:
            return outage("no_key")
        builder = ReplyBuilder()
        with closing(self._pieces(query, self._credential, builder)) as pieces:
            for piece in pieces:
                if show:
                    show(piece)
        return builder.build(self._config.prices)

    def _pieces(self, query: Query, credential: Credential, builder: ReplyBuilder) -> Generator[str, None, None]:
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
                    max_retries=self._config.max_retries,
                    timeout=self._config.timeout_s,
                    middleware=[_refuse_waits_over(self._config.timeout_s)],
                    default_headers={"via": OUR_VIA},
                ) as client,
                client.messages.create(
                    model=query.model or self._config.model,
                    max_tokens=query.max_tokens or self._config.max_tokens,
                    system=query.system or anthropic.omit,
                    messages=_messages(query),
                    stop_sequences=query.stop_sequences or anthropic.omit,
                    stream=True,
                ) as stream,
            ):
                for event in stream:
                    if piece := builder.add_event(event):
                        yield piece
        except failures as error:
            builder.failure = kind_of(error)


def _messages(query: Query) -> "list[MessageParam]":
    """Return the conversation so far and the question."""
    messages: list[MessageParam] = []
    for exchange in query.history:
        messages.append({"role": "user", "content": exchange.question})
        messages.append({"role": "assistant", "content": exchange.answer})
    return [*messages, {"role": "user", "content": query.text}]


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
