"""A semantic cache: finds Claude's past answers by the question that was asked.

A memory holds questions: for each a vector, a set of words, and the number and the vector of its answer. For a new
question, two methods score the answers of the most similar ones: a vote, in which similar answers support each other,
and a linear map (ridge regression) from vector and words to the answer's vector. The answer with the highest sum is
proposed, with features that describe how well it fits. To learn how to weigh the features, the memory also asks itself
each question it holds, with that question left out. It stores no text.

Of all contexts only those in use are held whole: some clients never come back to a context. Of the others a key for
each entry is enough, since their entries are stored, and read again when one of their questions comes.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

import numpy as np

from shammah_mlx.config import RecallConfig
from shammah_mlx.framework.loop import GiveWay, do_nothing
from shammah_mlx.learners.neighbours import (
    FEATURES,
    NEAREST,
    ContextIndex,
    Entry,
    EntryKey,
    Proposal,
    Question,
    last_fitted,
)
from shammah_mlx.learners.ridge import Fit

FEWEST_SAVED = 100  # questions of a context whose regression is saved; fewer are fitted in a moment
MOST_SAVED = 4  # regressions, of the largest contexts: each takes 1.4 MB in every saved state

ReadAgain = Callable[[Collection[int]], Iterable[Entry]]
"""Returns the stored entries with these numbers."""
NOTHING_FITTED: Mapping[int, Fit] = {}


class EntryStore(Protocol):
    """Stores the memory's entries."""

    def add(self, entry: Entry, made_by: str) -> None:
        """Store an entry; `made_by` names the versions of the parts that made it."""

    def made_by(self, versions: str) -> Iterable[EntryKey]:
        """Yield the keys of the entries made by these versions, in order."""

    def read(self, versions: str, numbers: Collection[int]) -> Iterable[Entry]:
        """Yield those entries with these numbers that were made by these versions, in order."""

    def made_before(self, versions: str, number: int) -> Entry | None:
        """Return an entry as these versions had made it before it was taken back to be made again, if it was."""

    def remove(self, numbers: Collection[int], by: int) -> None:
        """Remove entries because of what interaction or feedback number `by` showed; a rollback brings them back."""

    def clear(self) -> None:
        """Delete all entries."""


def nothing_stored(_: Collection[int]) -> Iterable[Entry]:
    """Return no entries: for a memory that is not saved, and so releases nothing."""
    return ()


class Memory:
    """Questions and their answers, in the order they were added.

    All results are a function of these alone, but for those in a pause of `add`: they follow the fit before it.
    """

    def __init__(self, config: RecallConfig, read_again: ReadAgain = nothing_stored) -> None:
        self._config, self._read_again = config, read_again
        self._numbers: dict[int, list[int]] = {}  # of the entries of each context, in the order they were added
        self._answers: dict[int, int] = {}  # answer of each entry, by the entry's number
        self._expiring: dict[int, tuple[float, int]] = {}  # when entries expire that do, and their contexts
        self._refuted: dict[int, int] = {}  # how often each answer was found wrong since it was last given
        self._unsaved: dict[int, ContextIndex] = {}  # contexts with entries that are not stored yet
        self._held: dict[int, ContextIndex] = {}  # other contexts in use, the least recently used first
        self._fits: dict[int, Fit] = {}  # of the largest contexts, when they were last saved, or to others

    def __len__(self) -> int:
        return len(self._answers)

    def add(self, entry: Entry, give_way: GiveWay = do_nothing) -> None:
        """Add an entry, and refit its context if that is due, so that the next question need not wait for it.

        If its answer had been refuted, that is forgotten, since Claude gave it again.
        """
        self._refuted.pop(entry.answer, None)
        context = entry.question.context
        index = self._index(context)
        index = ContextIndex(self._config) if index is None else index
        self._held.pop(context, None)
        self._unsaved[context] = index
        self._append(EntryKey(entry.number, entry.answer, context, entry.until))
        index.add(entry)
        index.refit(give_way)

    def _append(self, key: EntryKey) -> None:
        self._numbers.setdefault(key.context, []).append(key.number)
        self._answers[key.number] = key.answer
        if key.until < np.inf:
            self._expiring[key.number] = key.until, key.context

    def saved(self) -> None:
        """Note that every entry is stored now, so that contexts may be released."""
        self._held |= self._unsaved
        self._unsaved = {}
        self._release()

    def expire(self, now: float) -> list[int]:
        """Remove the entries that have expired; return their numbers."""
        expired = {number: context for number, (until, context) in self._expiring.items() if until < now}
        for context in set(expired.values()):
            self._remove(context, {number for number, its in expired.items() if its == context})
        return sorted(expired)

    def withdraw(self, question: Question, last: int) -> list[int]:
        """Remove the entries with this text in this context up to number `last`; return their numbers."""
        withdrawn = {entry.number for entry in self.same(question) if entry.number <= last}
        if withdrawn:
            self._remove(question.context, withdrawn)
        return sorted(withdrawn)

    def _remove(self, context: int, removed: Collection[int]) -> None:
        """Remove entries of one context; its regression is fitted anew."""
        for number in removed:
            del self._answers[number]
            self._expiring.pop(number, None)
        if (fit := self._fits.get(context)) is not None:
            self._fits[context] = fit.to_others()
        self._numbers[context] = [number for number in self._numbers[context] if number not in removed]
        if not self._numbers[context]:
            del self._numbers[context]
        for indices in (self._unsaved, self._held):
            if (index := indices.pop(context, None)) is not None and context in self._numbers:
                left = (entry for entry in index.entries if entry.number not in removed)
                indices[context] = self._indexed(left, index.fit.to_others())

    def refute(self, number: int, *, accepted: bool) -> None:
        """Count that the answer of interaction `number` was wrong for a question it was proposed for.

        An answer that was accepted, or was wrong a few times in a row, is not proposed again until Claude gives it
        again.
        """
        if (answer := self._answers.get(number)) is not None:
            self._refuted[answer] = self._config.refutations if accepted else self._refuted.get(answer, 0) + 1

    def is_refuted(self, answer: int) -> bool:
        """Say whether an answer is not proposed until Claude gives it again."""
        return self._refuted.get(answer, 0) >= self._config.refutations

    @property
    def refuted(self) -> list[tuple[int, int]]:
        """Return the answers found wrong since they were last given, each with the number of times."""
        return sorted(self._refuted.items())

    def fits(self) -> dict[int, Fit]:
        """Return the regressions of the largest contexts, by context; a function of the entries, as all is."""
        fewest = max(FEWEST_SAVED, self._config.fewest, self._config.refit_every)  # with fewer there is no fit
        large = [context for context, numbers in self._numbers.items() if len(numbers) >= fewest]
        large.sort(key=lambda context: (-len(self._numbers[context]), self._numbers[context][0]))
        self._fits = {context: self._fit(context) for context in large[:MOST_SAVED]}
        return self._fits

    def _fit(self, context: int) -> Fit:
        if (fit := self._saved_fit(context)) is not None:
            return fit
        index = self._peek(context)
        index.refit()
        return index.fit

    def _saved_fit(self, context: int) -> Fit | None:
        """Return the saved regression of a context, unless another one was due since."""
        fit = self._fits.get(context)
        return fit if fit and fit.count == last_fitted(len(self._numbers[context]), self._config) else None

    def load(
        self, stored: Iterable[EntryKey], refuted: Iterable[tuple[int, int]], fits: Mapping[int, Fit] = NOTHING_FITTED
    ) -> None:
        """Continue from stored entries, refuted answers and saved regressions."""
        self._fits = dict(fits)
        for key in stored:
            self._append(key)
        self._refuted = dict(refuted)

    def seconds_since_given(self, entry: Entry, now: float) -> float:
        """Return the seconds since Claude last gave the entry's answer."""
        index = self._index(entry.question.context)
        return 0.0 if index is None else max(0.0, now - index.given(entry))

    def nearest(self, question: Question, count: int) -> list[tuple[Entry, float]]:
        """Return the most similar questions asked in the same context with their similarity, the nearest first."""
        index = self._index(question.context)
        return [] if index is None else index.nearest(question, count)

    def same(self, question: Question) -> list[Entry]:
        """Return the entries with the same text in the same context, in the order they were added."""
        index = self._index(question.context)
        return [] if index is None else index.same(question)

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
        index = self._index(question.context)
        refuted = [answer for answer in self._refuted if self.is_refuted(answer)]
        return None if index is None or len(index) < self._config.fewest else index.propose(question, refuted)

    def proposing(self) -> dict[int, int]:
        """Return the contexts with enough questions to propose something, each with the number of one, largest first.

        Of contexts that are equally large the one that was asked in first comes first.
        """
        large = [numbers for numbers in self._numbers.items() if len(numbers[1]) >= self._config.fewest]
        large.sort(key=lambda numbers: (-len(numbers[1]), numbers[1][0]))
        return {context: numbers[0] for context, numbers in large}

    def leave_each_out(self, give_way: GiveWay = do_nothing) -> tuple[np.ndarray, np.ndarray]:
        """Ask each of the latest questions with itself left out, in pieces that give way.

        Returns:
            features of the proposals (n, len(FEATURES)), and how far each was right, from 0 to 1 (n,)
        """
        large = sorted((numbers[0], context) for context, numbers in self._numbers.items() if len(numbers) > NEAREST)
        parts = [part for _, context in large for part in self._peek(context).left_out(give_way)]
        if not parts:
            return np.zeros((0, len(FEATURES)), np.float32), np.zeros(0, np.float32)
        return np.concatenate([features for features, _ in parts]), np.concatenate([right for _, right in parts])

    def _index(self, context: int) -> ContextIndex | None:
        """Return a context, read again if it was released, as the last one used; None if it has no entries."""
        if context not in self._numbers or context in self._unsaved:
            return self._unsaved.get(context)
        index = self._peek(context)
        if not len(index):
            return None  # another process has removed what expired
        self._held.pop(context, None)
        self._release()
        self._held[context] = index
        return index

    def _peek(self, context: int) -> ContextIndex:
        """Return a context that has entries, without noting that it was used."""
        index = self._unsaved.get(context, self._held.get(context))
        if index is None:
            earlier = self._fits.get(context)
            index = self._indexed(self._read_again(self._numbers[context]), earlier and earlier.to_others())
            if (fit := self._saved_fit(context)) is not None and len(index) == len(self._numbers[context]):
                index.restore(fit)
        return index

    def _indexed(self, entries: Iterable[Entry], earlier: Fit | None) -> ContextIndex:
        """Return a new index, which speaks by a fit to other entries while the first to these gives way."""
        index = ContextIndex(self._config)
        for entry in entries:
            index.add(entry)
        if earlier is not None:
            index.restore(earlier)
        return index

    def _release(self) -> None:
        """Release the contexts with too few questions to propose anything, and of the others the least recently used.

        The former are read again in a moment. The latter have a regression, which takes long to fit again.
        """
        large = [context for context, index in self._held.items() if len(index) >= self._config.fewest]
        kept = set(large[max(0, len(large) - self._config.contexts) :])
        self._held = {context: index for context, index in self._held.items() if context in kept}
