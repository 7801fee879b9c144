"""How a home learns how often a question in other words has another answer."""

import math

import pytest

from shammah_mlx.learners.changed_questions import ENOUGH, ChangedQuestions
from shammah_mlx.learners.features import UNCHANGED, UNSEEN, log_odds_of_both, log_odds_without
from shammah_mlx.numerics import sigmoid

TRUSTED, DOUBTED = 3.5, 0.5  # log-odds of trust before the change counts


def draft(trust: float, changed: float) -> dict[str, float]:
    return {"trust": log_odds_of_both(trust, -changed), "changed": changed, "unseen": 0.0}


def words(changed: float) -> dict[str, float]:
    return {"changed": changed, "unseen": 0.0}


def after(labels: dict[float, int], trust: float = TRUSTED, changed: float = -1.0) -> ChangedQuestions:
    learnt = ChangedQuestions()
    for label, count in labels.items():
        for _ in range(count):
            learnt.step(draft(trust, changed), label)
    return learnt


@pytest.mark.parametrize("one", [-2.0, 0.0, 3.0])
@pytest.mark.parametrize("other", [-3.0, 0.5, 4.0])
def test_one_of_two_things_is_found_from_both_and_the_other(one: float, other: float) -> None:
    assert log_odds_without(log_odds_of_both(one, other), other) == pytest.approx(one, abs=1e-6)


def test_at_first_the_words_decide() -> None:
    assert ChangedQuestions().p_other_answer(words(-1.0)) == pytest.approx(1.0 / (1.0 + math.e))


def test_the_same_words_have_the_same_answer() -> None:
    assert ChangedQuestions().p_other_answer(words(UNCHANGED)) == 0.0


def test_rewordings_lower_the_estimate_and_never_to_nothing() -> None:
    few, many = (after({1.0: count}).p_other_answer(words(-1.0)) for count in (50, 500))
    assert 0.0 < many < few < ChangedQuestions().p_other_answer(words(-1.0))


def test_after_a_few_neighbours_the_validator_decides() -> None:
    assert after({1.0: 50, 0.0: ENOUGH - 1}).p_other_answer(words(-1.0)) > after({1.0: 50}).p_other_answer(words(-1.0))
    assert after({1.0: 50, 0.0: ENOUGH}).p_other_answer(words(2.0)) == 0.0


def test_no_experience_lets_an_unseen_difference_pass() -> None:
    unseen = {"changed": UNSEEN, "unseen": 1.0}
    for labels in ({}, {1.0: 500}, {1.0: 50, 0.0: ENOUGH}):
        assert after(labels).p_other_answer(unseen) >= sigmoid(UNSEEN)


def test_an_unseen_difference_teaches_nothing_about_words() -> None:
    learnt = ChangedQuestions()
    for label in (0.0, 1.0):
        for _ in range(50):
            learnt.step({**draft(TRUSTED, UNSEEN), "unseen": 1.0}, label)
    assert learnt.p_other_answer(words(-1.0)) == ChangedQuestions().p_other_answer(words(-1.0))


def test_a_draft_that_was_doubted_anyway_teaches_nothing() -> None:
    assert after({0.0: 50}, trust=DOUBTED).p_other_answer(words(-1.0)) == ChangedQuestions().p_other_answer(words(-1.0))


def test_counts_are_saved_to_the_bit() -> None:
    learnt, loaded = after({1.0: 33, 0.0: 2}, changed=-0.7), ChangedQuestions()
    loaded.load(learnt.state())
    for model in (learnt, loaded):
        model.step(draft(TRUSTED, -0.3), 1.0)
    assert loaded.p_other_answer(words(-0.5)) == learnt.p_other_answer(words(-0.5))


def test_a_state_from_before_the_counts_starts_anew() -> None:
    loaded = ChangedQuestions()
    loaded.load({})
    assert loaded.p_other_answer(words(-1.0)) == ChangedQuestions().p_other_answer(words(-1.0))
