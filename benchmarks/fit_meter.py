"""Fit the weights of the meter `fitted` to people's judgements, and say how well they transfer and how honest they are.

    python -m benchmarks.fit_meter --data ../shared/data            # report only
    python -m benchmarks.fit_meter --data ../shared/data --write    # and write shammah_mlx/text/fitted.json

Uses only rows whose sha256(question) is even. Beside the judged pairs there are made-up ones: long answers, which are
judged answers to several questions in a row; answers with another name, another word or a "not" put in, or with two
names swapped; replies of a smart home to the same and to different requests. The judged pairs count as if half of
them were equivalent. The same data give the same weights.
"""

import argparse
import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from benchmarks.divergence import aliases, wrong_nearest
from benchmarks.literal import machine
from shammah_mlx.config import DivergenceConfig
from shammah_mlx.events import Exchange
from shammah_mlx.models.embedder import Embedder
from shammah_mlx.models.weights import Weights as ModelWeights
from shammah_mlx.models.weights import weights_folder
from shammah_mlx.numerics import sigmoids
from shammah_mlx.teacher.recordings import read_stream
from shammah_mlx.text import divergence, edits, lexicon, normalize, reading
from shammah_mlx.text.divergence import Embed, Weights, features_of

OUT = Path(divergence.__file__).with_name("fitted.json")
FOLDS = 5  # of the questions, for the held-out report
STRENGTH = 1.0  # of the prior that weights are 0; from 0.3 to 3 what is held out hardly differs
SHARES = {  # total weight of each kind of pair: equivalent, not equivalent; judged pairs count most
    "two answers": (750.0, 750.0),
    "gold and answer": (150.0, 150.0),
    "smart home": (200.0, 120.0),
    "long": (250.0, 0.0),
    "long, one wrong": (0.0, 100.0),
    "long, another subject": (0.0, 30.0),
    "nearest advice": (0.0, 50.0),
    "another name": (0.0, 30.0),
    "another word": (60.0, 30.0),
    "negated": (0.0, 15.0),
    "swapped": (0.0, 15.0),
}
DIGITS = 4  # of a weight that is written
MADE = 400  # pairs made up of each kind; more of them say the same again
MOST_PARTS = 6  # judged answers in a long one
SENTENCE = 6  # words; shorter answers are no sentences to put in a row
NEAR_REQUESTS = 3  # other requests that each request of the home is compared with
LEAST_NEAR = 0.2  # share of words that two such requests have in common


class Pair(NamedTuple):
    """Two answers to a question."""

    question: str
    one: str
    other: str
    equivalent: bool


class Table(NamedTuple):
    """Pairs as numbers."""

    names: list[str]
    features: np.ndarray  # (pairs, features)
    equivalent: np.ndarray  # 1 or 0
    fold: np.ndarray
    kinds: np.ndarray  # of pair
    decided: dict[str, list[tuple[bool, bool]]]  # (what rules say, equivalent) of pairs that rules decide, by kind


def is_even(question: str) -> bool:
    """Say whether a question is in the half that may be looked at."""
    return int(hashlib.sha256(question.encode()).hexdigest(), 16) % 2 == 0


def judged(path: Path) -> list[dict[str, str]]:
    """Return the even rows of a file of pairs."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [row for row in rows if is_even(row["question"])]


def make_pairs(data: Path, embed: Embed) -> dict[str, list[Pair]]:
    """Return all pairs by kind."""
    random_ = random.Random(7)
    two = [
        Pair(row["question"], row["a"], row["b"], bool(row["equivalent"]))
        for row in judged(data / "pairs/two_answers.jsonl")
    ]
    gold = [
        Pair(row["question"], _nearest(aliases(row["a"]), row["b"]), row["b"], bool(row["equivalent"]))
        for row in judged(data / "pairs/answer_equivalence.jsonl")
    ]
    advice = [
        (row, truth) for row, truth in read_stream(data / "streams/covid_faq.jsonl", None, None) if is_even(row.query)
    ]
    distinct = {
        reply.answer: Pair(reply.question, draft.answer, reply.answer, False)
        for draft, reply in wrong_nearest(advice, embed)
    }
    return {
        "two answers": two,
        "gold and answer": gold,
        "smart home": [*home_pairs(data / "streams/claude_home.jsonl", random_)],
        **long_pairs(two, random_),
        "nearest advice": [*distinct.values()],
        "another name": [*islice(renamed(two, random_), MADE)],
        "another word": [*islice(with_other_words(two, random_), MADE)],
        "negated": [*islice(negated(two), MADE)],
        "swapped": [*islice(swapped(two), MADE)],
    }


def _nearest(golds: list[str], answer: str) -> str:
    """Return the spelling of the right answer that shares most words with an answer."""
    said = reading.read(answer).all_content

    def shared(gold: str) -> tuple[float, int]:
        words = reading.read(gold).all_content
        return len(reading.found_in(words, said)) / max(len(words), 1), -len(gold)

    return max(golds, key=shared)


def home_pairs(path: Path, random_: random.Random) -> Iterator[Pair]:
    """Yield each two replies to the same request, and replies to requests that differ on both sides."""
    replies: dict[str, list[str]] = defaultdict(list)
    queries: dict[str, str] = {}
    for row, truth in read_stream(path, None, None):
        if is_even(row.query) and truth.topic:
            replies[truth.topic].append(row.reply)
            queries.setdefault(truth.topic, row.query)
    for topic in sorted(replies):
        said = sorted({*replies[topic]})
        yield from (Pair(queries[topic], a, b, True) for i, a in enumerate(said) for b in said[:i])
        ours = _request(topic)
        near = [
            (len(ours & theirs) / len(ours | theirs), other)
            for other in sorted(replies)
            if ours - (theirs := _request(other)) and theirs - ours
        ]
        for share, other in sorted(near, reverse=True)[:NEAR_REQUESTS]:
            a, b = random_.choice(replies[topic]), random_.choice(replies[other])
            if share >= LEAST_NEAR and a != b:
                yield Pair(queries[topic], a, b, False)


def _request(topic: str) -> frozenset[str]:
    return reading.content(normalize.words(topic.partition("|")[2]))


def long_pairs(two: Sequence[Pair], random_: random.Random) -> dict[str, list[Pair]]:
    """Return long answers: judged ones in a row, all of them equivalent, or one not, or all about something else."""
    right = [p for p in two if p.equivalent and min(len(p.one.split()), len(p.other.split())) > SENTENCE]
    wrong = [p for p in two if not p.equivalent]
    made: dict[str, list[Pair]] = {"long": [], "long, one wrong": [], "long, another subject": []}
    for _ in range(MADE):
        parts = random_.sample(right, random_.randint(2, MOST_PARTS))
        parts = [part if random_.random() < 0.5 else part._replace(one=part.other, other=part.one) for part in parts]
        order = random_.sample(range(len(parts)), len(parts)) if random_.random() < 0.3 else [*range(len(parts))]
        question = " ".join(p.question for p in parts) if random_.random() < 0.4 else parts[0].question
        spoilt = [*parts]
        spoilt[random_.randrange(len(parts))] = random_.choice(wrong)
        made["long"].append(Pair(question, _in_a_row(parts, 1), _in_a_row([parts[i] for i in order], 2), True))
        made["long, one wrong"].append(
            Pair(question, _in_a_row(spoilt, 1), _in_a_row([spoilt[i] for i in order], 2), False)
        )
        others = random_.sample(right, len(parts))
        made["long, another subject"].append(Pair(question, _in_a_row(parts, 1), _in_a_row(others, 2), False))
    return made


def _in_a_row(parts: Sequence[Pair], side: int) -> str:
    said = [str(part[side]).strip() for part in parts]
    return " ".join(text if text.endswith((".", "!", "?")) else f"{text}." for text in said)


def renamed(two: Sequence[Pair], random_: random.Random) -> Iterator[Pair]:
    """Yield equivalent pairs with a name of one answer, which both have, replaced by another name."""
    pattern = r"(?<=[a-z] )[A-Z][a-z]+(?: [A-Z][a-z]+)?"
    names = sorted({name for pair in two for name in re.findall(pattern, pair.one)})
    for pair in two:
        found = [
            name
            for name in re.findall(pattern, pair.other)
            if name in pair.one and name.lower() not in pair.question.lower()
        ]
        if pair.equivalent and found:
            yield pair._replace(other=pair.other.replace(found[0], random_.choice(names)), equivalent=False)


def with_other_words(two: Sequence[Pair], random_: random.Random) -> Iterator[Pair]:
    """Yield answers beside copies with one word replaced: by a synonym, or by a word of another answer."""
    answers = [(pair.question, pair.one) for pair in two if len(pair.one.split()) > SENTENCE]
    known = sorted({word for _, answer in answers for word in re.findall(r"\b[a-z]{4,}\b", answer)})
    synonyms = [group.split(", ") for group in lexicon.SYNONYMS]
    for question, answer in answers:
        words = [word for word in re.findall(r"\b[a-z]{4,}\b", answer) if word not in lexicon.LIGHT]
        same = [
            (word, other) for group in synonyms for word in group for other in group if word in words and word != other
        ]
        if same:
            word, other = random_.choice(same)
            yield Pair(question, answer, re.sub(rf"\b{word}\b", other, answer), True)
        if words:
            word = random_.choice(words)
            yield Pair(question, answer, re.sub(rf"\b{word}\b", random_.choice(known), answer), False)


def negated(two: Sequence[Pair]) -> Iterator[Pair]:
    """Yield answers beside copies with a "not" put in."""
    for pair in two:
        denied = re.sub(r"\b(is|are|was|were|can|has|had)\b", r"\1 not", pair.one, count=1)
        if denied != pair.one:
            yield Pair(pair.question, pair.one, denied, False)


def swapped(two: Sequence[Pair]) -> Iterator[Pair]:
    """Yield answers beside copies in which two names have changed places, as far as the meter can see it."""
    for pair in two:
        names = re.findall(r"\b[A-Z][a-z]{2,}\b", pair.one)
        if len({*names}) > 1:
            places: dict[str, str] = {names[0]: names[-1], names[-1]: names[0]}
            turned = "".join(places.get(str(piece), str(piece)) for piece in re.split(r"(\w+)", pair.one))
            tokens = (reading.read(text).tokens[0] for text in (pair.one, turned))
            if "order" in edits.changes(*tokens):  # else first name and surname, or a list
                yield Pair(pair.question, pair.one, turned, False)


def _read_all(pairs: dict[str, list[Pair]], embed: Embed) -> Embed:
    """Return an embedder that has read all sentences, in batches of one length: three fifths of the time."""
    answers = (reading.read(text) for all_ in pairs.values() for pair in all_ for text in (pair.one, pair.other))
    sentences = {sentence for answer in answers for sentence in answer.sentences}
    ordered = sorted(sentences, key=lambda sentence: (len(sentence), sentence))
    known = dict(zip(ordered, embed(ordered), strict=True))
    return lambda texts: np.stack([known[text] for text in texts])


def tabulate(pairs: dict[str, list[Pair]], embed: Embed) -> Table:
    """Return the features of all pairs that rules do not decide."""
    remembered = _read_all(pairs, embed)
    rows, kinds, folds, labels = [], [], [], []
    decided: dict[str, list[tuple[bool, bool]]] = {kind: [] for kind in pairs}
    for kind, pair in ((kind, pair) for kind, all_ in pairs.items() for pair in all_):
        found = features_of(Exchange(pair.question, pair.one), Exchange(pair.question, pair.other), remembered)
        if isinstance(found, float):
            decided[kind].append((found < 0.5, pair.equivalent))
            continue
        rows.append(found)
        kinds.append(kind)
        folds.append(int(hashlib.sha256(pair.question.encode()).hexdigest()[:8], 16) % FOLDS)
        labels.append(float(pair.equivalent))
    names = [*rows[0]]
    table = np.array([[row[name] for name in names] for row in rows])
    return Table(names, table, np.array(labels), np.array(folds), np.array(kinds), decided)


def pair_weights(table: Table, chosen: np.ndarray) -> np.ndarray:
    """Return the weight of each pair, so that the chosen ones of each kind and side sum to `SHARES`."""
    weights = np.zeros(len(table.equivalent))
    for kind, shares in SHARES.items():
        for equivalent, share in zip((1, 0), shares, strict=True):
            side = chosen & (table.kinds == kind) & (table.equivalent == equivalent)
            weights[side] = share / max(side.sum(), 1)
    return weights


def fit(table: Table, chosen: np.ndarray) -> np.ndarray:
    """Return the weights of a logistic regression on the chosen pairs, by Newton's method."""
    x, y, w = table.features, table.equivalent, pair_weights(table, chosen)
    prior = np.where(np.array(table.names) == "constant", 1e-3, STRENGTH)
    found = np.zeros(x.shape[1])
    for _ in range(30):  # it converges in about eight steps
        p = sigmoids(x @ found)
        slope = x.T @ (w * (p - y)) + prior * found
        found -= np.linalg.solve((x * (w * p * (1 - p))[:, None]).T @ x + np.diag(prior), slope)
    return found


def held_out(table: Table) -> np.ndarray:
    """Return P(equivalent) of each pair by weights fitted to the other questions."""
    p = np.zeros(len(table.equivalent))
    for fold in range(FOLDS):
        p[table.fold == fold] = sigmoids(table.features[table.fold == fold] @ fit(table, table.fold != fold))
    return p


def area(p: np.ndarray, equivalent: np.ndarray) -> float:
    """Return the area under the ROC curve: P(an equivalent pair scores higher than another one)."""
    yes, no = p[equivalent == 1], np.sort(p[equivalent == 0])
    below = np.searchsorted(no, yes, "left") + np.searchsorted(no, yes, "right")
    return float(below.mean() / 2 / len(no))


def report(table: Table, p: np.ndarray, threshold: float) -> Iterator[str]:
    """Yield lines: what passes of each kind, and how often pairs of each P are equivalent."""
    yield "held out, with the pairs that rules decide:"
    yield f"{'kind':>24} {'equivalent':>10} {'pass':>6} {'others':>7} {'pass':>6}   area"
    for kind in SHARES:
        here = table.kinds == kind
        score = np.concatenate([p[here], [float(said) for said, _ in table.decided[kind]]])
        truth = np.concatenate([table.equivalent[here], [float(right) for _, right in table.decided[kind]]])
        yes, no = score[truth == 1], score[truth == 0]
        both = f"{area(score, truth):.4f}" if len(yes) and len(no) else ""
        passed = [f"{(side > threshold).mean():.3f}" if len(side) else "-" for side in (yes, no)]
        yield f"{kind:>24} {len(yes):>10} {passed[0]:>6} {len(no):>7} {passed[1]:>6}   {both}"
    here = table.kinds == "two answers"
    for low in np.arange(10) / 10:
        inside = here & (p >= low) & (p < low + 0.1)
        if inside.any():
            found = f"mean P {p[inside].mean():.3f}, equivalent {table.equivalent[inside].mean():.3f}"
            yield f"P {low:.1f} to {low + 0.1:.1f}: {inside.sum():4d} pairs, {found}"
    for source, target in (("two answers", "gold and answer"), ("gold and answer", "two answers")):
        there = table.kinds == target
        score = table.features[there] @ fit(table, table.kinds == source)
        yield f"fitted on {source} alone: area on {target} {area(score, table.equivalent[there]):.4f}"


def fit_weights(data: Path, embed: Embed) -> tuple[Weights, Table]:
    """Return the weights fitted to all even rows, and the table they were fitted to."""
    table = tabulate(make_pairs(data, embed), embed)
    found = fit(table, np.ones(len(table.equivalent), bool))
    weights = {name: round(float(weight), DIGITS) for name, weight in zip(table.names, found, strict=True)}
    return Weights(base_rate=0.5, weights=weights), table


def main() -> None:
    """Fit, report, and write the weights if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()

    embed = Embedder(ModelWeights(weights_folder()).embedder)
    weights, table = fit_weights(given.data, embed)
    print(f"# {machine()}")
    print("\n".join(report(table, held_out(table), 1.0 - DivergenceConfig(kind="fitted").threshold)))
    if given.write:
        OUT.write_bytes(msgspec.json.format(msgspec.json.encode(weights), indent=1) + b"\n")


if __name__ == "__main__":
    main()
