"""Make the features that Router and Validator judge a recalled answer by: trust, agreement, what the question changed.

Trust is learnt on a home's own questions. Where these recur word for word, and no neighbour question was ever asked, it
is near certainty. So a question in other words than the known one is doubted by the odds that it is only a neighbour,
read from its words. A home's labels say how much this doubt counts there.
"""

import math
from collections.abc import Mapping, Sequence

from shammah_mlx.text.question_changes import FEATURES as CHANGES
from shammah_mlx.text.question_changes import log_odds_of_change, question_changes

FEATURES_VERSION = "3"  # of what Router and Validator are given; stored as the version "evidence"
MAX_TRUST = 4.0  # log-odds: a memory of a few dozen questions overfits to itself
MAX_TRUST_IF_UNLIKE = -1.0  # log-odds, for a question unlike all known ones
# Features are stored under these names: "concord" is how far vote and classifier agree, "sure concord" its product with
# "sure", "changed" the log-odds that the question has another answer than the known one, by its words, and "unchanged"
# the log-probability that it has not. These are the features of a query for which nothing is proposed.
NO_PROPOSAL = {
    "constant": 1.0,
    "trust": -5.0,
    "sure": 0.0,
    "concord": 0.0,
    "sure concord": 0.0,
    "unchanged": 0.0,
    "changed": 0.0,
    **dict.fromkeys(CHANGES, 0.0),
}
NEIGHBOURS = 0.3  # share of questions near a known one, in other words, that have another answer; a guess
SCALE = 2.0  # of "unchanged": a hundred labels outweigh the prior of a feature this large
MOST_CHANGED = 2.0  # log-odds: what is surer than this makes the refits of Router and Validator overshoot


def change_features(asked: str, known: str, wordings: Sequence[str], answer: str) -> dict[str, float]:
    """Return what changed from the known question to the asked one, by name, with "changed" and "unchanged".

    `wordings` are other wordings of the known question. Nothing changed in the same words.
    """
    changes = question_changes(asked, known, wordings, answer)
    if asked.split() == known.split():
        return {**changes, "changed": -MOST_CHANGED, "unchanged": 0.0}
    changed = log_odds_of_change(changes) + math.log(NEIGHBOURS / (1.0 - NEIGHBOURS))
    changed = min(max(changed, -MOST_CHANGED), MOST_CHANGED)
    return {**changes, "changed": changed, "unchanged": -SCALE * math.log1p(math.exp(changed))}


def agreement_features(named: Mapping[str, float], trust: float) -> dict[str, float]:
    """Return trust, and how far the neighbours' vote and the classifier agree on the answer.

    Trust is a sum, so one sure method can outweigh a doubtful one. But where only one was sure, one answer in ten was
    wrong, however great the trust.
    """
    trust = min(trust, MAX_TRUST)
    if named["unchanged"]:
        trust = log_odds_of_both(trust, -named["changed"])
    sure, both = max(trust, 0.0), named["agreement"] * min(max(named["fit"], 0.0), 1.0)
    return {"trust": trust, "sure": sure, "concord": both, "sure concord": sure * both}


def log_odds_of_both(one: float, other: float) -> float:
    """Return the log-odds that two independent things are both true, from the log-odds of each."""
    return -math.log(math.exp(-one) + math.exp(-other) + math.exp(-one - other))
