"""`shammah good` and `shammah bad` at the command line, in this process."""

import json
from pathlib import Path

import pytest

from shammah_mlx.cli.main import main
from tests.command import Shammah
from tests.loopback import Loopback, fail, reply
from tests.terminal import Terminal

QUESTION = "on which port does our gateway listen?"
WRONG, RIGHT, OWN = "It listens on port 8080.", "It listens on port 8443.", "On port 9443, behind the proxy."

pytestmark = [
    pytest.mark.settings('generator = "recall"\n[judge]\nshare = 0.0\n[policy]\naudits = []\n'),
    pytest.mark.slow,
]


def answer(shammah: Shammah, *arguments: str) -> dict[str, object]:
    told = shammah("ask", "--json", *arguments, QUESTION)
    assert told.exit_code == 0, told.stderr
    found: dict[str, object] = json.loads(told.stdout)
    return found


def test_bad_has_claude_answer_anew_and_the_newer_answer_stands(shammah: Shammah, claude: Loopback) -> None:
    claude.default_to(reply(WRONG))
    shammah("ask", QUESTION)
    claude.default_to(reply(RIGHT))
    told = shammah("bad")
    assert (told.exit_code, told.stdout) == (0, f"{RIGHT}\n")
    assert f"question 1 ({QUESTION}) was bad. Asking Claude again." in told.stderr
    again = answer(shammah)
    assert (again["answer"], again["source"]) == (RIGHT, "repeat")


def test_bad_takes_the_users_own_answer_and_asks_nobody(shammah: Shammah, claude: Loopback) -> None:
    claude.default_to(reply(WRONG))
    shammah("ask", QUESTION)
    assert shammah("bad", "1", "--answer", "-", stdin=f"{OWN}\n").exit_code == 0
    again = answer(shammah)
    assert (again["answer"], again["source"], again["covered"]) == (OWN, "repeat", None)
    assert len(claude.requests) == 1


def test_good_is_noted_and_asks_nobody(shammah: Shammah, claude: Loopback) -> None:
    shammah("ask", QUESTION)
    told = shammah("good", "1")
    assert (told.exit_code, told.stdout) == (0, f"Noted: the answer to question 1 ({QUESTION}) was good.\n")
    assert len(claude.requests) == 1


def typed(*arguments: str) -> str:
    """Ask at a terminal; return what is seen there."""
    with Terminal(columns=200) as terminal:
        with pytest.raises(SystemExit) as ended:
            main(["ask", "--wait", *arguments, QUESTION])
        assert ended.value.code == 0
    return "\n".join(terminal.lines)


@pytest.mark.usefixtures("shammah")
def test_the_same_question_again_within_minutes_goes_to_claude(claude: Loopback) -> None:
    claude.default_to(reply(WRONG))
    for told in ("Claude ($", "from memory"):
        assert told in typed()
    claude.default_to(reply(RIGHT))
    shown = typed()
    assert RIGHT in shown
    assert "you asked the same again" in shown
    assert RIGHT in typed()
    assert len(claude.requests) == 2


def test_a_script_that_asks_the_same_again_is_given_what_is_known(shammah: Shammah, claude: Loopback) -> None:
    assert [answer(shammah)["source"] for _ in range(4)] == ["claude", "repeat", "repeat", "repeat"]
    assert len(claude.requests) == 1


@pytest.mark.usefixtures("shammah")
def test_asked_again_in_vain_the_known_answer_is_given_and_a_line_says_so(claude: Loopback) -> None:
    claude.default_to(reply(RIGHT))
    for _ in range(2):
        typed()
    claude.default_to(fail(401))
    shown = typed()
    assert RIGHT in shown
    assert "You asked the same again, and this is the answer you had before. Anthropic refused the API key." in shown


def test_bad_takes_an_answer_back_that_claude_is_not_to_see(shammah: Shammah, claude: Loopback) -> None:
    claude.default_to(reply(WRONG))
    shammah("ask", QUESTION)
    shammah("ask", "--local", QUESTION)
    told = shammah("bad")
    assert (told.exit_code, told.stdout) == (0, "")
    assert "was bad, and is not given again" in told.stderr
    assert "Claude is not asked: this question was asked with --local" in told.stderr
    failed = json.loads(shammah("bad", "--json").stdout)
    assert "--local" in failed["error"]
    assert len(claude.requests) == 1
    assert shammah("ask", "--local", QUESTION).exit_code == 4


def test_what_cannot_be_said_is_refused(shammah: Shammah, claude: Loopback, home: Path) -> None:
    assert "nothing was asked yet" in shammah("bad").stderr
    shammah("ask", QUESTION)
    for arguments, reason in (
        (("bad", "7"), "no such question"),
        (("good", "7"), "no such question"),
        (("bad", "--answer", " "), "is empty"),
        (("bad", "--answer", "\udcff"), "UTF-8"),
    ):
        refused = shammah(*arguments)
        assert (refused.exit_code, reason in refused.stderr) == (1, True), refused.stderr
    assert len(claude.requests) == 1


def test_log_and_why_show_what_was_said(shammah: Shammah, claude: Loopback) -> None:
    shammah("ask", QUESTION)
    shammah("bad", "--answer", OWN)
    assert f"(bad) {QUESTION[:20]}" in shammah("log").stdout
    assert f"you said: bad, and answered:\n{OWN}" in shammah("log", "1").stdout
    shown = shammah("why", "1").stdout
    assert "you said" in shown
    assert "bad, and gave your own answer" in shown
    assert json.loads(shammah("why", "1", "--json").stdout)["feedback"] == "bad"


def test_a_chat_goes_on_from_the_corrected_answer(shammah: Shammah, claude: Loopback) -> None:
    answers = iter((WRONG, RIGHT, "Because.", "Yes."))
    claude.default_to(reply(lambda _: next(answers)))
    told = shammah("chat", "--wait", stdin=f"{QUESTION}\n/bad\n/good\nwhy?\n/bad {OWN}\nreally?\n")
    assert "question 3" in told.stdout  # `/good` speaks of the new answer; number 2 is that the first was bad
    asked = [[message["content"] for message in request.body["messages"]] for request in claude.requests]
    assert asked[2] == [QUESTION, RIGHT, "why?"]
    assert asked[3] == [QUESTION, RIGHT, "why?", OWN, "really?"]


def test_a_cut_answer_that_was_good_is_not_learnt_all_the_same(shammah: Shammah, claude: Loopback) -> None:
    claude.default_to(reply("Boil it for", stop_reason="max_tokens"))
    shammah("ask", QUESTION)
    told = shammah("good")
    assert told.exit_code == 0
    assert told.stdout.endswith("was good. It was cut short, so it is neither learnt nor given again.\n")
