"""A memory of thousands of questions is refitted without blocking answers, and opened without being fitted anew.

Times are the thread's own, and only their ratios count.
"""

import functools
import math
import time
from collections.abc import Callable, Collection, Iterable

import numpy as np
import pytest

from shammah_mlx.config import RecallConfig
from shammah_mlx.learners.memory import Memory
from shammah_mlx.learners.neighbours import Entry, EntryKey, Question, word_set
from shammah_mlx.learners.trust import Trust

pytestmark = pytest.mark.slow

ENTRIES, WIDTH, TOPICS, HERE = 3000, 384, 300, 1
CONFIG = RecallConfig()
RNG = np.random.default_rng(7)
AXES, REPLIES = RNG.normal(size=(2, TOPICS, WIDTH))


def near(axis: np.ndarray, noise: float) -> np.ndarray:
    vector = axis + noise * RNG.normal(size=WIDTH)
    unit: np.ndarray = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit


def entry(number: int) -> Entry:
    topic = number % TOPICS
    question = Question(near(AXES[topic], 0.7), word_set(f"topic{topic} word{number % 97}"), HERE, number)
    return Entry(question, number, topic, 0.0, math.inf, near(REPLIES[topic], 0.1))


STORED = {number: entry(number) for number in range(ENTRIES)}
ASKED = Question(near(AXES[5], 0.7), word_set("topic5 anew"), HERE, -1)


def read(numbers: Collection[int]) -> Iterable[Entry]:
    return [STORED[number] for number in numbers]


def keys() -> Iterable[EntryKey]:
    return [EntryKey(one.number, one.answer, HERE, one.until) for one in STORED.values()]


def opened(*, has_fits: bool) -> Memory:
    """Return a memory as after opening a home whose state was saved with or without the regressions."""
    memory = Memory(CONFIG, read)
    memory.load(keys(), (), saved().fits() if has_fits else {})
    memory.nearest(ASKED, 1)  # the entries are read
    return memory


@functools.cache
def saved() -> Memory:
    """Return a memory that was fitted."""
    memory = Memory(CONFIG, read)
    memory.load(keys(), ())
    memory.fits()
    return memory


def seconds(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


def test_a_cold_open_does_not_fit_from_zero() -> None:
    cold, anew = opened(has_fits=True), opened(has_fits=False)
    at_once, fitting = seconds(lambda: cold.propose(ASKED)), seconds(lambda: anew.propose(ASKED))
    assert at_once < fitting / 10
    ours, theirs = cold.propose(ASKED), anew.propose(ASKED)
    assert ours is not None
    assert theirs is not None
    assert (ours.entry, ours.features.tolist()) == (theirs.entry, theirs.features.tolist())


@pytest.mark.parametrize("has_fits", [True, False])
def test_a_refit_gives_way_to_answers(has_fits: bool) -> None:
    """As in a process that was just started: the sums of the regression are made from zero."""
    memory, trust = opened(has_fits=has_fits), Trust(CONFIG)
    expected = saved().propose(ASKED)
    pieces, answers, began = [], [], time.thread_time()

    def give_way() -> None:
        nonlocal began
        pieces.append(time.thread_time() - began)
        answers.append(seconds(lambda: memory.propose(ASKED)))
        assert memory.propose(ASKED) is not None
        began = time.thread_time()

    for number in range(ENTRIES, ENTRIES + CONFIG.refit_every):
        memory.add(entry(number), give_way)
    refitting = len(pieces)
    trust.fit_if_due(memory, give_way)
    pieces.append(time.thread_time() - began)
    assert refitting > 40
    assert len(pieces) > refitting + 30
    assert max(pieces) < sum(pieces) / 4
    assert max(answers) < sum(pieces) / 20
    assert expected is not None
    assert trust.log_odds(expected.features) != Trust(CONFIG).log_odds(expected.features)


def test_giving_way_changes_no_fit() -> None:
    given, quiet = opened(has_fits=True), opened(has_fits=False)

    def give_way() -> None:
        given.propose(ASKED)

    for number in range(ENTRIES, ENTRIES + CONFIG.refit_every):
        added = entry(number)
        given.add(added, give_way)
        quiet.add(added)
    ours, theirs = given.fits()[HERE], quiet.fits()[HERE]
    assert ours.count == theirs.count == ENTRIES + CONFIG.refit_every
    assert np.array_equal(ours.weights, theirs.weights)
