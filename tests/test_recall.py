import numpy as np
import pytest

from shammah_mlx.config import RecallConfig
from shammah_mlx.recall import EVIDENCE, Memory

WIDTH, CONFIG = 8, RecallConfig()
HERE, ELSEWHERE = 1, 2


def question(topic: int, seed: int, noise: float = 0.2) -> np.ndarray:
    """Return a vector of length 1 near the topic's axis."""
    vector = np.eye(WIDTH)[topic] + noise * np.random.default_rng(1000 * topic + seed).normal(size=WIDTH)
    unit: np.ndarray = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit


def filled(entries: int, context: int = HERE) -> Memory:
    """Return a memory of questions about three topics; the answer to topic t is first given by question t."""
    memory = Memory(WIDTH, CONFIG)
    for number in range(entries):
        memory.add(question(number % 3, number), number % 3, number, context)
    return memory


def evidence(memory: Memory, vector: np.ndarray) -> dict[str, float]:
    proposal = memory.propose(vector, HERE)
    assert proposal is not None
    return dict(zip(EVIDENCE, proposal.evidence.tolist(), strict=True))


@pytest.mark.parametrize("topic", [0, 1, 2])
def test_it_proposes_the_answer_of_questions_alike_from_the_nearest_of_them(topic: int) -> None:
    memory, vector = filled(60), question(topic, 999)
    proposal = memory.propose(vector, HERE)
    assert proposal is not None
    assert proposal.answer == topic
    mine = [number for number in range(60) if number % 3 == topic]
    assert proposal.number == max(mine, key=lambda number: float(question(topic, number) @ vector))


def test_a_question_seen_before_has_better_evidence_than_one_of_a_new_kind() -> None:
    memory = filled(60)
    known, strange = evidence(memory, question(1, 1)), evidence(memory, question(7, 5))
    assert known["similarity"] == pytest.approx(1.0, abs=1e-5)
    assert known["same"] == 1.0
    for name in ("similarity", "margin", "vote", "fit", "fit margin"):
        assert known[name] > strange[name]


def test_too_few_questions_propose_nothing() -> None:
    assert filled(CONFIG.fewest - 1).propose(question(0, 0), HERE) is None
    assert filled(CONFIG.fewest).propose(question(0, 0), HERE) is not None


def test_no_answer_comes_from_another_context() -> None:
    memory = filled(60, context=ELSEWHERE)
    assert memory.propose(question(0, 0), HERE) is None
    assert memory.nearest(question(0, 0), HERE, 5) == []
    for number in range(100, 110):
        memory.add(question(2, number), 2, number, HERE)
    proposal = memory.propose(question(0, 0), HERE)
    assert proposal is not None
    assert proposal.answer == 2


def test_nearest_answers_come_once_each_nearest_first() -> None:
    assert filled(30).nearest(question(2, 999), HERE, 2)[0] == 2
    assert sorted(filled(30).nearest(question(2, 999), HERE, 9)) == [0, 1, 2]


def test_proposing_changes_nothing_and_stopping_changes_no_bit() -> None:
    straight, stopped = Memory(WIDTH, CONFIG), Memory(WIDTH, CONFIG)
    for number in range(47):
        for memory in (straight, stopped):
            memory.add(question(number % 3, number), number % 3, number, HERE)
        straight.propose(question(0, number), HERE)
        loaded = Memory(WIDTH, CONFIG)
        loaded.load(stopped.state())
        stopped = loaded
    one, other = (memory.propose(question(1, 999), HERE) for memory in (straight, stopped))
    assert one is not None
    assert other is not None
    assert (one.answer, one.number) == (other.answer, other.number)
    assert np.array_equal(one.evidence, other.evidence)
