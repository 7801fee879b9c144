"""What `[privacy]` keeps on this machine, and out of the journal."""

from contextlib import closing
from pathlib import Path

import pytest

from shammah_mlx.home.journal import Journal
from tests.command import Shammah
from tests.loopback import Loopback, reply
from tests.served import BOLD

KEY = "sk-ant-api03-" + "q7Zt4Lw9Xc2Vb8Nm5Kj3Hg6Fd1Sa0PoIuYtR"
pytestmark = pytest.mark.settings(BOLD)


def settings(home: Path, text: str) -> None:
    with (home / "config.toml").open("a") as file:
        file.write(f"\n[privacy]\n{text}\n")


def test_a_secret_goes_out_as_a_stand_in_and_comes_back_in_the_answer(shammah: Shammah, claude: Loopback) -> None:
    claude.default_to(reply("The key [SECRET_1] has expired."))
    asked = shammah("ask", f"why does {KEY} give a 401?")
    assert (asked.exit_code, asked.stdout) == (0, f"The key {KEY} has expired.\n")
    assert KEY[13:] not in str(claude.requests[-1].body)
    assert "neither stored nor learnt" in asked.stderr
    assert "sent a stand-in" in asked.stderr


def test_a_secret_may_be_refused_or_sent(shammah: Shammah, home: Path, claude: Loopback) -> None:
    settings(home, 'secrets = "refuse"')
    refused = shammah("ask", f"why does {KEY} give a 401?")
    assert (refused.exit_code, claude.requests) == (4, [])
    assert "[privacy]" in refused.stderr
    shammah("config", "set", "privacy.secrets", "send")
    sent = shammah("ask", f"why does {KEY} give a 401?")
    assert (sent.exit_code, "stand-in" in sent.stderr) == (0, False)
    assert KEY in str(claude.requests[-1].body)


def test_what_must_not_be_forwarded_is_not(shammah: Shammah, home: Path, claude: Loopback) -> None:
    settings(home, 'never_forward = ["(?i)project heron"]')
    for options in ((), ("--claude",), ("--system", "You know Project Heron.")):
        refused = shammah("ask", *options, "when does Project Heron start?")
        assert refused.exit_code == 4
    assert claude.requests == []
    assert shammah("ask", "when does the heron migrate?").exit_code == 0


def test_what_must_not_be_stored_is_answered(shammah: Shammah, home: Path, claude: Loopback) -> None:
    settings(home, 'never_store = ["(?i)my doctor"]')
    asked = shammah("ask", "what would my doctor say about coffee?")
    assert asked.exit_code == 0
    assert "neither stored nor learnt" in asked.stderr
    assert len(claude.requests) == 1
    with closing(Journal(home / "journal.db")) as journal:
        assert list(journal.after(0)) == []


def test_a_reply_that_must_not_be_stored_is_shown(shammah: Shammah, home: Path, claude: Loopback) -> None:
    settings(home, 'never_store = ["(?i)project heron"]')
    claude.default_to(reply("It is Project Heron."))
    asked = shammah("ask", "what is the project called?")
    assert (asked.exit_code, asked.stdout) == (0, "It is Project Heron.\n")
    assert "By the settings in [privacy] Claude's reply is neither stored nor learnt." in asked.stderr
    assert not any(b"Heron" in path.read_bytes() for path in home.glob("journal*"))


def test_a_pattern_must_be_a_regular_expression(shammah: Shammah, home: Path, claude: Loopback) -> None:
    settings(home, 'never_store = ["("]')
    refused = shammah("ask", "hello")
    assert (refused.exit_code, claude.requests) == (1, [])
    assert "never_store" in refused.stderr
