import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.config import Config, PolicyConfig
from shammah_mlx.events import AskOptions, Draft, DraftSource, Exchange, Query, Request, ScoredDraft, Threshold
from shammah_mlx.framework import policy
from shammah_mlx.presets import PRESETS

CONFIG, DEFAULT = PolicyConfig(), PRESETS["default"].policy
LITERAL = PRESETS["literal"]
probabilities = st.floats(min_value=0, max_value=1)


def make_request(seen: int, **changes: Any) -> Request:
    fields = {"forced_source": None, "audit_draw": 0.9, "audit_rate": 0.5, "shadow_rates": {"decoder": 0.5}, **changes}
    return Request(number=1, seen=seen, query=Query("q"), **fields)


def scored(p_accept: float, text: str = "an answer", source: DraftSource = "decoder") -> ScoredDraft:
    return ScoredDraft(Draft(text, source), p_accept)


@given(probabilities, st.integers(min_value=0, max_value=49))
def test_nothing_is_tried_locally_in_the_first_fifty_queries(p_local: float, seen: int) -> None:
    assert not policy.route({"decoder": p_local}, make_request(seen), LITERAL).local


@pytest.mark.parametrize(
    ("seen", "p_local", "local"),
    [
        (49, 1.0, False),
        (50, 0.95, False),
        (50, 0.951, True),
        (199, 0.95, False),
        (199, 0.951, True),
        (200, 0.5, False),
        (200, 0.501, True),
        (100_000, 0.501, True),
    ],
)
def test_the_minimum_for_a_local_try_falls_at_query_50_and_200(seen: int, p_local: float, local: bool) -> None:
    assert policy.route({"decoder": p_local}, make_request(seen), LITERAL).local is local


def test_only_sources_above_the_minimum_are_tried_in_the_routers_order() -> None:
    decided = policy.route({"recall": 0.6, "decoder": 0.4}, make_request(300), LITERAL)
    assert (decided.tries, decided.p_local) == (("recall",), 0.6)
    assert policy.route({"recall": 0.6, "decoder": 0.9}, make_request(300), LITERAL).tries == ("recall", "decoder")


@given(probabilities, st.integers(min_value=0, max_value=10_000))
def test_a_query_the_user_sends_to_claude_is_never_local(p_local: float, seen: int) -> None:
    assert not policy.route({"decoder": p_local}, make_request(seen, forced_source="claude"), LITERAL).local


@given(probabilities, st.integers(min_value=0, max_value=10_000))
def test_a_query_the_user_keeps_local_is_tried_by_the_likeliest_first(p_local: float, seen: int) -> None:
    tries = policy.route({"recall": 0.5, "decoder": p_local}, make_request(seen, forced_source="local"), LITERAL).tries
    assert set(tries) == {"recall", "decoder"}
    assert tries[0] == ("decoder" if p_local > 0.5 else "recall")


def test_a_draft_must_be_more_likely_good_than_bad() -> None:
    assert not policy.accepts(scored(0.5), make_request(300), CONFIG)
    assert policy.accepts(scored(0.501), make_request(300), CONFIG)


def test_a_command_that_destroys_must_be_surer() -> None:
    assert policy.accepts(scored(0.9, "ls -l build"), make_request(300), DEFAULT)
    assert not policy.accepts(scored(0.9, "rm -r build"), make_request(300), DEFAULT)
    assert policy.accepts(scored(0.96, "rm -r build"), make_request(300), DEFAULT)


def test_a_promise_raises_the_minimum_and_never_lowers_it() -> None:
    def threshold(serve: float) -> dict[DraftSource, Threshold]:
        return {"recall": Threshold(candidate=serve, serve=serve, offset=0.0, slope=1.0)}

    draft = scored(0.9, source="recall")
    assert [
        policy.accepts(draft, make_request(300, thresholds=threshold(serve)), DEFAULT) for serve in (0.3, 0.89, 0.9)
    ] == [1, 1, 0]
    assert not policy.accepts(scored(0.4, source="recall"), make_request(300, thresholds=threshold(0.3)), DEFAULT)
    assert not policy.accepts(draft, make_request(49, thresholds=threshold(0.3)), DEFAULT)
    assert policy.accepts(scored(0.6), make_request(300, thresholds=threshold(0.9)), DEFAULT)  # of another source


def test_an_accepted_draft_comes_before_a_likelier_one_that_is_not() -> None:
    risky, plain = scored(0.9, "rm -r build"), scored(0.8, "make clean", "recall")
    assert policy.best_first([risky, plain], make_request(300), DEFAULT) == (plain, risky)
    assert policy.best_first([scored(0.1), scored(0.2)], make_request(300), DEFAULT)[0].p_accept == 0.2


def test_without_focus_every_draft_is_audited_at_the_schedules_rate() -> None:
    taken = make_request(300, audit_rate=0.2)
    assert {policy.audit_probability(scored(p), taken, CONFIG) for p in (0.5, 0.9, 1.0)} == {0.2}


@given(st.lists(st.floats(min_value=0.67, max_value=0.97), min_size=1), st.sampled_from([0.05, 0.1]))
def test_focused_audits_keep_the_schedules_rate_on_average(accepted: list[float], rate: float) -> None:
    usual = statistics.mean(policy.doubt(scored(p), make_request(300), DEFAULT) for p in accepted)
    taken = make_request(300, audit_rate=rate, usual_doubt=usual)
    audit_probabilities = [policy.audit_probability(scored(p), taken, DEFAULT) for p in accepted]
    assert all(
        max(DEFAULT.audit_evenly * rate, DEFAULT.audit_floor) - 1e-9 <= audit_probability <= 1
        for audit_probability in audit_probabilities
    )
    assert statistics.mean(audit_probabilities) <= rate + 1e-9
    assert sorted(audit_probabilities, reverse=True) == [
        audit_probability for _, audit_probability in sorted(zip(accepted, audit_probabilities, strict=True))
    ]


def test_what_was_measured_says_how_doubtful_a_draft_is_not_the_validator() -> None:
    worse: dict[DraftSource, Threshold] = {"decoder": Threshold(candidate=0.9, serve=0.9, offset=-1.0, slope=1.0)}
    taken, plain = (
        make_request(300, audit_rate=0.2, usual_doubt=0.005, thresholds=worse),
        make_request(300, audit_rate=0.2, usual_doubt=0.005),
    )
    audit_probabilities = [policy.audit_probability(scored(0.95), each, DEFAULT) for each in (taken, plain)]
    assert audit_probabilities[0] > 2 * audit_probabilities[1]


def test_where_no_audits_are_due_none_is_made() -> None:
    assert policy.audit_probability(scored(0.7), make_request(300, audit_rate=0.0), DEFAULT) == 0.0


def test_an_audit_draw_depends_on_seed_number_and_text_alone() -> None:
    assert policy.audit_draw(3, 17, "a") == policy.audit_draw(3, 17, "a")
    assert (
        len({policy.audit_draw(seed, number, text) for seed in range(5) for number in range(100) for text in "ab"})
        == 1000
    )
    assert policy.audit_draw(0, 1, "") == 0.7878955115969257  # the same in every process and version


def test_draws_are_uniform() -> None:
    draws = [policy.audit_draw(0, number, "") for number in range(10_000)]
    assert statistics.mean(draws) == pytest.approx(0.5, abs=0.015)
    assert sum(audit_draw < 0.05 for audit_draw in draws) == pytest.approx(500, abs=90)
    assert all(0 <= audit_draw < 1 for audit_draw in draws)


def asked(query: Query, number: int, seen: int, config: Config) -> Request:
    return policy.make_request(query, number, policy.HomeCounts(seen), AskOptions(), config)


def test_a_request_is_sampled_when_its_draw_is_below_the_rate_of_its_band() -> None:
    config = PRESETS["literal"]
    requests = [asked(Query("q"), number, 150, config) for number in range(1, 500)]
    assert {(taken.audit_rate, taken.shadow_rates["decoder"]) for taken in requests} == {(0.2, 0.2)}
    assert [taken.shadows("decoder") for taken in requests] == [taken.audit_draw < 0.2 for taken in requests]
    assert {taken.shadows("decoder") for taken in requests} == {True, False}
    assert not any(taken.shadows("recall") for taken in requests)


def test_by_default_recall_shadows_every_forwarded_query() -> None:
    config = PRESETS["default"]
    requests = [asked(Query("q"), number, 3000, config) for number in range(1, 500)]
    assert all(taken.shadows("recall") for taken in requests)
    assert 10 < sum(taken.shadows("decoder") for taken in requests) < 50


@pytest.mark.parametrize(
    "query",
    [
        Query("my password = hunter2hunter2, is it safe?"),
        Query("is it safe?", system="password = hunter2hunter2"),
        Query("is it safe?", history=(Exchange("password = hunter2hunter2", "I see."),)),
    ],
)
def test_a_secret_is_neither_stored_nor_audited(query: Query) -> None:
    taken = asked(query, 1, 300, PRESETS["default"])
    assert (taken.secret, taken.stored, taken.audit_rate) == (True, False, 0.0)
    assert asked(Query("is it safe?"), 1, 300, PRESETS["default"]).stored
