"""Measure how far a draft is from Claude's reply, in [0, 1]: the specification's three options and our own."""

import functools
from collections.abc import Callable

import numpy as np

from shammah_mlx.config import DivergenceConfig
from shammah_mlx.events import Exchange
from shammah_mlx.text import rules

Meter = Callable[[Exchange, Exchange], float]
"""Returns the divergence of a draft from a reply."""
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

    def measure(draft: str, reply: str) -> float:
        return min(max(1.0 - float(vector(draft) @ vector(reply)), 0.0), 1.0)

    return measure


def exact(draft: str, reply: str) -> float:
    """Return 0 for the same text, else 1 (Option 2)."""
    return float(draft != reply)


def bleu(draft: str, reply: str) -> float:
    """Return 1 - sentence BLEU with sacrebleu's defaults (Option 3)."""
    from sacrebleu import sentence_bleu  # imported here: most homes never use it

    return min(max(1.0 - sentence_bleu(draft, [reply]).score / 100.0, 0.0), 1.0)


def gated(embed: Embed) -> Meter:
    """Measure by rules first and by meaning second, sentence by sentence, so that the end of a long text counts too.

    Where `rules` decide, the divergence is 0 or 1. Otherwise each sentence of the text with fewer sentences is paired
    with the most similar sentence of the other. The divergence is the largest cosine distance of a pair, or 1 if the
    sentences of a pair are alike except for a decisive change.
    """

    @functools.lru_cache(REMEMBERED)
    def vectors(text: str) -> np.ndarray:  # (sentences, width)
        return embed(rules.chunks(text))

    def close(one: str, other: str) -> float:
        a, b = vectors(one)[0], vectors(other)[0]
        return float(a @ b)

    def measure(draft: str, reply: str) -> float:
        decided = rules.same(draft, reply)
        if decided is not None:
            return float(not decided)
        fewer, more = sorted(rules.prose(draft, reply), key=lambda text: (len(rules.chunks(text)), text))
        ours, theirs = rules.chunks(fewer), rules.chunks(more)
        if len(theirs) > MOST_CHUNKS:
            return 1.0
        similarity = vectors(fewer) @ vectors(more).T
        nearest = similarity.argmax(axis=1)
        if rules.in_steps(draft) and rules.in_steps(reply) and (np.diff(nearest) < 0).any():
            return 1.0
        pairs = [(ours[i], theirs[j]) for i, j in enumerate(nearest)]
        if rules.is_negative(fewer) != rules.is_negative(more) and any(
            rules.is_negative(one) != rules.is_negative(other) for one, other in pairs
        ):
            return 1.0  # the negation is in a sentence that both have, not in one text's explanation
        if any(rules.has_decisive_change(one, other, close) for one, other in pairs):
            return 1.0
        return min(max(1.0 - float(similarity.max(axis=1).min()), 0.0), 1.0)

    return measure


def make_meter(config: DivergenceConfig, embed: Embed) -> Meter:
    """Return the meter the config names."""
    by_text = {"gated": gated(embed), "semantic": semantic(embed), "exact": exact, "bleu": bleu}[config.kind]
    return lambda draft, reply: by_text(draft.answer, reply.answer)
