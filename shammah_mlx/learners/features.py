"""Make the features that Router and Validator judge a recalled answer by: trust, agreement, what the question changed.

Trust is learnt on a home's own questions. Where these recur word for word, and no neighbour question was ever asked, it
is near certainty. So trust in an answer to a question in other words is the probability that trust is right and the
question no neighbour, which its words tell; no label of such a home could teach this.
"""

import math
from collections.abc import Mapping, Sequence

from shammah_mlx.text.languages import is_read
from shammah_mlx.text.question_changes import FEATURES as CHANGES
from shammah_mlx.text.question_changes import log_odds_of_change, question_changes
from shammah_mlx.text.unseen import differs_unseen, same_text

FEATURES_VERSION = "6"  # of what Router and Validator are given; stored as the version "evidence"
MAX_TRUST = 4.0  # log-odds: a memory of a few dozen questions overfits to itself
MAX_TRUST_IF_UNLIKE = -1.0  # log-odds, for a question unlike all known ones
# Features are stored under these names: "concord" is how far vote and regression agree, "sure concord" its product with
# "sure", "unread" whether the question is in a language that the rules about wordings cannot read, "changed" the
# log-odds that the question has another answer than the known one, by its words, and "unseen" whether it differs in
# what an embedding does not see. These are the features of a query for which nothing is proposed.
NO_PROPOSAL = {
    "constant": 1.0,
    "trust": -5.0,
    "sure": 0.0,
    "concord": 0.0,
    "sure concord": 0.0,
    "unread": 0.0,
    "changed": 0.0,
    "unseen": 0.0,
    **dict.fromkeys(CHANGES, 0.0),
}
NEIGHBOURS = 0.3  # share of questions near a known one, in other words, that have another answer; a guess
MOST_CHANGED = 4.0  # log-odds; more is not evidence but the same evidence twice
MOST_ODDS = 30.0  # log-odds; more is certain, and overflows
LEAST_ODDS = 1e-9  # what rounding leaves where one thing is certain
UNCHANGED = -9.0  # log-odds that stand for the same text
UNSEEN = 1.0  # log-odds if what an embedding does not see was changed, say a capital; a guess: few do so for nothing


def change_features(
    asked: str, known: str, wordings: Sequence[str], answer: str, *, looks_same: bool = False
) -> dict[str, float]:
    """Return what changed from a known question to the asked one, by name, with "unread", "changed" and "unseen".

    `wordings` are other wordings of the known question. `looks_same` says whether the embedder takes both for the same.
    """
    changes = {**question_changes(asked, known, wordings, answer), "unread": float(not is_read(asked))}
    if same_text(asked, known):
        return {**changes, "changed": UNCHANGED, "unseen": 0.0}
    changed = log_odds_of_change(changes) + math.log(NEIGHBOURS / (1.0 - NEIGHBOURS))
    is_unseen = differs_unseen(asked, known, looks_same=looks_same)
    if is_unseen:
        changed = max(changed, UNSEEN)
    return {**changes, "changed": min(max(changed, -MOST_CHANGED), MOST_CHANGED), "unseen": float(is_unseen)}


def agreement_features(named: Mapping[str, float], trust: float) -> dict[str, float]:
    """Return trust, and how far the neighbours' vote and the regression agree on the answer.

    Trust is a sum, so one sure method can outweigh a doubtful one. But where only one was sure, one answer in ten was
    wrong, however great the trust.
    """
    trust = min(trust, MAX_TRUST)
    if named["changed"] > UNCHANGED:
        trust = log_odds_of_both(trust, -named["changed"])
    sure, both = max(trust, 0.0), named["agreement"] * min(max(named["fit"], 0.0), 1.0)
    return {"trust": trust, "sure": sure, "concord": both, "sure concord": sure * both}


def log_odds_of_both(one: float, other: float) -> float:
    """Return the log-odds that two independent things are both true, from the log-odds of each."""
    one, other = (min(max(odds, -MOST_ODDS), MOST_ODDS) for odds in (one, other))
    return -math.log(math.exp(-one) + math.exp(-other) + math.exp(-one - other))


def log_odds_without(both: float, other: float) -> float:
    """Return the log-odds of one thing from those of both and those of the other: undo `log_odds_of_both`."""
    left = math.exp(-both) - math.exp(-other)
    return math.log(1.0 + math.exp(-other)) - math.log(max(left, LEAST_ODDS))
