"""Features for Router and Validator: a changed question is doubted, the same question is not."""

import math

import pytest

from shammah_mlx.config import RECALL_PRIOR
from shammah_mlx.learners.features import (
    MAX_TRUST,
    NO_PROPOSAL,
    agreement_features,
    change_features,
    log_odds_of_both,
)
from shammah_mlx.learners.logistic import LogisticModel

CERTAIN = {"agreement": 1.0, "fit": 1.0, "constant": 1.0}  # what a memory says that has seen the same question often
WORDINGS = ("clear dns cache macos terminal", "reset dns cache on mac", "how to flush dns on a macbook")
ANSWER = "Run `sudo dscacheutil -flushcache; sudo killall -HUP mDNSResponder` in Terminal."


def p(asked: str, known: str, wordings: tuple[str, ...] = (), answer: str = "") -> float:
    named = {**CERTAIN, **change_features(asked, known, wordings, answer)}
    return LogisticModel(RECALL_PRIOR).probability({**named, **agreement_features(named, 100.0)})


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("How do I flush the DNS cache on Windows?", "flush dns cache mac"),
        ("convert yaml to json", "convert json to yaml"),
        ("who listens on port 443", "who listens on port 80"),
        ("list files in ascending order", "list files in descending order"),
    ],
)
def test_a_clearly_changed_question_is_not_trusted(asked: str, known: str) -> None:
    assert p(asked, known) < 0.5


def test_a_change_counts_beside_other_wordings_and_the_answer() -> None:
    assert p("How do I flush the DNS cache on Windows?", "flush dns cache mac", WORDINGS, ANSWER) < 0.5
    assert p("How do I change the DNS server on Windows?", "flush dns cache mac", WORDINGS, ANSWER) < 0.5


def test_the_same_question_and_a_rewording_are_trusted() -> None:
    assert p("flush dns cache mac", " flush dns\ncache mac ", WORDINGS, ANSWER) > 0.98
    assert p("How do I clear the DNS cache on my Mac?", "clear dns cache mac", WORDINGS, ANSWER) > 0.9


def test_every_feature_of_the_prior_is_known_without_a_proposal() -> None:
    assert set(RECALL_PRIOR.prior) <= set(NO_PROPOSAL)
    named = {**CERTAIN, **change_features("a", "b", (), "")}
    assert set(NO_PROPOSAL) <= {*named, *agreement_features(named, 0.0)}


def test_both_are_as_likely_as_the_product() -> None:
    def log_odds(probability: float) -> float:
        return math.log(probability / (1.0 - probability))

    assert log_odds_of_both(log_odds(0.9), log_odds(0.6)) == pytest.approx(log_odds(0.54))
    assert log_odds_of_both(MAX_TRUST, MAX_TRUST) < MAX_TRUST
