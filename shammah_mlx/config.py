"""Define every setting of the program, with its default and the reason for it.

A preset is one frozen `Config`. `config.toml` in the home and flags replace single values. No code depends on the name
of the preset.
"""

import re
from typing import Annotated, Literal

import msgspec

MOST, LEAST = 1e9, 1e-15  # of any amount: beyond these fp32 overflows or underflows, and JSON has no infinity

Count = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Some = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Rate = Annotated[
    float, msgspec.Meta(ge=0, le=1)
]  # of learning; Adam moves weights by about this much, so steps of 1 destroy them
Momentum = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=MOST)]
Positive = Annotated[float, msgspec.Meta(ge=LEAST, le=MOST)]
Factor = Annotated[float, msgspec.Meta(gt=1, le=MOST)]
Strength = Annotated[float, msgspec.Meta(ge=1e-6, le=MOST)]  # of a prior; a weaker one leaves matrices singular
Weight = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]  # of a feature; within this range sums stay finite
Bands = tuple[tuple[Some, Share], ...]
"""A step function of the queries seen: pairs of (first query, value). A value holds until the next band begins."""


MIN_TOKENS = 16  # room for a pair with its separators, or for a prompt and some reply
MOST_NUMBERS = 10**9  # parameters of a model from scratch; with Adam's moments they take 12 GB


class _Frozen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class EncoderConfig(_Frozen, frozen=True):
    """Shape of a BERT-style encoder with a one-logit head, trained from scratch."""

    vocab: Count = 30_522  # MiniLM's WordPiece vocabulary, so that embedder, Router and Validator share a tokenizer
    width: Count = 128  # as in BERT-tiny: a step and a save must stay cheap next to a call to Claude
    layers: Count = 2  # as in BERT-tiny
    heads: Count = 2  # 64 numbers a head, as in BERT
    hidden: Count = 512  # four times the width, as in BERT
    max_tokens: Count = 256  # the length MiniLM was trained on
    norm_eps: Positive = 1e-12  # as in BERT
    head_scale: Amount = 0.01  # specification, Model Initialization
    head_bias: Weight = -2.0  # likewise: p = 0.12, so the Router starts by forwarding

    def __post_init__(self) -> None:
        """Check that an encoder of this shape can be built.

        Raises:
            ValueError: it cannot.
        """
        if self.width % self.heads:
            raise ValueError("`width` must be a multiple of `heads`")
        _check_size(self)


class DecoderConfig(_Frozen, frozen=True):
    """Shape of a causal transformer that writes drafts, trained from scratch."""

    vocab: Count = 49_152  # SmolLM2's byte-level BPE: reversible, where WordPiece loses case and spacing
    width: Count = 256  # with four layers 16 M parameters, most of them in the tied embedding
    layers: Count = 4  # the depth of the first measurements of `literal`
    heads: Count = 4  # 64 numbers a head
    hidden: Count = 1024  # four times the width
    max_tokens: Count = 512  # query and reply together; enough for 99 % of a chat's short answers
    max_draft_tokens: Count = 96  # an untrained decoder never stops by itself
    rope_base: Amount = 10_000.0  # usual for contexts this short
    norm_eps: Positive = 1e-5  # usual for pre-norm decoders

    def __post_init__(self) -> None:
        """Check that a decoder of this shape can be built.

        Raises:
            ValueError: it cannot.
        """
        if self.width % (2 * self.heads):
            raise ValueError("`width` must be an even multiple of `heads`, for rotary positions")
        _check_size(self)


def _check_size(config: EncoderConfig | DecoderConfig) -> None:
    """Check that a model can read a text and is not too large.

    Raises:
        ValueError: it cannot, or it is.
    """
    if config.max_tokens < MIN_TOKENS:
        raise ValueError(f"`max_tokens` must be at least {MIN_TOKENS}")
    layer = 4 * config.width**2 + 2 * config.width * config.hidden
    numbers = (config.vocab + config.max_tokens) * config.width + config.layers * layer
    if numbers > MOST_NUMBERS:
        raise ValueError(f"this model would have {numbers:,} numbers, more than {MOST_NUMBERS:,}")


class RecallConfig(_Frozen, frozen=True):
    """How past answers are found. Tuned on covid_faq and commands."""

    fewest: Count = 5  # questions in the same context before an answer is proposed
    sharpness: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 20.0  # of the vote: 0.1 less similar counts e^-2
    vote_weight: Amount = 0.15  # of the vote's log-probability, added to the regression's value
    candidates: Count = 64  # nearest questions whose answers are weighed; with 100 the choice is no better
    answer_sharpness: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 20.0  # an answer 0.1 less alike votes e^-2
    ridge: Strength = 0.3  # regularization of the regression; vectors have length 1
    word_weight: Amount = 0.5  # of the words in its input, next to a vector of length 1
    refit_every: Count = 10  # questions; a fit costs more than everything else in recall
    compared: Count = 16  # known answers to compare a new reply with; with 4, one answer is often taken for two
    fleeting_s: Amount = 300.0  # how long an answer about the present moment is valid
    least_alike: Share = 0.5  # least similarity to trust: where all questions recur, no example shows a new one
    refutations: Count = 3  # wrong shadow drafts in a row after which an answer is in doubt
    ageing: Amount = 0.01  # log-odds of trust that an answer loses a day until Claude gives it again; a guess
    most_left_out: Count = 2000  # latest questions that are answered leave-one-out to fit the trust
    contexts: Count = 8  # held in memory beside the one in use; of 1,000 questions one takes 20 MB
    block: Count = 64  # of these at once; comparing them with 100,000 others takes 50 MB

    trust_prior: dict[str, Weight] = msgspec.field(
        default_factory=lambda: {  # initial weights by feature; a feature that is not listed is not used
            "constant": -3.0,
            "similarity": 1.0,
            "margin": 3.0,
            "agreement": 1.0,
            "vote": 0.0,
            "fit": 2.0,
            "fit margin": 2.0,
            "support": 0.0,
            "same": 0.0,
            "words": 0.0,
            "most words": 0.0,
            "rival words": 0.0,
            "identical": 3.0,
        }
    )
    trust_strength: Strength = 0.1  # weak: one question outweighs this prior
    trust_from: Count = 20  # questions before the first fit
    trust_share: Share = 0.05  # share of questions that must be new before the next fit


class LogisticConfig(_Frozen, frozen=True):
    """A logistic regression on named features: its prior, and when it is fitted again."""

    prior: dict[str, Weight]  # initial weights by feature
    strength: Strength = 10.0  # of the prior; about forty labels outweigh it
    refit_share: Share = 0.04  # share of examples that must be new before the next fit


REPEAT_PRIOR = LogisticConfig(  # Claude's own answer to the same text; what can be wrong is that it is old
    # A question that the rules cannot read may be about the moment: Claude must agree with himself a few times first.
    prior={"constant": 3.5, "days": -0.01, "agreed": 1.0, "disagreed": -2.0, "unread": -1.5},
    strength=20.0,
)
RECALL_PRIOR = LogisticConfig(  # fitted on covid_faq and commands: trust holds where both views of the memory agree
    prior={"constant": 0.19, "trust": 1.06, "sure": -0.57, "concord": 0.64, "sure concord": 0.56, "unread": -1.0},
    strength=10.0,  # at 40 a home whose labels are in doubt learns in 1,000 questions what it now learns in 300
)
BORROWED_PRIOR = LogisticConfig(
    prior={
        **RECALL_PRIOR.prior,
        "constant": -0.31,  # half less than for recall: another model or prompt may say something else; a guess
        "same text": 3.31,  # from there on half less than for a repeat
        **{name: weight for name, weight in REPEAT_PRIOR.prior.items() if name not in RECALL_PRIOR.prior},
    },
    strength=10.0,  # as for recall, for each pair of contexts
)
DECODER_ROUTER_PRIOR = LogisticConfig(  # the record starts at the specification's bias, so it starts by forwarding
    prior={"constant": 0.0, "record": 1.0, "query logit": 0.0}, strength=1.0
)
DECODER_VALIDATOR_PRIOR = LogisticConfig(  # weak: a few labels outweigh it
    prior={
        "constant": -4.0,
        "record": 1.0,
        "surprise": -1.0,
        "worst surprise": -1.0,
        "same as recalled": 1.0,
        "foreign": -0.5,
        "omitted": -1.0,
        "usual form": 0.5,
        "query logit": 0.0,
        "draft logit": 0.0,
    },
    strength=1.0,
)


Judged = Literal["repeat", "recall", "other_model", "other_prompt", "decoder"]
RECALLED_PRIORS: dict[Judged, LogisticConfig] = {
    "repeat": REPEAT_PRIOR,
    "recall": RECALL_PRIOR,
    "other_model": BORROWED_PRIOR,
    "other_prompt": BORROWED_PRIOR,
}


class LogisticModelsConfig(_Frozen, frozen=True):
    """The logistic models of Router and Validator, by source of the drafts. In files this section is `evidence`."""

    router: dict[Judged, LogisticConfig] = msgspec.field(  # initial weights by feature
        default_factory=lambda: {**RECALLED_PRIORS, "decoder": DECODER_ROUTER_PRIOR}
    )
    validator: dict[Judged, LogisticConfig] = msgspec.field(  # likewise
        default_factory=lambda: {**RECALLED_PRIORS, "decoder": DECODER_VALIDATOR_PRIOR}
    )

    def __post_init__(self) -> None:
        """Check that the priors name only features that exist.

        Raises:
            ValueError: one does not exist.
        """
        of_router = BORROWED_PRIOR.prior.keys() | DECODER_ROUTER_PRIOR.prior.keys()
        of_validator = of_router | DECODER_VALIDATOR_PRIOR.prior.keys()
        for role, models, features in (
            ("router", self.router, of_router),
            ("validator", self.validator, of_validator),
        ):
            named = {name for model in models.values() for name in model.prior}
            if unknown := sorted(named - features):
                raise ValueError(
                    f"`{role}` has no feature `{unknown[0]}`; its features are {', '.join(sorted(features))}"
                )


class LoraConfig(_Frozen, frozen=True):
    """A pretrained causal language model, and the low-rank adapters trained on top of it."""

    model: str = ""  # a folder or hub name that mlx-lm loads; empty: SmolLM2-135M, which `shammah setup` makes
    rank: Some = 8  # 2.4 M parameters on SmolLM2; with average and moments 70 MB a save; 0: nothing is learnt
    scale: Amount = 10.0  # measured together with `generator_lr`; at twice both, half as many JSON objects were right
    show_nearest: bool = (
        False  # the nearest past exchange in the prompt; SmolLM2 wrote no better with it, at twice the cost
    )
    max_tokens: Count = 384  # prompt and reply together; more makes a step too slow on a laptop's CPU
    max_draft_tokens: Count = 128  # about 90 words, 9 s on two CPU cores; the prompt leaves room for them
    first_block: Count = 4  # guessed tokens to check at first; if all are wrong, they cost half a plain step on a CPU
    longest_block: Count = 32  # after right guesses; on a CPU 32 tokens cost less than three plain steps
    rejoin: Count = 2  # tokens in a row that must match the guess before it is followed again

    def __post_init__(self) -> None:
        """Check that the lengths leave room for a prompt.

        Raises:
            ValueError: they do not.
        """
        if self.max_tokens < self.max_draft_tokens + 4 * MIN_TOKENS:
            raise ValueError(f"`max_tokens` must exceed `max_draft_tokens` by at least {4 * MIN_TOKENS}")


class HeadConfig(_Frozen, frozen=True):
    """What Router and Validator train on top of the embedder to judge the decoder's drafts."""

    layers: Count = 2  # top layers with adapters; the lower ones are frozen and shared
    rank: Count = 8  # 110,000 parameters in two layers of MiniLM
    scale: Amount = 10.0  # of the adapters
    head_scale: Amount = 0.01  # specification, Model Initialization
    head_bias: Weight = -2.0  # likewise: p = 0.12, so the Router starts by forwarding


class RehearsalConfig(_Frozen, frozen=True):
    """How old examples are replayed, and when a step is undone."""

    replayed: Some = 2  # old examples in each step; more teach faster at first only, and make wrong drafts surer
    reservoir: Count = 1000  # examples to choose from, a uniform sample of all; each is stored as two numbers
    probes: Some = 6  # first replies, set aside to measure the loss on
    probe_every: Count = 8  # steps between two measurements; after every step, they took two fifths of its time
    probe_tokens: Count = 64  # of a probe's reply; the first lines are enough to notice harm
    tolerance: Amount = 0.1  # nats a token by which the loss on the probes may rise from one measurement to the next
    drift: Amount = 0.5  # nats a token by which all steps together may raise it above the untrained model's
    average: Share = 0.9  # what each measurement leaves of the average that is served: over about 80 steps


class OptimizerConfig(_Frozen, frozen=True):
    """Adam, its schedule and its limits (specification, Optimizer Configuration)."""

    router_lr: Rate = 1e-4  # specification; 1e-3 in `default`, for a head on a pretrained encoder
    generator_lr: Rate = 1e-5  # specification; 5e-4 in `default`, for adapters of a pretrained decoder
    validator_lr: Rate = 1e-4  # specification; 1e-3 in `default`, as for the Router
    beta1: Momentum = 0.9  # specification
    beta2: Momentum = 0.999  # specification
    epsilon: Positive = 1e-8  # specification
    weight_decay: Rate = 1e-4  # L2, added to the gradient: a factor 1 - lr * 1e-4 would round to 1 in fp32
    max_grad_norm: Amount = 1.0  # specification, Gradient Clipping
    cycle: Count = 1000  # queries from one warm restart to the next
    cycle_decay: Share = 0.95  # factor on the base rate, each cycle
    floor: Share = 0.1  # lowest rate of cosine annealing, as a share of the cycle's base rate

    @property
    def base_rates(self) -> dict[str, float]:
        """Return the learning rate of each role before the schedule."""
        return {"router": self.router_lr, "generator": self.generator_lr, "validator": self.validator_lr}


class PolicyConfig(_Frozen, frozen=True):
    """Who answers, and what is audited (specification, Cold Start Strategy and Sampling Strategy)."""

    forward_only: Some = 50  # queries in which nothing is served locally
    route_thresholds: Bands = ((50, 0.95), (200, 0.5))  # p_local must exceed it
    write_threshold: Share = 1.0  # lower than `route_thresholds`: p_local from which the decoder writes a draft
    accept_thresholds: Bands = ((0, 0.5),)  # p_accept must exceed it
    accept_destroying: Share = 0.5  # the same for a draft with a command that deletes or overwrites
    max_other_answer: Share = 1.0  # greatest probability that a question in other words has another answer
    audits: Bands = ((0, 0.5), (100, 0.2), (500, 0.1), (2000, 0.05))  # specification, Sampling Rate
    audit_focus: Amount = 0.0  # audits follow the doubt, such as 1 - p_accept, to this power; 0: all drafts alike
    audit_evenly: Share = 0.0  # of the audits that fall on all drafts alike, whatever the doubt
    audit_floor: Share = 0.0  # lowest audit probability, unless the schedule's own rate is lower
    least_doubt: Positive = 1e-6  # lower bound of the usual doubt
    first_doubt: Amount = 1.0  # the usual doubt before any draft was accepted
    first_drafts: Count = 20  # drafts that `first_doubt` counts as
    shadows: dict[Literal["repeat", "recall", "decoder"], Bands] = (
        msgspec.field(  # share of forwarded queries, by source
            default_factory=lambda: {"decoder": ((0, 0.5), (100, 0.2), (500, 0.1), (2000, 0.05))}
        )
    )

    again_minutes: Amount = 0.0  # the same question again so soon: its answer did not help, so ask Claude; 0: never
    shadows_follow: bool = False  # shadows are made at p_local where that is more than their share

    def __post_init__(self) -> None:
        """Check that bands are in order.

        Raises:
            ValueError: some are not.
        """
        for name, bands in (
            ("route_thresholds", self.route_thresholds),
            ("accept_thresholds", self.accept_thresholds),
            ("audits", self.audits),
            *((f"shadows.{source}", bands) for source, bands in self.shadows.items()),
        ):
            if list(bands) != sorted(bands):
                raise ValueError(f"the bands of `{name}` must be in the order of their first queries")


class RiskConfig(_Frozen, frozen=True):
    """How many of the answers served locally may be bad, and how the bound is kept; see `risk.threshold`."""

    max_bad_rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0  # of the answers served locally; 1 promises nothing
    caution: Amount = 0.75  # standard deviations of the fitted curve, added to the rate it gives
    caution_written: Amount = 1.5  # the same for the decoder's drafts: it learns, so their curve shifts
    offset_strength: Strength = 10.0  # of the prior that scores are honest: 1 sd is 0.32 in log-odds
    slope_strength: Strength = 60.0  # of the prior that the slope is 1: 1 sd is 13 %
    known: Amount = 60.0  # measured drafts above a threshold before it counts: fewer can't tell 5 % from 10 %
    known_written: Amount = 40.0  # the same for the decoder's drafts: the more caution, the fewer must be known
    known_spread: Amount = 20.0  # measured repeats before Claude's own spread counts
    tail: Share = 0.5  # lower scores say nothing about drafts that may be served
    memory: Factor = 3000.0  # drafts after which an old label counts 1/e
    feedback: Positive = 0.01  # step of the feedback; its inverse, in bad answers, is part of the slack
    worse_odds: Factor = 4.0  # odds ratio to the fitted curve that the alarm looks for
    alarm: Positive = 5.0  # log-likelihood ratio at which the counts start anew
    late_audits: Count = 3  # made after one question, at most: they cost calls, and learning waits for them
    audit_wait_s: Amount = 86_400.0  # to wait for an audit when Claude can't be reached; then it counts as bad

    @property
    def promises(self) -> bool:
        """Return whether anything is promised about the answers served locally."""
        return self.max_bad_rate < 1.0


class TargetsConfig(_Frozen, frozen=True):
    """What the Router learns from, beside measured divergences."""

    trust_approval: bool = True  # as in the specification: an approved draft is a 1, audited or not
    trust_rejection: bool = True  # as in the specification: a rejected draft is a 0, whatever its divergence


class DivergenceConfig(_Frozen, frozen=True):
    """How far a draft may be from Claude's reply and still count as good."""

    kind: Literal["fitted", "semantic", "exact", "bleu"] = "semantic"  # specification, Option 1; `default`: "fitted"
    fitted_threshold: Share = 0.3  # 1 - P(equivalent); a tenth of the pairs that people judged apart pass, by noise too
    semantic_threshold: Share = 0.3  # specification, Option 1
    bleu_threshold: Share = 0.4  # specification, Option 3
    exact_threshold: Share = 0.5  # the divergence is 0 or 1, so any value between will do

    def is_good(self, divergence: float) -> bool:
        """Return whether a draft this far from Claude's reply counts as good."""
        return divergence < self.threshold

    def p_bad(self, divergence: float) -> float:
        """Return the probability that a draft this far from Claude's reply is bad; 0 or 1 by a meter without doubt."""
        return divergence if self.kind == "fitted" else float(not self.is_good(divergence))

    @property
    def threshold(self) -> float:
        """Return the threshold of the kind in use. Good means strictly below it."""
        return {
            "fitted": self.fitted_threshold,
            "semantic": self.semantic_threshold,
            "exact": self.exact_threshold,
            "bleu": self.bleu_threshold,
        }[self.kind]


class Price(_Frozen, frozen=True):
    """The price of a model, in US dollars a million tokens."""

    input: Amount
    output: Amount
    most_read: Count = 2**31 - 1  # tokens of a prompt up to which this holds; a call with more is unpriced


LIST_PRICES = {  # published in November 2026
    "claude-opus-5-5": Price(4.0, 20.0),
    "claude-sonnet-5-5": Price(2.0, 10.0),
    "claude-haiku-5-5": Price(0.1, 0.5, most_read=100_000),  # longer prompts cost more
    "claude-opus-5": Price(5.0, 25.0),
    "claude-sonnet-5": Price(2.0, 10.0),
    "claude-haiku-4-5": Price(1.0, 5.0),
}


class TeacherConfig(_Frozen, frozen=True):
    """How Claude is asked."""

    model: Annotated[str, msgspec.Meta(min_length=1)] = "claude-sonnet-5-5"  # the best mix of speed and intelligence
    max_tokens: Count = 16_000  # room for thinking and a long answer; a reply that reaches it is not learnt
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0  # of silence until one try fails
    max_retries: Some = 2  # further tries by the SDK: connection errors, 408, 409, 429, >= 500
    prices: dict[str, Price] = msgspec.field(
        default_factory=lambda: dict(LIST_PRICES)
    )  # a model not listed is unpriced, never free
    context_tokens: Count = 1_000_000  # that a model holds; what cannot fit is refused before it is sent
    contexts: dict[str, Count] = msgspec.field(
        default_factory=lambda: {"claude-haiku-4-5": 200_000}
    )  # of the models that hold less, or more


class JudgeConfig(_Frozen, frozen=True):
    """Who judges whether a stored answer serves a question, and what the verdicts may cost."""

    model: Annotated[str, msgspec.Meta(min_length=1)] = "claude-haiku-5-5"  # a twentieth of sonnet's price, no thinking
    share: Share = 0.25  # of what all replies so far cost, for verdicts; 0: nothing is judged
    first_usd: Amount = 0.01  # for verdicts before any reply was paid for: about 550
    error: Annotated[float, msgspec.Meta(ge=1e-3, le=0.5)] = 0.03  # of its verdicts that are wrong; a guess
    doubt: Share = 0.01  # an accepted draft that is bad more often than this is checked first
    worth: Share = 0.5  # a check costs at most this share of what it is expected to save
    route_threshold: Share = 0.3  # p_local must exceed it, from the first query on, so that there is a draft to judge
    write_threshold: Share = 0.5  # likewise, for a draft that takes seconds to write and only the judge could let pass
    both: Share = 0.1  # of audits that buy a verdict and a whole reply, so that the judge is measured too
    shadow_doubt: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.2  # divergence this far from 0 and 1; .5: no verdict
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 5.0  # of silence; then Claude answers instead
    local: str = ""  # a model on this machine that reads doubtful drafts: a folder or hub name; empty: none
    local_tokens: Count = 1024  # the longest request it reads; by estimate a minute on two CPU cores at 1.5 B
    local_weight: Weight = 0.0  # of its log-odds before there are labels: an untuned 1.5 B told little


class PrivacyConfig(_Frozen, frozen=True):
    """What does not leave this machine, and what is not kept on it."""

    secrets: Literal["redact", "refuse", "send"] = "redact"  # keys and passwords: a stand-in is sent, nothing, or all
    never_forward: tuple[str, ...] = ()  # regular expressions: a question in which one is found is not sent to Claude
    never_store: tuple[str, ...] = ()  # likewise: answered, and neither stored nor learnt; in Claude's reply, too

    @property
    def keeps_some_here(self) -> bool:
        """Return whether there is anything that must not be sent."""
        return bool(self.never_forward) or self.secrets == "refuse"

    def __post_init__(self) -> None:
        """Check that all patterns are regular expressions.

        Raises:
            ValueError: one is not.
        """
        for name, patterns in (("never_forward", self.never_forward), ("never_store", self.never_store)):
            for pattern in patterns:
                try:
                    re.compile(pattern)
                except re.error as error:
                    raise ValueError(f"`{name}` has a pattern that is no regular expression: {error}") from error


class BudgetConfig(_Frozen, frozen=True):
    """How much money may be spent on Claude."""

    month: Amount = MOST  # US dollars a calendar month, UTC; then nothing is forwarded; this much is no limit

    @property
    def is_set(self) -> bool:
        """Return whether there is a limit."""
        return self.month < MOST


class StateConfig(_Frozen, frozen=True):
    """When models are saved, and how many saves are kept."""

    checkpoint_every: Count = 100  # queries; specification, Checkpoint Every N Queries
    keep_recent: Count = 10  # checkpoints; one of `literal` is 0.3 GB, so not all can stay
    keep_every: Count = 1000  # queries; these checkpoints stay for good
    save_share: Positive = 0.05  # of the time spent on learning; after a crash, what was not saved is learnt again
    lock_wait_s: Amount = 120.0  # to wait until another process releases the home, or has learnt and saved


class ServiceConfig(_Frozen, frozen=True):
    """How the background service behaves."""

    most_requests: Count = 64  # at once; further ones are refused with status 529
    most_body_bytes: Count = 32 * 2**20  # of a request; Claude's own limit
    unload_after_s: Amount = 1800.0  # without a question until models are unloaded; loading them takes a second or two
    silence_s: Positive = 600.0  # of Claude in requests that are passed on; the SDK's default
    patience_s: Count = 20  # for answers under way when the service stops


class TerminalConfig(_Frozen, frozen=True):
    """How answers are shown on a terminal."""

    markdown: bool = True  # rendered; piped answers never are, since programs want the text that came


class Config(_Frozen, frozen=True, rename={"logistic_models": "evidence"}):
    """All settings. A preset is one of these."""

    preset: str  # the values that the file and flags replace
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0  # of initial weights, learning and `replay`
    embedder: str = ""  # a sentence-transformers model of BERT's architecture, by folder or hub name; empty: MiniLM
    max_history: Count = 10  # earlier exchanges that are sent along with a question
    max_query_bytes: Count = 100_000  # of what is learnt, about 25,000 tokens: longer texts are not asked twice
    generator: Literal["scratch", "recall", "recall+decoder"] = "scratch"
    """Who drafts: a network trained from scratch, Claude's past answers, or these and a pretrained decoder."""
    router: EncoderConfig = EncoderConfig()
    validator: EncoderConfig = EncoderConfig()
    decoder: DecoderConfig = DecoderConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    recall: RecallConfig = RecallConfig()
    logistic_models: LogisticModelsConfig = LogisticModelsConfig()
    lora: LoraConfig = LoraConfig()
    rehearsal: RehearsalConfig = RehearsalConfig()
    head: HeadConfig = HeadConfig()
    targets: TargetsConfig = TargetsConfig()
    policy: PolicyConfig = PolicyConfig()
    risk: RiskConfig = RiskConfig()
    divergence: DivergenceConfig = DivergenceConfig()
    teacher: TeacherConfig = TeacherConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    judge: JudgeConfig = JudgeConfig(share=0.0)  # the specification has no judge
    budget: BudgetConfig = BudgetConfig()
    state: StateConfig = StateConfig()
    service: ServiceConfig = ServiceConfig()
    terminal: TerminalConfig = TerminalConfig()

    @property
    def trains_decoder(self) -> bool:
        """Return whether every reply costs a training step of a decoder, which takes seconds."""
        return self.generator == "scratch" or (self.generator == "recall+decoder" and self.lora.rank > 0)

    def __post_init__(self) -> None:
        """Check that the settings fit together.

        Raises:
            ValueError: they do not.
        """
        if self.generator != "scratch" and "recall" not in self.policy.shadows:
            raise ValueError(
                f"`policy.shadows` needs `recall`: without it, generator = {self.generator!r} learns nothing"
            )
