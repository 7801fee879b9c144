"""Who knows: Claude over the network, a recording of it, or a script.

This module knows nothing about drafts, learning or storing. A teacher that cannot be reached is a normal
outcome, an `Outage`, whose words are all ours: what a server says may repeat the key or the query.
"""

import json
import re
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol, final

from shammah_mlx.config import Price, TeacherConfig
from shammah_mlx.events import Outage, Query, Reply
from shammah_mlx.keys import Credential
from shammah_mlx.stream import Row

if TYPE_CHECKING:
    from anthropic import APIRequest, APIResponse, CallNext, MiddlewareCallable
    from anthropic.types import MessageParam, RawMessageStreamEvent

Show = Callable[[str], None]
"""Is given each piece of text as it arrives."""

CACHE_WRITE_RATE = 1.25  # of the input price; Anthropic's, for the five-minute cache
CACHE_READ_RATE = 0.1  # likewise
OUR_VIA = "1.1 shammah"  # so that a service of ours knows that it would be asked for Claude's answer, and declines
SOURCE, ITSELF = "shammah-source", "itself"  # the header of the service that says who answered, and how it declines
OUR_MODELS = "shammah-"  # how the names begin under which this machine answers: never to be learnt from
MOST_TOKENS = 2**53  # no reply has more: a number that is larger is none

_TOKEN_KINDS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
_OUTAGES = {
    "no_key": (
        "There is no Anthropic API key.",
        "shammah key set, or export ANTHROPIC_API_KEY=…, with a key from platform.claude.com",
    ),
    "key_refused": (
        "Anthropic refused the API key.",
        "see `shammah key status`, and whether that key may use this model",
    ),
    "billing": ("The Anthropic account is out of credit or over its limit.", "see Billing at platform.claude.com"),
    "rate_limited": ("Claude was asked too often.", "wait a minute, then ask again"),
    "overloaded": ("Claude is overloaded.", "ask again in a few minutes"),
    "server": ("Anthropic's server failed.", "ask again later; status.claude.com tells of incidents"),
    "unknown_model": ("Anthropic does not know the model asked for.", "check its name, and ANTHROPIC_BASE_URL if set"),
    "bad_request": ("Anthropic rejected the request.", "check the query's length and the model's limits"),
    "timeout": ("Claude did not answer in time.", "ask again, or raise teacher.timeout_s in config.toml"),
    "unreachable": ("Claude could not be reached.", "check network, proxy, certificates, ANTHROPIC_BASE_URL if set"),
    "cut": ("The connection to Claude ended before any text came.", "ask again"),
    "itself": ("ANTHROPIC_BASE_URL leads to shammah's own service.", "unset it here; it is for other programs"),
    "not_recorded": ("The recording has no answer to this query.", "ask a query that was recorded"),
}
_KIND_OF_STATUS = {
    401: "key_refused",
    402: "billing",
    403: "key_refused",
    404: "unknown_model",
    429: "rate_limited",
    529: "overloaded",
}
_STATUS_INSIDE_A_STREAM = {"invalid_request_error": 400, "rate_limit_error": 429, "overloaded_error": 529}


class Teacher(Protocol):
    """Whoever knows the answers."""

    def ask(self, query: Query, show: Show | None = None) -> Reply | Outage:
        """Return the answer, or why there is none; `show` is given its text as it arrives."""
        ...


@final
class Claude:
    """Claude through Anthropic's SDK, one client a question: nothing to close, nothing stale after a sleep."""

    def __init__(self, config: TeacherConfig, credential: Credential | None, base_url: str | None = None) -> None:
        self._config, self._credential, self._base_url = config, credential, base_url

    def ask(self, query: Query, show: Show | None = None) -> Reply | Outage:
        """Return what Claude answered, whole or cut, or why there is nothing.

        What `show` raises is passed on, after the connection is closed.
        """
        if self._credential is None:
            return outage("no_key")
        heard = Heard()
        with closing(self._pieces(query, self._credential, heard)) as pieces:
            for piece in pieces:
                if show:
                    show(piece)
        return heard.outcome(self._config.prices)

    def _pieces(self, query: Query, shown: Credential, heard: "Heard") -> Generator[str, None, None]:
        """Yield the text as it arrives; the rest, and what goes wrong on the way, is left in `heard`."""
        import anthropic  # 1.8 s: only who asks Claude pays for it
        import httpx2

        # The built-in ones: broken JSON, a query that is not text, a proxy or certificate file that cannot be used.
        failures = (anthropic.AnthropicError, httpx2.HTTPError, httpx2.InvalidURL, ValueError, OSError, ImportError)
        try:
            with (
                anthropic.Anthropic(
                    api_key=None if shown.is_token else shown.secret,
                    auth_token=shown.secret if shown.is_token else None,
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
                    if piece := heard.take(event):
                        yield piece
        except failures as error:
            heard.failure = kind_of(error)


def _messages(query: Query) -> "list[MessageParam]":
    """Return the conversation so far and the question."""
    said: list[MessageParam] = []
    for exchange in query.history:
        said.append({"role": "user", "content": exchange.question})
        said.append({"role": "assistant", "content": exchange.answer})
    return [*said, {"role": "user", "content": query.text}]


def _refuse_waits_over(longest_s: float) -> "MiddlewareCallable":
    """Make the SDK fail at once when told to wait longer than this: a spent monthly limit asks for days."""

    def handle(request: "APIRequest", call_next: "CallNext") -> "APIResponse[Any]":
        response = call_next(request)
        headers = response.http_response.headers
        wait = headers.get("retry-after", "")
        if re.fullmatch(r"\d+(\.\d+)?", wait) and float(wait) > longest_s:
            headers["x-should-retry"] = "false"
        return response

    return handle


class Heard:
    """What has come of one reply so far; events and messages may be the SDK's, or anything with the same names."""

    def __init__(self) -> None:
        self.text = ""
        self.model = ""
        self.stop_reason: str | None = None
        self.stop_sequence: str | None = None
        self.tokens: dict[str, int] = {}
        self.failure: str | None = None  # kind of outage

    def take(self, event: "RawMessageStreamEvent") -> str:
        """Note one event; return the text it brings.

        Raises:
            ValueError: it is not as Claude sends them; the SDK lets anything through.
        """
        kind = _part(event, "type")
        if kind == "message_start":
            message = _part(event, "message")
            self.model = _text(message, "model")
            self._count(_part(message, "usage"))
            self.tokens.pop("output_tokens", None)  # a first token or so; the total comes at the end
        elif kind == "content_block_delta" and _part(event, "delta", "type") == "text_delta":
            piece = _text(event, "delta", "text")
            self.text += piece
            return piece
        elif kind == "message_delta":
            self._stop(_part(event, "delta"))
            self._count(_part(event, "usage"))
        return ""

    def take_whole(self, message: object) -> None:
        """Note a message that was not streamed.

        Raises:
            ValueError: it is not as Claude sends them.
        """
        self.model = _text(message, "model")
        blocks = _part(message, "content")
        if not isinstance(blocks, list):
            raise ValueError("a message without content")
        self.text = "".join(_text(block, "text") for block in blocks if _part(block, "type") == "text")
        self._stop(message)
        self._count(_part(message, "usage"))

    def _stop(self, told: object) -> None:
        for name in ("stop_reason", "stop_sequence"):
            setattr(self, name, None if _part(told, name) is None else _text(told, name))

    def _count(self, usage: object) -> None:
        for kind in _TOKEN_KINDS:
            number = _part(usage, kind)
            if type(number) is int and 0 <= number <= MOST_TOKENS:  # True is none
                self.tokens[kind] = number  # totals, not differences

    def outcome(self, prices: Mapping[str, Price]) -> Reply | Outage:
        """Return the reply, cut if the stream was, or the outage if nothing came."""
        if self.model.startswith(OUR_MODELS):
            return outage("itself")
        stop_reason = None if self.failure else self.stop_reason
        if not self.text and stop_reason is None:
            return outage(self.failure or "cut")
        read = [self.tokens[kind] for kind in _TOKEN_KINDS[:-1] if kind in self.tokens]
        return Reply(
            text=self.text,
            model=self.model,
            stop_reason=stop_reason,
            stop_sequence=self.stop_sequence if stop_reason == "stop_sequence" else None,
            input_tokens=sum(read) if read else None,
            output_tokens=self.tokens.get("output_tokens"),
            cost_usd=cost_usd(self.model, self.tokens, prices),
        )


def _part(whole: object, *names: str) -> Any:
    """Return what is found under these names, one in the other; None if there is none."""
    for name in names:
        whole = getattr(whole, name, None)
    return whole


def _text(whole: object, *names: str) -> str:
    """Return the text that is found there.

    Raises:
        ValueError: there is something else, or half a character.
    """
    text = _part(whole, *names)
    if not isinstance(text, str) or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{'.'.join(names)} is no text")
    return text


def outage(kind: str) -> Outage:
    """Return the outage of this kind, in our own words."""
    message, hint = _OUTAGES[kind]
    return Outage(kind=kind, message=message, hint=hint)


def kind_of(error: Exception) -> str:
    """Return which kind of outage an error of the SDK, or of what lies below it, means."""
    import anthropic
    import httpx2

    match error:
        case anthropic.APIStatusError() if error.response.headers.get(SOURCE) == ITSELF:
            return "itself"
        case anthropic.APIStatusError():
            told = (error.type, error.error_code, error.api_message)
            return kind_of_status(error.status_code, *(part if isinstance(part, str) else None for part in told))
        case anthropic.APITimeoutError() | httpx2.TimeoutException():
            return "timeout"
        case httpx2.ConnectError():
            return "unreachable"
        case UnicodeEncodeError():  # the query is not text
            return "bad_request"
        case httpx2.HTTPError() | json.JSONDecodeError():  # before the headers it would be an APIConnectionError
            return "cut"
    return "unreachable"


def kind_of_status(status: int, error_type: str | None, code: str | None, message: str | None) -> str:
    """Return which kind of outage an error response means; `message` is the server's and goes no further.

    An error inside a stream has the stream's status, 200, and is known by its type.
    """
    if status < 400:
        status = _STATUS_INSIDE_A_STREAM.get(error_type or "", 500)
    spent = re.search(r"usage limit|credit balance", message or "", re.IGNORECASE)
    if "spend_limit" in (code or "") or (status == 400 and spent):
        return "billing"
    return _KIND_OF_STATUS.get(status, "server" if status >= 500 else "bad_request")


def cost_usd(model: str, tokens: Mapping[str, int], prices: Mapping[str, Price]) -> float | None:
    """Return what the tokens cost, None where price or count is unknown; a dated model has its family's price."""
    price = prices.get(model) or prices.get(re.sub(r"-\d{8}$", "", model))
    if price is None or not {"input_tokens", "output_tokens"} <= tokens.keys():
        return None
    written = CACHE_WRITE_RATE * tokens.get("cache_creation_input_tokens", 0)
    cached = CACHE_READ_RATE * tokens.get("cache_read_input_tokens", 0)
    return ((tokens["input_tokens"] + written + cached) * price.input + tokens["output_tokens"] * price.output) / 1e6


@final
class Recorded:
    """A recorded teacher: free, and the same every time."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._replies: dict[tuple[str, str], str] = {}
        for row in rows:
            self._replies["text", row.query] = row.reply  # recorded twice: the later answer
            if row.id:
                self._replies["row", row.id] = row.reply

    def ask(self, query: Query, show: Show | None = None) -> Reply | Outage:
        """Return the recorded reply, by the query's row or else its text."""
        text = self._replies.get(("row", query.row or ""), self._replies.get(("text", query.text)))
        if text is None:
            return outage("not_recorded")
        if show:
            show(text)
        return Reply(text=text, model="recorded", stop_reason="end_turn", cost_usd=0.0)


@final
class Scripted:
    """A teacher for tests: gives what it was told to, in order, and remembers what it was asked."""

    def __init__(self, *outcomes: Reply | Outage) -> None:
        self._left = list(outcomes)
        self.asked: list[Query] = []

    def ask(self, query: Query, show: Show | None = None) -> Reply | Outage:
        """Return the next outcome.

        Raises:
            AssertionError: there is none left.
        """
        self.asked.append(query)
        if not self._left:
            raise AssertionError(f"the script ends before query {len(self.asked)}")
        outcome = self._left.pop(0)
        if show and isinstance(outcome, Reply):
            show(outcome.text)
        return outcome
