import gc
import math
import tracemalloc
import weakref
from collections.abc import Collection, Iterable

import msgspec
import numpy as np
import pytest

from shammah_mlx.config import RecallConfig
from shammah_mlx.learners.memory import Memory
from shammah_mlx.learners.neighbours import FEATURES, Entry, EntryKey, Question, word_set
from shammah_mlx.learners.trust import Trust

WIDTH, CONFIG = 8, RecallConfig()
HERE, ELSEWHERE = 1, 2


def question(topic: int, seed: int, context: int = HERE, noise: float = 0.2, width: int = WIDTH) -> Question:
    """Return a question whose vector of length 1 is near the topic's axis."""
    vector = np.eye(width)[topic] + noise * np.random.default_rng(1000 * topic + seed).normal(size=width)
    words = word_set(f"about topic{topic} word{seed % 5}")
    return Question((vector / np.linalg.norm(vector)).astype(np.float32), words, context)


def reply(answer: int, seed: int = 0, width: int = WIDTH) -> np.ndarray:
    """Return the vector of an answer's text; another seed gives the same answer in other words."""
    vector = np.random.default_rng(answer).normal(size=width) + 0.05 * np.random.default_rng(seed).normal(size=width)
    unit: np.ndarray = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit


def entry(number: int, context: int = HERE, until: float = math.inf, width: int = WIDTH) -> Entry:
    asked = question(number % 3, number, context, width=width)
    return Entry(asked, number, number % 3, 0.0, until, reply(number % 3, width=width))


def filled(entries: int, context: int = HERE) -> Memory:
    """Return a memory of questions about three topics; the answer to topic t is first given by question t."""
    memory = Memory(CONFIG)
    for number in range(entries):
        memory.add(entry(number, context))
    return memory


class Rows(dict[int, Entry]):
    """Stores entries, as the journal does."""

    def add_to(self, memory: Memory, new: Entry) -> None:
        """Add an entry to the memory, and save it."""
        self[new.number] = new
        memory.add(new)
        memory.saved()

    def read(self, numbers: Collection[int]) -> Iterable[Entry]:
        return [self[number] for number in numbers]


def features(memory: Memory, asked: Question) -> dict[str, float]:
    proposal = memory.propose(asked)
    assert proposal is not None
    return dict(zip(FEATURES, proposal.features.tolist(), strict=True))


@pytest.mark.parametrize("topic", [0, 1, 2])
def test_it_proposes_the_answer_of_questions_alike_from_the_nearest_of_them(topic: int) -> None:
    memory, asked = filled(60), question(topic, 999)
    proposal = memory.propose(asked)
    assert proposal is not None
    mine = [number for number in range(60) if number % 3 == topic]
    assert proposal.entry.number == max(mine, key=lambda number: float(question(topic, number).vector @ asked.vector))


def test_a_question_seen_before_has_better_features_than_one_of_a_new_kind() -> None:
    memory = filled(60)
    known, strange = features(memory, question(1, 1)), features(memory, question(7, 5))
    assert known["similarity"] == pytest.approx(1.0, abs=1e-5)
    assert known["same"] == known["identical"] == 1.0
    assert strange["identical"] == 0.0
    for name in ("similarity", "margin", "vote", "fit", "fit margin", "most words"):
        assert known[name] > strange[name]


def test_words_in_common_are_counted_whatever_their_order_and_case() -> None:
    memory = Memory(CONFIG)
    for number, text in enumerate(("copy a file", "move a file", "list users", "kill a process", "show the date")):
        vector = question(number % 3, number).vector
        memory.add(Entry(Question(vector, word_set(text), HERE), number, number, 0.0, math.inf, reply(number)))
    told = features(memory, Question(question(0, 0).vector, word_set("a FILE: copy!"), HERE))
    assert (told["words"], told["rival words"]) == (1.0, 0.5)


def test_too_few_questions_propose_nothing() -> None:
    assert filled(CONFIG.fewest - 1).propose(question(0, 0)) is None
    assert filled(CONFIG.fewest).propose(question(0, 0)) is not None


def test_no_answer_comes_from_another_context() -> None:
    memory = filled(60, context=ELSEWHERE)
    assert memory.propose(question(0, 0)) is None
    assert memory.nearest(question(0, 0), 5) == []
    for number in range(101, 131, 3):
        memory.add(entry(number))
    proposal = memory.propose(question(0, 0))
    assert proposal is not None
    assert proposal.entry.number > 100


def test_nearest_answers_come_once_each_nearest_first() -> None:
    assert filled(30).known_answers(question(2, 999), 2)[0] == 2
    assert sorted(filled(30).known_answers(question(2, 999), 9)) == [0, 1, 2]


def test_what_runs_out_is_forgotten_and_nothing_else() -> None:
    memory, kept = filled(30), filled(30)
    for number in range(30, 40):
        memory.add(entry(number, until=100.0))
    memory.expire(100.0)
    assert len(memory) == 40
    memory.expire(100.1)
    assert len(memory) == 30
    assert features(memory, question(1, 999)) == features(kept, question(1, 999))


def test_what_it_lets_go_of_is_gone_at_once() -> None:
    """Matrices that wait for the collector of cycles wait long: they are few objects, and large."""
    memory = filled(60)
    room = weakref.ref(memory._unsaved[HERE])
    memory.add(entry(60, until=1.0))
    gc.disable()
    try:
        assert memory.expire(2.0) == [60]
        assert room() is None
    finally:
        gc.enable()


def test_a_new_context_for_every_question_costs_no_memory() -> None:
    """As where a client puts the time into the system prompt; one held whole takes 10 kB and more."""
    rows, nothing, width = Rows(), entry(0), 384
    memory = Memory(CONFIG, rows.read)
    tracemalloc.start()
    try:
        for number in range(600):
            if number == 100:
                before = tracemalloc.get_traced_memory()[0]
            rows.add_to(memory, entry(number, context=1000 + number, width=width))
            rows[number] = nothing  # what the rows themselves take does not count
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown / 500 < 1000


def test_a_released_context_is_as_it_was_when_its_questions_come_again() -> None:
    rows, kept = Rows(), Memory(CONFIG)
    small = Memory(msgspec.structs.replace(CONFIG, contexts=1), rows.read)
    for number in range(150):
        context = HERE if number % 10 else number
        until = 5.0 if number % 17 == 0 else math.inf
        kept.add(entry(number, context if number % 4 else ELSEWHERE, until))
        rows.add_to(small, entry(number, context if number % 4 else ELSEWHERE, until))
    for memory in (kept, small):
        memory.refute(7, accepted=True)
        assert memory.expire(6.0) == list(range(0, 150, 17))
    for asked in (question(1, 999), question(1, 999, ELSEWHERE), question(0, 0, 10), question(1, 77, 9999)):
        ours, theirs = small.propose(asked), kept.propose(asked)
        if ours is None or theirs is None:
            assert ours is theirs is None
        else:
            assert (ours.entry.number, ours.features.tolist()) == (theirs.entry.number, theirs.features.tolist())
            assert small.seconds_since_given(ours.entry, 9.0) == kept.seconds_since_given(theirs.entry, 9.0)
        assert [one.number for one in small.same(asked)] == [one.number for one in kept.same(asked)]
    for told, expected in zip(small.leave_each_out(), kept.leave_each_out(), strict=True):
        assert told.tolist() == expected.tolist()


def refitted(memory: Memory) -> tuple[list[float], dict[str, float]]:
    """Add an entry and refit, asking in every pause; return what "fit" was then, and the features after it."""
    told: list[float] = []
    memory.add(entry(300), lambda: told.append(features(memory, question(1, 999))["fit"]))
    return told, features(memory, question(1, 999))


def expiring(number: int) -> Entry:
    return entry(number, until=1.0 if number == 7 else math.inf)


BLOCKS = 300 // CONFIG.block


def test_after_an_expiry_the_fit_before_it_speaks_while_the_refit_gives_way() -> None:
    memory, anew = Memory(CONFIG), Memory(CONFIG)
    for number in range(300):
        memory.add(expiring(number))
        if number != 7:
            anew.add(entry(number))
    before = features(memory, question(1, 999))["fit"]
    assert memory.expire(2.0) == [7]
    told, after = refitted(memory)
    anew.add(entry(300))
    assert told == pytest.approx(BLOCKS * [before], abs=0.02)
    assert after == features(anew, question(1, 999))
    assert np.array_equal(memory.fits()[HERE].weights, anew.fits()[HERE].weights)


def test_an_answer_does_not_depend_on_a_fit_to_what_has_expired() -> None:
    """Too few entries are left for a fit of their own."""
    config = msgspec.structs.replace(CONFIG, refit_every=30)
    memory, anew = Memory(config), Memory(config)
    for number in range(30):
        memory.add(expiring(number))
        if number != 7:
            anew.add(entry(number))
    assert features(memory, question(1, 999))["fit"] > 0.0
    memory.expire(2.0)
    assert features(memory, question(1, 999)) == features(anew, question(1, 999))


@pytest.mark.parametrize("has_expired", [False, True])
def test_the_first_fit_of_a_released_context_gives_way(has_expired: bool) -> None:
    rows, kept = Rows({number: expiring(number) for number in range(300)}), Memory(CONFIG)
    for number in range(301):
        if number != 7 or not has_expired:
            kept.add(entry(number))
    memory = Memory(CONFIG, rows.read)
    memory.load([EntryKey(one.number, one.answer, HERE, one.until) for one in rows.values()], ())
    if has_expired:
        memory.fits()
        memory.expire(2.0)
    told, after = refitted(memory)
    assert len(told) == BLOCKS
    assert (min(told) > 0.0) is has_expired  # by the saved fit, or by the vote alone
    assert after == features(kept, question(1, 999))


@pytest.mark.parametrize("setting", ["fewest", "refit_every"])
def test_no_regression_is_saved_that_was_not_fitted(setting: str) -> None:
    memory = Memory(msgspec.structs.replace(CONFIG, **{setting: 301}))
    for number in range(300):
        memory.add(expiring(number))
    memory.expire(2.0)
    assert memory.fits() == {}


def test_a_question_left_out_is_weighed_as_if_it_had_not_been_learnt() -> None:
    """The closed form against a memory that really lacks the question."""
    config = msgspec.structs.replace(CONFIG, refit_every=1, block=7)
    whole = Memory(config)
    for number in range(31):
        whole.add(entry(number))
    told, right = whole.leave_each_out()
    assert told.shape == (31, len(FEATURES))
    for absent in (0, 5, 17, 30):
        without = Memory(config)
        for number in range(31):
            if number != absent:
                without.add(entry(number))
        proposal = without.propose(entry(absent).question)
        assert proposal is not None
        assert told[absent] == pytest.approx(proposal.features, abs=2e-4)
        assert right[absent] == float(proposal.entry.number % 3 == absent % 3)


def test_answers_worded_anew_each_time_support_each_other() -> None:
    """As if the meter never noticed that two replies say the same: each entry is its own answer."""
    memory, anew = filled(60), Memory(CONFIG)
    for number in range(60):
        asked = question(number % 3, number)
        anew.add(Entry(asked, number, number, 0.0, math.inf, reply(number % 3, seed=number)))
    told, once = features(anew, question(1, 999)), features(memory, question(1, 999))
    for name in ("agreement", "same", "fit"):
        assert told[name] == pytest.approx(once[name], abs=0.2)
    for name in ("margin", "support"):
        assert told[name] > 0.5 * once[name] > 0.0
    assert told["vote"] > 2.0  # log-odds: 88 %
    _, right = anew.leave_each_out()
    assert right.mean() > 0.8


@pytest.mark.parametrize("entries", [60, 300])
def test_a_refuted_answer_is_not_proposed_and_stays_a_rival(entries: int) -> None:
    memory, asked = filled(entries), question(1, 999)
    margin = features(memory, asked)["margin"]
    memory.refute(1, accepted=True)
    proposal = memory.propose(asked)
    if proposal is None:
        assert entries > CONFIG.candidates  # all of them had that answer
    else:
        assert proposal.entry.answer != 1
        assert proposal.features[FEATURES.index("margin")] < 0.0 < margin
    memory.add(entry(301))
    proposal = memory.propose(asked)
    assert proposal is not None
    assert proposal.entry.answer == 1


def test_where_every_answer_is_the_same_it_is_proposed() -> None:
    memory = Memory(CONFIG)
    for number in range(30):
        memory.add(Entry(question(number % 3, number), number, 0, 0.0, math.inf, reply(0)))
    told = features(memory, question(1, 999))
    assert (told["agreement"], told["same"]) == (1.0, 1.0)
    assert all(math.isfinite(value) for value in told.values())


def test_trust_learns_what_tells_right_from_wrong() -> None:
    memory, trust = filled(60), Trust(CONFIG)
    for number in range(60, 120):  # one-off questions: whatever is proposed for them is wrong
        vector = np.random.default_rng(number).normal(size=WIDTH)
        vector /= np.linalg.norm(vector)
        odd = Question(vector.astype(np.float32), word_set(f"odd{number}"), HERE)
        memory.add(Entry(odd, number, number, 0.0, math.inf, reply(number)))
    before = trust.state()["weights"].copy()
    trust.fit_if_due(memory)
    assert not np.array_equal(before, trust.state()["weights"])
    told, right = memory.leave_each_out()
    odds = np.array([trust.log_odds(row) for row in told])
    assert odds[right > 0.5].mean() > odds[right < 0.5].mean() + 2.0


def test_trust_is_fitted_only_when_the_memory_has_grown() -> None:
    trust = Trust(CONFIG)
    trust.fit_if_due(filled(CONFIG.trust_from - 1))
    assert trust.state()["asked"] == 0
    trust.fit_if_due(filled(CONFIG.trust_from))
    fitted = trust.state()
    assert fitted["asked"] == CONFIG.trust_from
    loaded = Trust(CONFIG)
    loaded.load(fitted)
    loaded.fit_if_due(filled(CONFIG.trust_from))
    assert np.array_equal(loaded.state()["weights"], fitted["weights"])
    with pytest.raises(ValueError, match="trust_prior"):
        Trust(msgspec.structs.replace(CONFIG, trust_prior={"constant": 0.0})).load(fitted)
