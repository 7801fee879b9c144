"""Time a warm `shammah ask` beside `mlx_lm.generate`: an answer of 100 tokens, recalled or written, as whole processes.

    python -m benchmarks.warm [--trials 9]

In turn: the service answers a question it has been asked before, then the embedded decoder writes 100 tokens. The
answers come from a server on loopback that speaks for Claude. On Linux both have the fast BLAS.
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
FAST_BLAS = "libopenblas.so.0"  # for mlx_lm, which does not look for it


def answer_of(weights: Weights) -> str:
    """Return a text of so many tokens of the decoder's."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(weights.decoder_tokenizer))
    text = "The moon goes round the earth once a month and always shows it the same side. " * 20
    return str(tokenizer.decode(tokenizer.encode(text).ids[:TOKENS]))


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """Return how long a whole process took, seconds, and what it printed."""
    since = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return time.perf_counter() - since, done.stdout


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=9)
    trials = parser.parse_args().trials
    weights = Weights(weights_folder())
    answer = answer_of(weights)
    told = {name: os.environ[name] for name in ("PATH", "HOME")}
    told |= {"NO_PROXY": "*", "SHAMMAH_WEIGHTS": str(weights_folder())}
    generate = [sys.executable, "-m", "mlx_lm", "generate", "--model", str(weights.decoder)]
    generate += ["--max-tokens", str(TOKENS), "--prompt", "Tell me all there is to know about the moon."]
    preload = {"LD_PRELOAD": FAST_BLAS} if sys.platform == "linux" else {}
    asks, writes = [], []
    with Loopback(default=reply(answer)) as claude, Place() as home:
        told |= {"SHAMMAH_HOME": str(home), "ANTHROPIC_BASE_URL": claude.url, "ANTHROPIC_API_KEY": "sk-loopback"}
        ask = [sys.executable, "-m", "shammah_mlx", "ask"]
        with Served(home, told) as served:
            for question in QUESTIONS:
                timed([*ask, question], told)
            served.wait_until_learnt()
            calls = len(claude.requests)
            for _ in range(trials):
                took, text = timed([*ask, QUESTIONS[0]], told)
                assert text.strip() == answer.strip()
                asks.append(took)
                took, text = timed(generate, {**told, **preload})
                assert f"Generation: {TOKENS} tokens" in text, "it wrote less"
                writes.append(took)
            assert len(claude.requests) == calls
    ratio = median(asks) / median(writes)
    print(f"# {machine()}; {trials} trials in turn, whole processes, {TOKENS} tokens")
    print(f"shammah ask, warm: median {median(asks):.3f} s ({min(asks):.3f} to {max(asks):.3f})")
    print(f"mlx_lm generate:   median {median(writes):.3f} s ({min(writes):.3f} to {max(writes):.3f})")
    print(f"ratio: {ratio:.3f} (to be at most 0.1)")


if __name__ == "__main__":
    main()
