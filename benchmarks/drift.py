"""Change what Claude answers half-way through a stream, and count what is served of the old answers.

    python -m benchmarks.drift ../shared/data/streams/covid_faq.jsonl --answers ../shared/data/streams/claude_math.jsonl

From the middle of the shuffled stream on, each of some topics gets a new reply, taken from a row of `--answers`. Each
run prints how many answers were served locally and how many of them were bad, in all and after the change; how many of
the changed topics had an audit that disagreed; and the most bad answers served of one topic after such an audit.
"""

import argparse
import random
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from benchmarks.arms import Arm, program
from benchmarks.caches import Stream
from benchmarks.literal import machine
from shammah_mlx.config import Config
from shammah_mlx.home.prequential import Trace
from shammah_mlx.models.weights import Weights, weights_folder
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Row, Truth, read_stream

FEWEST = 6  # rows that a topic needs to be changed; rarer ones are hardly ever served


class Counts(NamedTuple):
    """Counts of one run."""

    local: int
    bad: int
    local_after: int
    bad_after: int
    no_call: float
    changed: int  # topics with a new reply
    disagreed: int  # of these, topics with an audit that disagreed
    worst: int  # most bad answers served of one such topic after that audit


def changing(stream: Stream, answers: list[str], share: float, seed: int) -> Stream:
    """Return the stream with new replies and new names for a share of the topics, from the middle on."""
    often = [topic for topic, count in Counter(truth.topic for _, truth in stream).items() if count >= FEWEST]
    chosen = random.Random(seed).sample(sorted(map(str, often)), round(share * len(often)))
    new = dict(zip(chosen, answers, strict=False))
    half = len(stream) // 2

    def changed(place: int, row: Row, truth: Truth) -> tuple[Row, Truth]:
        if place < half or truth.topic not in new:
            return row, truth
        return replace(row, reply=new[truth.topic]), Truth(f"{truth.topic} now")

    return [changed(place, *one) for place, one in enumerate(stream)]


def count(stream: Stream, traces: list[Trace]) -> Counts:
    """Count what was served, and what of it was bad."""
    topics = {row.id: truth.topic for row, truth in stream}
    half, local, bad = len(stream) // 2, [0, 0], [0, 0]
    disagreed: set[str] = set()
    after: Counter[str] = Counter()
    for place, ((row, truth), trace) in enumerate(zip(stream, traces, strict=True)):
        changed = truth.topic if truth.topic and truth.topic.endswith(" now") else None
        is_local = trace.source != "claude"
        is_bad = is_local and trace.answer != row.reply and topics.get(trace.from_id or "") not in truth.accepted
        local[place >= half] += is_local
        bad[place >= half] += is_bad
        if changed and is_bad and changed in disagreed:
            after[changed] += 1
        if changed and trace.audit and not is_local:
            disagreed.add(changed)
    topics_changed = {truth.topic for _, truth in stream if (truth.topic or "").endswith(" now")}
    no_call = 1.0 - sum(trace.called_claude for trace in traces) / len(traces)
    return Counts(
        sum(local),
        sum(bad),
        local[1],
        bad[1],
        no_call,
        len(topics_changed),
        len(disagreed),
        max(after.values(), default=0),
    )


def run(arm: Arm, stream: Stream) -> Counts:
    """Answer the stream and count."""
    return count(stream, [served.trace for served in arm(stream).served])


def recall_alone() -> Config:
    """Return the default preset without its decoder."""
    return replace(PRESETS["default"], generator="recall")


def main() -> None:
    """Run every share and shuffle, and print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("stream", type=Path)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument(
        "--shares", type=float, nargs="+", default=[0.2, 0.5, 1.0], help="shares of the topics to change"
    )
    parser.add_argument("--shuffles", type=int, default=5)
    given = parser.parse_args()
    arm = program(recall_alone(), Weights(weights_folder()))
    answers = [row.reply for row, _ in read_stream(given.answers, None, None)]
    print(f"# {given.stream.name}, {machine()}")
    for share in given.shares:
        found = []
        for shuffle in range(1, given.shuffles + 1):
            stream = changing(read_stream(given.stream, shuffle, None), answers, share, shuffle)
            found.append(run(arm, stream))
            print(f"share {share}, shuffle {shuffle}: {found[-1]}", flush=True)
        local, bad = sum(one.local for one in found), sum(one.bad for one in found)
        print(
            f"share {share}: bad {bad / max(local, 1):.4f} of {local}, worst {max(one.worst for one in found)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
