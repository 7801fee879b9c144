"""How far a draft is from Claude's reply, in [0, 1]: the specification's three options, made into functions."""

from collections.abc import Callable

import numpy as np

from shammah_mlx.config import DivergenceConfig

Meter = Callable[[str, str], float]
"""Returns the divergence of a draft from a reply."""
Embed = Callable[[list[str]], np.ndarray]
"""Returns one vector of length 1 a text."""


def semantic(embed: Embed) -> Meter:
    """Measure by cosine distance of the two embeddings (Option 1); opposite directions count as 1, not 2."""

    def measure(draft: str, reply: str) -> float:
        ours, theirs = embed([draft, reply])
        return min(max(1.0 - float(ours @ theirs), 0.0), 1.0)

    return measure


def exact(draft: str, reply: str) -> float:
    """Return 0 for the same text, else 1 (Option 2)."""
    return float(draft != reply)


def bleu(draft: str, reply: str) -> float:
    """Return 1 - sentence BLEU with sacrebleu's defaults (Option 3)."""
    from sacrebleu import sentence_bleu  # imported here: most homes never use it

    return min(max(1.0 - sentence_bleu(draft, [reply]).score / 100.0, 0.0), 1.0)


def make_meter(config: DivergenceConfig, embed: Embed) -> Meter:
    """Return the meter the config names."""
    return {"semantic": semantic(embed), "exact": exact, "bleu": bleu}[config.kind]
