"""Build a Reply from the events or the message of one response, and price it."""

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from shammah_mlx.config import Price
from shammah_mlx.events import Outage, Reply
from shammah_mlx.teacher.identity import OUR_MODELS, is_model
from shammah_mlx.teacher.outages import outage

if TYPE_CHECKING:
    from anthropic.types import RawMessageStreamEvent


CACHE_WRITE_RATE = 1.25  # of the input price; Anthropic's, for the five-minute cache
HOUR_WRITE_RATE = 2.0  # likewise, for the one-hour cache
CACHE_READ_RATE = 0.1  # likewise, from either
BYTES_A_TOKEN = 4  # of UTF-8, in English prose; see `about_tokens`
MOST_TOKENS = 2**53  # no reply has more; a larger number is not a count
_TOKEN_KINDS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
_CACHES = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")  # parts of cache_creation_input_tokens


class ReplyBuilder:
    """Collect one reply from its events, or from one whole message: the SDK's, or objects with the same attributes."""

    def __init__(self, asked: str) -> None:
        self._asked = asked  # the model
        self.text = ""
        self.model = ""
        self.stop_reason: str | None = None
        self.stop_sequence: str | None = None
        self.tokens: dict[str, int] = {}
        self.failure: str | None = None  # the kind of outage that ended the stream
        self.said = ""  # the server's own words about it, cleaned

    def add_event(self, event: "RawMessageStreamEvent") -> str:
        """Add one event of a stream; return the text that it adds.

        Raises:
            ValueError: the event does not have the shape of Claude's; the SDK does not check it.
        """
        kind = _part(event, "type")
        if kind == "message_start":
            message = _part(event, "message")
            self.model = _text(message, "model")
            self.tokens |= usage_tokens(_part(message, "usage"))
            self.tokens.pop("output_tokens", None)  # only the first token or so; the total comes at the end
        elif kind == "content_block_start" and _part(event, "content_block", "text"):  # Claude's is empty
            piece = _text(event, "content_block", "text")
            self.text += piece
            return piece
        elif kind == "content_block_delta" and _part(event, "delta", "type") == "text_delta":
            piece = _text(event, "delta", "text")
            self.text += piece
            return piece
        elif kind == "message_delta":
            self._stop(_part(event, "delta"))
            self.tokens |= usage_tokens(_part(event, "usage"))
        return ""

    def set_message(self, message: object) -> None:
        """Take the whole reply from a message that was not streamed.

        Raises:
            ValueError: the message does not have the shape of Claude's.
        """
        self.model = _text(message, "model")
        blocks = _part(message, "content")
        if not isinstance(blocks, list):
            raise ValueError("a message without content")
        self.text = "".join(_text(block, "text") for block in blocks if _part(block, "type") == "text")
        self._stop(message)
        self.tokens |= usage_tokens(_part(message, "usage"))

    def _stop(self, source: object) -> None:
        for name in ("stop_reason", "stop_sequence"):
            setattr(self, name, None if _part(source, name) is None else _text(source, name))

    def build(self, prices: Mapping[str, Price]) -> Reply | Outage:
        """Return the reply, incomplete if the stream was cut, or the outage if nothing came.

        What a cut reply cost is estimated from its text: thinking that was not shown would come on top.
        """
        if self.model.startswith(OUR_MODELS):
            return outage("itself")
        stop_reason = None if self.failure else self.stop_reason
        is_paid = self.failure == "interrupted" and "input_tokens" in self.tokens  # kept though no text came
        if not self.text and stop_reason is None and not is_paid:
            return outage(self.failure or "cut")
        tokens = self.tokens
        if stop_reason is None and "output_tokens" not in tokens:  # they are counted at the end
            tokens = {**tokens, "output_tokens": about_tokens(self.text)}
        cost = cost_usd(self.model, tokens, prices)
        read = [self.tokens[kind] for kind in _TOKEN_KINDS[:-1] if kind in self.tokens]
        return Reply(
            text=self.text,
            model=self.model,
            stop_reason=stop_reason,
            stop_sequence=self.stop_sequence if stop_reason == "stop_sequence" else None,
            input_tokens=sum(read) if read else None,
            output_tokens=self.tokens.get("output_tokens"),
            cost_usd=cost,
            other_model=UNSET if is_model(self._asked, self.model) else True,
            estimated=UNSET if cost is None or tokens is self.tokens else True,
        )


def usage_tokens(usage: object) -> dict[str, int]:
    """Return the counts of tokens that a usage gives, by kind: totals of the whole reply so far."""
    written = _part(usage, "cache_creation")
    found = {}
    for whole, kinds in ((usage, _TOKEN_KINDS), (written, _CACHES)):
        for kind in kinds:
            number = _part(whole, kind)
            if type(number) is int and 0 <= number <= MOST_TOKENS:  # True is an int, but not a count
                found[kind] = number
    return found


def _part(whole: object, *names: str) -> Any:
    """Return the attribute at this path of names, or None if there is none."""
    for name in names:
        whole = getattr(whole, name, None)
    return whole


def _text(whole: object, *names: str) -> str:
    """Return the text at this path of names.

    Raises:
        ValueError: there is not valid text, or it holds half of a surrogate pair.
    """
    text = _part(whole, *names)
    if not isinstance(text, str) or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{'.'.join(names)} is not valid text")
    return text


def undated(model: str) -> str:
    """Return the name of a model without the date at its end, if there is one."""
    return re.sub(r"-\d{8}$", "", model)


def about_tokens(text: str) -> int:
    """Return about how many tokens a text has: one for four bytes of its UTF-8.

    That is 16 % above SmolLM2's count on prose, 2 % on short replies, and 38 % below it on shell commands. Claude's own
    tokenizer is not public; both prices of `judge.ExpectedCost` are off alike.
    """
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / BYTES_A_TOKEN)


def cost_usd(model: str, tokens: Mapping[str, int], prices: Mapping[str, Price]) -> float | None:
    """Return the cost of the tokens, None if price or count is unknown; a dated model has its family's price.

    Of what was written to the cache, the part that is to stay for an hour has a price of its own.
    """
    price = prices.get(model) or prices.get(undated(model))
    if price is None or not {"input_tokens", "output_tokens"} <= tokens.keys():
        return None
    if sum(tokens.get(kind, 0) for kind in _TOKEN_KINDS[:-1]) > price.most_read:
        return None
    briefly, for_an_hour = (tokens.get(kind, 0) for kind in _CACHES)
    briefly = max(briefly, tokens.get("cache_creation_input_tokens", 0) - for_an_hour)
    written = CACHE_WRITE_RATE * briefly + HOUR_WRITE_RATE * for_an_hour
    cached = CACHE_READ_RATE * tokens.get("cache_read_input_tokens", 0)
    return ((tokens["input_tokens"] + written + cached) * price.input + tokens["output_tokens"] * price.output) / 1e6
