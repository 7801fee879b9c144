"""What happened, frozen: the query, the decisions, the replies, and one Interaction that holds them.

An Interaction can only be built in one of the specification's four shapes, and is what the journal stores.
"""

import hashlib
from collections.abc import Callable
from typing import Literal, Self

import msgspec

DraftSource = Literal["recall", "decoder"]
Source = Literal["claude", "recall", "decoder"]
ForcedSource = Literal["claude", "local"]
Outcome = Literal["forwarded", "rejected", "approved", "audited", "late"]

Role = Literal["router", "generator", "validator"]
ROLES: tuple[Role, ...] = ("router", "generator", "validator")

Show = Callable[[str], None]
"""Receives each piece of an answer's text as it arrives."""

COMPLETE = ("end_turn", "stop_sequence")
"""Stop reasons of a reply that says all it had to say; any other was cut and is never a target."""


class _Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Exchange(_Event, frozen=True):
    """An earlier turn of the same conversation."""

    question: str
    answer: str


class Query(_Event, frozen=True):
    """What the user asked, with what it leans on."""

    text: str
    system: str | None = None
    model: str | None = None  # the Claude model asked for; None: the config's
    max_tokens: int | None = None  # likewise
    row: str | None = None  # id of the recorded row, where it comes from a stream
    history: tuple[Exchange, ...] = ()  # what was said before, oldest first
    at: float = 0.0  # when it was asked, Unix time, seconds
    stop_sequences: tuple[str, ...] = ()  # texts that end the answer before they occur in it

    @property
    def is_plain(self) -> bool:
        """Say whether it leans on nothing that was said before, and may be answered to the end."""
        return not self.history and not self.stop_sequences

    @property
    def context(self) -> int:
        """Return a number that two queries share if they lean on the same things, 63 bits of a hash."""
        leaned_on: list[object] = [self.system, self.model, self.max_tokens, self.history]
        if self.stop_sequences:  # left out where there are none: older memories know no such thing
            leaned_on.append(self.stop_sequences)
        return int.from_bytes(hashlib.sha256(msgspec.json.encode(leaned_on)).digest()[:8], "big") >> 1

    @property
    def prompt(self) -> str:
        """Return what the models read: the query after its system prompt."""
        return f"{self.system}\n\n{self.text}" if self.system else self.text


class Route(_Event, frozen=True):
    """The Router's decision for one query."""

    p_locals: dict[DraftSource, float]  # the probability that a local answer will do, for each who could draft it
    threshold: float | None  # what p_local had to exceed; None: nothing may be served locally yet
    tries: tuple[DraftSource, ...] = ()  # who is to draft, in this order

    @property
    def p_local(self) -> float:
        """Return the probability that a local answer will do."""
        return max(self.p_locals.values(), default=0.0)

    @property
    def local(self) -> bool:
        """Say whether a local answer is tried."""
        return bool(self.tries)


class Draft(_Event, frozen=True, rename={"features": "evidence"}):
    """A local answer proposed by the Generator."""

    text: str
    source: DraftSource
    from_id: str | None = None  # the recorded row a recalled answer came from
    entry: int | None = None  # the interaction it came from
    features: dict[str, float] = {}  # what the Validator weighs, by name
    stop_sequence: str | None = None  # which ended it


class ScoredDraft(_Event, frozen=True):
    """A draft with the Validator's probability that it is good, and later how far it was from Claude's reply."""

    draft: Draft
    p_accept: float
    divergence: float | None = None


class Nearest(_Event, frozen=True):
    """A past question like this one."""

    number: int  # in the journal
    similarity: float


class DecisionContext(_Event, frozen=True, rename={"features": "evidence"}):
    """What a decision was made on."""

    nearest: tuple[Nearest, ...] = ()
    features: dict[str, float] = {}  # what the Router weighs, by name
    versions: dict[str, str] = {}  # of embedder, meter and prompt: evidence holds for these


class Reply(_Event, frozen=True):
    """What Claude answered, whole or cut."""

    text: str
    model: str
    stop_reason: str | None  # None: the stream was cut
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None  # None: unpriced
    stop_sequence: str | None = None  # which ended it

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
    applied: bool  # False: nothing was changed: no finite gradient, a step taken back, an example kept for probing


class Threshold(_Event, frozen=True):
    """What the score of a draft, its p_accept, must exceed for the sake of `max_bad_rate`; see `selection`."""

    candidate: float  # by what was measured
    serve: float  # after feedback: no less
    offset: float  # of the curve: log-odds of good = offset + slope * log-odds of the score
    slope: float


class AskOptions(_Event, frozen=True):
    """How the user wants a query to be answered."""

    forced_source: ForcedSource | None = None  # who must answer; None: the Router decides
    stored: bool = True  # False: answer, and neither store nor learn anything
    strict: bool = False  # True: give no answer rather than one that the bound does not cover


class Request(
    _Event,
    frozen=True,
    rename={"forced_source": "wish", "audit_draw": "coin", "thresholds": "bars", "stored": "kept"},
):
    """One query about to be handled, with all that chance and time contribute to it."""

    number: int  # place in the journal, from 1
    seen: int  # queries handled before this one
    query: Query
    forced_source: ForcedSource | None  # who the user asked for
    audit_draw: float  # uniform in [0, 1), drawn before anything is drafted
    audit_rate: float  # of drafts as doubtful as usual
    shadow_rates: dict[DraftSource, float]
    usual_doubt: float = 1.0  # of drafts that stood so far; see policy.audit_probability
    thresholds: dict[DraftSource, Threshold] = {}  # none where nothing is promised
    open_audits: int = 0  # that Claude could not be had for so far
    secret: bool = False  # it looks like one
    stored: bool = True  # False: answered, and neither stored nor learnt, so never audited
    strict: bool = False  # whether the user wants no answer rather than one that is not covered

    @property
    def waits(self) -> bool:
        """Say whether nothing served now is covered, because an audit is still due."""
        return self.open_audits > 0 and bool(self.thresholds)

    @property
    def can_be_covered(self) -> bool:
        """Say whether the promise of a `max_bad_rate` holds for what is served now, if one is made."""
        return not self.thresholds or (self.stored and not self.waits)

    def shadows(self, source: DraftSource) -> bool:
        """Say whether this source drafts too if the query is forwarded."""
        return self.audit_draw < self.shadow_rates.get(source, 0.0)


class Interaction(
    _Event,
    frozen=True,
    rename={"request": "turn", "audit_probability": "pi", "decision_context": "grounds"},
):
    """One query from question to answer, and what was later observed of it."""

    request: Request
    route: Route
    outcome: Outcome
    served_local: bool
    drafts: tuple[ScoredDraft, ...] = ()  # the best first: it is the one that stood, or would have
    accepted: bool = False  # whether the Validator let the best one stand
    audit_probability: float | None = None  # probability that the draft that stood was audited; None: none stood
    reply: Reply | None = None
    decision_context: DecisionContext = DecisionContext()
    ms: float | None = None  # until the user had the answer
    late_for: int | None = None  # the interaction whose audit this is, made or given up after the fact

    @classmethod
    def forwarded(cls, request: Request, route: Route, reply: Reply) -> Self:
        """Record a query that went straight to Claude, or that there was nothing to answer with."""
        return cls(request, route, "forwarded", served_local=False, reply=reply)

    @classmethod
    def rejected(cls, request: Request, route: Route, drafts: tuple[ScoredDraft, ...], reply: Reply) -> Self:
        """Record drafts the Validator refused, and Claude's reply in their place."""
        return cls(request, route, "rejected", served_local=False, drafts=drafts, reply=reply)

    @classmethod
    def approved(
        cls,
        request: Request,
        route: Route,
        drafts: tuple[ScoredDraft, ...],
        audit_probability: float,
        reply: Reply | None = None,
    ) -> Self:
        """Record a draft that was served unmeasured; `reply` is what an audit got, if that was not complete."""
        return cls(
            request,
            route,
            "approved",
            served_local=True,
            drafts=drafts,
            accepted=True,
            audit_probability=audit_probability,
            reply=reply,
        )

    @classmethod
    def unchecked(cls, request: Request, route: Route, drafts: tuple[ScoredDraft, ...], *, accepted: bool) -> Self:
        """Record a draft that was served because the user wanted a local answer, whatever the Validator says."""
        return cls(
            request, route, "approved", served_local=True, drafts=drafts, accepted=accepted, audit_probability=0.0
        )

    @classmethod
    def audited(
        cls,
        request: Request,
        route: Route,
        drafts: tuple[ScoredDraft, ...],
        audit_probability: float,
        reply: Reply,
        *,
        good: bool,
    ) -> Self:
        """Record a draft that was measured against Claude's reply; the better of the two was served."""
        return cls(
            request,
            route,
            "audited",
            served_local=good,
            drafts=drafts,
            accepted=True,
            audit_probability=audit_probability,
            reply=reply,
        )

    @classmethod
    def late(cls, request: Request, served: Self, drafts: tuple[ScoredDraft, ...], reply: Reply | None) -> Self:
        """Record the audit of a draft that was served when Claude could not be had; `reply` None: it was given up."""
        return cls(
            request,
            served.route,
            "late",
            served_local=True,
            drafts=drafts,
            accepted=True,
            audit_probability=served.audit_probability,
            reply=reply,
            decision_context=served.decision_context,
            late_for=served.request.number,
        )

    def __post_init__(self) -> None:
        """Refuse what no path through the loop can produce.

        Raises:
            ValueError: the fields contradict each other.
        """
        drafted, complete = bool(self.drafts), self.reply is not None and self.reply.complete
        stood = self.route.local and drafted and self.audit_probability is not None
        legal = {
            "forwarded": self.reply is not None and not self.served_local and self.audit_probability is None,
            "rejected": self.route.local and drafted and self.reply is not None and not self.served_local,
            "approved": stood and not complete and self.served_local,
            "audited": stood and self.accepted and self.divergence is not None,
            "late": stood and self.accepted and self.late_for is not None and (self.reply is None or complete),
        }[self.outcome]
        measured = any(scored.divergence is not None for scored in self.drafts)
        if not legal or (measured and not complete):
            raise ValueError(f"an interaction that was {self.outcome} cannot look like this")

    @property
    def draft(self) -> Draft | None:
        """Return the best draft."""
        return self.drafts[0].draft if self.drafts else None

    @property
    def p_accept(self) -> float | None:
        """Return the Validator's probability that the best draft is good."""
        return self.drafts[0].p_accept if self.drafts else None

    @property
    def divergence(self) -> float | None:
        """Return how far the best draft was from Claude's reply, once that is known."""
        return self.drafts[0].divergence if self.drafts else None

    @property
    def answer(self) -> str:
        """Return the text the user got."""
        served = self.draft if self.served_local else self.reply
        return served.text if served else ""

    @property
    def source(self) -> Source:
        """Return who wrote the answer the user got."""
        return self.draft.source if self.draft and self.served_local else "claude"

    def p_measured(self, source: DraftSource) -> float:
        """Return how probable it was, once there was a draft of that source, that it would be measured."""
        asked = 1.0 if self.audit_probability is None else self.audit_probability  # certain but for a draft that stood
        return (
            asked if source in self.route.tries else min(asked, self.request.shadow_rates.get(source, 0.0))
        )  # one coin

    @property
    def called_claude(self) -> bool:
        """Say whether Claude was called, for any reason."""
        return self.reply is not None

    @property
    def audit(self) -> bool:
        """Say whether Claude was due only to measure a draft that stood."""
        return self.audit_probability is not None and self.request.audit_draw < self.audit_probability

    @property
    def audit_open(self) -> bool:
        """Say whether a draft was served whose audit was due and could not be had."""
        return self.outcome == "approved" and self.audit

    @property
    def uncovered(self) -> bool:
        """Say whether a draft was served that was refused, or while an audit was due that could not be had."""
        return self.outcome == "approved" and (self.audit or not self.accepted or self.request.waits)

    @property
    def covered(self) -> bool | None:
        """Say whether the promise of a `max_bad_rate` holds for this answer; None where none is made.

        What is not kept can't be audited, and what the user insists on is not chosen: nothing is promised of either.
        """
        promised = bool(self.request.thresholds) and self.request.stored and self.request.forced_source != "local"
        return False if self.uncovered else True if promised else None
