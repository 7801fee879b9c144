"""Compare the time of a warm `shammah ask` with that of `mlx_lm generate`, for an answer of 100 tokens.

    python -m benchmarks.warm [--trials 9]

Whole processes are timed, in turn: the service answers a question that it has been asked before, then the embedded
decoder writes 100 tokens. A server on loopback stands in for Claude. On Linux both use the fast BLAS.
"""

import argparse
import os
import subprocess
import sys
import time
from statistics import median

from benchmarks.literal import machine
from shammah_mlx.models.weights import Weights, weights_folder
from tests.loopback import Loopback, reply
from tests.served import Place, Served

TOKENS = 100
QUESTIONS = [f"what is there to know about the {thing}" for thing in ("moon", "sun", "sea", "wind", "rain", "night")]
FAST_BLAS = "libopenblas.so.0"  # preloaded for mlx_lm, which does not look for it


def answer_of(weights: Weights) -> str:
    """Return a text of `TOKENS` tokens of the decoder."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(weights.decoder_tokenizer))
    text = "The moon goes round the earth once a month and always shows it the same side. " * 20
    return str(tokenizer.decode(tokenizer.encode(text).ids[:TOKENS]))


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """Run a process; return the seconds it took and its output."""
    since = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return time.perf_counter() - since, done.stdout


def main() -> None:
    """Measure both commands and print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=9)
    trials = parser.parse_args().trials
    weights = Weights(weights_folder())
    answer = answer_of(weights)
    environment = {name: os.environ[name] for name in ("PATH", "HOME")}
    environment |= {"NO_PROXY": "*", "SHAMMAH_WEIGHTS": str(weights_folder())}
    generate = [sys.executable, "-m", "mlx_lm", "generate", "--model", str(weights.decoder)]
    generate += ["--max-tokens", str(TOKENS), "--prompt", "Tell me all there is to know about the moon."]
    preload = {"LD_PRELOAD": FAST_BLAS} if sys.platform == "linux" else {}
    asks, writes = [], []
    with Loopback(default=reply(answer)) as claude, Place() as home:
        environment |= {"SHAMMAH_HOME": str(home), "ANTHROPIC_BASE_URL": claude.url, "ANTHROPIC_API_KEY": "sk-loopback"}
        ask = [sys.executable, "-m", "shammah_mlx", "ask"]
        with Served(home, environment) as served:
            for question in QUESTIONS:
                timed([*ask, question], environment)
            served.wait_until_learnt()
            calls = len(claude.requests)
            for _ in range(trials):
                took, text = timed([*ask, QUESTIONS[0]], environment)
                assert text.strip() == answer.strip()
                asks.append(took)
                took, text = timed(generate, {**environment, **preload})
                assert f"Generation: {TOKENS} tokens" in text, f"mlx_lm wrote fewer than {TOKENS} tokens"
                writes.append(took)
            assert len(claude.requests) == calls
    ratio = median(asks) / median(writes)
    print(f"# {machine()}; {trials} trials in turn, whole processes, {TOKENS} tokens")
    print(f"shammah ask, warm: median {median(asks):.3f} s ({min(asks):.3f} to {max(asks):.3f})")
    print(f"mlx_lm generate:   median {median(writes):.3f} s ({min(writes):.3f} to {max(writes):.3f})")
    print(f"ratio: {ratio:.3f} (goal: at most 0.1)")


if __name__ == "__main__":
    main()
