"""Every number of the program, frozen, each with its reason.

A preset is one `Config`. `config.toml` in the home and flags replace single values; nothing in the program asks
which preset it runs.
"""

from typing import Annotated, Literal

import msgspec

MOST, LEAST = 1e9, 1e-15  # of any amount: beyond these fp32 makes infinity or nothing of it, and the journal is JSON

Count = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Some = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Rate = Annotated[float, msgspec.Meta(ge=0, le=1)]  # of learning: at 1 a step undoes all there was
Momentum = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=MOST)]
Positive = Annotated[float, msgspec.Meta(ge=LEAST, le=MOST)]
Factor = Annotated[float, msgspec.Meta(gt=1, le=MOST)]
Strength = Annotated[float, msgspec.Meta(ge=1e-6, le=MOST)]  # of a prior: with less no matrix can be inverted
Weight = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]  # of evidence: the sums stay finite
Bands = tuple[tuple[Some, Share], ...]
"""A step function of `seen`: pairs of (first query, value); a band is half-open."""


MIN_TOKENS = 16  # a pair with its separators, or a prompt with its boundary and some reply
MOST_NUMBERS = 10**9  # of a model from scratch: with Adam's moments 12 GB


class _Frozen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class EncoderConfig(_Frozen, frozen=True):
    """Shape of a BERT-style encoder with a one-logit head, trained from scratch."""

    vocab: Count = 30_522  # MiniLM's WordPiece vocabulary: one tokenizer serves embedder, Router and Validator
    width: Count = 128  # BERT-tiny's: one step and one save must stay cheap next to a call to Claude
    layers: Count = 2  # likewise BERT-tiny's
    heads: Count = 2  # 64 numbers a head, as in BERT
    hidden: Count = 512  # four times the width, as in BERT
    max_tokens: Count = 256  # what MiniLM itself was trained to read
    norm_eps: Positive = 1e-12  # BERT's
    head_scale: Amount = 0.01  # specification, Model Initialization
    head_bias: Weight = -2.0  # likewise: p = 0.12, so it starts by forwarding

    def __post_init__(self) -> None:
        """Refuse shapes that no encoder can have.

        Raises:
            ValueError: says which.
        """
        if self.width % self.heads:
            raise ValueError("`width` must be a multiple of `heads`")
        _check_size(self)


class DecoderConfig(_Frozen, frozen=True):
    """Shape of the from-scratch causal transformer that writes drafts."""

    vocab: Count = 49_152  # SmolLM2's byte-level BPE: reversible, where WordPiece loses case and spacing
    width: Count = 256  # with four layers 16 M parameters, most of them the tied embedding
    layers: Count = 4  # the depth at which `literal` was first measured
    heads: Count = 4  # 64 numbers a head
    hidden: Count = 1024  # four times the width
    max_tokens: Count = 512  # query and reply together; covers 99 % of a chat's short answers
    max_draft_tokens: Count = 96  # an untrained decoder never stops by itself: bound what it may write
    rope_base: Amount = 10_000.0  # usual for contexts this short
    norm_eps: Positive = 1e-5  # usual for pre-norm decoders

    def __post_init__(self) -> None:
        """Refuse shapes that no decoder can have.

        Raises:
            ValueError: says which.
        """
        if self.width % (2 * self.heads):
            raise ValueError("`width` must be an even multiple of `heads`, for rotary positions")
        _check_size(self)


def _check_size(config: EncoderConfig | DecoderConfig) -> None:
    """Pass if a model can read a text, and be built.

    Raises:
        ValueError: it cannot; says why.
    """
    if config.max_tokens < MIN_TOKENS:
        raise ValueError(f"`max_tokens` must be at least {MIN_TOKENS}")
    layer = 4 * config.width**2 + 2 * config.width * config.hidden
    numbers = (config.vocab + config.max_tokens) * config.width + config.layers * layer
    if numbers > MOST_NUMBERS:
        raise ValueError(f"this model would have {numbers:,} numbers, more than {MOST_NUMBERS:,}")


class RecallConfig(_Frozen, frozen=True):
    """How past answers are found; tuned on covid_faq and commands."""

    fewest: Count = 5  # questions in the same context, before anything is proposed
    sharpness: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 20.0  # of the vote: a question 0.1 less alike counts e^-2
    vote_weight: Amount = 0.15  # of the vote's log-probability beside the classifier's value
    ridge: Strength = 0.3  # of the classifier; vectors have length 1
    word_weight: Amount = 0.5  # of the words beside the vector, which has length 1
    refit_every: Count = 10  # questions; a fit costs more than all else recall does
    compared: Count = 16  # known answers a new reply is compared with; with 4, one answer is often taken for two
    fleeting_s: Amount = 300.0  # an answer about this moment is good for five minutes
    least_alike: Share = 0.5  # a question less alike is not trusted: where all recurs, nothing taught what does not
    refutations: Count = 3  # times in a row that an answer is wrong in the shadow until it is in doubt
    ageing: Amount = 0.01  # log-odds of trust that an answer loses a day, until it is given again: a guess
    most_left_out: Count = 2000  # latest questions the memory asks itself again when it fits its trust
    block: Count = 64  # of those at once: each comparison with 100,000 others takes 50 MB

    trust_prior: dict[str, Weight] = msgspec.field(
        default_factory=lambda: {  # weights of recall.EVIDENCE to start from; what is not named is not weighed
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
    trust_strength: Strength = 0.1  # of that prior: one question outweighs it
    trust_from: Count = 20  # questions before the first fit
    trust_share: Share = 0.05  # of questions that must be new before the next


class LogisticConfig(_Frozen, frozen=True):
    """How a probability follows from evidence, corrected by what was measured."""

    prior: dict[str, Weight]  # weights to start from, by the evidence's name
    strength: Strength = 10.0  # of the prior: some forty labels outweigh it
    refit_share: Share = 0.04  # of examples that must be new before the next fit


RECALLED = LogisticConfig(  # fitted on covid_faq and commands: trust is worth its word where both views agree
    prior={"constant": 0.19, "trust": 1.06, "sure": -0.57, "concord": 0.64, "sure concord": 0.56},
    strength=40.0,  # homes differ little in this
)
IMITATED = LogisticConfig(prior={"constant": -2.0, "trust": 0.3})  # the specification's bias: it starts by forwarding
WRITTEN = LogisticConfig(prior={"constant": -2.0, "trust": 0.3, "log p": 1.0, "same as recalled": 1.0}, strength=1.0)


class ClassifiersConfig(_Frozen, frozen=True):
    """How Router and Validator learn from evidence, for each source of drafts."""

    router: dict[Literal["recall", "decoder"], LogisticConfig] = msgspec.field(
        default_factory=lambda: {"recall": RECALLED, "decoder": IMITATED}
    )
    validator: dict[Literal["recall", "decoder"], LogisticConfig] = msgspec.field(
        default_factory=lambda: {"recall": RECALLED, "decoder": WRITTEN}
    )

    def __post_init__(self) -> None:
        """Refuse evidence that there is not.

        Raises:
            ValueError: says which.
        """
        named = {name for judge in self.router.values() for name in judge.prior}
        written = named | {name for judge in self.validator.values() for name in judge.prior}
        known = RECALLED.prior.keys()
        if unknown := sorted((named - known) | (written - known - WRITTEN.prior.keys())):
            raise ValueError(f"there is no evidence `{unknown[0]}` to weigh")


class LoraConfig(_Frozen, frozen=True):
    """A pretrained causal language model, and the low-rank adapters that are trained on top of it."""

    model: str = ""  # a folder or hub name that mlx-lm loads; empty: SmolLM2-135M, which `shammah setup` makes
    rank: Count = 8  # 2.4 M numbers on SmolLM2: with Adam's moments 29 MB a save
    scale: Amount = 20.0  # mlx-lm's own; with the rate below the one that was measured
    max_tokens: Count = 384  # prompt and reply together: what one step on a laptop's CPU may cost
    max_draft_tokens: Count = 128  # about 90 words, 9 s on two CPU cores; the prompt leaves room for as many
    first_block: Count = 4  # guessed tokens checked at once at first: in vain, they cost half a plain step on a CPU
    longest_block: Count = 32  # after blocks that held; on a CPU 32 tokens cost less than three plain steps
    rejoin: Count = 2  # written tokens that must occur in the guess before it is followed again

    def __post_init__(self) -> None:
        """Refuse lengths that leave no room for a prompt.

        Raises:
            ValueError: says which.
        """
        if self.max_tokens < self.max_draft_tokens + 4 * MIN_TOKENS:
            raise ValueError(f"`max_tokens` must exceed `max_draft_tokens` by at least {4 * MIN_TOKENS}")


class RehearsalConfig(_Frozen, frozen=True):
    """How old examples are replayed, and when a step is taken back."""

    replayed: Some = 2  # examples beside the new one: a step costs three times as much
    reservoir: Count = 1000  # examples, a uniform sample of all; two numbers each
    probes: Some = 6  # first replies kept aside: each is read again after every step
    probe_tokens: Count = 64  # of a probe's reply: what it says of harm, the first lines say
    tolerance: Amount = 0.1  # nats a token by which one step may raise the loss on the probes
    drift: Amount = 0.5  # nats a token by which all steps together may, above the untrained model's


class OptimizerConfig(_Frozen, frozen=True):
    """Adam, its schedule and its guards; specification, Optimizer Configuration."""

    router_lr: Rate = 1e-4
    generator_lr: Rate = 1e-5
    validator_lr: Rate = 1e-4
    beta1: Momentum = 0.9
    beta2: Momentum = 0.999
    epsilon: Positive = 1e-8
    weight_decay: Rate = 1e-4  # L2: added to the gradient, since a factor 1 - lr * 1e-4 rounds to 1 in fp32
    max_grad_norm: Amount = 1.0  # specification, Gradient Clipping
    cycle: Count = 1000  # queries from one warm restart to the next
    cycle_decay: Share = 0.95  # of the base rate, each cycle
    floor: Share = 0.1  # share of the cycle's base rate that cosine annealing never goes below

    @property
    def base_rates(self) -> dict[str, float]:
        """Return each role's rate before the schedule."""
        return {"router": self.router_lr, "generator": self.generator_lr, "validator": self.validator_lr}


class PolicyConfig(_Frozen, frozen=True):
    """Who answers; specification, Cold Start Strategy and Sampling Strategy."""

    forward_only: Some = 50  # queries in which nothing is served locally
    route_thresholds: Bands = ((50, 0.95), (200, 0.5))  # p_local must exceed it
    accept_thresholds: Bands = ((0, 0.5),)  # p_accept must exceed it
    accept_destroying: Share = 0.5  # likewise, of a draft with a command that deletes or overwrites
    audits: Bands = ((0, 0.5), (100, 0.2), (500, 0.1), (2000, 0.05))  # specification, Sampling Rate
    audit_focus: Amount = 0.0  # audits by doubt, 1 - p_accept, to this power; 0: every draft alike
    audit_evenly: Share = 0.0  # of the audits: they fall on all drafts alike, the others by doubt
    audit_floor: Share = 0.0  # least probability of an audit, where the schedule has as much
    least_doubt: Positive = 1e-6  # what is taken for the usual doubt is no less
    first_doubt: Amount = 1.0  # the usual doubt before any draft stood, counted as this many drafts:
    first_drafts: Count = 20
    shadows: dict[Literal["recall", "decoder"], Bands] = msgspec.field(  # likewise: of forwarded queries
        default_factory=lambda: {"decoder": ((0, 0.5), (100, 0.2), (500, 0.1), (2000, 0.05))}
    )

    def __post_init__(self) -> None:
        """Refuse bands out of order.

        Raises:
            ValueError: says which.
        """
        for name, bands in (
            ("route_thresholds", self.route_thresholds),
            ("accept_thresholds", self.accept_thresholds),
            ("audits", self.audits),
            *((f"shadows.{source}", bands) for source, bands in self.shadows.items()),
        ):
            if list(bands) != sorted(bands):
                raise ValueError(f"`{name}` must be in the order of its queries")


class RiskConfig(_Frozen, frozen=True):
    """How many of the answers served locally may be bad, and how that is kept; see `selection`."""

    max_bad_rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0  # of the answers served here; 1: no promise is made
    caution: Amount = 0.75  # standard deviations of the curve, added to what it says
    offset_strength: Strength = 20.0  # of the prior that scores are honest: in two homes of
    slope_strength: Strength = 60.0  # three their log-odds are within 0.22, and 13 %, of it
    known: Amount = (
        60.0  # drafts above a threshold that were measured, before it is one: fewer can't tell 5 % from 10 %
    )
    tail: Share = 0.5  # scores below it say nothing of those that may be served
    memory: Factor = 3000.0  # drafts after which a label counts 1/e
    feedback: Positive = 0.01  # its step: the inverse, in bad answers, is part of the slack
    worse_odds: Factor = 4.0  # what an alarm is to tell from the curve
    alarm: Positive = 5.0  # log-likelihood at which the evidence starts anew
    late_audits: Count = 3  # made after one question at the most: they cost calls, and learning waits for them
    audit_wait_s: Amount = 86_400.0  # for the reply of an audit that Claude could not be had for; then it counts as bad

    @property
    def promises(self) -> bool:
        """Say whether anything is promised of the answers served locally."""
        return self.max_bad_rate < 1.0


class TargetsConfig(_Frozen, frozen=True):
    """What counts as evidence for the Router, beside a measured divergence."""

    trust_approval: bool = True  # the specification's: an approved draft is a 1, audited or not
    trust_rejection: bool = True  # likewise: a rejected draft is a 0, whatever the comparison says


class DivergenceConfig(_Frozen, frozen=True):
    """How far a draft may be from Claude's reply and still count as good."""

    kind: Literal["gated", "semantic", "exact", "bleu"] = "semantic"
    gated_threshold: Share = 0.3  # cosine distance of the sentence said worst, where no rule decides
    semantic_threshold: Share = 0.3  # specification, Option 1
    bleu_threshold: Share = 0.4  # specification, Option 3
    exact_threshold: Share = 0.5  # the divergence is 0 or 1: anything between

    def is_good(self, divergence: float) -> bool:
        """Say whether a draft this far from Claude's reply says the same."""
        return divergence < self.threshold

    @property
    def threshold(self) -> float:
        """Return the threshold of the kind in use; good means strictly below."""
        return {
            "gated": self.gated_threshold,
            "semantic": self.semantic_threshold,
            "exact": self.exact_threshold,
            "bleu": self.bleu_threshold,
        }[self.kind]


class Price(_Frozen, frozen=True):
    """US dollars a million tokens."""

    input: Amount
    output: Amount


LIST_PRICES = {  # published in November 2026
    "claude-opus-5-5": Price(4.0, 20.0),
    "claude-sonnet-5-5": Price(2.0, 10.0),
    "claude-haiku-5-5": Price(0.1, 0.5),  # for prompts up to 100,000 tokens, far above max_query_bytes
    "claude-opus-5": Price(5.0, 25.0),
    "claude-sonnet-5": Price(2.0, 10.0),
    "claude-haiku-4-5": Price(1.0, 5.0),
}


class TeacherConfig(_Frozen, frozen=True):
    """How Claude is asked."""

    model: Annotated[str, msgspec.Meta(min_length=1)] = "claude-sonnet-5-5"  # Anthropic: best of speed and intelligence
    max_tokens: Count = 16_000  # room for thinking and a long answer; a reply that reaches it is not learnt
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0  # of silence, a try
    max_retries: Some = 2  # the SDK's: connection errors, 408, 409, 429, >= 500
    prices: dict[str, Price] = msgspec.field(default_factory=lambda: dict(LIST_PRICES))  # unknown means unpriced


class StateConfig(_Frozen, frozen=True):
    """When state is written, and how much of it is kept."""

    checkpoint_every: Count = 100  # queries; specification, Checkpoint Every N Queries
    keep_recent: Count = 10  # checkpoints; a literal one is 0.3 GB, so not all can stay
    keep_every: Count = 1000  # queries; these stay for good
    save_share: Positive = 0.05  # of the time spent on learning, that saves may take: what
    # was learnt since the last one is learnt again after a crash
    lock_wait_s: Amount = 120.0  # for another process to let go of the home, or to learn and save


class ServiceConfig(_Frozen, frozen=True):
    """How the background service behaves."""

    most_requests: Count = 64  # at once; others are told that there is no room (529)
    most_body_bytes: Count = 32 * 2**20  # of a request: Claude's own bound
    unload_after_s: Amount = 1800.0  # without a question, until models are given up; loading them takes a second or two
    silence_s: Positive = 600.0  # of Claude, in requests that are passed on: the SDK's own
    patience_s: Count = 20  # for answers under way when the service is to end


class Config(_Frozen, frozen=True, rename={"classifiers": "evidence"}):
    """One preset, complete."""

    preset: str
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    embedder: str = ""  # a sentence-transformers model of BERT's architecture, by folder or hub name; empty: MiniLM
    max_history: Count = 10  # earlier turns that a conversation is continued with
    max_query_bytes: Count = 100_000  # about 25,000 tokens; a longer one is a file, not a question
    generator: Literal["scratch", "recall", "recall+decoder"] = "scratch"  # who drafts: a network that knows nothing,
    # Claude's past answers, or these and a pretrained decoder
    router: EncoderConfig = EncoderConfig()
    validator: EncoderConfig = EncoderConfig()
    decoder: DecoderConfig = DecoderConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    recall: RecallConfig = RecallConfig()
    classifiers: ClassifiersConfig = ClassifiersConfig()
    lora: LoraConfig = LoraConfig()
    rehearsal: RehearsalConfig = RehearsalConfig()
    targets: TargetsConfig = TargetsConfig()
    policy: PolicyConfig = PolicyConfig()
    risk: RiskConfig = RiskConfig()
    divergence: DivergenceConfig = DivergenceConfig()
    teacher: TeacherConfig = TeacherConfig()
    state: StateConfig = StateConfig()
    service: ServiceConfig = ServiceConfig()

    def __post_init__(self) -> None:
        """Refuse parts that do not go together.

        Raises:
            ValueError: says which.
        """
        if self.generator != "scratch" and "recall" not in self.policy.shadows:
            raise ValueError(f"`policy.shadows` has no `recall`, so generator = {self.generator!r} would learn nothing")
