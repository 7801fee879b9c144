"""The default preset at the command line: answers from memory, conversations, and what is left unsaid and unkept."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from shammah_mlx.home.journal import Journal
from tests.command import Shammah
from tests.loopback import Loopback, reply
from tests.served import BOLD

LEARNT = [f"how do I {verb} a {thing}" for verb in ("boil", "paint", "sell") for thing in ("egg", "car")]


pytestmark = pytest.mark.settings(BOLD)


def learnt(shammah: Shammah) -> None:
    for text in LEARNT:
        assert shammah("ask", "--claude", text).exit_code == 0


def test_a_question_asked_before_in_other_words_is_answered_here(shammah: Shammah, claude: Loopback) -> None:
    learnt(shammah)
    told = json.loads(shammah("ask", "--json", "what is the way to boil an egg?").stdout)
    assert told["answer"] == "You asked: how do I boil a egg"
    assert (told["source"], told["called_claude"]) == ("recall", False)
    assert (told["model"], told["cost_usd"]) == ("shammah-default", 0.0)
    assert len(claude.requests) == len(LEARNT)


def test_a_conversation_goes_on_with_what_was_said(shammah: Shammah, claude: Loopback) -> None:
    learnt(shammah)
    shammah("ask", "--claude", "--system", "be brief", "which moons has Mars?")
    for text in ("and Saturn?", "why?"):
        told = shammah("ask", "-c", text)
        assert told.exit_code == 0
        assert "Continuing after: " in told.stderr
    sent = claude.requests[-1].body
    assert sent["system"] == "be brief"
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant"] * 2 + ["user"]
    assert [message["content"] for message in sent["messages"]][::2] == ["which moons has Mars?", "and Saturn?", "why?"]


def test_there_must_be_a_conversation_to_continue(shammah: Shammah, claude: Loopback) -> None:
    failed = shammah("ask", "-c", "and then?")
    assert failed.exit_code == 1
    assert "no conversation to continue" in failed.stderr
    assert claude.requests == []


def test_local_never_calls_claude(shammah: Shammah, claude: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = shammah("ask", "--local", "how do I boil an egg")
    assert nothing.exit_code == 4
    assert "Nothing on this machine" in nothing.stderr
    learnt(shammah)
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    known = shammah("ask", "--local", "how do I boil an egg")
    assert (known.exit_code, known.stdout) == (0, "You asked: how do I boil a egg\n")
    assert len(claude.requests) == len(LEARNT)


def test_a_local_answer_that_was_refused_is_told_to_be_doubtful(shammah: Shammah, claude: Loopback, home: Path) -> None:
    learnt(shammah)
    (home / "config.toml").write_text(BOLD.replace("accept_thresholds = [[0, 0.0]]", "accept_thresholds = [[0, 1.0]]"))
    told = shammah("ask", "--local", "who was the first king of Spain")
    assert told.exit_code == 3
    assert "Not covered: this local answer is doubtful." in told.stderr


def test_what_is_not_to_be_stored_is_answered_and_gone(shammah: Shammah, claude: Loopback, home: Path) -> None:
    asked = shammah("ask", "--no-store", "--json", "a private matter")
    told = json.loads(asked.stdout)
    assert (told["answer"], told["query_id"]) == ("You asked: a private matter", None)
    with closing(Journal(home / "journal.db")) as journal:
        assert journal.totals(0).journalled == 0
    assert not any(b"private" in path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_a_secret_is_answered_and_gone(shammah: Shammah, claude: Loopback, home: Path) -> None:
    asked = shammah("ask", "why is my password = hunter2hunter2 refused?")
    assert asked.exit_code == 0
    assert "neither stored nor learnt" in asked.stderr
    assert not any(b"hunter2" in path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_a_recalled_command_that_destroys_is_marked(shammah: Shammah, claude: Loopback) -> None:
    claude.default_to(reply("Run `rm -rf build`."))
    learnt(shammah)
    asked = shammah("ask", LEARNT[0])
    assert asked.stdout == "Run `rm -rf build`.\n"
    assert "Careful: this answer has a command that deletes" in asked.stderr


def test_claude_and_local_exclude_each_other(shammah: Shammah, claude: Loopback) -> None:
    failed = shammah("ask", "--local", "--claude", "hello")
    assert failed.exit_code == 2
    assert "exclude each other" in failed.stderr
    assert claude.requests == []


def test_a_decoder_that_is_not_there_is_told_before_claude_is_asked(
    shammah: Shammah, claude: Loopback, home: Path
) -> None:
    (home / "config.toml").write_text('[lora]\nmodel = "/nowhere"\n')
    failed = shammah("ask", "hello")
    assert (failed.exit_code, claude.requests) == (1, [])
    assert "lora.model names no folder: /nowhere" in failed.stderr


def test_why_explains_a_local_answer(shammah: Shammah, claude: Loopback) -> None:
    assert shammah("why").exit_code == 1  # nothing was asked yet
    learnt(shammah)
    shammah("ask", "what is the way to boil an egg?")
    told = json.loads(shammah("why", "--json").stdout)
    assert (told["source"], told["outcome"], told["covered"], told["audit"]) == ("recall", "approved", None, False)
    assert told["query_id"] == len(LEARNT) + 1
    assert told["nearest"][0]["query"] == "how do I boil a egg"
    assert told["drafts"][0]["evidence"].keys() >= {"similarity", "trust"}
    assert 0 <= told["pi"] <= told["coin"] < 1
    assert told["learnt"] == "yes"
    assert told["drafts"][0]["p_accept"] > told["drafts"][0]["bar"]
    for_people = shammah("why").stdout
    for word in ("recall", "how do I boil a egg", "p_accept", "audit", "learnt"):
        assert word in for_people


def test_why_explains_any_question_that_is_still_there(shammah: Shammah, claude: Loopback) -> None:
    learnt(shammah)
    told = json.loads(shammah("why", "1", "--json").stdout)
    assert (told["query_id"], told["source"], told["pi"]) == (1, "claude", None)
    assert "Claude was asked" in shammah("why", "1").stdout
    missing = shammah("why", "999")
    assert missing.exit_code == 1
    assert "no such question" in missing.stderr


def test_status_tells_what_audits_found(shammah: Shammah, claude: Loopback) -> None:
    learnt(shammah)
    shammah("ask", "what is the way to boil an egg?")
    told = json.loads(shammah("status", "--json").stdout)
    assert told["served_local"] == 1
    assert told["bad_rate"] == {"estimate": 0.0, "low": 0.0, "high": 1.0, "audits": 0}
    assert told["router_accuracy"] is None or 0.0 <= told["router_accuracy"] <= 1.0
    assert "0.0% to 100.0%" in shammah("status").stdout


def test_status_tells_what_is_promised_and_what_it_rests_on(shammah: Shammah, claude: Loopback) -> None:
    told = json.loads(shammah("status", "--json", "--max-bad-rate", "0.02").stdout)
    assert (told["max_bad_rate"], told["covered"], told["bars"]) == (0.02, True, {"recall": None})
    assert told["slack"] >= 100
    assert "2.0% in the long run" in shammah("status", "--max-bad-rate", "0.02").stdout
    nothing = json.loads(shammah("status", "--json").stdout)
    assert (nothing["max_bad_rate"], nothing["covered"], nothing["slack"]) == (None, None, None)


def test_a_promise_raises_the_bar_of_a_draft(shammah: Shammah, claude: Loopback) -> None:
    learnt(shammah)
    told = json.loads(shammah("ask", "--json", "--max-bad-rate", "0.05", "what is the way to boil an egg?").stdout)
    assert (told["source"], told["covered"]) == ("claude", True)  # six questions are no evidence
    why = json.loads(shammah("why", "--json").stdout)
    assert why["drafts"][0]["bar"] == 1.0
    assert 0 < why["drafts"][0]["bad_rate"] < 1


@pytest.mark.parametrize("rate", ["0", "1.5", "nan", "much"])
def test_a_rate_that_is_none_is_refused(shammah: Shammah, claude: Loopback, rate: str) -> None:
    assert shammah("ask", "--max-bad-rate", rate, "hello").exit_code == 2
    assert claude.requests == []


@pytest.mark.parametrize("text", ["what does [/a-z] match, and a[0]?", "[red]is it :smile: red[/red]?"])
def test_brackets_are_shown_as_they_were_asked(shammah: Shammah, claude: Loopback, text: str) -> None:
    shammah("ask", text)
    told = shammah("why")
    assert told.exit_code == 0
    assert text in " ".join(told.stdout.split())


def test_a_reply_that_was_cut_is_not_called_learnt(shammah: Shammah, claude: Loopback) -> None:
    claude.default_to(reply("half an answ", stop_reason="max_tokens"))
    shammah("ask", "what is a monad?")
    assert "nothing: Claude's reply was not whole" in " ".join(shammah("why").stdout.split())
