"""`shammah chat` as a process sees it: questions from a pipe, a terminal, a service."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command import Shammah
from tests.loopback import Loopback, reply, stall
from tests.served import BOLD, WITHIN_S, Served

LEARNT = [f"how do I {verb} a {thing}" for verb in ("boil", "paint", "sell") for thing in ("egg", "car")]
CTRL_C, CTRL_D = b"\x03", b"\x04"

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
    assert (told.count("claude (claude-sonnet-5-5)"), code) == (3, 0)
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
    printed, told, _ = chat(shammah, "which moons has Mars?", LEARNT[0], "and then?", options=("--system", ""))
    assert f"You asked: {LEARNT[0]}\n" in printed
    assert "repeat (shammah-default)" in told
    asked = questions(claude)[len(LEARNT) :]
    assert asked == [["which moons has Mars?"], ["which moons has Mars?", LEARNT[0], "and then?"]]
    again, _, _ = chat(shammah, "which moons has Mars?", "I am a vegetarian", LEARNT[0])
    assert questions(claude)[-1][-1] == LEARNT[0]  # what was said may matter now
    assert again.endswith(f"You asked: {LEARNT[0]}\n")


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
    assert file.read_text() == "# which moons has Mars?\n\n## claude-haiku-4-5\n\nYou asked: which moons has Mars?\n"
    (request,) = claude.requests
    assert (request.body["model"], request.body["system"]) == ("claude-haiku-4-5", "be brief")


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
    _, told, _ = chat(shammah, f"/local {LEARNT[0]}", "which moons has Mars?")
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


class Terminal:
    """A chat at a terminal of its own."""

    def __init__(self) -> None:
        self._leader, follower = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "shammah_mlx", "chat", "--wait"],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm"},
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # it becomes the session's terminal
        )
        os.close(follower)
        self.shown = b""

    def type(self, keys: bytes) -> None:
        os.write(self._leader, keys)

    def wait_for(self, text: bytes) -> None:
        """Wait until a text is shown that was not yet."""
        until, before = time.monotonic() + WITHIN_S, len(self.shown)
        while text not in self.shown[before:]:
            assert time.monotonic() < until, self.shown
            if select.select([self._leader], [], [], 0.1)[0]:
                self._read()

    def _read(self) -> None:
        self.shown += os.read(self._leader, 4096)
        if self.shown.endswith(b"\x1b[6n"):  # "where is the cursor?"
            self.type(b"\x1b[1;1R")

    def end(self) -> int:
        self.type(CTRL_D)
        try:
            while self._process.poll() is None:
                if select.select([self._leader], [], [], 0.1)[0]:
                    self._read()
        except OSError:  # the other side is closed
            pass
        return self._process.wait(WITHIN_S)


@pytest.mark.slow
def test_at_a_terminal_ctrl_c_stops_the_answer_and_ctrl_d_ends_the_chat(home: Path, claude: Loopback) -> None:
    pytest.importorskip("prompt_toolkit")
    claude.default_to(stall("Mars has "))
    terminal = Terminal()
    terminal.wait_for(b"> ")
    terminal.type(b"which moons has Mars?\r")
    terminal.wait_for(b"Mars has ")
    terminal.type(CTRL_C)
    terminal.wait_for(b"Stopped.")
    terminal.wait_for(b"> ")
    claude.default_to(reply("Romulus."))
    terminal.type(b"half a line" + CTRL_C)
    terminal.wait_for(b"> ")
    terminal.type(b"who founded Rome?\r")
    terminal.wait_for(b"Romulus.")
    terminal.wait_for(b"> ")
    assert terminal.end() == 0
    assert b"shammah chat --conversation" in terminal.shown
