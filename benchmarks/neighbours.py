"""Teach a home a stream, then ask it questions one step beside the known ones; count what it would serve.

    python -m benchmarks.neighbours --pairs tests/data/near_questions.toml

The recorded teacher knows the stream and nothing else, so whatever is served comes from memory. A neighbour has another
answer than the known question, so it is wrong to serve one; a rewording has the same. `--pairs` is a TOML file with
tables `neighbour` and `rewording` (`asked`, `topic`), or JSONL with `query`, `topic` and `same`.
"""

import argparse
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from shammah_mlx.config import Config
from shammah_mlx.events import Interaction, Outage, Query
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.prequential import play
from shammah_mlx.models.weights import Weights, weights_folder
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Recorded, Row, SimulatedJudge, Truth, read_stream

SAMPLE = Path("examples/questions.jsonl")


class Pair(NamedTuple):
    """A question near a known one; `same` if it has the same answer."""

    asked: str
    topic: str
    same: bool


class Outcome(NamedTuple):
    """What the program did with a question."""

    pair: Pair
    p: float | None  # the Validator's probability that the draft is good; None without a draft
    served: bool
    topic: str | None  # of the known question whose answer was drafted


def read_pairs(path: Path) -> list[Pair]:
    """Return the questions of a TOML table or a JSONL file."""
    if path.suffix == ".toml":
        tables = tomllib.loads(path.read_text("utf-8"))
        named = (("neighbour", False), ("rewording", True))
        return [Pair(row["asked"], row["topic"], same) for name, same in named for row in tables.get(name, [])]
    rows = map(msgspec.json.decode, path.read_bytes().splitlines())
    return [Pair(row["query"], row["topic"], bool(row["same"])) for row in rows]


def outcomes(
    stream: list[tuple[Row, Truth]], pairs: list[Pair], config: Config, weights: Weights, judge_error: float | None
) -> Iterator[Outcome]:
    """Teach a new home the stream, then ask each question; nothing is learnt from these.

    With a `judge_error`, a stand-in judges drafts as in `shammah replay --judge simulated`.
    """
    topics = {row.id: truth.topic for row, truth in stream}
    asked_rows = [
        (Row(pair.asked, f"a reply of its own {place}", f"near:{place}"), Truth(pair.topic if pair.same else None))
        for place, pair in enumerate(pairs)
    ]
    known = [*stream, *asked_rows]
    judge = None if judge_error is None else SimulatedJudge(known, judge_error, config.seed)
    if judge is None:
        config = msgspec.structs.replace(config, judge=msgspec.structs.replace(config.judge, share=0.0))
    teacher = Recorded((row for row, _ in known), judge, config.teacher.prices)
    now = time.time()  # a recorded stream has no times: everything in it happens at once
    with tempfile.TemporaryDirectory(prefix="shammah-neighbours-") as folder:
        options = AssistantOptions(saves=False, clock=lambda: now)
        with Assistant(Path(folder), config, teacher, weights, options=options) as assistant:
            for _ in play(stream, assistant):
                pass
            for (row, _), pair in zip(asked_rows, pairs, strict=True):
                yield _outcome(pair, assistant.ask(Query(pair.asked, row=row.id)), topics)


def _outcome(pair: Pair, asked: Interaction | Outage, topics: dict[str, str | None]) -> Outcome:
    """Return what was done with a question."""
    if isinstance(asked, Outage) or asked.draft is None:
        return Outcome(pair, None, served=False, topic=None)
    return Outcome(pair, asked.p_accept, asked.accepted, topics.get(asked.draft.from_id or ""))


def report(found: list[Outcome]) -> str:
    """Return the counts as a table, and each question that was not treated as it should be."""
    lines = []
    for name, same in (("neighbours", False), ("rewordings", True)):
        group = [one for one in found if one.pair.same is same]
        served = [one for one in group if one.served]
        right = sum(same and one.topic == one.pair.topic for one in served)
        doubted = sum(one.p is None or one.p < 0.5 for one in group)
        lines.append(
            f"{name}: {len(group)} asked, {len(served)} served, {right} of these right; {doubted} have p below 0.5"
        )
    lines += [
        f"  {'neighbour' if not one.pair.same else 'rewording'} {'served' if one.served else 'not served'},"
        f" p = {one.p if one.p is not None else float('nan'):.2f}: {one.pair.asked} ({one.topic})"
        for one in found
        if one.served is not one.pair.same
    ]
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True, help="TOML or JSONL file of near questions")
    parser.add_argument("--stream", type=Path, default=SAMPLE, help="stream to teach")
    parser.add_argument("--shuffle", type=int, help="shuffle the stream with this seed")
    parser.add_argument("--judge-error", type=float, help="add a stand-in for the judge that is wrong this often")
    given = parser.parse_args()
    config = msgspec.structs.replace(PRESETS["default"], generator="recall")
    stream = read_stream(given.stream, given.shuffle, None)
    found = list(outcomes(stream, read_pairs(given.pairs), config, Weights(weights_folder()), given.judge_error))
    print(report(found))


if __name__ == "__main__":
    main()
