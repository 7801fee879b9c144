"""Time the decoder's steps and its writing beside mlx-lm's own, on the same model, prompts and tokens.

    python -m benchmarks.decoder_speed ../shared/data/streams/task_slots.jsonl [--rows 12] [--rounds 3] [--json OUT]

A step is compared with `mlx_lm.tuner.trainer.train` at batch 1, which pads examples to multiples of 32 tokens and
compiles its step for each length: the first round over the examples is not counted.
Writing is compared with `mlx_lm.stream_generate`, token for token. The two sides take turns, and ratios are of medians.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from benchmarks.literal import machine
from shammah_mlx.config import OptimizerConfig
from shammah_mlx.learners.gradient import Learner
from shammah_mlx.models.backend import mx, nn, optim, tree_flatten
from shammah_mlx.models.language_model import LanguageModel
from shammah_mlx.models.tokenizers import Example
from shammah_mlx.models.training_copy import TrainingCopy
from shammah_mlx.models.weights import Weights, weights_folder
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import read_stream

RATE = 1e-5  # small, so that the model stays what it was
TOKENS = 64  # written to each prompt


Given = TypeVar("Given")
Found = TypeVar("Found")


class Ratio(msgspec.Struct, frozen=True):
    """Median seconds of both sides."""

    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """Return ours as a share of theirs."""
        return self.ours / self.theirs


def timed(act: Callable[[Given], Found], given: Given) -> tuple[Found, float]:
    """Return what `act` makes of `given`, and the seconds it took."""
    since = time.perf_counter()
    return act(given), time.perf_counter() - since


def mlx_lm_steps(network: nn.Module, examples: list[Example]) -> list[float]:
    """Return the seconds of mlx-lm's trainer for each example, the second time it sees it."""
    from mlx_lm.tuner.callbacks import TrainingCallback
    from mlx_lm.tuner.trainer import TrainingArgs, train

    class Timing(TrainingCallback):
        """Notes what the trainer reports after each step."""

        def __init__(self) -> None:
            self.steps: list[float] = []

        def on_train_loss_report(self, train_info: dict[str, float]) -> None:
            self.steps.append(1.0 / train_info["iterations_per_second"])

    timing = Timing()
    rows = [(ids, mask.index(1)) for ids, mask in examples]
    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArgs(
            batch_size=1,
            iters=2 * len(rows),
            steps_per_report=1,
            steps_per_save=10**6,
            adapter_file=str(Path(folder) / "adapters.safetensors"),
        )
        train(network, optim.Adam(RATE), rows, args=args, training_callback=timing)
    return timing.steps[len(rows) :]


def compare_steps(model: LanguageModel, examples: list[Example], rounds: int) -> Ratio:
    """Time steps of both on the same examples."""
    training = TrainingCopy(model.network)
    learner = Learner("generator", training.network, training.loss, OptimizerConfig(), training.compute)
    ours: list[float] = []
    theirs: list[float] = []
    learner.step(examples[:1], RATE)
    for _ in range(rounds):
        ours += [timed(lambda one: learner.step([one], RATE), example)[1] for example in examples]
        theirs += mlx_lm_steps(model.network, examples)
    return Ratio(statistics.median(ours), statistics.median(theirs))


def compare_writing(model: LanguageModel, tokenizer: Any, prompts: list[list[int]], rounds: int) -> Ratio:
    """Time both writing the same tokens to the same prompts; the seconds are those of one token.

    Raises:
        SystemExit: the two wrote different tokens.
    """
    from mlx_lm import stream_generate

    adapters = dict(tree_flatten(model.network.trainable_parameters()))

    def ours(prompt: list[int]) -> list[int]:
        model.take(adapters)  # so that it reads the whole prompt too
        return model.write(prompt, limit=TOKENS).written.ids

    def theirs(prompt: list[int]) -> list[int]:
        return [int(piece.token) for piece in stream_generate(model.network, tokenizer, prompt, max_tokens=TOKENS)]

    took: tuple[list[float], list[float]] = ([], [])
    for prompt in prompts * rounds:
        (mine, my_s), (other, other_s) = timed(ours, prompt), timed(theirs, prompt)
        if mine != other[: len(mine)]:
            raise SystemExit("the two wrote different tokens")
        took[0].append(my_s / max(1, len(mine)))
        took[1].append(other_s / max(1, len(mine)))
    return Ratio(statistics.median(took[0]), statistics.median(took[1]))


def main() -> None:
    """Time, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stream", type=Path)
    parser.add_argument("--rows", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    config = PRESETS["default"]
    model = LanguageModel(Weights(weights_folder()).decoder, config.lora, config.seed)
    rows = [row for row, _ in read_stream(arguments.stream, 1, arguments.rows)]
    examples = [model.chat.example(row.query, None, row.reply) for row in rows]
    prompts = [model.chat.prompt(row.query, None) for row in rows]
    print(f"# {machine()}; {len(rows)} rows, {statistics.mean(len(ids) for ids, _ in examples):.0f} tokens on average")
    results = {
        "writing, a token": compare_writing(model, model.chat.tokenizer, prompts, arguments.rounds),
        "a step": compare_steps(model, examples, arguments.rounds),
    }
    for name, found in results.items():
        print(f"{name}: ours {1e3 * found.ours:,.0f} ms, mlx-lm's {1e3 * found.theirs:,.0f} ms: {found.ratio:.2f}")
    print(f"peak {mx.get_peak_memory() / 1e6:,.0f} MB")
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.encode({name: found.ratio for name, found in results.items()}))


if __name__ == "__main__":
    main()
