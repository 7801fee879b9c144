"""What was spent and saved, and the budget that stops it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_default import LEARNT, learn_all
from tests.command import Shammah
from tests.loopback import Loopback, reply
from tests.served import BOLD

AUDITED = BOLD.replace("audits = []", "audits = [[0, 1.0]]").replace("max_bad_rate = 1.0", "max_bad_rate = 0.9")
PARAPHRASE = "what is the way to boil an egg?"
EACH = (10 * 2.0 + 20 * 10.0) / 1e6  # US dollars: what the loopback server says of tokens, by Sonnet's price

pytestmark = pytest.mark.settings(BOLD)


def status(shammah: Shammah) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(shammah("status", "--json").stdout)
    return result


def test_a_spent_budget_lets_memory_answer_and_asks_claude_nothing(
    shammah: Shammah, claude: Loopback, home: Path
) -> None:
    learn_all(shammah)
    with (home / "config.toml").open("a") as config:
        config.write(f"[budget]\nmonth = {(len(LEARNT) - 0.5) * EACH}\n")
    failed = shammah("ask", "--claude", "which moons has Saturn?")
    assert failed.exit_code == 4
    assert "The month's budget is spent." in failed.stderr
    assert "--budget" in failed.stderr
    recalled = shammah("ask", PARAPHRASE)
    assert (recalled.exit_code, recalled.stdout) == (0, "You asked: how do I boil a egg\n")
    assert len(claude.requests) == len(LEARNT)
    assert shammah("ask", "--claude", "--budget", "1", "which moons has Saturn?").exit_code == 0
    assert "a month (UTC), spent" in " ".join(shammah("status").stdout.split())


def test_a_budget_of_nothing_forwards_nothing(shammah: Shammah, claude: Loopback) -> None:
    assert shammah("ask", "--budget", "0", "hello").exit_code == 4
    assert claude.requests == []
    assert shammah("ask", "--budget", "nan", "hello").exit_code == 2


@pytest.mark.settings(AUDITED)
def test_an_audit_that_the_budget_forbids_is_due_until_there_is_money(shammah: Shammah, claude: Loopback) -> None:
    learn_all(shammah)
    before = len(claude.requests)  # verdicts among them
    served = shammah("ask", "--budget", "0", LEARNT[0])  # a repeat, which needs no counts
    assert served.exit_code == 3
    assert "Not covered: the month's budget is spent" in served.stderr
    assert len(claude.requests) == before
    assert (status(shammah)["audits_missed"], status(shammah)["covered"]) == (1, False)
    assert "not known while 1 audit is due" in " ".join(shammah("status").stdout.split())
    assert shammah("ask", "--claude", "which moons has Saturn?").exit_code == 0
    assert shammah("learn").exit_code == 0
    assert (status(shammah)["audits_missed"], status(shammah)["covered"]) == (0, True)


def test_a_strict_question_gets_no_answer_that_the_budget_leaves_uncovered(shammah: Shammah, claude: Loopback) -> None:
    failed = shammah("ask", "--strict", "--budget", "0", "hello")
    assert failed.exit_code == 4


def test_status_shows_what_was_spent_and_saved_by_month_and_model(shammah: Shammah, claude: Loopback) -> None:
    learn_all(shammah)
    shammah("ask", PARAPHRASE)
    found = status(shammah)
    assert found["spent_usd"] == pytest.approx(len(LEARNT) * EACH)
    sums = found["money"]
    assert (sums["saved_usd"], sums["this_month_usd"]) == pytest.approx((EACH, len(LEARNT) * EACH))
    assert (sums["saved_calls"], sums["recorded"], sums["budget_usd"], found["service"]) == (1, False, None, False)
    (month,) = sums["months"]
    assert (month["model"], month["calls"], month["saved_calls"]) == ("claude-sonnet-5-5", len(LEARNT), 1)
    shown = " ".join(shammah("status").stdout.split())
    assert "$0.0013, $0.0013 this month" in shown
    assert "about $0.0002, by estimate: 1 answer bought no call" in shown


def test_an_hours_cache_has_its_own_price(shammah: Shammah, claude: Loopback) -> None:
    hour = {"ephemeral_1h_input_tokens": 10_000, "ephemeral_5m_input_tokens": 0}
    usage: dict[str, object] = {"input_tokens": 100, "output_tokens": 50, "cache_creation_input_tokens": 10_000}
    claude.default_to(reply("hi", usage={**usage, "cache_creation": hour}))  # type: ignore[dict-item]
    asked = json.loads(shammah("ask", "--json", "--model", "claude-haiku-4-5", "hello").stdout)
    assert asked["cost_usd"] == pytest.approx(0.02035, rel=1e-12)


def test_a_model_without_a_price_is_unpriced(shammah: Shammah, claude: Loopback) -> None:
    shammah("ask", "--model", "claude-x", "hello")
    found = status(shammah)
    assert (found["spent_usd"], found["unpriced_calls"]) == (0.0, 1)
    assert "without 1 unpriced call" in " ".join(shammah("status").stdout.split())


@pytest.mark.parametrize("has_price", [False, True])
def test_with_a_budget_a_model_without_a_price_is_not_asked(
    shammah: Shammah, claude: Loopback, home: Path, has_price: bool
) -> None:
    with (home / "config.toml").open("a") as config:
        config.write("[teacher.prices.claude-x]\ninput = 1.0\noutput = 2.0\n" if has_price else "")
    asked = shammah("ask", "--budget", "20", "--model", "claude-x", "hello")
    assert (asked.exit_code, len(claude.requests)) == ((0, 1) if has_price else (4, 0))
    assert has_price or "What claude-x charges for this is not known" in asked.stderr
    assert has_price or "under [teacher.prices.claude-x] in config.toml" in asked.stderr
    assert shammah("ask", "--model", "claude-y", "hello").exit_code == 0  # without a budget nothing is limited


def test_with_a_budget_no_more_is_read_than_the_price_covers(shammah: Shammah, claude: Loopback) -> None:
    asked = shammah(
        "ask", "--budget", "20", "--model", "claude-haiku-5-5", "sum up", stdin="a line of a log\n" * 30_000
    )
    assert (asked.exit_code, claude.requests) == (4, [])
    assert "What claude-haiku-5-5 charges for this is not known" in asked.stderr
    assert shammah("ask", "--budget", "20", "--model", "claude-haiku-5-5", "hello").exit_code == 0


@pytest.mark.settings(AUDITED, '[judge]\nmodel = "claude-x"\n')
def test_with_a_budget_a_judge_without_a_price_is_not_asked(shammah: Shammah, claude: Loopback) -> None:
    learn_all(shammah)
    before = len(claude.requests)
    assert shammah("ask", "--budget", "20", LEARNT[0]).exit_code in (0, 3)
    assert "claude-x" not in [request.body["model"] for request in claude.requests[before:]]
    shammah("ask", LEARNT[0])
    assert "claude-x" in [request.body["model"] for request in claude.requests[before:]]
