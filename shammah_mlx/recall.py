"""Claude's own past answers, found by what was asked.

A memory holds one vector a question, and which answer it had. For a new question two views propose an answer: a vote of
similar questions, and a linear classifier from vector to answer (ridge regression). What they say of the answer they
agree on most is the evidence that Router and Validator judge by. Knows no text.
"""

from collections.abc import Mapping

import msgspec
import numpy as np

from shammah_mlx.config import RecallConfig

EVIDENCE = (
    "constant",
    "similarity",  # of the nearest question with the proposed answer
    "margin",  # over the nearest question with another answer
    "agreement",  # share of the five nearest questions that had the proposed answer
    "vote",  # log-odds of the proposed answer in the vote
    "fit",  # the classifier's value for the proposed answer, near 1 if sure
    "fit margin",  # over its value for any other answer
    "support",  # log of how many questions had the proposed answer
    "same",  # 1 if the nearest question of all had it
)


class Proposal(msgspec.Struct, frozen=True):
    """The answer a memory would give, and what speaks for it."""

    answer: int
    number: int  # journal number of the nearest question that had it
    evidence: np.ndarray  # (len(EVIDENCE),)


class Memory:
    """Questions and their answers, in the order they were learnt.

    Every result is a function of the entries alone, however many processes they came by.
    """

    def __init__(self, width: int, config: RecallConfig) -> None:
        self._config = config
        self._vectors = np.zeros((0, width), np.float32)
        self._answers = np.zeros(0, np.int64)  # an answer is known by the number of the first question that had it
        self._numbers = np.zeros(0, np.int64)
        self._contexts = np.zeros(0, np.int64)
        self._fits: dict[int, tuple[int, np.ndarray, np.ndarray]] = {}  # by context: entries used, answers, weights

    def __len__(self) -> int:
        return len(self._answers)

    def add(self, vector: np.ndarray, answer: int, number: int, context: int) -> None:
        """Remember that the question `number` had this answer."""
        self._vectors = np.vstack([self._vectors, vector[None]])
        self._answers = np.append(self._answers, answer)
        self._numbers = np.append(self._numbers, number)
        self._contexts = np.append(self._contexts, context)

    def nearest(self, vector: np.ndarray, context: int, count: int) -> list[int]:
        """Return the answers of the nearest questions asked in the same context, nearest first, each once."""
        inside = np.flatnonzero(self._contexts == context)
        order = inside[np.argsort(-(self._vectors[inside] @ vector), kind="stable")]
        return list(dict.fromkeys(self._answers[order].tolist()))[:count]

    def propose(self, vector: np.ndarray, context: int) -> Proposal | None:
        """Return the best answer among questions asked in the same context; None where there are too few."""
        inside = np.flatnonzero(self._contexts == context)
        if len(inside) < self._config.fewest:
            return None
        alike = self._vectors[inside] @ vector  # (entries,)
        answers, which = np.unique(self._answers[inside], return_inverse=True)
        vote = np.bincount(which, np.exp(self._config.sharpness * (alike - 1.0)), len(answers))
        vote = np.clip(vote / vote.sum(), 1e-6, 1.0)
        fit = self._fit(inside, context, answers, vector)
        chosen = int((self._config.vote_weight * np.log(vote) + fit).argmax())

        mine = which == chosen
        best = np.argsort(-alike, kind="stable")
        others = np.delete(fit, chosen)
        p = min(max(float(vote[chosen]), 1e-4), 1.0 - 1e-4)
        evidence = np.array(
            [
                1.0,
                alike[mine].max(),
                alike[mine].max() - (alike[~mine].max() if not mine.all() else 0.0),
                mine[best[:5]].mean(),
                np.log(p / (1.0 - p)),
                fit[chosen],
                fit[chosen] - max(float(others.max()) if len(others) else 0.0, 0.0),
                np.log1p(mine.sum()),
                float(mine[best[0]]),
            ],
            np.float32,
        )
        nearest = inside[mine][int(alike[mine].argmax())]
        return Proposal(int(answers[chosen]), int(self._numbers[nearest]), evidence)

    def _fit(self, inside: np.ndarray, context: int, answers: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """Return the classifier's value for each of `answers`; one not known at the last fit has 0."""
        used = len(inside) // self._config.refit_every * self._config.refit_every
        if context not in self._fits or self._fits[context][0] != used:
            x = np.hstack([self._vectors[inside[:used]], np.ones((used, 1), np.float32)]).astype(np.float64)
            known, which = np.unique(self._answers[inside[:used]], return_inverse=True)
            sums = np.zeros((len(known), x.shape[1]))  # of the questions of each answer
            np.add.at(sums, which, x)
            gram = x.T @ x + self._config.ridge * np.eye(x.shape[1])
            self._fits[context] = (used, known, np.linalg.solve(gram, sums.T))
        _, known, weights = self._fits[context]
        values = np.append(vector, 1.0) @ weights
        result = np.zeros(len(answers))
        result[np.searchsorted(answers, known)] = values
        return result

    @property
    def last_number(self) -> int | None:
        """Return the number of the last question remembered."""
        return int(self._numbers[-1]) if len(self) else None

    def state(self) -> dict[str, np.ndarray]:
        """Return the entries."""
        return {
            "vectors": self._vectors,
            "answers": self._answers,
            "numbers": self._numbers,
            "contexts": self._contexts,
        }

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from what `state` returned."""
        self._vectors, self._answers = state["vectors"], state["answers"]
        self._numbers, self._contexts = state["numbers"], state["contexts"]
        self._fits = {}
