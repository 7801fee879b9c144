"""Measure how well each meter recognises equivalent answers.

    python -m benchmarks.divergence --pairs ../shared/data/pairs/answer_equivalence.jsonl --json OUT

A meter calls a pair equivalent if its divergence is below the threshold. People judged the pairs (`question`, `a` with
aliases separated by "/", `b`, `equivalent`). `--half even` or `odd` takes the rows whose sha256(question) is even or
odd, so that a meter can be tuned on one half and tested on the other. `--stream FILE` also measures how many wrong
answers a meter lets pass: a question's reply is compared with that of the nearest question of another topic.
"""

import argparse
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from benchmarks.literal import machine
from shammah_mlx.config import DivergenceConfig
from shammah_mlx.events import Exchange
from shammah_mlx.models.embedder import Embedder
from shammah_mlx.models.weights import Weights, weights_folder
from shammah_mlx.teacher.recordings import Row, Truth, read_stream
from shammah_mlx.text.divergence import Meter, make_meter

KINDS: tuple[Literal["semantic", "bleu", "exact", "fitted"], ...] = ("semantic", "bleu", "exact", "fitted")


class Judged(NamedTuple):
    """A question, the spellings of its right answer, another answer, and whether people called them equivalent."""

    question: str
    golds: list[str]
    answer: str
    equivalent: bool


def judged_pairs(path: Path, half: str) -> list[Judged]:
    """Return the rows in this half."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    wanted = {"even": {0}, "odd": {1}, "all": {0, 1}}[half]
    return [
        Judged(row["question"], _golds(row), row["b"], row["equivalent"])
        for row in rows
        if int(hashlib.sha256(row["question"].encode()).hexdigest(), 16) % 2 in wanted
    ]


def _golds(row: dict[str, str]) -> list[str]:
    """Return the aliases of a gold answer; a model's free answer (`a_model`) has none."""
    return [row["a"]] if "a_model" in row else aliases(row["a"])


def aliases(gold: str) -> list[str]:
    """Return the spellings of the right answer, without remarks in parentheses."""
    plain = re.sub(r"\s*\([^)]*\)", "", gold)
    return [alias for alias in re.split(r"/(?=\S)", plain) if alias.strip()] or [gold]


def agreement(meter: Meter, threshold: float, pairs: Sequence[Judged]) -> dict[str, float | int | None]:
    """Return precision and recall of the meter's verdict "equivalent", and the share of other pairs that it passes."""
    verdicts = [
        min(meter(Exchange(pair.question, pair.answer), Exchange(pair.question, gold)) for gold in pair.golds)
        < threshold
        for pair in pairs
    ]
    right = sum(verdict and pair.equivalent for verdict, pair in zip(verdicts, pairs, strict=True))
    equivalent = sum(pair.equivalent for pair in pairs)
    return {
        "pairs": len(pairs),
        "said_equivalent": sum(verdicts),
        "precision": right / sum(verdicts) if any(verdicts) else None,
        "recall": right / equivalent,
        "others_passed": (sum(verdicts) - right) / (len(pairs) - equivalent) if len(pairs) > equivalent else None,
    }


def wrong_nearest(
    stream: Sequence[tuple[Row, Truth]], embed: Callable[[list[str]], np.ndarray]
) -> list[tuple[Exchange, Exchange]]:
    """Return pairs: the reply to the nearest question with another topic and another reply, and the right reply."""
    vectors = np.concatenate([embed([row.query]) for row, _ in stream])
    found = []
    for place, (row, truth) in enumerate(stream):
        other = np.array([t.topic not in truth.accepted and r.reply != row.reply for r, t in stream])
        if other.any():
            nearest = int(np.where(other, vectors @ vectors[place], -2.0).argmax())
            near = stream[nearest][0]
            found.append((Exchange(near.query, near.reply), Exchange(row.query, row.reply)))
    return found


def main() -> None:
    """Measure every kind of meter, print the results and write them as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--half", choices=("even", "odd", "all"), default="all")
    parser.add_argument("--stream", type=Path, action="append", default=[])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()

    embed = Embedder(Weights(weights_folder()).embedder)
    pairs = judged_pairs(given.pairs, given.half)
    streams = {path.stem: wrong_nearest(read_stream(path, None, None), embed) for path in given.stream}
    print(f"# {given.pairs.name}, {given.half} rows: {len(pairs)}; {machine()}")
    results: dict[str, dict[str, object]] = {}
    for kind in KINDS:
        config = DivergenceConfig(kind=kind)
        meter = make_meter(config, embed)
        measured = agreement(meter, config.threshold, pairs)
        passed = {
            name: sum(meter(draft, reply) < config.threshold for draft, reply in wrong) / len(wrong)
            for name, wrong in streams.items()
        }
        results[kind] = {**measured, "wrong_nearest_called_equivalent": passed}
        precision = "-" if measured["precision"] is None else f"{measured['precision']:.4f}"
        lets_pass = ", ".join(f"{name} {share:.3f}" for name, share in passed.items())
        print(f"{kind:>8} < {config.threshold}: precision {precision}, recall {measured['recall']:.4f}; {lets_pass}")
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
