"""Claude's own past answers, found by what was asked.

A memory holds the questions: a vector and a set of words each, and which answer it had. For a new question two views
propose an answer: a vote of similar questions, and a linear classifier (ridge regression) from vector and words to
answer. What they say of the answer they agree on most is evidence. The memory also asks itself every question it holds,
leaving it out: so it learns from each reply how its own evidence is to be weighed. Knows no text.
"""

from collections.abc import Iterable

import numpy as np

from shammah_mlx.config import RecallConfig
from shammah_mlx.learners.neighbours import FEATURES, NEAREST, ContextIndex, Entry, Proposal, Question


class Memory:
    """Questions and their answers, in the order they were learnt; what it returns is a function of them alone."""

    def __init__(self, config: RecallConfig) -> None:
        self._config = config
        self._entries: list[Entry] = []
        self._contexts: dict[int, ContextIndex] = {}  # by context
        self._given: dict[int, float] = {}  # when each answer was last given, Unix time
        self._answers: dict[int, int] = {}  # of each entry's interaction
        self._refuted: dict[int, int] = {}  # how often each answer was found wrong since it was last given

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """Remember; an answer that is given again is in doubt no more."""
        self._refuted.pop(entry.answer, None)
        self._keep(entry)
        self._contexts[entry.question.context].refit()  # now, and not when the next question waits for it

    def _keep(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._answers[entry.number] = entry.answer
        self._given[entry.answer] = max(entry.at, self._given.get(entry.answer, entry.at))
        self._contexts.setdefault(entry.question.context, ContextIndex(self._config)).add(entry)

    def expire(self, now: float) -> list[int]:
        """Forget what is not to be served any more; return the numbers of what that is."""
        gone = [entry.number for entry in self._entries if entry.until < now]
        if gone:
            kept = [entry for entry in self._entries if entry.until >= now]
            self._entries, self._contexts, self._given, self._answers = [], {}, {}, {}
            for entry in kept:
                self._keep(entry)
        return gone

    def refute(self, number: int, *, stood: bool) -> None:
        """Note that the answer of that interaction was wrong for a question it was proposed for.

        One that stood, or was wrong a few times in a row, is in doubt: it is proposed no more, until it is given again.
        """
        if (answer := self._answers.get(number)) is not None:
            self._refuted[answer] = self._config.refutations if stood else self._refuted.get(answer, 0) + 1

    @property
    def refuted(self) -> list[tuple[int, int]]:
        """Return the answers that were found wrong since they were last given, and how often."""
        return sorted(self._refuted.items())

    def load(self, entries: Iterable[Entry], refuted: Iterable[tuple[int, int]]) -> None:
        """Continue from entries and what was found wrong."""
        for entry in entries:
            self._keep(entry)
        self._refuted = dict(refuted)

    def since_given(self, entry: Entry, now: float) -> float:
        """Return how long ago the entry's answer was last given, in seconds."""
        return max(0.0, now - self._given[entry.answer])

    def nearest(self, question: Question, count: int) -> list[tuple[Entry, float]]:
        """Return the most similar questions asked in the same context with their similarity, the nearest first."""
        room = self._contexts.get(question.context)
        return [] if room is None else room.nearest(question, count)

    def known_answers(self, question: Question, count: int) -> list[int]:
        """Return the answers of the most similar questions, the nearest first, each once."""
        for enough in (16 * count, len(self)):  # seldom are so many of one answer the nearest
            known = list(dict.fromkeys(entry.answer for entry, _ in self.nearest(question, enough)))
            if len(known) >= count:
                break
        return known[:count]

    def propose(self, question: Question) -> Proposal | None:
        """Return the best answer among questions asked in the same context; None where there are too few."""
        room = self._contexts.get(question.context)
        doubted = [answer for answer, times in self._refuted.items() if times >= self._config.refutations]
        return None if room is None or len(room) < self._config.fewest else room.propose(question, doubted)

    def leave_each_out(self) -> tuple[np.ndarray, np.ndarray]:
        """Ask the latest questions as if they were new; return the evidence (n, EVIDENCE) and 1 where it was right."""
        parts = [part for room in self._contexts.values() if len(room) > NEAREST for part in room.left_out()]
        if not parts:
            return np.zeros((0, len(FEATURES)), np.float32), np.zeros(0, np.float32)
        return np.concatenate([features for features, _ in parts]), np.concatenate([right for _, right in parts])
