"""Frozen records: a query, the decisions about it, the reply, and the Interaction that holds them all.

The journal stores Interactions as JSON. `rename` keeps the JSON names of earlier versions where a Python name changed.
An Interaction can only be built in a shape that the loop can produce.
"""

import hashlib
import unicodedata
from collections.abc import Callable
from typing import Literal, Self, cast

import msgspec
from msgspec import UNSET, UnsetType

DraftSource = Literal["repeat", "recall", "other_model", "other_prompt", "decoder"]
"""`repeat`: Claude's own answer to the same text; `recall`: its answer to a similar question; `other_model` and
`other_prompt`: the same, of another Claude model or under another system prompt; `decoder`: a new text."""
Source = Literal["claude", "repeat", "recall", "other_model", "other_prompt", "decoder"]
BORROWED: tuple[DraftSource, ...] = ("other_model", "other_prompt")
"""Sources whose drafts were learnt in another context. Their evidence is counted for each pair of contexts alone."""
ForcedSource = Literal["claude", "local"]
Outcome = Literal["forwarded", "rejected", "approved", "audited", "late"]
ClaudeOnly = Literal["files", "length"]
"""Why only Claude may answer a question, and nothing is learnt of it: images or PDFs, or its length."""

Role = Literal["router", "generator", "validator"]
ROLES: tuple[Role, ...] = ("router", "generator", "validator")

Show = Callable[[str], None]
"""Receives each piece of an answer's text as it arrives."""

Awaited = Literal["memory", "draft", "verdict", "claude", "learning"]
"""What a user waits for: a past answer, the decoder's text, a check of it by Claude, Claude's answer, learning."""
Announce = Callable[[Awaited], None]
"""Is told what is awaited from now on."""
BY_USER = "you"
"""Stands where a model is named if the user wrote the answer."""

COMPLETE = ("end_turn", "stop_sequence")
"""Stop reasons of a complete reply. A reply that stopped for any other reason was cut, and is never a target."""


def hash_63(content: bytes) -> int:
    """Return a 63-bit hash, the same on every machine: SQLite's integers have 63 bits and a sign."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big") >> 1


def text_hash(text: str) -> int:
    """Return a 63-bit hash of a text: texts that are equal after NFC have the same."""
    return hash_63(unicodedata.normalize("NFC", text).encode())


class _Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record. A field that is UNSET by default is left out of the JSON, so older records keep their bytes."""


class Exchange(_Event, frozen=True):
    """A question and an answer to it: an earlier turn of a conversation, or one side of a comparison."""

    question: str
    answer: str


class Attachment(_Event, frozen=True):
    """An image or a PDF that goes to Claude beside the text of a question."""

    name: str  # of the file, without its folder
    media_type: str
    size: int  # bytes
    digest: int  # 63-bit hash of the bytes: another file makes it another question
    data: str | UnsetType = UNSET  # base64; goes to Claude, and is never stored


class Query(_Event, frozen=True):
    """What the user asked, with the context that is part of the question."""

    text: str
    system: str | None = None
    model: str | None = None  # Claude model to ask; None: the config's
    max_tokens: int | None = None  # limit of the reply; None: the config's
    row: str | None = None  # id of the recorded row, if the query comes from a stream
    history: tuple[Exchange, ...] = ()  # earlier turns of the conversation, oldest first
    at: float = 0.0  # time of asking, Unix time, seconds
    stop_sequences: tuple[str, ...] = ()  # the reply ends before the first of these texts
    scope: int | UnsetType = UNSET  # hash of who asks, and in which version of the API, if the client says so
    origin: int | UnsetType = UNSET  # hash of who is asked, if that is not Anthropic
    attachments: tuple[Attachment, ...] | UnsetType = UNSET
    conversation: int | UnsetType = UNSET  # number of the first question of the conversation that it continues

    @property
    def is_plain(self) -> bool:
        """Say whether the query has no history, no stop sequences, no scope and no attachments."""
        return not self.history and not self.stop_sequences and self.scope is UNSET and not self.attachments

    @property
    def context(self) -> int:
        """Return a 63-bit hash of everything but the text: queries with the same hash have the same context."""
        parts: list[object] = [self.system, self.model, self.max_tokens, self.history]
        if self.stop_sequences:  # only if there are any: hashes stored before they existed stay valid
            parts.append(self.stop_sequences)
        if self.scope is not UNSET:
            parts.append({"scope": self.scope})
        if self.origin is not UNSET:
            parts.append({"origin": self.origin})
        if self.attachments:
            parts.append({"attachments": [attached.digest for attached in self.attachments]})
        return hash_63(msgspec.json.encode(parts))

    def kin(self, source: DraftSource) -> int:
        """Return a hash of the context without the part in which a borrowed draft's may differ, and of nothing less."""
        whole = {"other_model": (self.system, None), "other_prompt": (None, self.model)}
        system, model = whole.get(source, (self.system, self.model))
        return msgspec.structs.replace(self, system=system, model=model).context

    @property
    def texts(self) -> tuple[str, ...]:
        """Return all text that the user or the client chose, the question first."""
        turns = (text for exchange in self.history for text in (exchange.question, exchange.answer))
        names = (attached.name for attached in self.attachments or ())
        return (self.text, self.system or "", self.model or "", *self.stop_sequences, *turns, *names)

    @property
    def size(self) -> int:
        """Return how many bytes of text Claude reads."""
        return sum(len(text.encode("utf-8", "replace")) for text in self.texts)

    @property
    def prompt(self) -> str:
        """Return the text that the models read: the system prompt, then the query."""
        return f"{self.system}\n\n{self.text}" if self.system else self.text


class Route(_Event, frozen=True):
    """The Router's decision for one query."""

    p_locals: dict[DraftSource, float]  # probability that a local answer will do, for each source of drafts
    threshold: float | None  # p_local had to exceed it; None: nothing may be served locally yet
    tries: tuple[DraftSource, ...] = ()  # sources that draft before Claude is asked, in this order

    @property
    def p_local(self) -> float:
        """Return the highest probability of any source that its answer will do."""
        return max(self.p_locals.values(), default=0.0)

    @property
    def local(self) -> bool:
        """Say whether the query is tried locally before Claude is asked."""
        return bool(self.tries)


class Verdict(_Event, frozen=True):
    """What the judge, a cheap Claude model, says about a draft."""

    good: bool | None  # None: what it said was no verdict, and was paid for
    model: str
    rubric: str  # version of what the judge was told
    with_reply: bool  # whether Claude's reply was shown beside the draft
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None  # None: unpriced


OTHER_ANSWER = "other answer"
"""Feature of a draft: the probability, by the words that changed, that the question has another answer."""


def pair_of(learnt_in: int, asked_in: int) -> str:
    """Return the name of a pair of contexts."""
    return f"{learnt_in:x}>{asked_in:x}"


def contexts_of(pair: str) -> tuple[int, int]:
    """Return the context that drafts of a pair were learnt in, and the one they are for."""
    learnt_in, _, asked_in = pair.partition(">")
    return int(learnt_in, 16), int(asked_in, 16)


def counted_as(source: DraftSource, pair: str | UnsetType) -> str:
    """Return under which name evidence about drafts of a source is counted."""
    return source if pair is UNSET else f"{source} {pair}"


def source_counted(name: str) -> DraftSource:
    """Return the source of the drafts whose evidence is counted under a name."""
    return cast("DraftSource", name.partition(" ")[0])


def is_counted_in(name: str, context: int) -> bool:
    """Say whether evidence counted under a name speaks of questions of this context: a pair's speaks of one alone."""
    return source_counted(name) not in BORROWED or name.endswith(f">{context:x}")


class Draft(_Event, frozen=True, rename={"features": "evidence"}):
    """A local answer proposed by the Generator."""

    text: str
    source: DraftSource
    from_id: str | None = None  # recalled answers: the recorded row they came from
    entry: int | None = None  # recalled answers: number of the interaction they came from
    features: dict[str, float] = {}  # numbers that the Validator weighs, by name
    stop_sequence: str | None = None  # the stop sequence that ended the text
    is_cut: bool | UnsetType = UNSET  # it reached the limit on its length
    by_user: bool | UnsetType = UNSET  # it repeats the user's own answer to this question, given with `shammah bad`
    pair: str | UnsetType = UNSET  # of a borrowed one: the context that it was learnt in, and the one it is for

    @property
    def counted_as(self) -> str:
        """Return under which name its evidence is counted: by source, or of a borrowed one by pair of contexts."""
        return counted_as(self.source, self.pair)

    @property
    def stop_reason(self) -> str:
        """Return why the text ended, in Claude's words."""
        if self.is_cut is True:
            return "max_tokens"
        return "end_turn" if self.stop_sequence is None else "stop_sequence"


class ScoredDraft(_Event, frozen=True):
    """A draft with its score, the Validator's p_accept, and what was found out about it later."""

    draft: Draft
    p_accept: float
    divergence: float | None = None  # from Claude's reply, once that is known
    verdicts: tuple[Verdict, ...] | UnsetType = UNSET  # of the judge, in the order they were bought

    def judged(self, verdict: Verdict) -> Self:
        """Return this with one verdict more."""
        return msgspec.structs.replace(self, verdicts=(*(self.verdicts or ()), verdict))

    @property
    def passed(self) -> bool | None:
        """Say what the judge said before there was a reply; None if it was not asked then."""
        before = (verdict.good for verdict in self.said if not verdict.with_reply)
        return next(before, None)

    @property
    def said(self) -> tuple[Verdict, ...]:
        """Return the verdicts that say something."""
        return tuple(verdict for verdict in self.verdicts or () if verdict.good is not None)


class Nearest(_Event, frozen=True):
    """A past question that is similar to this one."""

    number: int  # of its interaction
    similarity: float  # cosine


class DecisionContext(_Event, frozen=True, rename={"features": "evidence"}):
    """What the Router knew when it decided."""

    nearest: tuple[Nearest, ...] = ()
    features: dict[str, float] = {}  # numbers that the Router weighs, by name
    versions: dict[str, str] = {}  # of embedder, meter, features, prompt and decoder: labels are valid for these only


class Reply(_Event, frozen=True):
    """Claude's answer, complete or cut."""

    text: str
    model: str
    stop_reason: str | None  # None: the stream was cut
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None  # None: unpriced
    stop_sequence: str | None = None  # the stop sequence that ended it
    other_model: bool | UnsetType = UNSET  # it names another model than the one that was asked
    secret: bool | UnsetType = UNSET  # it looks like it holds a secret, so its text is not stored
    estimated: bool | UnsetType = UNSET  # it was cut before its tokens were counted, so `cost_usd` is an estimate
    by_user: bool | UnsetType = UNSET  # it is no reply of Claude's but the user's own answer
    private: bool | UnsetType = UNSET  # the user's settings do not let its text be stored

    @property
    def is_withheld(self) -> bool:
        """Say whether its text is not stored."""
        return self.secret is True or self.private is True

    @property
    def complete(self) -> bool:
        """Say whether the reply is whole."""
        return self.stop_reason in COMPLETE and bool(self.text.strip())

    @property
    def teaches(self) -> bool:
        """Say whether it may be learnt and measured by: it is whole, and of the model that was asked."""
        return self.complete and self.other_model is not True


class Outage(_Event, frozen=True):
    """Claude could not answer. That is a normal outcome; the hint says what the user can do."""

    kind: str
    message: str
    hint: str
    said: str | UnsetType = UNSET  # the server's own words, cleaned; for the user's eyes only, and never kept


class Step(_Event, frozen=True):
    """The result of one optimizer update."""

    role: Role
    loss: float | None  # None: this kind of learning has no loss
    applied: bool  # False: the gradient was not finite, the step was undone, or the example is a probe


class Threshold(_Event, frozen=True):
    """The score that a draft of one source must exceed so that `max_bad_rate` holds; see `risk.threshold`."""

    candidate: float  # lowest score at which the measured labels allow serving
    serve: float  # the same after feedback, never lower
    offset: float  # of the fitted curve: log-odds of good = offset + slope * log-odds of the score
    slope: float


class Judging(_Event, frozen=True):
    """When the judge may be asked about drafts of one query."""

    error: float  # share of its verdicts that are wrong, both ways, as far as is known
    thresholds: dict[DraftSource, float]  # what p_accept must exceed so that a draft it lets pass may be served
    both: float  # share of audits that buy a verdict and a whole reply; the others buy a verdict first
    repeat_rate: float = 0.0  # how often repeats were bad in this home; high as long as little is known
    shadow_doubt: float = 0.5  # a shadow gets a verdict if its divergence is further than this from 0 and 1


class AskOptions(_Event, frozen=True):
    """How the user wants a query to be answered."""

    forced_source: ForcedSource | None = None  # who must answer; None: the Router decides
    stored: bool = True  # False: answer, and neither store nor learn anything
    strict: bool = False  # True: give no answer rather than one that the bound does not cover
    by_client: bool = False  # True: a program asks through the Messages API, not the user from the command line
    own_account: bool = False  # True: with its own credential, so nobody else may send its question to Claude
    terminal: int | UnsetType = UNSET  # hash of the terminal it is asked in, for its next `-c`
    in_chat: bool = False  # True: its conversation goes on by itself, so it may have nothing to do with what was said
    in_person: bool = False  # True: typed at a terminal, where the same question again means that no answer helped
    unhelpful: int | None = None  # number of the interaction whose answer was bad, so that Claude is asked instead
    handed_back: bool = False  # True: a service has noted that it is asked, and could not ask Claude


class Request(
    _Event,
    frozen=True,
    rename={"forced_source": "wish", "audit_draw": "coin", "thresholds": "bars", "stored": "kept"},
):
    """One query about to be handled, with everything that chance and the past contribute to the decision."""

    number: int  # in the journal, from 1
    seen: int  # queries handled before this one
    query: Query
    forced_source: ForcedSource | None  # who must answer, if the user said so
    audit_draw: float  # uniform in [0, 1), drawn before anything is drafted
    audit_rate: float  # probability of an audit for a draft of the usual doubt
    shadow_rates: dict[DraftSource, float]  # probability of a shadow draft if the query is forwarded
    usual_doubt: float = 1.0  # mean doubt of the drafts that stood so far; see policy.audit_probability
    thresholds: dict[str, Threshold] = {}  # by `counted_as` of drafts; empty if max_bad_rate promises nothing
    open_audits: int = 0  # audits that are still due because Claude could not be reached
    secret: bool = False  # the query looks like it holds a secret
    stored: bool = True  # False: the query is answered, and neither stored nor learnt, so never audited
    strict: bool = False  # True: the user wants no answer rather than one that the bound does not cover
    judging: Judging | UnsetType = UNSET  # without it, no verdict may be bought
    shadows_follow: bool | UnsetType = UNSET  # a shadow is made at p_local where that is more than its rate
    spread: float | UnsetType = UNSET  # mean badness of Claude's own answers to a question it is asked again
    by_client: bool | UnsetType = UNSET  # True: it came through the Messages API, so the user's `-c` skips it
    own_account: bool | UnsetType = UNSET  # True: with the client's own credential, so ours never asks about it
    private: bool | UnsetType = UNSET  # True: the user's settings let nothing of it be stored
    stays: bool | UnsetType = UNSET  # True: nor do they let it be sent to Claude
    claude_only: ClaudeOnly | UnsetType = UNSET  # why nothing is drafted for it, nor learnt of it
    not_asked: str | UnsetType = UNSET  # asked again, and answered as before: the kind of outage Claude had
    imported_from: str | UnsetType = UNSET  # kind of the record that another program kept of it; unset: asked here
    terminal: int | UnsetType = UNSET  # hash of the terminal it was asked in: `-c` continues what was said there
    alone: bool | UnsetType = UNSET  # True: a turn that means the same without the conversation, as far as words tell
    unhelpful: int | UnsetType = UNSET  # the interaction whose answer did not help: Claude answers, as no random audit

    @property
    def local_query(self) -> Query:
        """Return the query as this machine answers it: a turn that stands alone without the conversation."""
        return msgspec.structs.replace(self.query, history=()) if self.alone else self.query

    @property
    def conversation(self) -> int:
        """Return the conversation that it belongs to: the number of that conversation's first question."""
        return self.query.conversation or self.number

    @property
    def waits(self) -> bool:
        """Say whether an audit is still due, so that nothing served now is covered."""
        return self.open_audits > 0 and bool(self.thresholds)

    @property
    def can_be_covered(self) -> bool:
        """Say whether a draft served now would be covered by `max_bad_rate`, if a bound is promised."""
        return not self.thresholds or (self.stored and not self.waits)

    def shadow_rate(self, source: DraftSource, p_local: float) -> float:
        """Return the probability that this source makes a shadow draft if the query is forwarded."""
        rate = self.shadow_rates.get("recall" if source in BORROWED else source, 0.0)
        return max(rate, p_local) if rate and self.shadows_follow else rate

    def shadows(self, source: DraftSource, p_local: float = 0.0) -> bool:
        """Say whether this source makes a shadow draft if the query is forwarded."""
        return self.audit_draw < self.shadow_rate(source, p_local)


class Interaction(
    _Event,
    frozen=True,
    rename={"request": "turn", "audit_probability": "pi", "decision_context": "grounds"},
):
    """One query from question to answer, and what was observed about it later."""

    request: Request
    route: Route
    outcome: Outcome
    served_local: bool
    drafts: tuple[ScoredDraft, ...] = ()  # best first: the first one stood, or would have
    accepted: bool = False  # whether the Validator accepted the best draft, or the judge did
    audit_probability: float | None = None  # of the draft that stood; None: none stood
    reply: Reply | None = None
    decision_context: DecisionContext = DecisionContext()
    ms: float | None = None  # milliseconds until the user had the answer
    late_for: int | None = None  # late audits: number of the interaction they measure
    by_check: bool | UnsetType = UNSET  # True: the judge let the best draft pass before it was served
    unpaid: bool | UnsetType = UNSET  # True: its audit was due, and the month's budget forbade it
    late_at: float | UnsetType = UNSET  # late audits: when they were made, Unix time
    judged_at: float | UnsetType = UNSET  # when verdicts were bought after the answer, Unix time

    @classmethod
    def forwarded(cls, request: Request, route: Route, reply: Reply) -> Self:
        """Record a query that Claude answered without any draft before."""
        return cls(request, route, "forwarded", served_local=False, reply=reply)

    @classmethod
    def rejected(cls, request: Request, route: Route, drafts: tuple[ScoredDraft, ...], reply: Reply) -> Self:
        """Record drafts that the Validator rejected, and Claude's reply in their place."""
        return cls(request, route, "rejected", served_local=False, drafts=drafts, reply=reply)

    @classmethod
    def approved(
        cls, request: Request, route: Route, drafts: tuple[ScoredDraft, ...], audit_probability: float
    ) -> Self:
        """Record a draft that was accepted, and is served unless an audit finds it bad.

        A verdict before that means that the Validator was in doubt.
        """
        return cls(
            request,
            route,
            "approved",
            served_local=True,
            drafts=drafts,
            accepted=True,
            audit_probability=audit_probability,
            by_check=True if drafts[0].passed else UNSET,
        )

    @classmethod
    def unchecked(cls, request: Request, route: Route, drafts: tuple[ScoredDraft, ...], *, accepted: bool) -> Self:
        """Record a draft that was served because the user insisted on a local answer."""
        return cls(
            request, route, "approved", served_local=True, drafts=drafts, accepted=accepted, audit_probability=0.0
        )

    @classmethod
    def audited(cls, stood: Self, drafts: tuple[ScoredDraft, ...], reply: Reply | None, *, good: bool) -> Self:
        """Record an audit of a draft that stood; `good` says whether it was served, or else Claude's reply.

        Without a reply it was measured by the judge alone.
        """
        return msgspec.structs.replace(stood, outcome="audited", served_local=good, drafts=drafts, reply=reply)

    @classmethod
    def late(
        cls,
        request: Request,
        served: Self,
        drafts: tuple[ScoredDraft, ...],
        reply: Reply | None,
        at: float | UnsetType = UNSET,
    ) -> Self:
        """Record the late audit of a draft that was served unmeasured, made `at` a Unix time.

        Without a `reply` the audit was given up.
        """
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
            by_check=served.by_check,
            late_at=at,
        )

    def __post_init__(self) -> None:
        """Check that the loop can produce these fields together.

        Raises:
            ValueError: the fields contradict each other.
        """
        drafted, teaches = bool(self.drafts), self.reply is not None and self.reply.teaches
        stood = self.route.local and drafted and self.audit_probability is not None
        legal = {
            "forwarded": self.reply is not None and not self.served_local and self.audit_probability is None,
            "rejected": self.route.local and drafted and self.reply is not None and not self.served_local,
            "approved": stood and not teaches and self.served_local,
            "audited": stood and self.accepted and (self.divergence is not None or self.is_judged),
            "late": stood and self.accepted and self.late_for is not None and (self.reply is None or teaches),
        }[self.outcome]
        measured = any(scored.divergence is not None for scored in self.drafts)
        has_text = teaches or (self.reply is not None and self.reply.is_withheld)  # it had, when it was compared
        if not legal or (measured and not has_text):
            raise ValueError(f"an interaction that was {self.outcome} cannot look like this")

    @property
    def is_imported(self) -> bool:
        """Say whether another program asked Claude: this home has only read of it."""
        return self.request.imported_from is not UNSET

    @property
    def is_undecided(self) -> bool:
        """Say whether it was imported and no role has looked at it yet: that comes when it is learnt."""
        return self.is_imported and not self.decision_context.versions

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
        """Return the divergence of the best draft from Claude's reply, or None if it was not measured."""
        return self.drafts[0].divergence if self.drafts else None

    @property
    def answer(self) -> str:
        """Return the text the user got."""
        served = self.draft if self.served_local else self.reply
        return served.text if served else ""

    @property
    def answered_query(self) -> Query:
        """Return the query that the answer was given to: without the conversation where this machine left that out."""
        return self.request.local_query if self.served_local else self.request.query

    @property
    def source(self) -> Source:
        """Return the source of the answer that the user got."""
        return self.draft.source if self.draft and self.served_local else "claude"

    def p_found(self, source: DraftSource) -> float:
        """Return the probability with which a draft of this source was to be measured, if it is bad.

        One draw decides about audit and shadow. An audit that begins with a verdict ends there if the judge takes a bad
        draft for a good one.
        """
        shadow_rate = self.request.shadow_rate(source, self.route.p_locals.get(source, 0.0))
        if self.audit_probability is None:
            return 1.0 if source in self.route.tries else shadow_rate
        if source not in self.route.tries:
            return min(self.audit_probability, shadow_rate)
        judging = self.request.judging
        misses = (1.0 - judging.both) * judging.error if judging and not self.by_check else 0.0
        return self.audit_probability * (1.0 - misses)

    @property
    def measures_drafts(self) -> bool:
        """Say whether it shows how good its drafts are.

        One with a conversation does not show it of drafts that were made without, unless one was accepted: it counts
        for the bound, whatever Claude makes of the conversation.
        """
        return not self.request.alone or self.audit_probability is not None

    @property
    def called_claude(self) -> bool:
        """Say whether Claude was asked for a whole answer, for any reason."""
        return self.reply is not None

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Return the judge's verdicts on all drafts, with those that say nothing."""
        return tuple(verdict for scored in self.drafts for verdict in scored.verdicts or ())

    @property
    def cost_usd(self) -> float | None:
        """Return what the reply and the verdicts cost; None if a part of it is unpriced."""
        bought = (*((self.reply,) if self.reply else ()), *self.verdicts)
        prices = [part.cost_usd for part in bought if part.cost_usd is not None]
        return sum(prices) if len(prices) == len(bought) else None

    @property
    def cost_is_estimated(self) -> bool:
        """Say whether a part of the cost is an estimate."""
        return self.reply is not None and self.reply.estimated is True

    @property
    def is_judged(self) -> bool:
        """Say whether there is a verdict."""
        return any(scored.said for scored in self.drafts)

    @property
    def audit(self) -> bool:
        """Say whether a draft stood and Claude was to be called only to measure it."""
        return self.audit_probability is not None and self.request.audit_draw < self.audit_probability

    @property
    def audit_open(self) -> bool:
        """Say whether a draft was served although its audit was due and could not be made."""
        return self.outcome == "approved" and self.audit

    @property
    def uncovered(self) -> bool:
        """Say whether the answer is a draft that the Validator rejected, or was served while an audit was due."""
        is_doubtful = self.audit or not self.accepted or self.request.waits
        return self.outcome == "approved" and is_doubtful and not self.is_by_user

    @property
    def covered(self) -> bool | None:
        """Say whether `max_bad_rate` covers this answer; None if nothing is promised for it.

        Nothing is promised for a query that is not stored, since it can't be audited, nor for an answer that the user
        insisted on, since the program did not choose it, nor for one that was imported.
        """
        is_chosen = self.request.forced_source != "local" and not self.is_by_user
        promised = bool(self.request.thresholds) and self.request.stored and is_chosen
        if self.is_imported:
            return None
        return False if self.uncovered else True if promised else None

    @property
    def is_by_user(self) -> bool:
        """Say whether the answer is the user's own, given with `shammah bad`: nobody judges or audits it."""
        draft = self.draft
        return self.served_local and draft is not None and draft.by_user is True


class Feedback(_Event, frozen=True):
    """What the user said of an answer: that it was good, or bad, perhaps with the right one."""

    number: int  # in the journal, in one row with those of the interactions
    about: int  # number of the interaction with that answer
    good: bool
    at: float  # when it was said, Unix time
    answer: str | UnsetType = UNSET  # the right answer in the user's words; without it Claude is asked
    own: int | UnsetType = UNSET  # number of the user's own answer that stood until then: that is what was bad
    repeated: bool | UnsetType = UNSET  # True: his last word on this answer was the same
    complained: bool | UnsetType = UNSET  # True: he had called it bad before

    def __post_init__(self) -> None:
        """Check that these fields make sense together.

        Raises:
            ValueError: they contradict each other.
        """
        is_empty = self.answer is not UNSET and not self.answer.strip()
        if self.about >= self.number or is_empty or (self.good and self.answer is not UNSET):
            raise ValueError("feedback cannot look like this")

    @property
    def word(self) -> Literal["good", "bad"]:
        """Return the command that said it."""
        return "good" if self.good else "bad"

    def corrected(self, about: Interaction) -> Interaction:
        """Return the user's answer as an interaction: the question of the one it is about, answered by the user.

        Raises:
            ValueError: this feedback has no answer, or is about another interaction.
        """
        if self.answer is UNSET or about.request.number != self.about:
            raise ValueError("this feedback corrects no such interaction")
        query = msgspec.structs.replace(about.request.query, at=self.at)
        request = msgspec.structs.replace(about.request, number=self.number, query=query)
        reply = Reply(self.answer, BY_USER, "end_turn", cost_usd=0.0, by_user=True)
        return Interaction.forwarded(request, about.route, reply)


Event = Interaction | Feedback
"""What the journal holds, and what is learnt, in one order."""
