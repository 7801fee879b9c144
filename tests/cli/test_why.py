"""What `why` says of a draft: what it needed, and why it was held back or stood."""

from io import StringIO

import pytest
from rich.console import Console

from shammah_mlx.display.report import NOT_BY_SCORE, why_table
from shammah_mlx.home.explanation import ExplainedDraft, Explanation

HELD_BACK = "its words make another answer 18 % likely (allowed 10 %, max_other_answer)"


def said(*, stood: bool, minimum: float | None = 0.9, other_answer: float = 0.0, verdict: bool | None = None) -> str:
    """Return what stands in brackets behind p_accept 0.97."""
    draft = ExplainedDraft(
        source="recall",
        from_id=None,
        entry=7,
        p_accept=0.97,
        threshold=1.0 if other_answer > 0.1 else minimum,
        bad_rate=None,
        divergence=None,
        features={},
        verdict=verdict,
        stood=stood,
        minimum=minimum,
        other_answer=other_answer,
        max_other_answer=0.1,
    )
    explanation = Explanation(
        query_id=9,
        source="recall" if stood else "claude",
        outcome="approved" if stood else "rejected",
        forced_source=None,
        nearest=(),
        p_locals={"recall": 0.9},
        threshold=0.5,
        features={},
        drafts=(draft,),
        accepted=stood,
        audit_probability=0.0 if stood else None,
        audit_draw=0.5,
        audit=False,
        covered=True,
        learnt="yes",
        versions={},
        conversation=9,
        alone=False,
    )
    shown = StringIO()
    Console(file=shown, width=400).print(why_table("a question", explanation))
    return shown.getvalue().split("p_accept 0.97 (")[1].split("), not measured")[0]


@pytest.mark.parametrize("verdict", [None, False])
def test_a_draft_that_its_words_held_back_says_so(verdict: bool | None) -> None:
    assert said(stood=False, other_answer=0.18, verdict=verdict) == f"held back: {HELD_BACK}"


def test_a_draft_that_the_judge_let_pass_though_its_words_held_it_back_says_both() -> None:
    because = "accepted because the judge let it pass"
    assert said(stood=True, other_answer=0.18, verdict=True) == f"needs more than 0.900; {HELD_BACK}; {because}"


def test_a_draft_that_the_judge_let_pass_before_any_score_is_enough_says_so() -> None:
    assert said(stood=True, minimum=None, verdict=True) == (f"{NOT_BY_SCORE}; accepted because the judge let it pass")


@pytest.mark.parametrize("stood", [True, False])
def test_a_draft_above_its_minimum_names_it(stood: bool) -> None:
    assert said(stood=stood) == "needs more than 0.900"


@pytest.mark.parametrize(("minimum", "expected"), [(None, NOT_BY_SCORE), (1.0, "no score is enough yet")])
def test_where_no_score_is_enough_a_draft_says_so(minimum: float | None, expected: str) -> None:
    assert said(stood=False, minimum=minimum) == expected
    assert said(stood=True, minimum=minimum, verdict=True).startswith(f"{expected}; accepted because")


def test_a_score_that_is_nearly_1_is_not_rounded_to_it() -> None:
    assert said(stood=False, minimum=0.99996) == "needs more than 0.999960"
