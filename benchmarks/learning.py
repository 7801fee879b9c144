"""Teach the decoder a stream, one step for each reply, and measure what it writes to questions it has not seen.

    python -m benchmarks.learning ../shared/data/streams/task_slots.jsonl --steps 200 [--set lora.scale=20.0 ...]

Rows with an even sha256 of their query are used: the first ones, shuffled, to learn from, the last ones to measure on.
`--set` changes settings of the default preset. Printed are the share of drafts that equal the recorded reply by the
meter's rules (JSON as objects), the share that could be served with at most 5 % wrong if they are ranked by their least
probable token, and what a step costs. `--json` writes every draft.
"""

import argparse
import hashlib
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.literal import machine
from shammah_mlx.config import Config
from shammah_mlx.events import Exchange
from shammah_mlx.framework.schedules import learning_rate
from shammah_mlx.learners.gradient import Learner
from shammah_mlx.learners.rehearsal import Rehearsal
from shammah_mlx.models.backend import mx
from shammah_mlx.models.embedder import Embedder
from shammah_mlx.models.language_model import LanguageModel
from shammah_mlx.models.tokenizers import Example
from shammah_mlx.models.training_copy import TrainingCopy
from shammah_mlx.models.weights import Weights, weights_folder
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Row, read_stream
from shammah_mlx.text import rules
from shammah_mlx.text.variation import varied

MOST_WRONG = 0.05


class Written(msgspec.Struct, frozen=True):
    """A draft to a question that was not learnt."""

    query: str
    reply: str
    text: str
    right: bool
    log_p: float
    least_log_p: float


def even_rows(stream: Path, seed: int) -> list[Row]:
    """Return the rows with an even sha256 of their query, shuffled."""
    rows = [row for row, _ in read_stream(stream, None, None)]
    rows = [row for row in rows if hashlib.sha256(row.query.encode()).digest()[-1] % 2 == 0]
    random.Random(seed).shuffle(rows)
    return rows


def with_settings(config: Config, changes: list[str]) -> Config:
    """Return a config with settings replaced; each change is "section.name=value".

    Raises:
        SystemExit: there is no such setting, or the value does not fit.
    """
    settings: Any = msgspec.to_builtins(config)
    for change in changes:
        path, _, value = change.partition("=")
        section, _, name = path.partition(".")
        if name not in settings.get(section, {}):
            raise SystemExit(f"there is no setting {path!r}")
        settings[section][name] = msgspec.json.decode(value.encode())
    try:
        return msgspec.convert(settings, Config)
    except msgspec.ValidationError as error:
        raise SystemExit(str(error)) from error


class Pupil:
    """The decoder, what it has learnt, and what it is shown."""

    def __init__(self, config: Config, rows: list[Row], held: list[Row]) -> None:
        weights = Weights(weights_folder())
        self.model = LanguageModel(weights.decoder, config.lora, config.seed)
        training = TrainingCopy(self.model.network)
        learner = Learner("generator", training.network, training.loss, config.optimizer)
        self._rehearsal = Rehearsal(learner, self._example, config.rehearsal, config.seed)
        self._rows, self._optimizer = rows, config.optimizer
        self._limit, self._is_shown = config.lora.max_draft_tokens, config.lora.show_nearest
        vectors = Embedder(weights.embedder)([row.query for row in (*rows, *held)])
        self._known, self._held = vectors[: len(rows)], vectors[len(rows) :]
        self.tokens = 0

    def learn(self, number: int) -> float | None:
        """Take the step of one row; return its loss."""
        rate = learning_rate(self._optimizer.generator_lr, number, self._optimizer)
        step = self._rehearsal.step(number + 1, self._nearest(self._known[number], number), rate)
        return step.loss

    def write(self, held: list[Row], learnt: int) -> list[Written]:
        """Write drafts to questions, with what was learnt of the first rows."""
        self.model.take(self._rehearsal.average)
        return [self._write(row, self._nearest(self._held[place], learnt)) for place, row in enumerate(held)]

    def _write(self, row: Row, neighbour: int) -> Written:
        found = self.model.write(self.model.chat.prompt(row.query, self._exchange(neighbour)), None, self._limit)
        right = rules.decided(found.text, row.reply) is True
        return Written(row.query, row.reply, found.text, right, found.mean_log_p, found.least_log_p)

    def _nearest(self, vector: np.ndarray, learnt: int) -> int:
        """Return the number of the most similar row learnt, from 1; 0 for none, or if it is not to be shown."""
        return int((self._known[:learnt] @ vector).argmax()) + 1 if learnt and self._is_shown else 0

    def _exchange(self, number: int) -> tuple[str, str] | None:
        return (self._rows[number - 1].query, self._rows[number - 1].reply) if number else None

    def _example(self, number: int, neighbour: int, others: Sequence[int]) -> Example:
        draw = random.Random(f"{number}/{others}")
        asked = varied(self._row(number), [self._row(other) for other in others], draw)
        example = self.model.chat.example(asked.question, self._exchange(neighbour), asked.answer)
        self.tokens += len(example[0])
        return example

    def _row(self, number: int) -> Exchange:
        return Exchange(self._rows[number - 1].query, self._rows[number - 1].reply)


def servable(drafts: list[Written]) -> float:
    """Return the share of drafts that could be served, in order of their least probable token."""
    right = [draft.right for draft in sorted(drafts, key=lambda draft: -draft.least_log_p)]
    wrong = np.cumsum(~np.array(right)) / np.arange(1, len(right) + 1)
    allowed = np.nonzero(wrong <= MOST_WRONG)[0]
    return (int(allowed.max()) + 1) / len(right) if len(allowed) else 0.0


def main() -> None:
    """Teach, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stream", type=Path)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--every", type=int, default=100, help="steps between two measurements")
    parser.add_argument("--held", type=int, default=60, help="questions to measure on")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    config = with_settings(PRESETS["default"], arguments.settings)
    rows = even_rows(arguments.stream, 1)
    learnt, held = rows[: arguments.steps], rows[-arguments.held :]
    pupil = Pupil(config, learnt, held)
    print(
        f"# {machine()}; {len(learnt)} rows to learn, {len(held)} to write; {' '.join(arguments.settings) or 'default'}"
    )
    losses: list[float] = []
    seconds: list[float] = []
    for number in range(len(learnt)):
        since = time.perf_counter()
        loss = pupil.learn(number)
        seconds.append(time.perf_counter() - since)
        losses += [loss] if loss is not None else []
        if (number + 1) % arguments.every == 0:
            drafts = pupil.write(held, number + 1)
            right = statistics.mean(draft.right for draft in drafts)
            print(
                f"{number + 1} steps: right {right:.3f}, servable {servable(drafts):.3f}, "
                f"loss {statistics.mean(losses[-50:]):.3f}, {statistics.mean(seconds):.2f} s and "
                f"{pupil.tokens / (number + 1):.0f} tokens a step",
                flush=True,
            )
            mx.clear_cache()
            if arguments.json:
                arguments.json.write_bytes(msgspec.json.encode(drafts))


if __name__ == "__main__":
    main()
