"""Measure how far a draft is from Claude's reply, in [0, 1]: the specification's three options and our own.

Draft and reply each come with the question that they answer. The specification's options ignore the questions.
"""

import functools
from collections.abc import Callable
from importlib.resources import files

import msgspec
import numpy as np

from shammah_mlx.config import DivergenceConfig
from shammah_mlx.events import Exchange
from shammah_mlx.numerics import sigmoid
from shammah_mlx.text import evidence, reading, rules, wording

Meter = Callable[[Exchange, Exchange], float]
"""Returns the divergence of a draft from a reply, each with its question."""
Embed = Callable[[list[str]], np.ndarray]
"""Returns one unit vector per text."""

MOST_CHUNKS = 100  # sentences; a longer text takes seconds to embed and counts as different
REMEMBERED = 4096  # texts whose vectors a meter caches: a recalled answer is compared many times


def semantic(embed: Embed) -> Meter:
    """Measure by cosine distance of the two embeddings (Option 1); opposite directions count as 1, not 2."""

    @functools.lru_cache(REMEMBERED)
    def vector(text: str) -> np.ndarray:
        whole: np.ndarray = embed([text])[0]
        return whole

    def measure(draft: Exchange, reply: Exchange) -> float:
        return min(max(1.0 - float(vector(draft.answer) @ vector(reply.answer)), 0.0), 1.0)

    return measure


def exact(draft: Exchange, reply: Exchange) -> float:
    """Return 0 for the same text, else 1 (Option 2)."""
    return float(draft.answer != reply.answer)


def bleu(draft: Exchange, reply: Exchange) -> float:
    """Return 1 - sentence BLEU with sacrebleu's defaults (Option 3)."""
    from sacrebleu import sentence_bleu  # imported here: most homes never use it

    return min(max(1.0 - sentence_bleu(draft.answer, [reply.answer]).score / 100.0, 0.0), 1.0)


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `benchmarks/fit_meter.py` found: a logistic regression on the features of `evidence`."""

    base_rate: float  # share of equivalent pairs that the weights were fitted for
    weights: dict[str, float]  # by feature; their sum over a pair is its log-odds of being equivalent

    def log_odds(self, features: dict[str, float]) -> float:
        """Return the log-odds that two answers with these features are equivalent."""
        return sum(self.weights[name] * value for name, value in features.items())


@functools.cache
def shipped_weights() -> Weights:
    """Return the weights that come with the package."""
    return msgspec.json.decode(files("shammah_mlx.text").joinpath("fitted.json").read_bytes(), type=Weights)


def features_of(draft: Exchange, reply: Exchange, embed: Embed) -> dict[str, float] | float:
    """Return what speaks for and against the equivalence of two answers, or their divergence where rules decide."""
    decided = rules.decided(draft.answer, reply.answer)
    if decided is not None:
        return float(not decided)
    one, other = reading.read(draft.answer), reading.read(reply.answer)
    same = rules.same_words(one, other)
    if same is not None:
        return float(not same)
    if max(len(one.sentences), len(other.sentences)) > MOST_CHUNKS:
        return 1.0
    vectors = embed(one.sentences), embed(other.sentences)
    changes = evidence.changes_between(one, other, vectors[0] @ vectors[1].T)
    if rules.vetoed(one, other, reply.question, changes):
        return 1.0
    if changes <= {"word", "order"} and (apart := wording.divergence(one, other)) is not None:
        return apart
    given = reading.given(*sorted((draft.question, reply.question)))
    return evidence.features(one, other, given, vectors, changes)


def fitted(embed: Embed, weights: Weights | None = None) -> Meter:
    """Measure by 1 - P(equivalent), fitted to people's judgements of answers to the same question.

    Where rules decide it is 0, 1, or `wording.CHANGED`.
    """
    known = weights or shipped_weights()

    @functools.lru_cache(REMEMBERED)
    def vectors(sentences: tuple[str, ...]) -> np.ndarray:  # (sentences, width)
        return embed([*sentences])

    def measure(draft: Exchange, reply: Exchange) -> float:
        found = features_of(draft, reply, lambda sentences: vectors(tuple(sentences)))
        return found if isinstance(found, float) else 1.0 - sigmoid(known.log_odds(found))

    return measure


def make_meter(config: DivergenceConfig, embed: Embed) -> Meter:
    """Return the meter the config names."""
    if config.kind == "fitted":
        return fitted(embed)
    return {"semantic": semantic(embed), "exact": exact, "bleu": bleu}[config.kind]
