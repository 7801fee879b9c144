"""The command line with the default preset: recalled answers, conversations, `--local`, secrets, `why`, `status`."""

import io
import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from shammah_mlx.display.console import one_line, write
from shammah_mlx.framework.policy import audit_draw
from shammah_mlx.home.journal import Journal
from tests.command import Shammah
from tests.loopback import Loopback, reply
from tests.served import BOLD

LEARNT = [f"how do I {verb} a {thing}" for verb in ("boil", "paint", "sell") for thing in ("egg", "car")]


pytestmark = pytest.mark.settings(BOLD)


def learn_all(shammah: Shammah) -> None:
    """Have Claude answer the questions of LEARNT."""
    for text in LEARNT:
        assert shammah("ask", "--claude", text).exit_code == 0


def test_a_paraphrase_of_a_learnt_question_is_answered_from_memory(shammah: Shammah, claude: Loopback) -> None:
    learn_all(shammah)
    result = json.loads(shammah("ask", "--json", "what is the way to boil an egg?").stdout)
    assert result["answer"] == "You asked: how do I boil a egg"
    assert (result["source"], result["called_claude"]) == ("recall", False)
    assert (result["model"], result["cost_usd"]) == ("shammah-default", 0.0)
    assert len(claude.requests) == len(LEARNT)


def test_continuing_a_conversation_sends_its_earlier_messages(shammah: Shammah, claude: Loopback) -> None:
    learn_all(shammah)
    shammah("ask", "--claude", "--system", "be brief", "which moons has Mars?")
    for text in ("and Saturn?", "why?"):
        result = shammah("ask", "-c", text)
        assert result.exit_code == 0
        assert "Continuing after: " in result.stderr
    sent = claude.requests[-1].body
    assert sent["system"] == "be brief"
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant"] * 2 + ["user"]
    assert [message["content"] for message in sent["messages"]][::2] == ["which moons has Mars?", "and Saturn?", "why?"]


def test_any_conversation_goes_on_by_the_number_of_one_of_its_questions(shammah: Shammah, claude: Loopback) -> None:
    first = json.loads(shammah("ask", "--json", "--claude", "--system", "be brief", "which moons has Mars?").stdout)
    assert (first["query_id"], first["conversation"]) == (1, 1)
    assert json.loads(shammah("ask", "--json", "--claude", "who founded Rome?").stdout)["conversation"] == 2
    second = json.loads(shammah("ask", "--json", "--conversation", "1", "and Saturn?").stdout)
    assert (second["query_id"], second["conversation"]) == (3, 1)
    assert json.loads(shammah("ask", "--json", "-c", "why?").stdout)["conversation"] == 1
    sent = claude.requests[-1].body
    assert sent["system"] == "be brief"
    assert [message["content"] for message in sent["messages"]][::2] == ["which moons has Mars?", "and Saturn?", "why?"]
    missing = shammah("ask", "--conversation", "99", "and Saturn?")
    assert missing.exit_code == 1
    assert "no conversation 99" in missing.stderr


def test_a_terminal_continues_its_own_conversation_only(shammah: Shammah, claude: Loopback, home: Path) -> None:
    elsewhere = [sys.executable, "-m", "shammah_mlx", "ask", "--claude", "--wait"]
    subprocess.run([*elsewhere, "which moons has Mars?"], check=True, capture_output=True, start_new_session=True)
    refused = shammah("ask", "-c", "and Saturn?")
    assert refused.exit_code == 1
    assert "in this terminal" in refused.stderr
    assert "--conversation 1" in refused.stderr
    shammah("ask", "--claude", "who founded Rome?")
    assert "Continuing after: who founded Rome?" in shammah("ask", "-c", "when?").stderr


def test_why_explains_the_last_answer_of_this_terminal(shammah: Shammah, claude: Loopback, home: Path) -> None:
    elsewhere = [sys.executable, "-m", "shammah_mlx", "ask", "--claude", "--wait", "which moons has Mars?"]
    subprocess.run(elsewhere, check=True, capture_output=True, start_new_session=True)
    assert "which moons has Mars?" in shammah("why").stdout  # nothing was asked in this one
    shammah("ask", "--claude", "who founded Rome?")
    subprocess.run([*elsewhere[:-1], "and of Saturn?"], check=True, capture_output=True, start_new_session=True)
    assert "who founded Rome?" in shammah("why").stdout


def test_continuing_without_a_conversation_is_refused(shammah: Shammah, claude: Loopback) -> None:
    failed = shammah("ask", "-c", "and then?")
    assert failed.exit_code == 1
    assert "no conversation to continue" in failed.stderr
    assert claude.requests == []


def test_a_local_question_is_not_sent_by_a_later_continuation(shammah: Shammah, claude: Loopback) -> None:
    learn_all(shammah)
    assert shammah("ask", "--local", LEARNT[0]).exit_code == 0
    before = len(claude.requests)
    for options in ((), ("--claude",), ("--strict",)):
        refused = shammah("ask", "-c", *options, "and then?")
        assert refused.exit_code == 1
        assert "asked with --local, so Claude is not to see it" in refused.stderr
        assert "-c --local" in refused.stderr
    here = shammah("ask", "-c", "--local", "and then?")
    assert "Continuing after: how do I boil a egg" in here.stderr
    assert shammah("ask", "-c", "and then?").exit_code == 1
    assert len(claude.requests) == before
    assert shammah("ask", "--claude", "which moons has Mars?").exit_code == 0
    assert shammah("ask", "-c", "and Saturn?").exit_code == 0  # another conversation
    assert not any(LEARNT[0].encode() in request.raw for request in claude.requests[before:])


def test_local_never_calls_claude(shammah: Shammah, claude: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = shammah("ask", "--local", "how do I boil an egg")
    assert nothing.exit_code == 4
    assert "Nothing on this machine" in nothing.stderr
    learn_all(shammah)
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    known = shammah("ask", "--local", "how do I boil an egg")
    assert (known.exit_code, known.stdout) == (0, "You asked: how do I boil a egg\n")
    assert len(claude.requests) == len(LEARNT)


def test_what_another_host_answered_is_not_served_as_claudes(
    shammah: Shammah, claude: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(default=reply(lambda text: f"Not Claude: {text}")) as other:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", other.url)
        learn_all(shammah)
        known = shammah("ask", "--json", LEARNT[0])
        assert json.loads(known.stdout)["answer"] == f"Not Claude: {LEARNT[0]}"
        assert len(other.requests) == len(LEARNT)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", claude.url)
    assert json.loads(shammah("ask", "--json", LEARNT[0]).stdout)["answer"] == f"You asked: {LEARNT[0]}"
    assert len(claude.requests) == 1


def test_nobody_can_compute_a_homes_audits(shammah: Shammah, claude: Loopback, home: Path, tmp_path: Path) -> None:
    shammah("ask", "--claude", LEARNT[0])
    with closing(Journal(home / "journal.db")) as journal, closing(Journal(tmp_path / "other.db")) as other:
        asked, seed = journal.last(), journal.audit_seed()
        assert len(seed) == 32
        assert seed != other.audit_seed()
    assert asked is not None
    assert asked.request.audit_draw == audit_draw(seed, asked.request.number, LEARNT[0])


def test_nothing_is_learnt_from_another_model_than_the_one_asked(shammah: Shammah, claude: Loopback) -> None:
    claude.default_to(reply("An answer of a stranger.", model="gpt-4o"))
    for _ in range(2):
        asked = shammah("ask", "--claude", LEARNT[0])
        assert (asked.exit_code, asked.stdout) == (0, "An answer of a stranger.\n")
        assert "Nothing was learnt: gpt-4o replied, not the model that was asked." in asked.stderr
    assert "nothing: another model than the one asked replied" in shammah("why").stdout
    assert shammah("ask", "--local", LEARNT[0]).exit_code == 4


def test_a_rejected_draft_that_local_prints_is_marked_doubtful(shammah: Shammah, claude: Loopback, home: Path) -> None:
    learn_all(shammah)
    (home / "config.toml").write_text(BOLD.replace("accept_thresholds = [[0, 0.0]]", "accept_thresholds = [[0, 1.0]]"))
    result = shammah("ask", "--local", "who was the first king of Spain")
    assert result.exit_code == 3
    assert "Not covered: the score of this local answer is not above the threshold" in result.stderr


def test_a_question_with_no_store_is_answered_and_leaves_no_trace(
    shammah: Shammah, claude: Loopback, home: Path
) -> None:
    asked = shammah("ask", "--no-store", "--json", "a private matter")
    result = json.loads(asked.stdout)
    assert (result["answer"], result["query_id"]) == ("You asked: a private matter", None)
    with closing(Journal(home / "journal.db")) as journal:
        assert journal.totals(0).journalled == 0
    assert not any(b"private" in path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_a_question_with_a_secret_is_answered_and_leaves_no_trace(
    shammah: Shammah, claude: Loopback, home: Path
) -> None:
    asked = shammah("ask", "why is my password = hunter2hunter2 refused?")
    assert asked.exit_code == 0
    assert "neither stored nor learnt" in asked.stderr
    assert not any(b"hunter2" in path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_a_reply_with_a_secret_is_shown_and_leaves_no_trace(shammah: Shammah, claude: Loopback, home: Path) -> None:
    claude.default_to(reply("The old one leaked. Use this password: Kw72-pm41-Zt09"))
    for _ in range(3):
        asked = shammah("ask", "which passcode shall the wifi have?")
        assert asked.exit_code == 0
        assert "Kw72-pm41-Zt09" in asked.stdout
        assert "Claude's reply looks like it holds a secret" in asked.stderr
    assert len(claude.requests) == 3
    traces = (b"Kw72", b"which passcode")
    assert not any(trace in path.read_bytes() for path in home.rglob("*") if path.is_file() for trace in traces)


def test_a_reply_with_a_placeholder_is_learnt(shammah: Shammah, claude: Loopback, home: Path) -> None:
    claude.default_to(reply("Run `export API_KEY=your-key-here`."))
    assert "holds a secret" not in shammah("ask", "how do I set the key?").stderr
    assert shammah("ask", "--local", "how do I set the key?").stdout == "Run `export API_KEY=your-key-here`.\n"


def test_a_recalled_destructive_command_is_marked(shammah: Shammah, claude: Loopback) -> None:
    claude.default_to(reply("Run `rm -rf build`."))
    learn_all(shammah)
    asked = shammah("ask", LEARNT[0])
    assert asked.stdout == "Run `rm -rf build`.\n"
    assert "Careful: this answer has a command that deletes" in asked.stderr


def test_claude_and_local_exclude_each_other(shammah: Shammah, claude: Loopback) -> None:
    failed = shammah("ask", "--local", "--claude", "hello")
    assert failed.exit_code == 2
    assert "exclude each other" in failed.stderr
    assert claude.requests == []


def test_a_missing_decoder_is_reported_before_claude_is_asked(shammah: Shammah, claude: Loopback, home: Path) -> None:
    (home / "config.toml").write_text('[lora]\nmodel = "/nowhere"\n')
    failed = shammah("ask", "hello")
    assert (failed.exit_code, claude.requests) == (1, [])
    assert "lora.model names no folder: /nowhere" in failed.stderr


def test_a_missing_reader_is_reported_before_claude_is_asked(shammah: Shammah, claude: Loopback, home: Path) -> None:
    (home / "config.toml").write_text('[judge]\nlocal = "/nowhere"\n')
    failed = shammah("ask", "hello")
    assert (failed.exit_code, claude.requests) == (1, [])
    assert "judge.local names no folder: /nowhere" in failed.stderr


def test_why_explains_a_local_answer(shammah: Shammah, claude: Loopback) -> None:
    assert shammah("why").exit_code == 1  # there is no question yet
    learn_all(shammah)
    shammah("ask", "what is the way to boil an egg?")
    result = json.loads(shammah("why", "--json").stdout)
    assert (result["source"], result["outcome"], result["covered"], result["audit"]) == (
        "recall",
        "approved",
        None,
        False,
    )
    assert result["query_id"] == len(LEARNT) + 1
    assert result["nearest"][0]["query"] == "how do I boil a egg"
    assert result["drafts"][0]["evidence"].keys() >= {"similarity", "trust"}
    assert 0 <= result["pi"] <= result["coin"] < 1
    assert result["learnt"] == "yes"
    assert result["drafts"][0]["p_accept"] > result["drafts"][0]["bar"]
    for_people = shammah("why").stdout
    for word in ("recall", "how do I boil a egg", "p_accept", "audit", "learnt"):
        assert word in for_people


def why(shammah: Shammah) -> str:
    """Return what `why` prints, without its line breaks."""
    return " ".join(shammah("why").stdout.split())


ANY_CHANGE = "max_other_answer = 0.0"


def test_why_says_that_a_draft_was_held_back_by_its_words(shammah: Shammah, claude: Loopback, home: Path) -> None:
    learn_all(shammah)
    (home / "config.toml").write_text(BOLD.replace("max_other_answer = 1.0", ANY_CHANGE))
    shammah("ask", "what is the way to boil an egg?")
    assert len(claude.requests) == len(LEARNT) + 1
    assert "(held back: its words make another answer " in why(shammah)
    assert "likely (allowed 0 %, max_other_answer)" in why(shammah)
    assert "nothing is served yet" not in why(shammah)


def test_why_names_the_minimum_of_what_was_served_though_it_would_be_held_back_today(
    shammah: Shammah, claude: Loopback, home: Path
) -> None:
    learn_all(shammah)
    shammah("ask", "what is the way to boil an egg?")
    assert len(claude.requests) == len(LEARNT)
    (home / "config.toml").write_text(BOLD.replace("max_other_answer = 1.0", ANY_CHANGE))
    assert "(needs more than 0.000; its words make another answer " in why(shammah)
    assert "accepted because the settings were others then" in why(shammah)
    assert "nothing is served yet" not in why(shammah)


def test_why_says_why_a_forced_draft_was_served(shammah: Shammah, claude: Loopback, home: Path) -> None:
    learn_all(shammah)
    (home / "config.toml").write_text(BOLD.replace("accept_thresholds = [[0, 0.0]]", "accept_thresholds = [[0, 1.0]]"))
    shammah("ask", "--local", "what is the way to boil an egg?")
    assert "(no score is enough yet; " in why(shammah)
    assert "accepted because a local answer was asked for" in why(shammah)
    assert "nothing is served yet" not in why(shammah)


def test_why_in_a_home_that_was_asked_nothing_says_so(shammah: Shammah, claude: Loopback, home: Path) -> None:
    home.mkdir(exist_ok=True)
    Journal(home / "journal.db").close()
    failed = shammah("why")
    assert failed.exit_code == 1
    assert "nothing was asked yet" in failed.stderr.lower()


def test_why_explains_any_stored_question(shammah: Shammah, claude: Loopback) -> None:
    learn_all(shammah)
    result = json.loads(shammah("why", "1", "--json").stdout)
    assert (result["query_id"], result["source"], result["pi"]) == (1, "claude", None)
    assert "Claude was asked" in shammah("why", "1").stdout
    missing = shammah("why", "999")
    assert missing.exit_code == 1
    assert "no such question" in missing.stderr


def test_status_shows_the_bad_rate_that_audits_found(shammah: Shammah, claude: Loopback) -> None:
    learn_all(shammah)
    shammah("ask", "what is the way to boil an egg?")
    result = json.loads(shammah("status", "--json").stdout)
    assert result["served_local"] == 1
    assert result["bad_rate"] == {"estimate": 0.0, "low": 0.0, "high": 1.0, "audits": 0}
    assert result["router_accuracy"] is None or 0.0 <= result["router_accuracy"] <= 1.0
    shown = shammah("status").stdout
    assert "too early to tell: 0 audits for 1 local answer" in " ".join(shown.split())  # up to 100 % says nothing
    assert "100.0%" not in shown


def test_status_shows_the_promised_bad_rate_and_its_state(shammah: Shammah, claude: Loopback) -> None:
    result = json.loads(shammah("status", "--json", "--max-bad-rate", "0.02").stdout)
    assert (result["max_bad_rate"], result["covered"]) == (0.02, True)
    assert result["bars"].keys() == {"repeat", "recall"}
    assert result["bars"]["recall"] is None  # nothing was measured yet; a repeated question need not wait for that
    assert 0.98 < result["bars"]["repeat"] < 1.0
    assert result["slack"] >= 100
    assert "2.0% of them in the long run" in " ".join(shammah("status", "--max-bad-rate", "0.02").stdout.split())
    nothing = json.loads(shammah("status", "--json").stdout)
    assert (nothing["max_bad_rate"], nothing["covered"], nothing["slack"]) == (None, None, None)


def test_max_bad_rate_raises_the_threshold_of_a_draft(shammah: Shammah, claude: Loopback) -> None:
    learn_all(shammah)
    result = json.loads(shammah("ask", "--json", "--max-bad-rate", "0.05", "what is the way to boil an egg?").stdout)
    assert (result["source"], result["covered"]) == ("claude", True)  # six questions are too few to trust a draft
    why = json.loads(shammah("why", "--json").stdout)
    assert why["drafts"][0]["bar"] == 1.0
    assert 0 < why["drafts"][0]["bad_rate"] < 1


@pytest.mark.parametrize("rate", ["0", "1.5", "nan", "much"])
def test_a_bad_rate_out_of_range_is_refused(shammah: Shammah, claude: Loopback, rate: str) -> None:
    assert shammah("ask", "--max-bad-rate", rate, "hello").exit_code == 2
    assert claude.requests == []


@pytest.mark.parametrize("text", ["what does [/a-z] match, and a[0]?", "[red]is it :smile: red[/red]?"])
def test_brackets_in_a_question_are_not_taken_for_markup(shammah: Shammah, claude: Loopback, text: str) -> None:
    shammah("ask", text)
    result = shammah("why")
    assert result.exit_code == 0
    assert text in " ".join(result.stdout.split())


def test_a_reason_to_stop_that_the_server_chose_cannot_control_the_terminal(shammah: Shammah, claude: Loopback) -> None:
    claude.default_to(reply("half an answ", stop_reason="\x1b]52;c;ZXZpbA==\x07\nodd"))
    asked = shammah("ask", "what is a monad?")
    assert asked.exit_code == 4
    assert "Claude stopped because of ]52;c;ZXZpbA== odd." in asked.stderr
    assert "\x1b" not in asked.stderr
    assert "\x07" not in asked.stderr


def test_an_answer_cannot_show_a_terminal_another_command_than_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(shown, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", shown)
    write("rm \u202e\u2066# galf- a si siht\u2069\u202c x\x1b[2J")
    assert shown.getvalue() == "rm # galf- a si siht x[2J"
    assert one_line("\u202emodel\u2069") == "model"


def test_why_says_that_a_cut_reply_was_not_learnt(shammah: Shammah, claude: Loopback) -> None:
    claude.default_to(reply("half an answ", stop_reason="max_tokens"))
    shammah("ask", "what is a monad?")
    assert "nothing: Claude's reply was not whole" in " ".join(shammah("why").stdout.split())


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("command", [("status",), ("ask", "how do I boil an egg"), ("key", "status"), ("doctor",)])
def test_no_command_uses_the_home_of_another_user(shammah: Shammah, home: Path, command: tuple[str, ...]) -> None:
    os.chown(home, os.getuid() + 1, -1)
    refused = shammah(*command)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "belongs to another user" in refused.stderr


def test_a_share_may_be_a_percentage(shammah: Shammah) -> None:
    assert "2.0% of them in the long run" in " ".join(shammah("status", "--max-bad-rate", "2%").stdout.split())
    refused = shammah("status", "--max-bad-rate", "5")
    assert refused.exit_code == 2
    assert "Did you mean 5%?" in refused.stderr


def test_settings_are_shown_and_changed(shammah: Shammah, home: Path) -> None:
    assert shammah("config", "path").stdout.strip() == str(home / "config.toml")
    assert "now" in shammah("config", "set", "teacher.model", "claude-x").stdout
    assert shammah("config", "get", "teacher.model").stdout == "claude-x\n"
    assert 'model = "claude-x" # ' in shammah("config", "list", "--changed").stdout
    assert shammah("config", "unset", "teacher.model").exit_code == 0
    assert "claude-x" not in shammah("config", "list").stdout
    refused = shammah("config", "set", "risk.max_bad_rate", "2")
    assert refused.exit_code == 1
    assert "max_bad_rate" in refused.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(shammah: Shammah, shell: str) -> None:
    assert "_SHAMMAH_COMPLETE" in shammah("completion", shell).stdout
