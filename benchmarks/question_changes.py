"""Fit the weights of `text.question_changes`, and measure how well they tell neighbours from rewordings.

    python -m benchmarks.question_changes --streams ../shared/data/streams

A pair is a question with the nearest other one (by the embedder) of the same topic, a rewording, or of another topic, a
neighbour. The pairs of tests/data/near_questions.toml are added. Weights are fitted to questions with an even sha256;
the area under the ROC curve (AUC) is of those with an odd one, beside that of similarity. The streams' topics are used
here alone, never in the program.
"""

import argparse
import hashlib
import tomllib
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from shammah_mlx.models.embedder import Embedder
from shammah_mlx.models.weights import Weights, weights_folder
from shammah_mlx.numerics import newton, sigmoids
from shammah_mlx.teacher.recordings import Row, Truth, read_stream
from shammah_mlx.text.question_changes import FEATURES, log_odds_of_change, question_changes

SAMPLE = Path("examples/questions.jsonl")
WRITTEN = Path("tests/data/near_questions.toml")
WEIGHT = {"questions": 300.0, "near_questions": 300.0, "covid_faq": 150.0, "commands": 150.0, "number_trap": 45.0}
"""What each source counts, in pairs: the first two are what the program is for."""
EXPECTED = {  # weights before any pair: what a difference of this sort ought to mean
    "same words": -1.0, "opposites": 1.0, "numbers replaced": 1.0, "things replaced": 1.5, "flags replaced": 1.0,
    "case differs": 0.7, "negation differs": 0.3, "swapped": 1.5, "reordered": 0.5, "foreign words": 1.5,
    "foreign things": 1.5, "foreign numbers": 1.0, "core lost": 1.0,
}  # fmt: skip
STRENGTH = 5.0  # of that prior: rare differences keep about the expected weight
WORDINGS = 16  # questions near the known one, among which its other wordings are found


class Pair(NamedTuple):
    """A question and a known one; `changed` if they have different answers."""

    source: str
    asked: str
    known: str
    wordings: tuple[str, ...]
    answer: str
    alike: float
    changed: bool

    @property
    def is_even(self) -> bool:
        """Return whether the weights may be fitted to this pair."""
        return is_even(self.asked)


def is_even(text: str) -> bool:
    """Return whether the sha256 of a text is even."""
    return hashlib.sha256(text.encode()).digest()[-1] % 2 == 0


class Known:
    """The different questions of a stream, with their vectors."""

    def __init__(self, rows: list[tuple[Row, Truth]], embed: Embedder) -> None:
        self.rows = list({row.query.strip().lower(): (row, truth) for row, truth in reversed(rows)}.values())
        self._vectors = embed([row.query for row, _ in self.rows])

    def pair(self, source: str, asked: str, vector: np.ndarray, may_be: np.ndarray, *, changed: bool) -> Pair | None:
        """Return the pair with the nearest question among those marked in `may_be`; None if there is none."""
        alike = np.where(may_be, self._vectors @ vector, -2.0)
        nearest = int(alike.argmax())
        if not may_be.any():
            return None
        row, truth = self.rows[nearest]
        around = np.argsort(-(self._vectors @ self._vectors[nearest]), kind="stable")[:WORDINGS]
        wordings = tuple(
            self.rows[i][0].query
            for i in around
            if self.rows[i][1].topic == truth.topic and i != nearest and self.rows[i][0].query != asked
        )
        return Pair(source, asked, row.query, wordings, row.reply, float(alike[nearest]), changed)

    def pairs(self, source: str) -> list[Pair]:
        """Return for each question its nearest rewording and its nearest neighbour."""
        found = []
        for place, (row, truth) in enumerate(self.rows):
            same = np.array([bool(truth.accepted & other.accepted) for _, other in self.rows])
            other = ~same
            same[place] = False
            for may_be, changed in ((same, False), (other, True)):
                found.append(self.pair(source, row.query, self._vectors[place], may_be, changed=changed))
        return [pair for pair in found if pair is not None]

    def written(self, embed: Embedder) -> list[Pair]:
        """Return the pairs of the table of near questions, each with the nearest question of its topic."""
        tables = tomllib.loads(WRITTEN.read_text("utf-8"))
        rows = [(row, name == "neighbour") for name in ("neighbour", "rewording") for row in tables[name]]
        vectors = embed([row["asked"] for row, _ in rows])
        topics = np.array([truth.topic for _, truth in self.rows])
        found = [
            self.pair("near_questions", row["asked"], vector, topics == row["topic"], changed=changed)
            for (row, changed), vector in zip(rows, vectors, strict=True)
        ]
        return [pair for pair in found if pair is not None]


def features(pair: Pair) -> list[float]:
    """Return a one for the constant, and the features of a pair."""
    return [1.0, *question_changes(pair.asked, pair.known, pair.wordings, pair.answer).values()]


def fit(pairs: list[Pair]) -> np.ndarray:
    """Return the most probable weights, the constant first; each source counts as `WEIGHT` says."""
    x, y = np.array([features(pair) for pair in pairs]), np.array([float(pair.changed) for pair in pairs])
    sources = [pair.source for pair in pairs]
    weight = np.array([WEIGHT[source] / sources.count(source) for source in sources])
    prior = np.array([0.0, *(EXPECTED.get(name, 0.0) for name in FEATURES)])
    strength = np.array([0.01, *(STRENGTH for _ in FEATURES)])

    def step(w: np.ndarray) -> np.ndarray:
        p = sigmoids(x @ w)
        hessian = (x * (weight * p * (1.0 - p))[:, None]).T @ x + np.diag(strength)
        return np.linalg.solve(hessian, x.T @ (weight * (p - y)) + strength * (w - prior))

    return newton(prior, step, longest_step=4.0, most_steps=50)


def auc(changed: np.ndarray, scores: np.ndarray) -> float:
    """Return the probability that a changed pair scores higher than one that is not; a tie counts half."""
    ours, theirs = scores[changed], scores[~changed]
    above = (ours[:, None] > theirs).mean() + 0.5 * (ours[:, None] == theirs).mean()
    return float(above)


def report(pairs: list[Pair]) -> str:
    """Return the AUC of the shipped weights by source, and how many pairs score as changed."""
    lines = []
    for source in WEIGHT:
        group = [pair for pair in pairs if pair.source == source and not pair.is_even]
        if not group:
            continue
        changed = np.array([pair.changed for pair in group])
        scores = np.array([log_odds_of_change(dict(zip(FEATURES, features(pair)[1:], strict=True))) for pair in group])
        similar = auc(changed, np.array([-pair.alike for pair in group]))
        lines.append(
            f"{source}: {len(group)} pairs, AUC {auc(changed, scores):.3f}, of similarity {similar:.3f};"
            f" {(scores[changed] > 0).sum()} of {changed.sum()} neighbours"
            f" and {(scores[~changed] > 0).sum()} of {(~changed).sum()} rewordings score as changed"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the fitted weights, and the AUC of those that are shipped."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--streams", type=Path, help="folder of the recorded streams; without it, the sample alone")
    folder = parser.parse_args().streams
    embed = Embedder(Weights(weights_folder()).embedder)
    sample = Known(read_stream(SAMPLE, None, None), embed)
    pairs = [*sample.pairs("questions"), *sample.written(embed)]
    for name in ("covid_faq", "commands", "number_trap") if folder else ():
        rows = read_stream(folder / f"{name}.jsonl", None, None)
        used = [row for row in rows if name != "number_trap" or is_even(row[0].query)]
        pairs += Known(used, embed).pairs(name)
    fitted = fit([pair for pair in pairs if pair.is_even])
    weights = dict(zip(("constant", *FEATURES), np.round(fitted, 2).tolist(), strict=True))
    print(msgspec.json.format(msgspec.json.encode(weights)).decode())
    print(report(pairs))


if __name__ == "__main__":
    main()
