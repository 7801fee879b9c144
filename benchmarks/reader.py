"""Measure what a local reader (`[judge] local`) tells about drafts, beside what the program knows without it.

    python -m benchmarks.reader --data ../shared/data --cases cases.jsonl --model FOLDER

Three sets: *near*, what a home taught examples/questions.jsonl would answer to the table of neighbours and rewordings;
*covid*, drafts of a home on covid_faq, right if their row has an accepted topic; *pairs*, two answers with the form of
the request that shows Claude's reply, right if people judged both alike. Of the latter two only questions with an even
sha256, and as many bad drafts as good ones. Cases and log-odds are stored in `--cases`: a run can be stopped, continued
and read with `--report`.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.fit_meter import is_even
from benchmarks.neighbours import SAMPLE, read_pairs
from shammah_mlx.config import Config
from shammah_mlx.events import AskOptions, Exchange, Outage, Query
from shammah_mlx.files import replacing
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.prequential import play
from shammah_mlx.learners.logistic import most_probable
from shammah_mlx.learners.second_opinion import DOUBTED_FROM, DOUBTED_TO
from shammah_mlx.models.embedder import LazyEmbedder
from shammah_mlx.models.reader import Reader
from shammah_mlx.models.weights import Weights, find_embedder, weights_folder
from shammah_mlx.numerics import log_odds
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.judge import judge_request
from shammah_mlx.teacher.recordings import Recorded, read_stream
from shammah_mlx.text.divergence import make_meter

NEAR = Path("tests/data/near_questions.toml")
MOST = 120  # cases of a set: a pass takes seconds
EARLY = 0.25  # share of a stream in which a home knows little
SEED = 0
FOLDS = 5  # of the regression that combines the reader with p_accept
WEAK = 1.0  # prior of that regression: about four cases outweigh it
DRAWS = 1000  # of a bootstrap
LEAST = 1e-6  # bound of a probability whose log-odds are taken


class Case(msgspec.Struct):
    """A stored answer that may serve a question, and what is known about that."""

    part: str
    question: str
    answer: str
    reply: str | None
    good: bool
    known: dict[str, float]  # what the program knows without the reader, by name; more means rather good
    read: dict[str, float | None] = {}  # log-odds, by model
    seconds: dict[str, float] = {}


def near_cases(config: Config, weights: Weights) -> Iterator[Case]:
    """Yield what a taught home drafts for the table of near questions."""
    stream = read_stream(SAMPLE, None, None)
    topics = {row.id: truth.topic for row, truth in stream}
    now = time.time()
    with tempfile.TemporaryDirectory(prefix="shammah-reader-") as folder:
        options = AssistantOptions(saves=False, clock=lambda: now)
        with Assistant(Path(folder), config, Recorded(row for row, _ in stream), weights, options=options) as assistant:
            for _ in play(stream, assistant):
                pass
            for pair in read_pairs(NEAR):
                asked = assistant.ask(Query(pair.asked), options=AskOptions(forced_source="local"))
                if not isinstance(asked, Outage) and (draft := asked.draft) is not None:
                    good = pair.same and topics.get(draft.from_id or "") == pair.topic
                    known = {**draft.features, "changed": -draft.features["changed"], "p_accept": asked.p_accept or 0.0}
                    yield Case("near", pair.asked, draft.text, None, good, known)


def covid_cases(data: Path, config: Config, weights: Weights) -> Iterator[Case]:
    """Yield a home's drafts on covid_faq, after its first quarter."""
    stream = read_stream(data / "streams/covid_faq.jsonl", 1, None)
    topics = {row.id: truth.topic for row, truth in stream}
    with tempfile.TemporaryDirectory(prefix="shammah-reader-") as folder:
        options = AssistantOptions(saves=False)
        with Assistant(Path(folder), config, Recorded(row for row, _ in stream), weights, options=options) as assistant:
            for number, ((row, truth), asked) in enumerate(zip(stream, play(stream, assistant), strict=True)):
                drafts = [scored for scored in asked.drafts if scored.draft.source == "recall"]
                if drafts and number >= EARLY * len(stream) and is_even(row.query):
                    draft = drafts[0].draft
                    good = topics.get(draft.from_id or "") in truth.accepted
                    known = {**draft.features, "changed": -draft.features["changed"], "p_accept": drafts[0].p_accept}
                    yield Case("covid", row.query, draft.text, None, good, known)


def pair_cases(data: Path, config: Config, weights: Weights) -> Iterator[Case]:
    """Yield pairs of answers, the one taken for a draft and the other for Claude's reply."""
    rows = map(msgspec.json.decode, (data / "pairs/two_answers.jsonl").read_bytes().splitlines())
    even = [row for row in rows if is_even(row["question"])]
    meter = make_meter(config.divergence, LazyEmbedder(find_embedder("", weights)))
    for row in random.Random(SEED).sample(even, MOST):
        question, one, other = row["question"], row["a"], row["b"]
        alike = -meter(Exchange(question, other), Exchange(question, one))
        yield Case("pairs", question, other, one, row["equivalent"], {"fitted meter": alike})


def collect(data: Path) -> list[Case]:
    """Return the cases of all sets in turn, so that a run that is stopped has read some of each."""
    config, weights = msgspec.structs.replace(PRESETS["default"], generator="recall"), Weights(weights_folder())
    near = list(near_cases(config, weights))
    covid = half_bad(list(covid_cases(data, config, weights)))
    random.Random(SEED).shuffle(near)
    in_turn = zip_longest(covid, pair_cases(data, config, weights), near)
    return [case for one_each in in_turn for case in one_each if case is not None]


def half_bad(cases: list[Case]) -> list[Case]:
    """Return a sample of which at most half is bad: few drafts are, and an AUC needs both."""
    draw = random.Random(SEED)
    bad, good = [case for case in cases if not case.good], [case for case in cases if case.good]
    bad = draw.sample(bad, min(MOST // 2, len(bad)))
    drawn = [*bad, *draw.sample(good, min(MOST - MOST // 2, len(bad), len(good)))]
    draw.shuffle(drawn)
    return drawn


def read_cases(cases: list[Case], model: str, path: Path) -> None:
    """Read each case that this model has not read yet, and store all after each."""
    reader = Reader(model, PRESETS["default"].judge.local_tokens)
    reader.warm_up()
    name = Path(model).name
    for case in cases:
        if name not in case.read:
            request = judge_request(Query(case.question), case.answer, case.reply)
            since = time.perf_counter()
            case.read[name] = reader.log_odds(request.system, request.content)
            case.seconds[name] = time.perf_counter() - since
            store(cases, path)


def store(cases: list[Case], path: Path) -> None:
    """Write the cases."""
    with replacing(path) as file:
        file.write(b"\n".join(map(msgspec.json.encode, cases)))


def auc(scores: np.ndarray, good: np.ndarray) -> float:
    """Return the share of pairs, one good and one bad, in which the good one has the greater score; ties are half."""
    above = scores[good][:, None] - scores[~good][None, :]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def report(cases: list[Case], model: str) -> str:
    """Return the AUC of every feature and of the reader, over the cases that it has read."""
    lines = []
    for part in dict.fromkeys(case.part for case in cases):
        group = [case for case in cases if case.part == part and case.read.get(model) is not None]
        good = np.array([case.good for case in group])
        if not group or good.all() or not good.any():
            continue
        odds = np.array([case.read[model] for case in group], np.float64)
        seconds = np.array([case.seconds[model] for case in group])
        lines.append(
            f"{part}: {len(group)} cases, {good.sum()} good; {np.median(seconds):.1f} s a pass (median); log-odds of"
            f" good {odds[good].mean():.2f} ± {odds[good].std():.2f}, of bad {odds[~good].mean():.2f} ±"
            f" {odds[~good].std():.2f}"
        )
        low, high = interval(odds, good)
        lines.append(f"  reader {auc(odds, good):.3f} ({low:.2f} to {high:.2f})")
        best = "p_accept" if "p_accept" in group[0].known else "fitted meter"
        for name in group[0].known:
            score = np.array([case.known[name] for case in group])
            if name == best or abs(auc(score, good) - 0.5) > 0.05:
                lines.append(f"  {name} {auc(score, good):.3f}")
        lines += in_doubt(group, odds, good) if best == "p_accept" else []
        lines.append(f"  {best} with the reader {combined(group, model, best):.3f} (fitted, {FOLDS} folds)")
    return "\n".join(lines)


def interval(scores: np.ndarray, good: np.ndarray) -> tuple[float, float]:
    """Return a 90 % interval of the AUC by bootstrap, good and bad drawn apart."""
    draw = np.random.default_rng(SEED)
    sides = [scores[good], scores[~good]]
    found = []
    for _ in range(DRAWS):
        drawn = [draw.choice(side, len(side)) for side in sides]
        labels = np.repeat([True, False], [len(side) for side in sides])
        found.append(auc(np.concatenate(drawn), labels))
    low, high = np.quantile(found, (0.05, 0.95))
    return float(low), float(high)


def in_doubt(group: list[Case], odds: np.ndarray, good: np.ndarray) -> list[str]:
    """Return the AUC of the reader and of p_accept over the cases that the program would have read."""
    p = np.array([case.known["p_accept"] for case in group])
    doubted = (p > DOUBTED_FROM) & (p < DOUBTED_TO)
    if good[doubted].all() or not good[doubted].any():
        return []
    found, kept = good[doubted], [round(auc(scores[doubted], good[doubted]), 3) for scores in (odds, p)]
    return [f"  in doubt: {len(found)} cases, {found.sum()} good; reader {kept[0]}, p_accept {kept[1]}"]


def combined(group: list[Case], model: str, best: str) -> float:
    """Return the AUC of a logistic regression of both, each case scored by a fit to the other folds."""
    columns = np.array([[case.known[best], case.read[model]] for case in group], np.float64)
    if best == "p_accept":
        columns[:, 0] = [log_odds(min(max(p, LEAST), 1.0 - LEAST)) for p in columns[:, 0]]
    x = np.column_stack([np.ones(len(group)), (columns - columns.mean(0)) / columns.std(0)])
    good = np.array([case.good for case in group])
    fold, scores = np.arange(len(group)) % FOLDS, np.zeros(len(group))
    for held in range(FOLDS):
        rest = fold != held
        weights = most_probable(x[rest], good[rest].astype(np.float64), np.zeros(3), WEAK)
        scores[fold == held] = x[fold == held] @ weights
    return auc(scores, good)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with streams and pairs")
    parser.add_argument("--cases", type=Path, required=True, help="where cases and log-odds are stored")
    parser.add_argument("--model", required=True, help="an instruct model that mlx-lm loads")
    parser.add_argument("--report", action="store_true", help="only print what was read so far")
    given = parser.parse_args()
    if given.cases.exists():
        cases = [msgspec.json.decode(line, type=Case) for line in given.cases.read_bytes().splitlines()]
    else:
        cases = collect(given.data)
        store(cases, given.cases)
    if not given.report:
        read_cases(cases, given.model, given.cases)
    print(report(cases, Path(given.model).name))


if __name__ == "__main__":
    main()
