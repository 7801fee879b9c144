"""Measure what a check costs, and how long it takes, beside the answer of Claude's that it may save.

    python -m benchmarks.checks [examples/questions.jsonl] [--limit 40] [--first-ms 500] [--token-ms 15]

The program's own client asks through the real SDK. A server on loopback answers each question as recorded, and GOOD to
each request for a verdict. It counts the tokens of what it received and sent with SmolLM2's tokenizer, since Claude's
is not public; the program prices these counts. It waits `--first-ms` before a reply and `--token-ms` for each token of
it: both are assumptions, and the ratio of the times follows from them. Thinking before an answer is not counted: with
it an answer costs and takes more, a check does not.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer

from benchmarks.literal import machine
from shammah_mlx.config import JudgeConfig, TeacherConfig
from shammah_mlx.events import Outage, Query, Reply, Verdict
from shammah_mlx.models.weights import Weights, weights_folder
from shammah_mlx.teacher.claude import Claude
from shammah_mlx.teacher.judge import REQUEST_TOKENS, expected_cost
from shammah_mlx.teacher.keys import Credential
from shammah_mlx.teacher.recordings import read_stream
from tests.loopback import Behaviour, Loopback, Request, Wire, reply

LONGEST_S = 600.0  # of silence: simulated times may be long
TEACHER, JUDGE = TeacherConfig(timeout_s=LONGEST_S), JudgeConfig(timeout_s=LONGEST_S)
SHUFFLE = 1  # seed
WORD = "GOOD"
END = 1  # token at the end of a turn


class Measured(NamedTuple):
    """One request."""

    read: int  # tokens
    written: int
    usd: float
    ms: float


def simulate(answers: dict[str, str], count: Callable[[str], int], first_ms: float, token_ms: float) -> Behaviour:
    """Return a Claude that needs its time, and says how many tokens it read and wrote."""

    def behave(wire: Wire, request: Request) -> None:
        is_check = request.body["model"] == JUDGE.model
        text = WORD if is_check else answers[request.last_user_text]
        read = count(request.body.get("system", "")) + count(request.last_user_text) + REQUEST_TOKENS
        written = count(text) + END
        time.sleep((first_ms + token_ms * written) / 1e3)
        reply(text, usage={"input_tokens": read, "output_tokens": written})(wire, request)

    return behave


def measured(act: Callable[[], Reply | Verdict | Outage]) -> Measured:
    """Time one request, and return what the server said of it."""
    since = time.perf_counter()
    told = act()
    ms = 1e3 * (time.perf_counter() - since)
    assert not isinstance(told, Outage), told
    assert told.cost_usd is not None
    return Measured(told.input_tokens or 0, told.output_tokens or 0, told.cost_usd, ms)


def main() -> None:
    """Ask for answers and verdicts in turn and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("stream", type=Path, nargs="?", default=Path("examples/questions.jsonl"))
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--first-ms", type=float, default=500.0)
    parser.add_argument("--token-ms", type=float, default=15.0)
    given = parser.parse_args()
    rows = [row for row, _ in read_stream(given.stream, SHUFFLE, given.limit)]
    tokenizer = Tokenizer.from_file(str(Weights(weights_folder()).decoder_tokenizer))
    behaviour = simulate(
        {row.query: row.reply for row in rows},
        lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids),
        given.first_ms,
        given.token_ms,
    )
    answers, checks = [], []
    with Loopback(default=behaviour) as server:
        claude = Claude(TEACHER, Credential("sk-loopback", is_token=False, found_in="here"), server.url, JUDGE)
        for row in rows:
            query = Query(row.query)
            answers.append(measured(partial(claude.ask, query)))
            checks.append(measured(partial(claude.judge, query, row.reply, None)))
    expected = [expected_cost(Query(row.query), row.reply, None, JUDGE, TEACHER) for row in rows]
    expected_ratio = sum(each.check or 0.0 for each in expected) / sum(each.answer or 0.0 for each in expected)
    print(f"# {machine()}; {len(rows)} questions of {given.stream.name}, shuffle {SHUFFLE}")
    print(f"# simulated: {given.first_ms:g} ms before a reply, {given.token_ms:g} ms a token; list prices")
    Console(width=100).print(table(answers, checks))
    cost = sum(check.usd for check in checks) / sum(answer.usd for answer in answers)
    lasting = median(check.ms for check in checks) / median(answer.ms for answer in answers)
    print(f"a check costs {cost:.3f} of an answer ({expected_ratio:.3f} as the program expects before it asks)")
    print(f"a check takes {lasting:.2f} of an answer's time, by the simulated times above")


def table(answers: list[Measured], checks: list[Measured]) -> Table:
    """Show both kinds of requests side by side."""
    made = Table()
    for column in ("", "tokens read", "written", "$ for 1,000", "ms, median"):
        made.add_column(column, justify="right", no_wrap=True)
    for name, requests in ((f"answer, {TEACHER.model}", answers), (f"check, {JUDGE.model}", checks)):
        made.add_row(
            name,
            f"{mean(one.read for one in requests):.0f}",
            f"{mean(one.written for one in requests):.0f}",
            f"{1e3 * mean(one.usd for one in requests):.3f}",
            f"{median(one.ms for one in requests):.0f}",
        )
    return made


if __name__ == "__main__":
    main()
