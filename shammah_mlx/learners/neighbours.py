"""Index the questions of one context, and propose an answer with features that say how well it fits. Holds no text."""

import re
import zlib
from collections.abc import Collection, Iterator

import msgspec
import numpy as np

from shammah_mlx.config import RecallConfig
from shammah_mlx.framework.loop import GiveWay, do_nothing
from shammah_mlx.learners.growing_matrix import GrowingMatrix
from shammah_mlx.learners.ridge import Fit, RidgeRegression

# An answer is more or less the proposed one, by their equivalence from 0 to 1, and by the rest to 1 another answer.
FEATURES = (  # these names are used in config.toml and stored in the journal
    "constant",
    "similarity",  # of the nearest question with the proposed answer
    "margin",  # over the nearest question with another answer
    "agreement",  # share of the five nearest questions with the proposed answer
    "vote",  # log-odds of the proposed answer in the vote
    "fit",  # how far the regression points to the proposed answer, near 1 if sure
    "fit margin",  # over how far it points to any other answer
    "support",  # log of how many of the candidates had the proposed answer
    "same",  # 1 if the nearest question of all had it
    "words",  # shared with that nearest question that had it: Jaccard, as the two below
    "most words",  # with any candidate that had the proposed answer
    "rival words",  # with any candidate that had another answer
    "identical",  # 1 if the nearest question that had it is the same
)
WORD_BITS = 2048  # of the set of words, hashed: a question's dozen words seldom collide
SKETCH = 512  # width of the regression's input for them
NEAREST = 5  # questions that the feature `agreement` counts
IDENTICAL = 0.9999  # similarity of a question to itself, up to rounding
ABSENT = -9.0  # less than any similarity: marks entries that do not count
EQUIVALENT = 0.5  # least equivalence of an answer that is served for the chosen one
LEAST_LENGTH = 0.01  # of a centred reply: one that is nearer the mean has no direction
TINY = 1e-30  # lower bound of a sum of weights
LEAST_LEFT_OUT = 1e-3  # lower bound of 1 - leverage, for a question that alone decides its own fit


class Question(msgspec.Struct, frozen=True):
    """A question as the memory stores it."""

    vector: np.ndarray  # (width,) fp32, of length 1
    words: np.ndarray  # (WORD_BITS / 8,) bytes, from `word_set`
    context: int
    text: int = 0  # hash of the text: questions of one context with the same hash are the same; 0: unknown


class Entry(msgspec.Struct, frozen=True):
    """A question and its answer."""

    question: Question
    number: int  # in the journal
    answer: int  # the number of the first question that had it
    at: float  # when it was asked, Unix time
    until: float  # Unix time after which it must not be served
    reply: np.ndarray  # (width,) fp32, of length 1: the vector of the answer's text
    unlike: tuple[int, ...] = ()  # answers that it was compared with before, and that were others


class EntryKey(msgspec.Struct, frozen=True):
    """What is held of every entry; the rest of it is read when its context is needed."""

    number: int
    answer: int
    context: int
    until: float


class Near(msgspec.Struct, frozen=True):
    """The entries nearest to each asked question, the nearest first; all are (asked, places)."""

    rows: np.ndarray
    alike: np.ndarray  # cosine similarity of the question; ABSENT for one that does not count
    shared: np.ndarray  # words in common: Jaccard


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
    """The questions of one context, with a vote and a regression that choose among the answers of the nearest."""

    def __init__(self, config: RecallConfig) -> None:
        self._config = config
        self.entries: list[Entry] = []  # in the order they were added
        self._given: dict[int, float] = {}  # when each answer was last given, Unix time
        self._by_text: dict[int, list[Entry]] = {}
        self._rows: dict[int, list[int]] = {}  # of the entries with each answer
        self._vectors, self._words = GrowingMatrix(np.float32), GrowingMatrix(np.uint8)
        self._replies, self._answers = GrowingMatrix(np.float32), GrowingMatrix(np.int64)
        self._superseded: list[int] = []  # rows of entries whose question Claude has answered otherwise since
        self._sum: np.ndarray = np.zeros(1)  # of all replies' vectors, added one by one
        self._regression = RidgeRegression(config.ridge, config.block)
        self._is_refitting = False

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, entry: Entry) -> None:
        """Add a question; the regression sees it after the next `refit`.

        Claude's newest answer to a text stands for it: another one, given earlier, is proposed to nobody any more.
        """
        same = self._by_text.setdefault(entry.question.text, [])
        others = {earlier.number for earlier in same if earlier.answer != entry.answer and entry.question.text}
        if others:
            self._superseded += [row for row, earlier in enumerate(self.entries) if earlier.number in others]
        same.append(entry)
        self._rows.setdefault(entry.answer, []).append(len(self))
        self.entries.append(entry)
        self._given[entry.answer] = max(entry.at, self._given.get(entry.answer, entry.at))
        self._vectors.append(entry.question.vector)
        self._words.append(entry.question.words)
        self._replies.append(entry.reply)
        self._answers.append(np.array([entry.answer]))
        self._sum = self._sum + entry.reply

    def same(self, question: Question) -> list[Entry]:
        """Return the entries with the same text, in the order they were added."""
        return self._by_text.get(question.text, [])

    def given(self, entry: Entry) -> float:
        """Return when an entry's answer was last given, Unix time."""
        return self._given.get(entry.answer, entry.at)

    def nearest(self, question: Question, count: int) -> list[tuple[Entry, float]]:
        """Return the most similar questions with their cosine similarity, the nearest first."""
        alike = (self._vectors.all @ question.vector)[None]
        rows = _most_alike(alike, count)[0]
        return [(self.entries[i], float(alike[0, i])) for i in rows]

    def propose(self, question: Question, refuted: Collection[int]) -> Proposal | None:
        """Return the best answer that is not in `refuted`; None if too few questions, or no near one, have such."""
        if len(self) - sum(len(self._rows.get(answer, ())) for answer in refuted) < self._config.fewest:
            return None
        if not self._is_refitting:  # or else the fit before it has to do
            self.refit()
        alike = (self._vectors.all @ question.vector)[None]  # (1, entries)
        alike[0, self._superseded] = ABSENT
        near = self._near(alike, question.words[None])
        may = ~np.isin(self._answers.all[near.rows, 0], list(refuted)) & (near.alike > ABSENT)
        if not may.any():
            return None
        mean = (self._sum / len(self))[None]
        predicted = self._predicted(question)
        place, features = self._choose(near, mean if predicted is None else predicted, mean, may)
        return Proposal(self.entries[int(near.rows[0, place[0]])], features[0])

    def _predicted(self, question: Question) -> np.ndarray | None:
        """Return the regression's vector of the reply (1, width); None if there was no fit.

        While the first fit gives way, one to other entries speaks; with none, only the vote chooses, and trusts less.
        """
        regression = self._regression
        if regression.fitted or (self._is_refitting and regression.speaks):
            return regression.values(self._inputs(question.vector[None], question.words[None]))
        return None

    def left_out(self, give_way: GiveWay = do_nothing) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield features and rightness of the proposals for the latest questions, each with itself left out."""
        inverse, weights = self._regression.fitted_to(self._examples, len(self), give_way)
        first = max(0, len(self) - self._config.most_left_out)
        for start in range(first, len(self), self._config.block):
            rows = np.arange(start, min(start + self._config.block, len(self)))
            alike = self._vectors.all[rows] @ self._vectors.all.T
            alike[np.arange(len(rows)), rows] = ABSENT
            near = self._near(alike, self._words.all[rows])
            x, replies = self._examples(start, start + len(rows))
            leverage = (x @ inverse * x).sum(axis=1, keepdims=True)
            predicted = (x @ weights - leverage * replies) / np.maximum(1.0 - leverage, LEAST_LEFT_OUT)
            mean = (self._sum - replies) / (len(self) - 1)
            place, features = self._choose(near, predicted, mean, near.alike > ABSENT)
            chosen = near.rows[np.arange(len(rows)), place]
            pairs = np.stack([rows, chosen], axis=1)
            give_way()
            yield features, self._equivalence(pairs, self._centred(pairs, mean))[:, 0, 1].astype(np.float32)

    def _near(self, alike: np.ndarray, words: np.ndarray) -> Near:
        rows = _most_alike(alike, self._config.candidates)
        shared = _jaccard(words, self._words.all[rows])
        return Near(rows, np.take_along_axis(alike, rows, axis=1), shared)

    def _centred(self, rows: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Return the vectors of these entries' replies minus the mean: (asked, places, width)."""
        centred: np.ndarray = self._replies.all[rows] - mean[:, None].astype(np.float32)
        return centred

    def _equivalence(self, rows: np.ndarray, replies: np.ndarray) -> np.ndarray:
        """Return how far the answers of these entries say the same, from 0 to 1: (asked, places, places).

        Answers that the meter called the same count 1. `replies` are centred: what all answers of a context have in
        common, as the digits and commands of one subject do, says nothing about two of them.
        """
        directions = replies / _lengths(replies)[:, :, None]
        unlike = 1.0 - directions @ directions.swapaxes(1, 2)
        answers = self._answers.all[rows, 0]
        same = answers[:, :, None] == answers[:, None, :]
        return np.where(same, np.float32(1.0), np.exp(-self._config.answer_sharpness * np.maximum(unlike, 0.0)))

    def _choose(
        self, near: Near, predicted: np.ndarray, mean: np.ndarray, may: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose an answer for each asked question.

        `predicted` holds the regression's vectors of the replies, `mean` the mean of the known ones: (asked, width).
        Only answers that `may` be (asked, places) are proposed; the others are still rivals.

        Returns:
            place in `near` of the nearest entry with the chosen answer, features (asked, len(FEATURES))
        """
        asked, there = np.arange(len(near.rows)), near.alike > ABSENT
        replies = self._centred(near.rows, mean)
        equal = self._equivalence(near.rows, replies) * there[:, None, :]
        weights = np.where(there, np.exp(self._config.sharpness * (near.alike - 1.0)), 0.0)
        votes = (equal @ weights[:, :, None])[:, :, 0] / np.maximum(weights.sum(axis=1, keepdims=True), TINY)
        fit = _fit(replies, predicted, mean)
        score = self._config.vote_weight * np.log(np.clip(votes, 1e-6, 1.0)) + fit
        chosen = np.where(may, score, -np.inf).argmax(axis=1)
        mine = equal[asked, chosen]  # (asked, places)
        other = np.where(there, 1.0 - mine, 0.0)
        place = (may & (mine > EQUIVALENT)).argmax(axis=1)
        similarity = np.maximum(near.alike[asked, place], 0.0)
        five = min(NEAREST, near.alike.shape[1])
        p = np.clip(votes[asked, chosen], 1e-4, 1.0 - 1e-4)
        features = np.stack(
            [
                np.ones(len(asked)),
                similarity,
                similarity - np.maximum((near.alike * other).max(axis=1), 0.0),
                mine[:, :five].sum(axis=1) / np.maximum(there[:, :five].sum(axis=1), 1),
                np.log(p / (1.0 - p)),
                fit[asked, chosen],
                fit[asked, chosen] - np.maximum((fit * other).max(axis=1), 0.0),
                np.log1p(mine.sum(axis=1)),
                mine[:, 0],
                near.shared[asked, place],
                (near.shared * mine).max(axis=1),
                (near.shared * other).max(axis=1),
                similarity > IDENTICAL,
            ],
            axis=1,
        )
        return place, features.astype(np.float32)

    def _examples(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs and vectors of the replies of the entries from `first` to before `last`."""
        inputs = self._inputs(self._vectors.all[first:last], self._words.all[first:last])
        return inputs, self._replies.all[first:last].astype(np.float64)

    def refit(self, give_way: GiveWay = do_nothing) -> None:
        """Refit the regression if that is due."""
        if len(self) < self._config.fewest:
            return
        self._is_refitting = True
        try:
            self._regression.fit(self._examples, last_fitted(len(self), self._config), give_way)
        finally:
            self._is_refitting = False

    @property
    def fit(self) -> Fit:
        """Return the last fit of the regression."""
        return self._regression.last_fit

    def restore(self, fit: Fit) -> None:
        """Continue from a fit to these questions, or until they are fitted from one to others."""
        self._regression.restore(fit)

    def _inputs(self, vectors: np.ndarray, words: np.ndarray) -> np.ndarray:
        """Return the regression's inputs: (n, width + SKETCH + 1) float64."""
        ones = np.ones((len(vectors), 1))
        return np.hstack([vectors, self._config.word_weight * _sketch(words), ones]).astype(np.float64)


def last_fitted(count: int, config: RecallConfig) -> int:
    """Return to how many of `count` questions of a context its regression is fitted."""
    return count // config.refit_every * config.refit_every


def _sketch(words: np.ndarray) -> np.ndarray:
    """Return bit sets as (n, SKETCH) vectors of length 1; of two words that share a column, one may count negative."""
    bits = np.unpackbits(words, axis=1).reshape(len(words), WORD_BITS // SKETCH, SKETCH).astype(np.float32)
    signs = np.where(np.arange(bits.shape[1]) % 2, -1.0, 1.0)
    folded: np.ndarray = np.einsum("nfs,f->ns", bits, signs)
    folded /= np.maximum(np.linalg.norm(folded, axis=1, keepdims=True), 1.0)
    return folded


def _lengths(replies: np.ndarray) -> np.ndarray:
    lengths: np.ndarray = np.maximum(np.linalg.norm(replies, axis=2), LEAST_LENGTH)
    return lengths


def _fit(replies: np.ndarray, predicted: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return how far the prediction goes from the mean towards each centred reply, near 1 if sure: (asked, places).

    The unit is the distance of a usual reply from the mean: with each reply's own, those near the mean would win.
    """
    usual = np.sqrt(np.maximum(1.0 - (mean**2).sum(axis=1, keepdims=True), LEAST_LENGTH**2))  # replies have length 1
    towards = (replies @ (predicted - mean).astype(np.float32)[:, :, None])[:, :, 0]
    fit: np.ndarray = towards / (_lengths(replies) * usual)
    return fit


def _most_alike(alike: np.ndarray, count: int) -> np.ndarray:
    """Return the places of the largest values of each row, the largest first: (rows, at most count)."""
    if count < alike.shape[1]:
        places = np.sort(np.argpartition(alike, -count, axis=1)[:, -count:], axis=1)
    else:
        places = np.broadcast_to(np.arange(alike.shape[1]), alike.shape)
    order = np.argsort(-np.take_along_axis(alike, places, axis=1), axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1)


def _jaccard(asked: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the Jaccard similarity of bit sets (asked, bytes) to others (asked, places, bytes): (asked, places)."""
    common = np.bitwise_count(asked[:, None] & known).sum(axis=2)
    union = np.bitwise_count(asked[:, None] | known).sum(axis=2)
    shares: np.ndarray = common / np.maximum(union, 1.0)
    return shares
