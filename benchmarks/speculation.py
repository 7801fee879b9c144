"""Measure how much faster the decoder writes the same text when it guesses from the recalled answer.

    python -m benchmarks.speculation ../shared/data/streams/covid_faq.jsonl --prompts 50 --limit 64 --json OUT

Each prompt is a question of the stream with its nearest earlier question and the answer to that, which is the guess.
Plain greedy and speculative decoding are timed in turn on the same prompt, so the ratio holds on a busy machine too.
If the texts differ, the two most probable tokens at the first difference are compared: closer than 1e-4 in logits is a
tie that rounding decides. `--learn N` first takes N steps on the first rows, as the default preset would but
for variations; what it then writes with is the average at the last measurement of the probes.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.literal import machine
from shammah_mlx.learners.gradient import Learner
from shammah_mlx.learners.rehearsal import Rehearsal
from shammah_mlx.models.backend import mx
from shammah_mlx.models.embedder import Embedder
from shammah_mlx.models.language_model import LanguageModel, Text
from shammah_mlx.models.tokenizers import Example
from shammah_mlx.models.training_copy import TrainingCopy
from shammah_mlx.models.weights import Weights, weights_folder
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Row, read_stream

TIE = 1e-4  # in logits
SHUFFLE = 1
CONFIG = PRESETS["default"]


class Pair(msgspec.Struct, frozen=True):
    """A question, and the nearest earlier one."""

    row: Row
    known: Row | None


def nearest_before(rows: list[Row], weights: Weights) -> list[Pair]:
    """Return each row with the most similar earlier one."""
    vectors = Embedder(weights.embedder)([row.query for row in rows])
    alike = vectors @ vectors.T
    return [Pair(row, rows[int(alike[i, :i].argmax())] if i else None) for i, row in enumerate(rows)]


def shown(pair: Pair) -> tuple[str, str] | None:
    """Return the exchange that the prompt contains."""
    return (pair.known.query, pair.known.reply) if pair.known else None


def learn(model: LanguageModel, pairs: list[Pair]) -> dict[str, Any]:
    """Take one step on each pair, with the default preset's learner and no variation; return losses and seconds."""

    def example(number: int, _: int, __: Sequence[int]) -> Example:
        pair = pairs[number]
        return model.chat.example(pair.row.query, shown(pair), pair.row.reply)

    training = TrainingCopy(model.network)
    learner = Learner("generator", training.network, training.loss, CONFIG.optimizer)
    rehearsal = Rehearsal(learner, example, CONFIG.rehearsal, CONFIG.seed)
    losses, seconds, applied = [], [], 0
    for number in range(len(pairs)):
        started = time.perf_counter()
        step = rehearsal.step(number, 0, CONFIG.optimizer.generator_lr)
        seconds.append(time.perf_counter() - started)
        losses.append(step.loss)
        applied += step.applied
    model.take(rehearsal.average)
    return {"losses": losses, "applied": applied, "step_s": statistics.median(seconds) if seconds else None}


def timed(act: Callable[[], Text]) -> tuple[Text, float]:
    """Return the text that `act` wrote, and the seconds it took."""
    started = time.perf_counter()
    text = act()
    return text, time.perf_counter() - started


def gap(model: LanguageModel, prompt: list[int], plain: list[int], other: list[int]) -> float:
    """Return the distance in logits of the two most probable tokens at the first difference."""
    ends = [*plain, model.chat.end], [*other, model.chat.end]
    place = next(i for i, (a, b) in enumerate(zip(*ends, strict=False)) if a != b)
    second, first = np.sort(np.array(model.network(mx.array([prompt + plain[:place]]))[0, -1]))[-2:]
    return float(first - second)


def compare(model: LanguageModel, pair: Pair, limit: int) -> dict[str, Any]:
    """Write one answer in both ways and compare them."""
    prompt = model.chat.prompt(pair.row.query, shown(pair))
    plain, plain_s = timed(lambda: model.write(prompt, None, limit))
    fast, fast_s = timed(lambda: model.write(prompt, pair.known.reply if pair.known else "", limit))
    ids, other = plain.written.ids, fast.written.ids
    return {
        "id": pair.row.id,
        "tokens": len(ids),
        "plain_s": plain_s,
        "speculative_s": fast_s,
        "plain_passes": plain.written.passes,
        "speculative_passes": fast.written.passes,
        "checked": fast.written.checked,
        "accepted": fast.written.accepted,
        "gap": None if ids == other else gap(model, prompt, ids, other),
    }


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the totals over all prompts."""
    total = {name: sum(one[name] for one in results) for name in results[0] if name not in ("id", "gap")}
    gaps = [one["gap"] for one in results if one["gap"] is not None]
    return {
        **total,
        "prompts": len(results),
        "differ": len(gaps),
        "differ_beyond_a_tie": sum(gap >= TIE for gap in gaps),
        "plain_tokens_per_s": total["tokens"] / total["plain_s"],
        "speculative_tokens_per_s": total["tokens"] / total["speculative_s"],
        "times_as_fast": total["plain_s"] / total["speculative_s"],
        "median_times_as_fast": statistics.median(one["plain_s"] / one["speculative_s"] for one in results),
    }


def main() -> None:
    """Print the comparison as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stream", type=Path)
    parser.add_argument("--prompts", type=int, default=50)
    parser.add_argument("--limit", type=int, default=64, help="most tokens of each text")
    parser.add_argument("--learn", type=int, default=0, help="training steps to take first")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    weights = Weights(weights_folder())
    rows = [row for row, _ in read_stream(given.stream, SHUFFLE, None)]
    pairs = nearest_before(rows, weights)
    model = LanguageModel(weights.decoder, CONFIG.lora, CONFIG.seed)
    learnt = learn(model, pairs[: given.learn])
    results = [compare(model, pair, given.limit) for pair in pairs[-given.prompts :]]
    report = {"machine": machine(), "learnt": learnt, "summary": summary(results), "prompts": results}
    print(json.dumps({name: report[name] for name in ("machine", "summary")}, indent=2))
    if given.json:
        given.json.write_text(json.dumps(report))


if __name__ == "__main__":
    main()
