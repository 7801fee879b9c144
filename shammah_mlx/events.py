"""What happened, frozen: the query, the decisions, the replies, and one Interaction that holds them.

An Interaction can only be built in one of the specification's four shapes, and is what the journal stores.
"""

import hashlib
from typing import Literal, Self

import msgspec

Source = Literal["claude", "recall", "decoder"]
Outcome = Literal["forwarded", "rejected", "approved", "audited"]

Role = Literal["router", "generator", "validator"]
ROLES: tuple[Role, ...] = ("router", "generator", "validator")

COMPLETE = ("end_turn", "stop_sequence")
"""Stop reasons of a reply that says all it had to say; any other was cut and is never a target."""


class _Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Query(_Event, frozen=True):
    """What the user asked, with what it leans on."""

    text: str
    system: str | None = None
    model: str | None = None  # the Claude model asked for; None: the config's
    max_tokens: int | None = None  # likewise
    row: str | None = None  # id of the recorded row, where it comes from a stream

    @property
    def context(self) -> int:
        """Return a number that two queries share if they lean on the same things, 63 bits of a hash."""
        leaned_on = msgspec.json.encode([self.system, self.model, self.max_tokens])
        return int.from_bytes(hashlib.sha256(leaned_on).digest()[:8], "big") >> 1

    @property
    def prompt(self) -> str:
        """Return what the models read: the query after its system prompt."""
        return f"{self.system}\n\n{self.text}" if self.system else self.text


class Route(_Event, frozen=True):
    """The Router's decision for one query."""

    local: bool
    p_local: float
    threshold: float | None  # what p_local had to exceed; None: nothing may be served locally yet


class Draft(_Event, frozen=True):
    """A local answer proposed by the Generator."""

    text: str
    source: Literal["recall", "decoder"]
    from_id: str | None = None  # the recorded row a recalled answer came from


class Reply(_Event, frozen=True):
    """What Claude answered, whole or cut."""

    text: str
    model: str
    stop_reason: str | None  # None: the stream was cut
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None  # None: unpriced

    @property
    def complete(self) -> bool:
        """Say whether this is all Claude had to say, so that it may be learnt."""
        return self.stop_reason in COMPLETE and bool(self.text.strip())


class Outage(_Event, frozen=True):
    """Claude gave nothing: a normal outcome, with what the user can do about it."""

    kind: str
    message: str
    hint: str


class Step(_Event, frozen=True):
    """What one optimizer update did."""

    role: Role
    loss: float | None  # None: what was learnt has none
    applied: bool  # False: loss or gradient was not finite, so nothing changed


class Turn(_Event, frozen=True):
    """One query about to be handled, with all that chance and time contribute to it."""

    number: int  # place in the journal, from 1
    seen: int  # queries handled before this one
    at: float  # Unix time, seconds
    query: Query
    forced: bool  # the user asked for Claude
    coin: float  # uniform in [0, 1), drawn before anything is drafted
    audit_rate: float
    shadow_rate: float

    @property
    def audits(self) -> bool:
        """Say whether Claude is asked too if a draft would be served."""
        return self.coin < self.audit_rate

    @property
    def shadows(self) -> bool:
        """Say whether a draft is made too if the query is forwarded."""
        return self.coin < self.shadow_rate


class Interaction(_Event, frozen=True):
    """One query from question to answer, and what was later observed of it."""

    turn: Turn
    route: Route
    outcome: Outcome
    served_local: bool
    draft: Draft | None = None
    p_accept: float | None = None
    reply: Reply | None = None
    divergence: float | None = None
    ms: float | None = None  # until the user had the answer

    @classmethod
    def forwarded(cls, turn: Turn, route: Route, reply: Reply) -> Self:
        """Record a query that went straight to Claude, or that there was nothing to answer with."""
        return cls(turn, route, "forwarded", served_local=False, reply=reply)

    @classmethod
    def rejected(cls, turn: Turn, route: Route, draft: Draft, p_accept: float, reply: Reply) -> Self:
        """Record a draft the Validator refused, and Claude's reply in its place."""
        return cls(turn, route, "rejected", served_local=False, draft=draft, p_accept=p_accept, reply=reply)

    @classmethod
    def approved(cls, turn: Turn, route: Route, draft: Draft, p_accept: float, reply: Reply | None = None) -> Self:
        """Record a draft that was served unmeasured; `reply` is what an audit got, if that was not complete."""
        return cls(turn, route, "approved", served_local=True, draft=draft, p_accept=p_accept, reply=reply)

    @classmethod
    def audited(
        cls, turn: Turn, route: Route, draft: Draft, p_accept: float, reply: Reply, divergence: float, *, good: bool
    ) -> Self:
        """Record a draft that was measured against Claude's reply; the better of the two was served."""
        return cls(turn, route, "audited", good, draft, p_accept, reply, divergence)

    def __post_init__(self) -> None:
        """Refuse what no path through the loop can produce.

        Raises:
            ValueError: the fields contradict each other.
        """
        judged = self.draft is not None and self.p_accept is not None
        complete = self.reply is not None and self.reply.complete
        legal = {
            "forwarded": self.reply is not None and not self.served_local,
            "rejected": self.route.local and judged and self.reply is not None and not self.served_local,
            "approved": self.route.local and judged and not complete and self.served_local,
            "audited": self.route.local and judged and self.turn.audits and self.divergence is not None,
        }[self.outcome]
        half_judged = (self.draft is None) != (self.p_accept is None)
        if not legal or half_judged or (self.divergence is not None and not (judged and complete)):
            raise ValueError(f"an interaction that was {self.outcome} cannot look like this")

    @property
    def answer(self) -> str:
        """Return the text the user got."""
        served = self.draft if self.served_local else self.reply
        return served.text if served else ""

    @property
    def source(self) -> Source:
        """Return who wrote the answer the user got."""
        return self.draft.source if self.draft and self.served_local else "claude"

    @property
    def called_claude(self) -> bool:
        """Say whether Claude was called, for any reason."""
        return self.reply is not None

    @property
    def audit(self) -> bool:
        """Say whether Claude was due only to measure a draft that stood."""
        return self.turn.audits and self.outcome in ("approved", "audited")

    @property
    def uncovered(self) -> bool:
        """Say whether a draft was served although the audit it was due could not be had."""
        return self.audit and self.outcome == "approved"
