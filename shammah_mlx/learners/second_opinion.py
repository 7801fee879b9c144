"""Ask a local model about recalled drafts that are in doubt; its log-odds are one more feature of the Validator.

A pass takes seconds on a CPU. So only drafts are read whose p_accept would be in doubt without it, and the Router,
which judges every query, does without.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from shammah_mlx.config import Config, JudgeConfig, LogisticConfig
from shammah_mlx.events import DraftSource, Query
from shammah_mlx.teacher.judge import RUBRIC, judge_request

READING = "1"  # version of the features made here
DOUBTED_FROM, DOUBTED_TO = 0.2, 0.98  # p_accept: below, a draft is not served; above, few are wrong
MOST_READ = 20.0  # log-odds, either way; far beyond what was seen (SmolLM2-135M: -9.7), so it cuts only accidents
NOT_READ = {"reader": 0.0, "read": 0.0}
# The features: "reader", the log-odds; "read", whether there are any. A model that says BAD too often has a mean below
# 0, and the weight of "read" makes up for it.


class Reader(Protocol):
    """Says how a request for a verdict would be answered."""

    def log_odds(self, rubric: str, content: str) -> float | None:
        """Return the log-odds that the verdict is good; None if the request is too long."""

    def warm_up(self) -> None:
        """Load the model now."""


def read_draft(reader: Reader, query: Query, answer: str) -> dict[str, float]:
    """Return the features of a draft that was read, or those of one that was not if it is too long."""
    log_odds = reader.log_odds(*judge_request(query, answer, None))
    if log_odds is None:
        return NOT_READ
    return {"reader": min(max(log_odds, -MOST_READ), MOST_READ), "read": 1.0}


def opinion(
    features: Mapping[str, float],
    p_accept: Callable[[Mapping[str, float]], float],
    read: Callable[[], Mapping[str, float]],
) -> dict[str, float]:
    """Return `features` with those of the reader, which is asked by `read` where p_accept without it is in doubt."""
    unread = {**features, **NOT_READ}
    return {**unread, **read()} if DOUBTED_FROM < p_accept(unread) < DOUBTED_TO else unread


def validator_models(config: Config) -> dict[DraftSource, LogisticConfig]:
    """Return the settings of the Validator's models, with the reader's features where there is a reader."""
    models: dict[DraftSource, LogisticConfig] = {**config.logistic_models.validator}
    if config.judge.local:
        prior = {**models["recall"].prior, "reader": config.judge.local_weight, "read": 0.0}
        models["recall"] = msgspec.structs.replace(models["recall"], prior=prior)
    return models


def reader_version(judge: JudgeConfig) -> dict[str, str]:
    """Return the version that labels of read drafts depend on, by name; nothing without a reader."""
    return {"reader": f"{judge.local} {judge.local_tokens} {RUBRIC} {READING}"} if judge.local else {}
