"""After a question of which nothing is stored, `-c`, `good`, `bad` and `why` do not mean the one before it."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from shammah_mlx.cli.main import main
from shammah_mlx.config import Config
from shammah_mlx.home.conversation_rows import MOST_BEHIND
from shammah_mlx.home.conversations import note_asked
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.locks import HomeLock
from shammah_mlx.home.schema import BUSY_S
from tests.command import Shammah, run
from tests.loopback import Loopback, Request, Wire, fail, hang, reply
from tests.served import BOLD, WITHIN_S, Served
from tests.terminal import Terminal

KEPT, UNKEPT = "which moons has Mars?", "what is in Quetzal's cellar"
SECRET = "is sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789 a good key?"
MEANS_ANOTHER = (("ask", "-c", "and Saturn?"), ("good",), ("bad",), ("bad", "--answer", "Two."))
SHAMMAH = (sys.executable, "-m", "shammah_mlx")

pytestmark = pytest.mark.settings(BOLD + '[privacy]\nnever_store = ["Kukulkan"]\n[teacher]\nmax_retries = 0\n')


def refused(shammah: Shammah, claude: Loopback) -> None:
    """Check that each command which means the last question is refused, and that nothing is paid."""
    before = len(claude.requests)
    for arguments in MEANS_ANOTHER:
        told = shammah(*arguments)
        assert (told.exit_code, told.stdout) == (1, ""), arguments
        assert told.stderr.startswith("Error: the last question in this terminal was not kept\nHint: "), told.stderr
        assert "--conversation 1" in told.stderr or f"name the question: shammah {arguments[0]} N" in told.stderr
    assert "a later question was not kept, or is not answered yet" in shammah("why").stdout
    assert len(claude.requests) == before


@pytest.mark.parametrize(
    "asked", [("--no-store", UNKEPT), (SECRET,), ("what does Kukulkan eat?",), ("--local", UNKEPT)]
)
def test_what_was_not_stored_hides_what_was_asked_before(
    shammah: Shammah, claude: Loopback, home: Path, asked: tuple[str, ...]
) -> None:
    shammah("ask", KEPT)
    shammah("ask", *asked)
    shammah("status")
    refused(shammah, claude)
    assert shammah("log").stdout.count(KEPT) == 1
    refused(shammah, claude)  # other commands in between change nothing
    assert shammah("ask", "--conversation", "1", "and Saturn?").exit_code == 0
    assert shammah("good").stdout == "Noted: the answer to question 2 (and Saturn?) was good.\n"
    assert shammah("bad", "1").exit_code == 0  # a number was never refused
    assert not any(UNKEPT.encode() in path.read_bytes() for path in home.glob("journal.db*"))


def test_so_does_a_question_that_claude_could_not_answer(shammah: Shammah, claude: Loopback) -> None:
    shammah("ask", KEPT)
    claude.default_to(fail(500))
    assert shammah("ask", UNKEPT).exit_code == 4
    refused(shammah, claude)
    claude.default_to(reply("Gold."))
    shammah("ask", UNKEPT)
    assert shammah("ask", "-c", "how much?").exit_code == 0


def test_bad_may_be_said_again_if_claude_could_not_answer_anew(shammah: Shammah, claude: Loopback) -> None:
    shammah("ask", KEPT)
    claude.default_to(fail(500))
    assert shammah("bad").exit_code == 4
    claude.default_to(reply("Two."))
    assert shammah("bad").stdout == "Two.\n"


def test_a_question_that_was_refused_was_not_asked(shammah: Shammah, claude: Loopback) -> None:
    for _ in range(5):
        shammah("ask", KEPT)
    shammah("ask", "--local", KEPT)
    assert "is not to see it" in shammah("ask", "-c", "and Saturn?").stderr
    assert "was not kept" not in shammah("ask", "-c", "--local", "and Saturn?").stderr


def test_where_nothing_was_ever_stored_the_messages_stay(shammah: Shammah, claude: Loopback) -> None:
    shammah("ask", "--no-store", UNKEPT)
    assert "there is no conversation to continue\nHint: ask without -c first" in shammah("ask", "-c", "and?").stderr
    for name in ("good", "bad", "why"):
        assert "nothing was asked yet" in shammah(name).stderr


def test_another_terminals_question_hides_nothing_here(shammah: Shammah, claude: Loopback) -> None:
    elsewhere = subprocess.run(
        [*SHAMMAH, "ask", "--no-store", UNKEPT], start_new_session=True, check=True, capture_output=True
    )
    assert elsewhere.returncode == 0
    shammah("ask", KEPT)
    subprocess.run([*SHAMMAH, "ask", "--no-store", UNKEPT], start_new_session=True, check=True, capture_output=True)
    assert shammah("good").exit_code == 0
    assert shammah("ask", "-c", "and Saturn?").exit_code == 0


def test_where_nothing_was_asked_here_the_last_question_of_all_must_be_kept(shammah: Shammah, claude: Loopback) -> None:
    for asked in ((KEPT,), ("--no-store", UNKEPT)):
        subprocess.run([*SHAMMAH, "ask", "--wait", *asked], start_new_session=True, check=True, capture_output=True)
    told = shammah("bad")
    assert (told.exit_code, len(claude.requests)) == (1, 2)
    assert told.stderr.startswith("Error: the last question was not kept, or is not answered yet\n")


def test_a_clients_question_does_not_stand_for_one_that_was_not_kept(home: Path, claude: Loopback) -> None:
    for asked in ((KEPT,), ("--no-store", UNKEPT)):
        subprocess.run([*SHAMMAH, "ask", "--wait", *asked], start_new_session=True, check=True, capture_output=True)
    with Served(home, {}) as served, served.own() as own:
        body = {"model": "claude-x", "max_tokens": 300, "messages": [{"role": "user", "content": "hello"}]}
        assert own.post("/v1/messages", json=body).status_code == 200
    told = run("good")
    assert (told.exit_code, "was not kept" in told.stderr) == (1, True)
    assert "not kept" not in run("why").stdout  # the client's question is the last one


def test_a_terminal_that_asks_no_more_is_forgotten(home: Path, claude: Loopback) -> None:
    run("ask", KEPT)
    with closing(Journal(home / "journal.db")) as journal:
        journal.conversations.note_asked(7, 2)
        journal.conversations.note_asked(8, MOST_BEHIND + 2)
        assert not journal.conversations.is_last_kept(7)
        journal.conversations.note_asked(8, MOST_BEHIND + 3)
        assert journal.conversations.is_last_kept(7)


def test_what_was_erased_is_not_replaced_by_the_question_before_it(shammah: Shammah, claude: Loopback) -> None:
    shammah("ask", KEPT)
    shammah("ask", UNKEPT)
    assert shammah("forget", "--yes", "Quetzal").exit_code == 0
    refused(shammah, claude)


def typed(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("when", ["Claude is silent", "another process has the home"])
def test_so_does_one_that_ctrl_c_ended_before_the_first_word(
    home: Path, claude: Loopback, config: Config, when: str
) -> None:
    run("ask", KEPT)
    is_held, may_go = threading.Event(), threading.Event()

    def stop(wire: Wire, request: Request) -> None:
        interrupt()
        wire.wait()

    def hold() -> None:
        with HomeLock(home, config.state).alone():
            is_held.set()
            may_go.wait(WITHIN_S)

    claude.default_to(stop)
    holder = threading.Thread(target=hold)
    with Terminal() as terminal:
        if when == "another process has the home":
            holder.start()
            assert is_held.wait(WITHIN_S)
            terminal.when("waiting for another shammah", interrupt)
        assert typed("ask", UNKEPT) == 130
        may_go.set()
    if holder.ident:
        holder.join()
    assert terminal.lines == ["Interrupted.", ""]
    claude.default_to(reply("Two."))
    refused(run, claude)


def test_ctrl_c_does_not_wait_for_who_writes(home: Path, claude: Loopback) -> None:
    run("ask", KEPT)
    since = time.monotonic()
    with (
        closing(Journal(home / "journal.db")) as journal,
        journal.writing(),
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        note_asked(home, 7)
    assert time.monotonic() - since < BUSY_S / 3


def test_c_continues_where_a_service_without_a_key_hands_the_question_back(home: Path, claude: Loopback) -> None:
    run("ask", KEPT)
    with Served(home, {"ANTHROPIC_API_KEY": ""}):
        continued = run("ask", "-c", "and Saturn?")
        assert (continued.exit_code, claude.requests[-1].last_user_text) == (0, "and Saturn?")
        run("ask", "--no-store", UNKEPT)
        refused(run, claude)


class TestChat:
    def test_feedback_does_not_mean_the_turn_before(self, shammah: Shammah, claude: Loopback) -> None:
        told = shammah("chat", "--wait", stdin=f"{KEPT}\n{SECRET}\n/bad\n/why\n/good\nand Saturn?\n/good\n/bad 1\n")
        assert told.stderr.count("Error: the last question was not kept") == 3
        assert "Hint: name the question you mean: /bad N" in told.stderr
        assert "question 2 (and Saturn?) was good" in told.stdout
        asked = [request.last_user_text for request in claude.requests]
        assert [text == KEPT for text in asked] == [True, False, False, True]

    def test_a_turn_that_failed_is_no_answer_either(self, shammah: Shammah, claude: Loopback) -> None:
        answers: list[Callable[[Wire, Request], None]] = [reply("Two."), fail(500)]
        claude.default_to(lambda wire, request: answers.pop(0)(wire, request))
        told = shammah("chat", "--wait", stdin=f"{KEPT}\n{UNKEPT}\n/bad\n")
        assert "the last question was not kept" in told.stderr
        assert len(claude.requests) == 2

    def test_what_comes_after_the_chat_knows_of_it(self, shammah: Shammah, claude: Loopback) -> None:
        shammah("chat", "--wait", stdin=f"{KEPT}\n{SECRET}\n")
        refused(shammah, claude)
        told = shammah("chat", "-c", stdin="and Saturn?\n")
        assert "the last question in this terminal was not kept" in told.stderr


@pytest.mark.service
@pytest.mark.slow
class TestThroughTheService:
    def test_what_the_service_does_not_store_hides_what_was_asked_before(
        self, shammah: Shammah, claude: Loopback, home: Path
    ) -> None:
        with Served(home, {}):
            for asked in ((KEPT,), ("--no-store", UNKEPT)):
                subprocess.run([*SHAMMAH, "ask", "--wait", *asked], check=True, capture_output=True)
                if asked == (KEPT,):
                    assert shammah("good").exit_code == 0
            refused(shammah, claude)
            claude.default_to(fail(500))
            subprocess.run([*SHAMMAH, "ask", UNKEPT], check=False, capture_output=True)
            refused(shammah, claude)

    def test_ctrl_c_before_the_first_word_does(self, shammah: Shammah, claude: Loopback, home: Path) -> None:
        with Served(home, {}):
            shammah("ask", KEPT)
            claude.default_to(hang())
            asking = subprocess.Popen(
                [*SHAMMAH, "ask", "--claude", UNKEPT],
                stderr=subprocess.PIPE,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
            while len(claude.requests) < 2:
                assert asking.poll() is None
            asking.send_signal(signal.SIGINT)
            assert asking.communicate(timeout=WITHIN_S)[1] == b"Interrupted.\n"
            claude.default_to(reply("Two."))
            refused(shammah, claude)
