"""`shammah chat` as a process sees it: questions from a pipe, a terminal, a service."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from tests.command import Shammah
from tests.loopback import Loopback, reply, stall
from tests.served import BOLD, WITHIN_S, Served

LEARNT = [f"how do I {verb} a {thing}" for verb in ("boil", "paint", "sell") for thing in ("egg", "car")]
CTRL_C, CTRL_D = b"\x03", b"\x04"
WHERE = b"\x1b[6n"  # the program asks where the cursor is

pytestmark = pytest.mark.settings(BOLD)


def chat(shammah: Shammah, *lines: str, options: tuple[str, ...] = ()) -> tuple[str, str, int]:
    """Return what a chat with these lines prints on its two outputs, and its exit code."""
    done = shammah("chat", "--wait", *options, stdin="".join(f"{line}\n" for line in lines))
    return done.stdout, done.stderr, done.exit_code


def questions(claude: Loopback) -> list[list[str]]:
    """Return the user's messages of each request."""
    return [[message["content"] for message in request.body["messages"]][::2] for request in claude.requests]


def test_the_lines_of_a_pipe_are_the_questions_of_one_conversation(shammah: Shammah, claude: Loopback) -> None:
    printed, told, code = chat(
        shammah, "which moons has Mars?", "", '"""and', 'Saturn?"""', "/new", "who founded Rome?"
    )
    assert printed == "You asked: which moons has Mars?\nYou asked: and\nSaturn?\nYou asked: who founded Rome?\n"
    assert (told.count("Claude ($"), code) == (3, 0)
    assert "Continuing after" not in told
    assert questions(claude) == [
        ["which moons has Mars?"],
        ["which moons has Mars?", "and\nSaturn?"],
        ["who founded Rome?"],
    ]


def test_a_turn_that_stands_alone_is_answered_from_memory_and_the_next_one_knows_of_it(
    shammah: Shammah, claude: Loopback
) -> None:
    for text in LEARNT:
        shammah("ask", "--claude", text)
    claude.default_to(reply("That is so."))  # no question, to which the next turn could be the reply
    printed, told, _ = chat(shammah, "/claude which moons has Mars?", LEARNT[0], "and then?")
    assert f"You asked: {LEARNT[0]}\n" in printed
    assert "from memory" in told
    asked = questions(claude)[len(LEARNT) :]
    assert asked == [["which moons has Mars?"], ["which moons has Mars?", LEARNT[0], "and then?"]]
    again, _, _ = chat(shammah, "/claude which moons has Mars?", "/claude I am a vegetarian", LEARNT[0])
    assert questions(claude)[-1][-1] == LEARNT[0]  # what was said may matter now
    assert f"You asked: {LEARNT[0]}\n" not in again


def test_a_conversation_goes_on_in_a_later_chat_and_in_ask(shammah: Shammah, claude: Loopback) -> None:
    _, refused, code = chat(shammah, "and Saturn?", options=("-c",))
    assert (code, "no conversation to continue" in refused) == (1, True)
    chat(shammah, "which moons has Mars?")
    _, told, _ = chat(shammah, "and Saturn?", options=("-c",))
    assert "Continuing after: which moons has Mars?" in told
    shammah("ask", "--claude", "who founded Rome?")
    chat(shammah, "why?", options=("--conversation", "1"))
    shammah("ask", "-c", "really?")
    assert questions(claude)[-1] == ["which moons has Mars?", "and Saturn?", "why?", "really?"]


def test_commands_between_the_questions(shammah: Shammah, claude: Loopback, tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    lines = ("/model claude-haiku-4-5", "/system be brief", "which moons has Mars?", "/why", f"/save {file}")
    printed, told, code = chat(shammah, *lines, f"/save {file}", "/quit", "never asked")
    assert "#1: which moons has Mars?" in printed  # of `why`
    assert "there is a file" in told
    assert code == 1
    saved = "# which moons has Mars?\n\n## claude-haiku-4-5\n\nYou asked: which moons has Mars?\n"
    assert file.read_text() == f"System prompt: be brief\n\n{saved}"
    (request,) = claude.requests
    assert (request.body["model"], request.body["system"]) == ("claude-haiku-4-5", "be brief")


def test_feedback_by_number_and_commands_that_cannot_be(shammah: Shammah, claude: Loopback, tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    lines = ("which moons has Mars?", "and Saturn?", "/bad 1 It has two.", "/good thanks", "/bad -", f"/save {file}")
    printed, told, code = chat(shammah, *lines, options=("--plain",))
    assert "Noted: the answer to question 1 (which moons has Mars?) was bad." in printed
    assert "Usage" not in told
    assert code == 1
    assert "## Your own answer\n\nIt has two.\n" in file.read_text()
    assert len(claude.requests) == 2


def test_a_budget_holds_in_a_chat_and_for_its_commands(shammah: Shammah, claude: Loopback) -> None:
    chat(shammah, "which moons has Mars?")
    _, told, code = chat(shammah, "and Saturn?", "/bad 1", options=("-c", "--budget", "0"))
    assert (told.count("budget is spent"), code, len(claude.requests)) == (2, 4, 1)


def test_the_models_are_loaded_once(shammah: Shammah, claude: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    from shammah_mlx.cli import answering

    open_home = answering.open_home
    monkeypatch.setattr(answering, "open_home", lambda *given: opened.append("home") or open_home(*given))  # type: ignore[func-returns-value]
    chat(shammah, "which moons has Mars?", "/why", "and Saturn?", "why?")
    assert opened == ["home"]


def test_what_is_answered_here_does_not_reach_claude_later(shammah: Shammah, claude: Loopback) -> None:
    for text in LEARNT:
        shammah("ask", "--claude", text)
    _, told, _ = chat(shammah, f"/local {LEARNT[0]}", "/claude which moons has Mars?")
    assert "stays on this machine, so a new conversation begins" in told
    assert questions(claude)[-1] == ["which moons has Mars?"]


def test_a_question_with_a_secret_is_left_out_of_the_conversation(shammah: Shammah, claude: Loopback) -> None:
    _, told, _ = chat(shammah, "which moons has Mars?", "why is my password = hunter2hunter2 refused?", "and Saturn?")
    assert "The conversation goes on without it." in told
    assert questions(claude)[-1] == ["which moons has Mars?", "and Saturn?"]


@pytest.mark.service
@pytest.mark.slow
def test_a_chat_uses_the_running_service(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        command = [sys.executable, "-m", "shammah_mlx", "chat"]
        lines = b"which moons has Mars?\nand Saturn?\n/why\n"
        done = subprocess.run(command, input=lines, capture_output=True, check=True)
        assert b"You asked: and Saturn?\n" in done.stdout
        assert b"conversation" in done.stdout  # of `why`
        assert questions(claude) == [["which moons has Mars?"], ["which moons has Mars?", "and Saturn?"]]
        assert not (home / "learning.log").exists()  # no process was started to learn
        served.wait_until_learnt()


RUN_AT_TERMINAL = """
import os
os.close(os.open(os.ttyname(0), os.O_RDWR))  # the first process of a session takes a terminal by opening it
from shammah_mlx.__main__ import run
run()
"""
AT_PROMPT = b"m>"  # the end of a colour, and the prompt


class Terminal:
    """A context manager: a chat at a terminal of its own."""

    def __enter__(self) -> Self:
        self._leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-c", RUN_AT_TERMINAL, "chat", "--wait"],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(follower)
        self.shown, self._seen = b"", 0
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._leader)

    def type(self, keys: bytes) -> None:
        os.write(self._leader, keys)

    def wait_for(self, text: bytes) -> None:
        """Wait until a text is shown after the one that was waited for last."""
        until = time.monotonic() + WITHIN_S
        while (place := self.shown.find(text, self._seen)) < 0:
            assert time.monotonic() < until, self.shown
            self._read()
        self._seen = place + len(text)

    def _read(self) -> None:
        if select.select([self._leader], [], [], 0.1)[0]:
            piece = os.read(self._leader, 4096)
            self.shown += piece
            if WHERE in piece:
                self.type(b"\x1b[2;1R")

    def end(self) -> int:
        self.type(CTRL_D)
        with suppress(OSError):  # the other side is closed
            while self._process.poll() is None:
                self._read()
        return self._process.wait(WITHIN_S)


@pytest.mark.slow
def test_at_a_terminal_ctrl_c_stops_the_answer_and_ctrl_d_ends_the_chat(home: Path, claude: Loopback) -> None:
    pytest.importorskip("prompt_toolkit")
    claude.default_to(stall("Mars has "))
    with Terminal() as terminal:
        terminal.wait_for(AT_PROMPT)
        terminal.type(b"which moons has Mars?\r")
        terminal.wait_for(b"Mars has")
        terminal.type(CTRL_C)
        terminal.wait_for(b"Stopped.")
        terminal.wait_for(AT_PROMPT)
        claude.default_to(reply("Romulus."))
        terminal.type(b"half a line" + CTRL_C)
        terminal.wait_for(b"ends the chat.")
        terminal.wait_for(AT_PROMPT)
        terminal.type(b"who founded Rome?\r")
        terminal.wait_for(b"Romulus.")
        terminal.wait_for(AT_PROMPT)
        assert terminal.end() == 0
        assert b"shammah chat --conversation" in terminal.shown
    # what came of the first answer is a part of the conversation
    assert questions(claude) == [["which moons has Mars?"], ["which moons has Mars?", "who founded Rome?"]]
    assert "What came is kept" in terminal.shown.decode()


@pytest.mark.service
@pytest.mark.slow
def test_what_a_service_keeps_of_a_stopped_answer_is_a_part_of_the_conversation(home: Path, claude: Loopback) -> None:
    pytest.importorskip("prompt_toolkit")
    claude.default_to(stall("Mars has "))
    with Served(home, {}), Terminal() as terminal:
        terminal.wait_for(AT_PROMPT)
        terminal.type(b"which moons has Mars?\r")
        terminal.wait_for(b"Mars has")
        terminal.type(CTRL_C)
        terminal.wait_for(b"What came is kept")
        terminal.wait_for(AT_PROMPT)
        claude.default_to(reply("Romulus."))
        terminal.type(b"who founded Rome?\r")
        terminal.wait_for(b"Romulus.")
        terminal.wait_for(AT_PROMPT)
        assert terminal.end() == 0
    assert questions(claude) == [["which moons has Mars?"], ["which moons has Mars?", "who founded Rome?"]]
