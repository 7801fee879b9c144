"""A semantic cache: finds Claude's past answers by the question that was asked.

A memory holds questions: for each a vector, a set of words, and the number and the vector of its answer. For a new
question, two methods score the answers of the most similar ones: a vote, in which similar answers support each other,
and a linear map (ridge regression) from vector and words to the answer's vector. The answer with the highest sum is
proposed, with features that describe how well it fits. To learn how to weigh the features, the memory also asks itself
each question it holds, with that question left out. It stores no text.
"""

from collections.abc import Iterable

import numpy as np

from shammah_mlx.config import RecallConfig
from shammah_mlx.learners.neighbours import FEATURES, NEAREST, ContextIndex, Entry, Proposal, Question


class Memory:
    """Questions and their answers, in the order they were added; all results are a function of these alone."""

    def __init__(self, config: RecallConfig) -> None:
        self._config = config
        self._entries: list[Entry] = []
        self._contexts: dict[int, ContextIndex] = {}
        self._given: dict[int, float] = {}  # when each answer was last given, Unix time
        self._answers: dict[int, int] = {}  # answer of each entry, by the entry's number
        self._by_text: dict[tuple[int, int], list[Entry]] = {}  # by context and text, in the order they were added
        self._refuted: dict[int, int] = {}  # how often each answer was found wrong since it was last given

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """Add an entry; if its answer had been refuted, that is forgotten, since Claude gave it again."""
        self._refuted.pop(entry.answer, None)
        self._append(entry)
        self._contexts[entry.question.context].refit()  # now, so that the next question need not wait for it

    def _append(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._answers[entry.number] = entry.answer
        self._given[entry.answer] = max(entry.at, self._given.get(entry.answer, entry.at))
        self._contexts.setdefault(entry.question.context, ContextIndex(self._config)).add(entry)
        self._by_text.setdefault((entry.question.context, entry.question.text), []).append(entry)

    def expire(self, now: float) -> list[int]:
        """Remove the entries that have expired; return their numbers."""
        expired = [entry.number for entry in self._entries if entry.until < now]
        if expired:
            valid = [entry for entry in self._entries if entry.until >= now]
            self._entries, self._contexts, self._by_text, self._given, self._answers = [], {}, {}, {}, {}
            for entry in valid:
                self._append(entry)
        return expired

    def refute(self, number: int, *, accepted: bool) -> None:
        """Count that the answer of interaction `number` was wrong for a question it was proposed for.

        An answer that was accepted, or was wrong a few times in a row, is not proposed again until Claude gives it
        again.
        """
        if (answer := self._answers.get(number)) is not None:
            self._refuted[answer] = self._config.refutations if accepted else self._refuted.get(answer, 0) + 1

    @property
    def refuted(self) -> list[tuple[int, int]]:
        """Return the answers found wrong since they were last given, each with the number of times."""
        return sorted(self._refuted.items())

    def load(self, entries: Iterable[Entry], refuted: Iterable[tuple[int, int]]) -> None:
        """Continue from saved entries and refuted answers."""
        for entry in entries:
            self._append(entry)
        self._refuted = dict(refuted)

    def seconds_since_given(self, entry: Entry, now: float) -> float:
        """Return the seconds since Claude last gave the entry's answer."""
        return max(0.0, now - self._given[entry.answer])

    def nearest(self, question: Question, count: int) -> list[tuple[Entry, float]]:
        """Return the most similar questions asked in the same context with their similarity, the nearest first."""
        index = self._contexts.get(question.context)
        return [] if index is None else index.nearest(question, count)

    def same(self, question: Question) -> list[Entry]:
        """Return the entries with the same text in the same context, in the order they were added."""
        return self._by_text.get((question.context, question.text), [])

    def known_answers(self, question: Question, count: int) -> list[int]:
        """Return the answers of the most similar questions, the nearest first, each once."""
        for enough in (16 * count, len(self)):  # usually enough to find `count` different answers
            known = list(dict.fromkeys(entry.answer for entry, _ in self.nearest(question, enough)))
            if len(known) >= count:
                break
        return known[:count]

    def propose(self, question: Question) -> Proposal | None:
        """Return the best answer among similar questions asked in the same context.

        None if there are too few, or all of these had a refuted answer.
        """
        index = self._contexts.get(question.context)
        refuted = [answer for answer, times in self._refuted.items() if times >= self._config.refutations]
        return None if index is None or len(index) < self._config.fewest else index.propose(question, refuted)

    def leave_each_out(self) -> tuple[np.ndarray, np.ndarray]:
        """Ask each of the latest questions with itself left out.

        Returns:
            features of the proposals (n, len(FEATURES)), and how far each was right, from 0 to 1 (n,)
        """
        parts = [part for index in self._contexts.values() if len(index) > NEAREST for part in index.left_out()]
        if not parts:
            return np.zeros((0, len(FEATURES)), np.float32), np.zeros(0, np.float32)
        return np.concatenate([features for features, _ in parts]), np.concatenate([right for _, right in parts])
