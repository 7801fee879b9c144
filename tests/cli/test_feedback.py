"""`shammah good` and `shammah bad` at the command line, in this process."""

import json
from pathlib import Path

import pytest

from tests.command import Shammah
from tests.loopback import Loopback, reply

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


def test_the_same_question_again_within_minutes_goes_to_claude(shammah: Shammah, claude: Loopback) -> None:
    claude.default_to(reply(WRONG))
    assert [answer(shammah)["source"] for _ in range(2)] == ["claude", "repeat"]
    claude.default_to(reply(RIGHT))
    again = [answer(shammah) for _ in range(2)]
    assert [each["source"] for each in again] == ["claude", "repeat"]
    assert [each["answer"] for each in again] == [RIGHT, RIGHT]


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
