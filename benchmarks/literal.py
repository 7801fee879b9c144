"""Measure what the `literal` preset learns from a stream, and what a query costs in time and bytes.

    python -m benchmarks.literal ../shared/data/streams/covid_faq.jsonl --limit 300 --json OUT

All numbers are from one run with one seed. Times are medians, and also given as ratios, since machines differ.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from shammah_mlx.events import Exchange, Query
from shammah_mlx.framework.targets import Target
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.prequential import run
from shammah_mlx.learners.scratch import ScratchRoles
from shammah_mlx.models.backend import HAS_FAST_BLAS
from shammah_mlx.models.weights import Weights, weights_folder
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Recorded, read_stream

WINDOW = 50  # queries for each line of the learning curve
TRIALS = 7  # for each time


def machine() -> str:
    """Describe the machine and the commit of this run in one line."""
    blas = "fast BLAS" if HAS_FAST_BLAS else "reference BLAS"
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {blas}, commit {commit()}"


def commit() -> str:
    """Return the commit of the checkout, with the suffix -dirty if files differ from it."""
    describe = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(describe, capture_output=True, text=True, check=False).stdout.strip()


def median_ms(act: Callable[[], object]) -> float:
    """Return the median time of `act` after one warm-up."""
    act()
    times = []
    for _ in range(TRIALS):
        started = time.perf_counter()
        act()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def learning_curve(home: Path) -> list[dict[str, float]]:
    """Return the Generator's mean loss on replies not yet learnt, by window of queries."""
    lines = [json.loads(line) for line in (home / "metrics" / "training.jsonl").read_text().splitlines()]
    return [
        {
            "from": start,
            "generator_loss": statistics.mean(line["losses"]["generator"] for line in lines[start : start + WINDOW]),
        }
        for start in range(0, len(lines), WINDOW)
    ]


def costs(assistant: Assistant, query: str, reply: str) -> dict[str, float]:
    """Return the median milliseconds of each part of one query."""
    roles, asked = assistant.roles, Query(query)
    assert isinstance(roles, ScratchRoles)
    draft = roles.draft(asked, "decoder")
    return {
        "route": median_ms(lambda: roles.p_local(asked)),
        "draft": median_ms(lambda: roles.draft(asked, "decoder")),
        "judge": median_ms(lambda: roles.p_accept(asked, draft)),
        "compare": median_ms(lambda: assistant.meter(Exchange(query, draft.text), Exchange(query, reply))),
        "router step": median_ms(lambda: roles.step(Target("router", 0, asked, None, 1), 1e-4)),
        "generator step": median_ms(lambda: roles.step(Target("generator", 0, asked, reply, None), 1e-5)),
        "validator step": median_ms(lambda: roles.step(Target("validator", 0, asked, draft.text, 1), 1e-4)),
        "save": median_ms(assistant.save),
    }


def main() -> None:
    """Replay the stream, measure costs and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("stream", type=Path, nargs="?", default=Path("examples/questions.jsonl"))
    parser.add_argument("--limit", type=int, default=160)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()

    config = PRESETS["literal"]
    stream = read_stream(given.stream, None, given.limit)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        teacher = Recorded(row for row, _ in stream)
        with Assistant(
            home,
            config,
            teacher,
            Weights(weights_folder()),
            options=AssistantOptions(saves=False),
        ) as assistant:
            result = run(stream, assistant, None, lambda: None)
            curve = learning_curve(home)
            ms = costs(assistant, stream[0][0].query, stream[0][0].reply)
        size = sum(path.stat().st_size for path in (home / "models").iterdir())

    print(f"# {given.stream.name}, {len(stream)} queries, seed {config.seed}, trials {TRIALS}; {machine()}")
    print(f"calls {result.total.calls}, local {result.total.local}, bad local {result.total.bad_local}")
    for row in curve:
        print(f"from {row['from']:>5.0f}: generator loss {row['generator_loss']:.3f} nats a token")
    for part, value in ms.items():
        print(f"{part:>15}: {value:8.1f} ms, {value / ms['generator step']:.2f} of a generator step")
    print(f"saved state: {size / 1e6:.0f} MB")
    if given.json:
        given.json.write_text(json.dumps({"curve": curve, "ms": ms, "state_bytes": size}, indent=1) + "\n")


if __name__ == "__main__":
    main()
