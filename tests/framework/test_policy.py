import random
import statistics
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.config import Config, PolicyConfig
from shammah_mlx.events import (
    OTHER_ANSWER,
    AskOptions,
    Draft,
    DraftSource,
    Exchange,
    Interaction,
    Judging,
    Query,
    Reply,
    Request,
    Route,
    ScoredDraft,
    Threshold,
    Verdict,
    counted_as,
    pair_of,
)
from shammah_mlx.framework import policy
from shammah_mlx.presets import PRESETS
from shammah_mlx.risk.observations import Observation
from shammah_mlx.risk.threshold import SERVE_NOTHING, ScoreCounts, bad_rate, no_counts, record

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
    def threshold(serve: float) -> dict[str, Threshold]:
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
    worse: dict[str, Threshold] = {"decoder": Threshold(candidate=0.9, serve=0.9, offset=-1.0, slope=1.0)}
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
    return policy.make_request(query, number, policy.HomeCounts(seen), AskOptions(), config, config.seed)


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
        Query("is it safe?", model="password = hunter2hunter2"),
        Query("is it safe?", stop_sequences=("password = hunter2hunter2",)),
    ],
)
def test_a_secret_is_neither_stored_nor_audited(query: Query) -> None:
    taken = asked(query, 1, 300, PRESETS["default"])
    assert (taken.secret, taken.stored, taken.audit_rate) == (True, False, 0.0)
    assert asked(Query("is it safe?"), 1, 300, PRESETS["default"]).stored


HONEST = Threshold(candidate=0.9, serve=0.9, offset=0.0, slope=1.0)  # a draft of score p is bad at a rate of 1 - p
JUDGING = Judging(error=0.03, thresholds={"repeat": 0.4, "recall": 0.4, "decoder": 0.4}, both=0.1)
STRICT = PRESETS["default"]


def judged(seen: int = 300, **changes: Any) -> Request:
    """Return a request for which verdicts may be bought, in a home whose curves are honest."""
    thresholds = dict.fromkeys(("repeat", "recall", "decoder"), HONEST)
    return make_request(seen, **{"thresholds": thresholds, "judging": JUDGING, **changes})


def is_worth_a_check(draft: ScoredDraft, request: Request, config: Config = STRICT) -> bool:
    accepted = policy.accepts(draft, request, config.policy)
    return policy.is_worth_a_check([draft], request, config, is_accepted=accepted)


@pytest.mark.parametrize(
    ("p_accept", "worth"),
    [(0.39, False), (0.4, False), (0.41, True), (0.9, True), (0.95, True), (0.98, True), (0.995, False)],
)
def test_a_draft_in_doubt_is_checked_and_neither_a_hopeless_nor_a_sure_one(p_accept: float, worth: bool) -> None:
    assert is_worth_a_check(scored(p_accept, source="recall"), judged()) is worth


def test_nothing_is_checked_without_a_draft_a_budget_or_a_curve_nor_against_the_users_will() -> None:
    draft = scored(0.7, source="recall")
    assert is_worth_a_check(draft, judged())
    assert not policy.is_worth_a_check([], judged(), STRICT, is_accepted=False)
    assert not is_worth_a_check(draft, judged(judging=msgspec.UNSET))
    assert not is_worth_a_check(draft, judged(thresholds={}))
    assert not is_worth_a_check(draft, judged(forced_source="claude"))
    assert not is_worth_a_check(draft, judged(forced_source="local"))


def test_a_strict_user_pays_for_no_verdict_on_what_cannot_be_covered() -> None:
    draft = scored(0.7, source="recall")
    assert is_worth_a_check(draft, judged(strict=True))
    assert not is_worth_a_check(draft, judged(strict=True, open_audits=1))
    assert is_worth_a_check(draft, judged(open_audits=1))


@pytest.mark.parametrize("unpriced", ["claude-haiku-5-5", "claude-sonnet-5-5"])
def test_nothing_is_checked_where_a_price_is_unknown(unpriced: str) -> None:
    prices = {model: price for model, price in STRICT.teacher.prices.items() if model != unpriced}
    config = msgspec.structs.replace(STRICT, teacher=msgspec.structs.replace(STRICT.teacher, prices=prices))
    assert not is_worth_a_check(scored(0.7, source="recall"), judged(), config)


def test_a_check_must_cost_little_beside_what_it_is_expected_to_save() -> None:
    def config(model: str, worth: float) -> Config:
        return msgspec.structs.replace(STRICT, judge=msgspec.structs.replace(STRICT.judge, model=model, worth=worth))

    likely, unlikely = scored(0.8, 20 * "word ", "recall"), scored(0.45, 20 * "word ", "recall")
    assert is_worth_a_check(likely, judged(), config("claude-haiku-5-5", 0.5))
    assert not is_worth_a_check(likely, judged(), config("claude-sonnet-5-5", 0.5))  # the verdict reads more
    assert [is_worth_a_check(draft, judged(), config("claude-haiku-5-5", 0.07)) for draft in (likely, unlikely)] == [
        True,
        False,
    ]  # it saves a reply less often


@pytest.mark.parametrize(("other_answer", "worth"), [(0.0, True), (0.2, True), (0.62, True), (0.64, False)])
def test_a_likely_neighbour_is_not_checked(other_answer: float, worth: bool) -> None:
    """A judge who errs in 3 % of cases keeps 5 % among drafts of which at most 63 % are bad."""
    draft = Draft(20 * "word ", "recall", features={OTHER_ANSWER: other_answer})
    assert is_worth_a_check(ScoredDraft(draft, 0.97), judged()) is worth


def test_a_draft_that_reached_its_limit_is_neither_served_nor_checked() -> None:
    whole = ScoredDraft(Draft(20 * "word ", "decoder"), 0.97)
    cut = ScoredDraft(Draft(20 * "word ", "decoder", is_cut=True), 0.97)
    assert [is_worth_a_check(draft, judged()) for draft in (whole, cut)] == [True, False]
    sure = [msgspec.structs.replace(draft, p_accept=0.9999) for draft in (whole, cut)]
    request = asked(Query("q"), 1, 3000, PRESETS["default"])
    config = PRESETS["default"].policy
    assert policy.required_p_accept(sure[0], request, config) != 1.0
    assert policy.required_p_accept(sure[1], request, config) == 1.0
    assert (whole.draft.stop_reason, cut.draft.stop_reason) == ("end_turn", "max_tokens")


def test_a_doubtful_command_that_destroys_is_checked_only_after_the_validator_accepted_it() -> None:
    assert is_worth_a_check(scored(0.7, "ls -l build", "recall"), judged())
    assert not is_worth_a_check(scored(0.7, "rm -r build", "recall"), judged())
    assert not is_worth_a_check(scored(0.94, "rm -r build", "recall"), judged())
    assert is_worth_a_check(scored(0.97, "rm -r build", "recall"), judged())


@pytest.mark.parametrize(
    ("p_accept", "repeat_rate", "worth"),
    [(0.97, 0.5, True), (0.97, 0.009, False), (0.995, 0.5, False), (0.7, 0.0, True)],
)
def test_an_accepted_repeat_is_checked_where_repeats_of_this_home_are_in_doubt(
    p_accept: float, repeat_rate: float, worth: bool
) -> None:
    record = msgspec.structs.replace(JUDGING, repeat_rate=repeat_rate)
    assert is_worth_a_check(scored(p_accept, source="repeat"), judged(judging=record)) is worth


def test_a_repeat_is_in_doubt_until_enough_of_them_were_measured() -> None:
    known = [no_counts(STRICT)]
    for _ in range(60):
        known.append({**known[-1], "repeat": record_good(known[-1]["repeat"])})
    in_doubt = [
        taken.repeat_rate > STRICT.judge.doubt
        for score_counts in known
        if (taken := judging(given=policy.HomeCounts(300, score_counts=score_counts)))
    ]
    assert in_doubt == sorted(in_doubt, reverse=True)
    assert 40 < sum(in_doubt) < 60


def record_good(counts: ScoreCounts) -> ScoreCounts:
    return record(counts, Observation(0.97, "accepted", 0.0, 1.0), HONEST, STRICT.risk)


def test_a_repeat_that_passed_is_audited_by_its_doubt_and_another_one_at_the_schedules_rate() -> None:
    passed = scored(0.97, source="repeat").judged(Verdict(good=True, model="m", rubric="1", with_reply=False))
    asked = judged(audit_rate=0.2, usual_doubt=0.005)
    assert policy.audit_probability(scored(0.97, source="repeat"), asked, DEFAULT) == 0.2
    assert policy.audit_probability(passed, asked, DEFAULT) < 0.1


def counts(**changes: Any) -> policy.HomeCounts:
    return policy.HomeCounts(300, score_counts=no_counts(STRICT), **changes)


def judging(config: Config = STRICT, given: policy.HomeCounts | None = None, **options: Any) -> Judging | None:
    taken = policy.make_request(Query("q"), 301, given or counts(), AskOptions(**options), config, 0)
    return taken.judging or None


def test_verdicts_may_cost_a_share_of_the_replies_beside_a_first_sum() -> None:
    judge = STRICT.judge
    most = judge.share * 2.0 + judge.first_usd
    assert judging(given=counts(replies_usd=2.0, verdicts_usd=most - 1e-6))
    assert not judging(given=counts(replies_usd=2.0, verdicts_usd=most))
    assert judging(given=counts(verdicts_usd=0.9 * judge.first_usd))  # before any reply was paid for
    assert not judging(given=counts(verdicts_usd=judge.first_usd))


def test_nothing_is_judged_where_the_judge_is_off_or_nothing_is_promised_or_stored() -> None:
    off = msgspec.structs.replace(STRICT, judge=msgspec.structs.replace(STRICT.judge, share=0.0))
    unpromised = msgspec.structs.replace(STRICT, risk=msgspec.structs.replace(STRICT.risk, max_bad_rate=1.0))
    assert judging()
    assert not judging(off)
    assert not judging(unpromised)
    assert not judging(stored=False)
    secret = policy.make_request(
        Query("my password = hunter2hunter2, is it safe?"), 301, counts(), AskOptions(), STRICT, 0
    )
    assert not secret.judging


@given(st.floats(0.01, 0.3), st.floats(0.01, 0.4))
def test_of_the_drafts_that_pass_a_check_at_most_the_promised_share_is_bad(error: float, most_bad: float) -> None:
    config = msgspec.structs.replace(
        STRICT,
        judge=msgspec.structs.replace(STRICT.judge, error=error),
        risk=msgspec.structs.replace(STRICT.risk, max_bad_rate=most_bad),
    )
    allowed = judging(config)
    assert allowed
    rate = bad_rate(allowed.thresholds["recall"], HONEST)  # nothing was measured yet: the curve is the prior
    passing_bad, passing_good = rate * error, (1.0 - rate) * (1.0 - error)
    assert passing_bad / (passing_bad + passing_good) == pytest.approx(most_bad)


def test_feedback_raises_what_may_be_checked() -> None:
    def threshold(feedback: float) -> float:
        given = policy.HomeCounts(300, score_counts={**no_counts(STRICT), "recall": ScoreCounts(feedback=feedback)})
        allowed = judging(given=given)
        assert allowed
        return allowed.thresholds["recall"]

    free = threshold(0.0)
    assert threshold(0.5) == pytest.approx(free + 0.5 * (1.0 - free))
    assert threshold(1.0) == 1.0


@given(st.floats(1e-6, 1.0), st.integers(0, 10_000))
def test_a_repeated_question_is_tried_from_the_first_day_on(p_local: float, seen: int) -> None:
    assert policy.route({"repeat": p_local, "decoder": 0.1}, make_request(seen), LITERAL).tries == ("repeat",)
    assert not policy.route({"repeat": p_local}, make_request(seen, forced_source="claude"), LITERAL).local


@pytest.mark.parametrize(("seen", "p_local", "local"), [(0, 0.29, False), (0, 0.31, True), (300, 0.31, True)])
def test_where_the_judge_may_be_asked_more_is_tried_from_the_first_query_on(
    seen: int, p_local: float, local: bool
) -> None:
    assert policy.route({"recall": p_local}, judged(seen), STRICT).local is local
    assert not policy.route({"recall": p_local}, make_request(seen), STRICT).local


def test_a_repeated_question_needs_only_what_the_promise_requires() -> None:
    draft = scored(0.95, "rm -r build", "repeat")
    assert policy.accepts(draft, make_request(0), DEFAULT)
    assert policy.accepts(draft, judged(0), DEFAULT)
    assert not policy.accepts(scored(0.9, source="repeat"), judged(0), DEFAULT)
    assert not policy.accepts(scored(0.99, source="recall"), judged(0), DEFAULT)


def test_repeats_are_audited_at_the_schedules_rate_whatever_their_score() -> None:
    taken = judged(audit_rate=0.2, usual_doubt=0.001)
    assert {policy.audit_probability(scored(p, source="repeat"), taken, DEFAULT) for p in (0.5, 0.9, 1.0)} == {0.2}


def test_a_draft_that_passed_a_check_is_doubted_less() -> None:
    draft = scored(0.8, source="recall")
    passed = draft.judged(Verdict(good=True, model="m", rubric="1", with_reply=False))
    failed = draft.judged(Verdict(good=False, model="m", rubric="1", with_reply=False))
    odds = 0.2 / 0.8 * 0.03 / 0.97
    assert policy.doubt(passed, judged(), DEFAULT) == pytest.approx((odds / (1.0 + odds)) ** DEFAULT.audit_focus)
    assert policy.doubt(failed, judged(), DEFAULT) == policy.doubt(draft, judged(), DEFAULT)


def stood(audit_draw: float, audit_probability: float, request: Request) -> Interaction:
    taken = msgspec.structs.replace(request, audit_draw=audit_draw)
    route = Route({"recall": 0.9}, 0.5, ("recall",))
    return Interaction.approved(taken, route, (scored(0.95, source="recall"),), audit_probability)


def test_a_share_of_the_audits_buys_a_verdict_and_a_reply() -> None:
    assert policy.audit_buys_both(stood(0.009, 0.1, judged()))
    assert not policy.audit_buys_both(stood(0.011, 0.1, judged()))
    assert policy.audit_buys_both(stood(0.011, 0.1, make_request(300)))  # without a judge the reply is all there is


def test_how_probable_it_is_that_a_bad_draft_is_found() -> None:
    by_check = msgspec.structs.replace(stood(0.5, 0.2, judged()), by_check=True)
    shadow_rates: dict[DraftSource, float] = {"decoder": 0.5, "repeat": 0.1}
    rates = msgspec.structs.replace(judged(), shadow_rates=shadow_rates)
    assert stood(0.5, 0.2, make_request(300)).p_found("recall") == 0.2
    assert stood(0.5, 0.2, judged()).p_found("recall") == pytest.approx(0.2 * (1 - 0.9 * 0.03))
    assert by_check.p_found("recall") == 0.2  # its audit buys a reply at once
    assert [stood(0.5, 0.2, rates).p_found(source) for source in shadow_rates] == [0.2, 0.1]  # one draw for both
    forwarded = Interaction.forwarded(rates, Route({"recall": 0.1}, 0.5), Reply("r", "m", "end_turn"))
    assert [forwarded.p_found(source) for source in ("recall", *shadow_rates)] == [0.0, 0.5, 0.1]
    rejected = msgspec.structs.replace(forwarded, route=Route({"recall": 0.9}, 0.5, ("recall",)))
    assert rejected.p_found("recall") == 1.0


def test_the_decoder_is_tried_from_a_lower_p_local_than_memory_and_never_before_the_schedule() -> None:
    config = PRESETS["default"]
    assert policy.route({"decoder": 0.3, "recall": 0.3}, make_request(300), config).tries == ("decoder",)
    assert policy.route({"decoder": 0.2}, make_request(300), config).tries == ()
    assert policy.route({"decoder": 0.9}, make_request(49), config).tries == ()


def test_what_the_decoder_wrote_is_served_with_more_caution() -> None:
    config, measured, chance = PRESETS["default"], ScoreCounts(), random.Random(1)
    for _ in range(600):
        score = chance.uniform(0.5, 1.0)
        seen = Observation(score, "shadow", float(chance.random() > score), 1.0)
        measured = record(measured, seen, HONEST, config.risk)
    counted: dict[str, ScoreCounts] = {"recall": measured, "decoder": measured}

    def candidates(**changes: float) -> list[float]:
        changed = msgspec.structs.replace(config, risk=msgspec.structs.replace(config.risk, **changes))
        return [threshold.candidate for threshold in policy.thresholds(counted, 0.1, 0.005, changed).values()]

    recall, decoder = candidates()
    assert recall < decoder < 1.0
    assert candidates(caution=1.5) == [decoder, decoder]
    assert candidates(caution_written=config.risk.caution) == [recall, recall]
    assert candidates(known_written=1e4) == [recall, 1.0]


def test_shadows_follow_p_local_in_the_default_preset_alone() -> None:
    for config, expected in ((PRESETS["default"], 0.4), (LITERAL, 0.05)):
        taken = policy.make_request(Query("q"), 3000, policy.HomeCounts(2999), AskOptions(), config, 0)
        assert taken.shadow_rate("decoder", 0.4) == pytest.approx(expected)
        assert taken.shadow_rate("decoder", 0.01) == pytest.approx(0.05)
        assert taken.shadow_rate("recall", 0.4) == taken.shadow_rates.get("recall", 0.0)
    forwarded = Interaction.forwarded(
        policy.make_request(Query("q"), 3000, policy.HomeCounts(2999), AskOptions(), PRESETS["default"], 0),
        Route({"decoder": 0.4}, 0.5),
        Reply("r", "m", "end_turn"),
    )
    assert forwarded.p_found("decoder") == pytest.approx(0.4)


PAIR = pair_of(1, Query("q").context)
BORROWED_DRAFT = ScoredDraft(Draft(20 * "word ", "other_model", pair=PAIR), 0.97)


def test_a_borrowed_draft_needs_what_was_measured_of_its_two_contexts() -> None:
    opened = Threshold(candidate=0.9, serve=0.9, offset=0.0, slope=1.0)
    elsewhere = counted_as("other_model", pair_of(2, Query("q").context))

    def is_accepted(thresholds: dict[str, Threshold]) -> bool:
        return policy.accepts(BORROWED_DRAFT, make_request(300, thresholds=thresholds), DEFAULT)

    assert is_accepted({BORROWED_DRAFT.draft.counted_as: opened})
    assert not is_accepted({"recall": opened, elsewhere: opened})
    assert not is_accepted({})  # where nothing is promised


def test_no_verdict_serves_a_borrowed_draft_and_none_hides_one_that_a_verdict_may_serve() -> None:
    request = judged(thresholds={**judged().thresholds, BORROWED_DRAFT.draft.counted_as: SERVE_NOTHING})
    assert not is_worth_a_check(BORROWED_DRAFT, request)
    own = scored(0.9, source="recall")
    assert policy.best_first([BORROWED_DRAFT, own], request, STRICT.policy) == (own, BORROWED_DRAFT)


def test_a_request_knows_the_thresholds_of_its_own_context_alone() -> None:
    counts = {counted_as("other_model", pair): ScoreCounts() for pair in (PAIR, pair_of(1, 3))}
    given = policy.HomeCounts(300, score_counts={**no_counts(STRICT), **counts})
    thresholds = policy.make_request(Query("q"), 301, given, AskOptions(), STRICT, 0).thresholds
    assert set(thresholds) == {*no_counts(STRICT), BORROWED_DRAFT.draft.counted_as}


@pytest.mark.parametrize(
    ("source", "p_local", "serve", "has_judge", "waits"),
    [
        ("decoder", 0.4, 1.0, True, False),  # only the judge could let it pass, and it is likelier bad than good
        ("decoder", 0.6, 1.0, True, True),
        ("decoder", 0.9, 1.0, False, False),  # nothing could let it pass
        ("decoder", 0.4, 0.9, False, True),  # its own score could be enough
        ("recall", 0.1, 1.0, False, True),  # it takes milliseconds
    ],
)
def test_a_draft_that_takes_seconds_is_waited_for_only_if_it_may_be_served(
    source: DraftSource, p_local: float, serve: float, has_judge: bool, waits: bool
) -> None:
    threshold = Threshold(candidate=serve, serve=serve, offset=0.0, slope=1.0)
    judging = Judging(error=0.03, thresholds={source: 0.4}, both=0.1) if has_judge else msgspec.UNSET
    request = make_request(300, thresholds={source: threshold}, judging=judging)
    assert policy.is_worth_waiting_for(source, p_local, request, PRESETS["default"].judge) is waits
