"""Run policies over recorded streams, each query answered before its reply is learnt, and compare what they cost.

    python -m benchmarks.prequential ../shared/data/streams/covid_faq.jsonl --shuffles 5 --out CELLS

Arms: always Claude; an exact cache; a semantic cache at a fixed similarity of 0.8 and 0.7, as the usual ones are; the
`recall` preset as it ships, audits included; an oracle that knows the topics. Every cell (stream, arm, shuffle) writes
a file of its own under --out and is skipped if that is there and of this commit. "Bad" is the share of wrong answers
in what was served locally, by the stream's truth.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.literal import machine
from shammah_mlx.assistant import Assistant
from shammah_mlx.config import PRESETS
from shammah_mlx.divergence import gated
from shammah_mlx.embedder import Embedder
from shammah_mlx.replay import Band, Trace, run, score
from shammah_mlx.stream import Row, Truth, read_stream
from shammah_mlx.teacher import Recorded
from shammah_mlx.weights import Weights, weights_folder

Stream = Sequence[tuple[Row, Truth]]
Arm = Callable[[Stream], Band]
Find = Callable[[Row, Truth, list[tuple[Row, Truth]]], Row | None]
"""Returns the row whose answer to serve, among those that Claude answered; None: ask Claude."""
COLD = 50  # queries that every arm but the plain ones forwards, as the specification has it


def told(row: Row, source: Row | None) -> Trace:
    """Return the trace of a policy that served the answer of `source`, or asked Claude."""
    served = source or row
    return Trace(
        id=row.id,
        source="recall" if source else "claude",
        answer=served.reply,
        from_id=source.id if source else None,
        p_local=float(source is not None),
        p_accept=None,
        threshold=None,
        pi=None,
        audit=False,
        called_claude=source is None,
        divergence=None,
    )


def cache(find: Find) -> Callable[[Stream], list[Trace]]:
    """Make a policy that serves what `find` finds among the rows that Claude answered, and asks Claude otherwise."""

    def answer_all(stream: Stream) -> list[Trace]:
        known: list[tuple[Row, Truth]] = []
        traces = []
        for row, truth in stream:
            source = find(row, truth, known)
            if source is None:
                known.append((row, truth))
            traces.append(told(row, source))
        return traces

    return answer_all


def exact(row: Row, truth: Truth, known: list[tuple[Row, Truth]]) -> Row | None:
    """Find the same question."""
    return next((other for other, _ in known if other.query == row.query), None)


def oracle(row: Row, truth: Truth, known: list[tuple[Row, Truth]]) -> Row | None:
    """Find a question whose answer is right."""
    return next((other for other, its in known if its.topic in truth.accepted or other.reply == row.reply), None)


def alike(
    vectors: dict[str, np.ndarray], threshold: float
) -> Callable[[Row, Truth, list[tuple[Row, Truth]]], Row | None]:
    """Find the most similar question, if it is similar enough."""

    def find(row: Row, truth: Truth, known: list[tuple[Row, Truth]]) -> Row | None:
        if len(known) < COLD:
            return None
        similarity = np.stack([vectors[other.query] for other, _ in known]) @ vectors[row.query]
        best = int(similarity.argmax())
        return known[best][0] if similarity[best] >= threshold else None

    return find


def make_arms(stream: Stream, weights: Weights) -> dict[str, Arm]:
    """Return the policies; embeddings of questions are shared between the caches."""
    embed = Embedder(weights.embedder)
    meter, config = gated(embed), PRESETS["recall"]
    vectors = {row.query: embed([row.query])[0] for row, _ in stream}

    def scored(answer_all: Callable[[Stream], list[Trace]]) -> Arm:
        return lambda rows: score(rows, answer_all(rows), meter, config.divergence.threshold)[1]

    def recall(rows: Stream) -> Band:
        with tempfile.TemporaryDirectory() as home:
            teacher = Recorded(row for row, _ in rows)
            with Assistant(Path(home), config, teacher, weights, save_every=None) as assistant:
                return run(rows, assistant, None, lambda: None).total

    return {
        "always Claude": scored(cache(lambda *_: None)),
        "exact cache": scored(cache(exact)),
        "similarity 0.8": scored(cache(alike(vectors, 0.8))),
        "similarity 0.7": scored(cache(alike(vectors, 0.7))),
        "recall": recall,
        "oracle": scored(cache(oracle)),
    }


def main() -> None:
    """Fill the cells that are missing, then print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("streams", type=Path, nargs="+")
    parser.add_argument("--shuffles", type=int, default=5)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    weights = Weights(weights_folder())
    where = machine()
    print(f"# {given.shuffles} shuffles; no call: share of queries without a call, mean ± sd; {where}")
    for path in given.streams:
        for name, arm in make_arms(read_stream(path, None, None), weights).items():
            cells = []
            for shuffle in range(1, given.shuffles + 1):
                cell = given.out / f"{path.stem}-{name.replace(' ', '_')}-{shuffle}-{given.limit}.json"
                if not cell.exists() or json.loads(cell.read_text())["where"] != where:
                    total = arm(read_stream(path, shuffle, given.limit))
                    cell.write_bytes(msgspec.json.encode({"where": where, **msgspec.to_builtins(total)}))
                cells.append(json.loads(cell.read_text()))
            print(line(path.stem, name, cells), flush=True)


def line(stream: str, arm: str, cells: Sequence[dict[str, int]]) -> str:
    """Return one row of the table."""
    no_call = [1 - cell["calls"] / cell["queries"] for cell in cells]
    local, bad = sum(cell["local"] for cell in cells), sum(cell["bad_local"] for cell in cells)
    over = sum(cell["bad_local"] > 0.05 * cell["local"] for cell in cells)
    spread = statistics.stdev(no_call) if len(no_call) > 1 else 0.0
    share = f"{bad / local:.3f}" if local else "-"
    return (
        f"{stream:>12} | {arm:<14} | no call {statistics.mean(no_call):.3f} ± {spread:.3f} | bad {share} | over {over}"
    )


if __name__ == "__main__":
    main()
