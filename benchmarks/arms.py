"""Define the arms of the prequential benchmark: each answers a stream in its own way."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks.caches import (
    COLD,
    Exact,
    Nothing,
    Oracle,
    Reader,
    Semantic,
    Served,
    Stream,
    make_reader,
    scheduled,
    serve,
)
from shammah_mlx.config import Config, LogisticConfig
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.prequential import play, score, trace
from shammah_mlx.models.embedder import Embedder
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Recorded
from shammah_mlx.text.divergence import Meter

MOST_BAD = 0.05  # share of what is served locally; the default of `max_bad_rate`, also the limit in hindsight
GRID = tuple(round(0.5 + 0.02 * step, 2) for step in range(25))  # similarities 0.50 to 0.98
NEVER = 1e9  # as a strength, ridge or alarm: measurements change nothing

RECALL = "default (recall)"
AT_OTHER_RATES = {f"{RECALL}, {rate:.0%} bad": rate for rate in (0.02, 0.10)}  # of `max_bad_rate`
FIXED = "fixed 0.8"
HINDSIGHT = "best threshold in hindsight"
ORACLE = "oracle"
BASELINES = ("always Claude", "exact cache", FIXED, "fixed 0.7", HINDSIGHT, ORACLE, "oracle, audited")


class Run(NamedTuple):
    """The answers to a stream."""

    served: list[Served]
    threshold: float | None = None  # the one chosen in hindsight


Arm = Callable[[Stream], Run]
Change = Callable[[Config], Config]


def with_part(part: str, **values: Any) -> Change:
    """Return a function that changes settings in one part of a config."""

    def change(config: Config) -> Config:
        return msgspec.structs.replace(config, **{part: msgspec.structs.replace(getattr(config, part), **values)})

    return change


def without_words(config: Config) -> Config:
    """Remove words from the features and from the classifier."""
    words = ("words", "most words", "rival words")
    others = {name: weight for name, weight in config.recall.trust_prior.items() if name not in words}
    return with_part("recall", trust_prior=others, word_weight=0.0)(config)


def without_calibration(config: Config) -> Config:
    """Keep Router and Validator at their prior, whatever is measured."""

    def fixed(calibration: LogisticConfig) -> LogisticConfig:
        return msgspec.structs.replace(calibration, strength=NEVER)

    router, validator = config.logistic_models.router, config.logistic_models.validator
    return with_part(
        "logistic_models",
        router={**router, "recall": fixed(router["recall"])},
        validator={**validator, "recall": fixed(validator["recall"])},
    )(config)


ABLATIONS: dict[str, Change] = {
    "without the classifier": with_part("recall", ridge=NEVER),
    "without the vote": with_part("recall", vote_weight=0.0),
    "without words": without_words,
    "without learnt trust": with_part("recall", trust_strength=NEVER),
    "without calibration": without_calibration,
    "without focused audits": with_part("policy", audit_focus=0.0, first_doubt=1.0),
    "without a promise": with_part("risk", max_bad_rate=1.0),
    "without feedback": with_part("risk", feedback=1e-9),
    "without alarms": with_part("risk", alarm=NEVER),
    "without the content gate": with_part("divergence", kind="semantic"),
    "without comparing many answers": with_part("recall", compared=1),
}


def program_configs() -> dict[str, Config]:
    """Return the configs of the arms that run the program itself."""
    recall = msgspec.structs.replace(PRESETS["default"], generator="recall")
    return {
        RECALL: recall,
        **{name: with_part("risk", max_bad_rate=rate)(recall) for name, rate in AT_OTHER_RATES.items()},
        **{name: change(recall) for name, change in ABLATIONS.items()},
        "default": PRESETS["default"],
        "literal": PRESETS["literal"],
    }


ARMS = (*BASELINES, *program_configs())
"""Every arm, in the order of the tables."""


def make_arms(weights: Weights, meter: Meter) -> dict[str, Arm]:
    """Return every arm by name. The caches share one embedding of each query."""
    embed = Embedder(weights.embedder)
    embed(["a first text, since it takes longer than the later ones"])
    read = make_reader(embed)
    audited = scheduled(PRESETS["default"])
    plain: dict[str, Arm] = {
        "always Claude": lambda stream: Run(serve(stream, Nothing())),
        "exact cache": lambda stream: Run(serve(stream, Exact())),
        FIXED: lambda stream: Run(semantic(stream, read, 0.8)),
        "fixed 0.7": lambda stream: Run(semantic(stream, read, 0.7)),
        HINDSIGHT: lambda stream: best_in_hindsight(stream, read, meter),
        ORACLE: lambda stream: Run(serve(stream, Oracle())),
        "oracle, audited": lambda stream: Run(serve(stream, Oracle(), cold=COLD, audited=audited)),
    }
    return plain | {name: program(config, weights) for name, config in program_configs().items()}


def semantic(stream: Stream, read: Reader, threshold: float) -> list[Served]:
    """Answer the stream from a semantic cache, after the cold start."""
    return serve(stream, Semantic(read, threshold), cold=COLD, read=read)


def best_in_hindsight(stream: Stream, read: Reader, meter: Meter) -> Run:
    """Return the run whose threshold saves most calls with at most `MOST_BAD` bad answers, by the stream's truth.

    Nobody could have known this threshold beforehand. If none is good enough, Claude answers everything.
    """
    best, saved = Run(serve(stream, Nothing())), 0
    for threshold in GRID:
        served = semantic(stream, read, threshold)
        total = score(stream, [each.trace for each in served], meter, PRESETS["default"].divergence.threshold)[1]
        if total.bad_local <= MOST_BAD * total.local and total.queries - total.calls > saved:
            best, saved = Run(served, threshold), total.queries - total.calls
    return best


def program(config: Config, weights: Weights) -> Arm:
    """Return an arm that runs the program with this config, in a temporary home."""

    def answer_all(stream: Stream) -> Run:
        now = time.time()  # a recorded stream has no clock, so time stands still
        teacher = Recorded(row for row, _ in stream)
        with (
            tempfile.TemporaryDirectory(prefix="shammah-bench-") as home,
            Assistant(
                Path(home),
                config,
                teacher,
                weights,
                options=AssistantOptions(saves=False, clock=lambda: now),
            ) as assistant,
        ):
            asked = zip(stream, play(stream, assistant), strict=True)
            return Run([Served(trace(row, done, config.teacher), done.ms or 0.0) for (row, _), done in asked])

    return answer_all
