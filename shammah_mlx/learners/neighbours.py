"""Index the questions of one context, and propose an answer with features that say how well it fits. Holds no text."""

import re
import zlib
from collections.abc import Collection, Iterator

import msgspec
import numpy as np

from shammah_mlx.config import RecallConfig
from shammah_mlx.learners.ridge import RidgeClassifier

FEATURES = (  # these names are used in config.toml and stored in the journal
    "constant",
    "similarity",  # of the nearest question with the proposed answer
    "margin",  # over the nearest question with another answer
    "agreement",  # share of the five nearest questions with the proposed answer
    "vote",  # log-odds of the proposed answer in the vote
    "fit",  # the classifier's value for the proposed answer, near 1 if sure
    "fit margin",  # over its value for any other answer
    "support",  # log of how many questions had the proposed answer
    "same",  # 1 if the nearest question of all had it
    "words",  # shared with that nearest question that had it: Jaccard, as the two below
    "most words",  # with any question that had the proposed answer
    "rival words",  # with any question that had another answer
    "identical",  # 1 if the nearest question that had it is the same
)
WORD_BITS = 2048  # of the set of words, hashed: a question's dozen words seldom collide
SKETCH = 512  # width of the classifier's input for them
NEAREST = 5  # questions that the feature `agreement` counts
IDENTICAL = 0.9999  # similarity of a question to itself, up to rounding
ABSENT = -9.0  # less than any similarity: marks entries that do not count
LEAST_LEFT_OUT = 1e-3  # lower bound of 1 - leverage, for a question that alone decides its own fit


class Question(msgspec.Struct, frozen=True):
    """A question as the memory stores it."""

    vector: np.ndarray  # (width,) fp32, of length 1
    words: np.ndarray  # (WORD_BITS / 8,) bytes, from `word_set`
    context: int
    text: int = 0  # hash of the text: questions of one context with the same hash are the same


class Entry(msgspec.Struct, frozen=True):
    """A question and its answer."""

    question: Question
    number: int  # in the journal
    answer: int  # the number of the first question that had it
    at: float  # when it was asked, Unix time
    until: float  # Unix time after which it must not be served


class Proposal(msgspec.Struct, frozen=True):
    """The answer that the memory proposes, and its features."""

    entry: Entry  # the nearest question with this answer
    features: np.ndarray  # (len(FEATURES),)


def word_set(text: str) -> np.ndarray:
    """Return the words of a text, hashed into a bit set: (WORD_BITS / 8,) bytes."""
    bits = np.zeros(WORD_BITS, np.uint8)
    bits[[zlib.crc32(word.encode()) % WORD_BITS for word in re.findall(r"\w+", text.lower())]] = 1
    return np.packbits(bits)


class ContextIndex:
    """The questions of one context, with a vote and a classifier over their answers."""

    def __init__(self, config: RecallConfig) -> None:
        self._config = config
        self._entries: list[Entry] = []
        self._columns: dict[int, int] = {}  # answer → its column, in order of arrival
        self._vectors, self._words = GrowingMatrix(np.float32), GrowingMatrix(np.uint8)
        self._answer_columns: list[int] = []  # of each entry
        self._classifier = RidgeClassifier(config.ridge, config.block)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """Add a question; the classifier sees it after the next `refit`."""
        self._entries.append(entry)
        self._answer_columns.append(self._columns.setdefault(entry.answer, len(self._columns)))
        self._vectors.append(entry.question.vector)
        self._words.append(entry.question.words)

    def nearest(self, question: Question, count: int) -> list[tuple[Entry, float]]:
        """Return the most similar questions with their cosine similarity, the nearest first."""
        alike = self._vectors.all @ question.vector
        return [(self._entries[i], float(alike[i])) for i in np.argsort(-alike, kind="stable")[:count]]

    def propose(self, question: Question, refuted: Collection[int]) -> Proposal | None:
        """Return the best answer that is not in `refuted`; None if too few questions have such an answer."""
        vector = question.vector[None]
        rows, columns, which = self._in_use(refuted)
        if len(rows) < self._config.fewest:
            return None
        vectors, words = self._vectors.all, self._words.all
        if len(rows) < len(self):
            vectors, words = vectors[rows], words[rows]
        alike = vector @ vectors.T  # (1, entries in use)
        shared = _jaccard(question.words[None], words)
        fit = self._fit(vector, question.words[None])[:, columns]
        _, nearest, features = self._choose(alike, shared, fit, which, left_out=None)
        return Proposal(self._entries[int(rows[nearest[0]])], features[0])

    def _in_use(self, refuted: Collection[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Leave out the refuted answers.

        Returns:
            rows of the remaining entries, columns of their answers, and the place of each row's answer in these columns
        """
        which, out = (
            np.array(self._answer_columns),
            [self._columns[answer] for answer in refuted if answer in self._columns],
        )
        rows = np.flatnonzero(~np.isin(which, out))
        columns, inverse = np.unique(which[rows], return_inverse=True)
        return rows, columns, inverse

    def left_out(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield features and rightness of the proposals for the latest questions, each with itself left out."""
        self.refit()
        inverse, weights = self._classifier.fitted_to(self._examples, len(self))
        which = np.array(self._answer_columns)
        first = max(0, len(self) - self._config.most_left_out)
        for start in range(first, len(self), self._config.block):
            rows = np.arange(start, min(start + self._config.block, len(self)))
            alike = self._vectors.all[rows] @ self._vectors.all.T
            shared = _jaccard(self._words.all[rows], self._words.all)
            alike[np.arange(len(rows)), rows] = shared[np.arange(len(rows)), rows] = ABSENT
            x = self._inputs(self._vectors.all[rows], self._words.all[rows])
            leverage = (x @ inverse * x).sum(axis=1)
            fit = x @ weights
            fit[np.arange(len(rows)), which[rows]] -= leverage
            fit /= np.maximum(1.0 - leverage, LEAST_LEFT_OUT)[
                :, None
            ]  # the value of a fit without this question, in closed form
            chosen, _, features = self._choose(alike, shared, fit, which, left_out=rows)
            yield features, (chosen == which[rows]).astype(np.float32)

    def _choose(
        self, alike: np.ndarray, shared: np.ndarray, fit: np.ndarray, which: np.ndarray, left_out: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Choose an answer for each asked question.

        `alike` (cosine similarity) and `shared` (Jaccard of words) are (asked, entries), `fit` is (asked, answers) and
        `which` holds the answer column of each entry; `left_out` has the rows of asked questions that are entries.

        Returns:
            column of the chosen answer, nearest entry with that answer, features (asked, len(FEATURES))
        """
        asked = np.arange(len(alike))
        vote = _vote(np.exp(self._config.sharpness * (alike - 1.0)), which, fit.shape[1])
        chosen = (self._config.vote_weight * np.log(vote) + fit).argmax(axis=1)
        mine = which[None, :] == chosen[:, None]  # (asked, entries)
        ours, theirs = np.where(mine, alike, ABSENT), np.where(mine, ABSENT, alike)
        nearest, similarity = ours.argmax(axis=1), np.maximum(ours.max(axis=1), 0.0)
        five = np.argsort(-alike, axis=1, kind="stable")[:, :NEAREST]
        rival_fit = fit.copy()
        rival_fit[asked, chosen] = 0.0
        support = np.bincount(which, minlength=fit.shape[1])[chosen]
        if left_out is not None:
            support = support - (which[left_out] == chosen)
        p = np.clip(vote[asked, chosen], 1e-4, 1.0 - 1e-4)
        features = np.stack(
            [
                np.ones(len(asked)),
                similarity,
                similarity - np.maximum(theirs.max(axis=1), 0.0),
                np.take_along_axis(mine, five, axis=1).mean(axis=1),
                np.log(p / (1.0 - p)),
                fit[asked, chosen],
                fit[asked, chosen] - np.maximum(rival_fit.max(axis=1), 0.0),
                np.log1p(support),
                mine[asked, five[:, 0]],
                np.maximum(shared[asked, nearest], 0.0),
                np.maximum(np.where(mine, shared, 0.0).max(axis=1), 0.0),
                np.maximum(np.where(mine, 0.0, shared).max(axis=1), 0.0),
                similarity > IDENTICAL,
            ],
            axis=1,
        )
        return chosen, nearest, features.astype(np.float32)

    def _fit(self, vectors: np.ndarray, words: np.ndarray) -> np.ndarray:
        """Return the classifier's value for every answer; one not known at the last fit has 0."""
        self.refit()
        return self._classifier.values(self._inputs(vectors, words), len(self._columns))

    def _examples(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs and answer columns of the entries from `first` to before `last`."""
        inputs = self._inputs(self._vectors.all[first:last], self._words.all[first:last])
        return inputs, np.array(self._answer_columns[first:last], np.int64)

    def refit(self) -> None:
        """Refit the classifier if that is due."""
        if len(self) >= self._config.fewest:
            used = len(self) // self._config.refit_every * self._config.refit_every
            self._classifier.fit(self._examples, used)

    def _inputs(self, vectors: np.ndarray, words: np.ndarray) -> np.ndarray:
        """Return the classifier's inputs: (n, width + SKETCH + 1) float64."""
        ones = np.ones((len(vectors), 1))
        return np.hstack([vectors, self._config.word_weight * _sketch(words), ones]).astype(np.float64)


class GrowingMatrix:
    """A matrix that grows by rows; its buffer doubles, so that a new row seldom copies the others."""

    def __init__(self, kind: type) -> None:
        self._kind, self._count = kind, 0
        self._buffer: np.ndarray = np.zeros((0, 0), kind)

    def append(self, row: np.ndarray) -> None:
        """Add a row."""
        if self._count == len(self._buffer):
            grown: np.ndarray = np.zeros((max(64, 2 * self._count), len(row)), self._kind)
            grown[: self._count] = self._buffer[: self._count] if self._count else 0
            self._buffer = grown
        self._buffer[self._count] = row
        self._count += 1

    @property
    def all(self) -> np.ndarray:
        """Return all rows: (rows, columns)."""
        return self._buffer[: self._count]


def _sketch(words: np.ndarray) -> np.ndarray:
    """Return bit sets as (n, SKETCH) vectors of length 1; of two words that share a column, one may count negative."""
    bits = np.unpackbits(words, axis=1).reshape(len(words), WORD_BITS // SKETCH, SKETCH).astype(np.float32)
    signs = np.where(np.arange(bits.shape[1]) % 2, -1.0, 1.0)
    folded: np.ndarray = np.einsum("nfs,f->ns", bits, signs)
    folded /= np.maximum(np.linalg.norm(folded, axis=1, keepdims=True), 1.0)
    return folded


def _vote(weights: np.ndarray, which: np.ndarray, answers: int) -> np.ndarray:
    """Return each answer's share of the weights (asked, entries), at least 1e-6: (asked, answers)."""
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(answers))
    votes = np.add.reduceat(weights[:, order], starts, axis=1)
    shares: np.ndarray = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1e-30)
    clipped: np.ndarray = np.clip(shares, 1e-6, 1.0)
    return clipped


def _jaccard(asked: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the Jaccard similarity of bit sets: (asked, known)."""
    common: np.ndarray = np.stack([np.bitwise_count(known & words).sum(axis=1) for words in asked])
    sizes = [np.bitwise_count(words).sum(axis=1) for words in (asked, known)]
    union: np.ndarray = sizes[0][:, None] + sizes[1][None] - common
    shares: np.ndarray = common / np.maximum(union, 1.0)
    return shares
