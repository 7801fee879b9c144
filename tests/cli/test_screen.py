"""What a user sees on a terminal: the spinner, Markdown, Ctrl-C; and what is left when he has seen it."""

import os
import signal
import sys
import threading
import time
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner

from shammah_mlx.cli.answering import await_another, relearning_on
from shammah_mlx.cli.interrupts import ReplyInterrupts, whole_imports
from shammah_mlx.cli.main import main
from shammah_mlx.config import Config
from shammah_mlx.display.screen import Screen
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.locks import HomeLock, progress_of_another
from tests.command import Shammah
from tests.loopback import Behaviour, Loopback, Message, Request, Wire, cut, reply, stall
from tests.served import BOLD
from tests.terminal import Terminal

pytestmark = pytest.mark.settings(BOLD)

MARKDOWN = "To **undo** it run `git reset`, with care.\n\n- first\n- second\n"
WITHIN_S = 60.0  # the longest that a test waits; machines can be busy


def run(*arguments: str) -> int:
    """Run the command line on the terminal that standard output is; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def after(seen: "Terminal", text: str, answer: Behaviour) -> Behaviour:
    """Answer only when this text was shown."""

    def behave(wire: Wire, request: Request) -> None:
        until = time.monotonic() + WITHIN_S
        while text not in seen.shown and time.monotonic() < until:
            time.sleep(0.01)
        answer(wire, request)

    return behave


def test_a_spinner_says_what_is_awaited_and_leaves_nothing_behind(home: Path, claude: Loopback) -> None:
    with Terminal() as terminal:
        claude.default_to(after(terminal, "asking Claude", reply(MARKDOWN)))
        assert run("ask", "--wait", "--claude", "how do I undo a commit") == 0
    assert "asking Claude\x1b[K" in terminal.shown
    assert terminal.lines == [
        "To undo it run git reset, with care.",
        "",
        "• first",
        "• second",
        "Claude ($0.0002)",
        "",
    ]
    assert "\x1b[?25l" not in terminal.shown  # the cursor is never hidden, so it need not come back


def test_the_spinner_begins_within_a_tenth_of_a_second() -> None:
    with Terminal(columns=12) as terminal, Screen() as screen:
        began = time.monotonic()
        screen.await_("asking Claude, who takes long")
        while not terminal.shown:
            assert time.monotonic() - began < WITHIN_S
            time.sleep(0.001)
        took = time.monotonic() - began
        screen.note("a line between")
    assert took < 0.1 or os.getloadavg()[0] > (os.cpu_count() or 1)
    assert terminal.lines == ["a line", "between", ""]
    frames = [line.removesuffix("\x1b[K") for line in terminal.shown.split("\r") if "asking" in line]
    assert max(map(len, frames)) <= 11  # a line as wide as the terminal might wrap


def test_a_spinner_shows_the_latest_of_what_changes() -> None:
    counts = iter(range(1000))
    with Terminal() as terminal, Screen() as screen:
        screen.await_(lambda: f"waiting for another shammah: {next(counts)} of 1000 learnt")
        until = time.monotonic() + WITHIN_S
        while "2 of 1000 learnt" not in terminal.shown:
            assert time.monotonic() < until
            time.sleep(0.01)
    assert terminal.lines == [""]


@pytest.mark.parametrize("arguments", [("--plain",), ()])
def test_markdown_stays_as_it_is_where_the_user_wants_that(
    home: Path, claude: Loopback, arguments: tuple[str, ...]
) -> None:
    if not arguments:
        (home / "config.toml").write_text(BOLD + "[terminal]\nmarkdown = false\n")
    claude.default_to(reply(MARKDOWN))
    with Terminal() as terminal:
        run("ask", "--wait", *arguments, "hello")
    assert "\n".join(terminal.lines).startswith(MARKDOWN)


def test_quiet_leaves_the_answer_alone(home: Path, claude: Loopback) -> None:
    with Terminal() as terminal:
        claude.default_to(reply("Fine."))
        assert run("ask", "--wait", "--quiet", "hello") == 0
    assert terminal.shown == "Fine.\r\n"


def test_a_question_that_is_typed_is_not_written_over(home: Path, claude: Loopback) -> None:
    with Terminal() as terminal:
        terminal.when("Ctrl-D ends it", lambda: terminal.press(b"what is a monad?\n\x04"))
        assert run("ask", "--wait", "-") == 0
    assert "looking in memory" not in terminal.shown.partition("what is a monad?")[0]
    assert "You asked: what is a monad?" in terminal.lines


def test_who_waits_without_a_terminal_is_told_once_unless_he_wants_quiet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await_another(tmp_path, Screen())
    assert capsys.readouterr().err == "Waiting for another shammah process to finish …\n"
    await_another(tmp_path, Screen(is_quiet=True))
    with relearning_on(Screen(is_quiet=True), 2) as advance:
        advance()
    assert capsys.readouterr().err == ""


def test_a_progress_bar_takes_the_spinners_place() -> None:
    with Terminal() as terminal, Screen() as screen:
        screen.await_("looking in memory")
        until = time.monotonic() + WITHIN_S
        while "looking in memory" not in terminal.shown and time.monotonic() < until:
            time.sleep(0.01)
        with relearning_on(screen, 2) as advance:
            advance()
            time.sleep(0.3)  # some frames of the spinner, if it still moves
    assert "remembering" in terminal.shown
    assert "looking" not in terminal.shown.partition("remembering")[2]


def test_a_screen_knows_that_an_answer_has_begun_also_where_it_shows_none() -> None:
    screen = Screen(as_json=True)
    screen.show("")
    assert not screen.has_begun
    screen.show("It is")
    assert (screen.has_begun, screen.text) == (True, "")


@pytest.mark.parametrize(
    ("arguments", "code", "shown"),
    [
        (("good",), 1, ["Error: nothing was asked yet", "Hint: ask something first"]),
        (
            ("export", "json"),
            1,
            [
                "Error: json is no name for a file",
                "Hint: an export is JSON Lines: shammah",
                "export questions.jsonl",
            ],
        ),
        (
            ("good", "morning"),
            2,
            [
                "Error: Invalid value for '[NUMBER]':",
                "'morning' is not a valid integer range.",
                "To ask it as a question: shammah ask",
                '"good morning"',
            ],
        ),
        (("--nonsense",), 2, ["Error: No such option '--nonsense'. Did", "you mean '--seed'?"]),
        (
            ("--max-bad-rate", "much" * 15, "ask"),
            2,
            [f"'{'much' * 15}'", "is neither a number nor a percentage", "such as 5%."],
        ),
    ],
)
def test_the_lines_of_an_error_are_broken_between_words(
    home: Path, arguments: tuple[str, ...], code: int, shown: list[str]
) -> None:
    with Terminal(columns=40) as terminal:
        assert run(*arguments) == code
    assert terminal.lines[-1 - len(shown) : -1] == shown
    assert "\x1b" not in terminal.shown


def test_notes_and_warnings_are_broken_between_words_too(home: Path, claude: Loopback) -> None:
    claude.default_to(cut("Half of"))
    with Terminal(columns=40) as terminal:
        assert run("ask", "--wait", "hello") == 4
    assert terminal.lines[-3:] == ["Incomplete: the connection was cut.", "Nothing was learnt from it.", ""]


def test_quiet_does_not_hide_a_warning(shammah: Shammah, claude: Loopback) -> None:
    claude.default_to(cut("Half of"))
    asked = shammah("ask", "-q", "hello")
    assert asked.stderr == "Incomplete: the connection was cut. Nothing was learnt from it.\n"


def test_without_colour_no_colour_is_shown(
    home: Path, claude: Loopback, monkeypatch: pytest.MonkeyPatch, shammah: Shammah
) -> None:
    claude.default_to(reply("Run `rm -rf build`, **now**."))
    for text in ("how do I clean up", "how do I build", "how do I test", "how do I lint", "how do I ship"):
        shammah("ask", "--claude", text)
    with Terminal() as terminal:
        monkeypatch.setenv("NO_COLOR", "1")
        run("ask", "--wait", "--local", "how do I clean up")
    assert "Run `rm -rf build`, **now**." in terminal.lines
    assert any(line.startswith("Careful: ") for line in terminal.lines)
    assert not terminal.shown.replace("\x1b[K", "").count("\x1b")


def test_ctrl_c_while_claude_answers_keeps_what_came(home: Path, claude: Loopback) -> None:
    claude.default_to(stall("It is **a"))  # one piece: the next might come too late
    with Terminal() as terminal:
        terminal.when("It is", interrupt)
        assert run("ask", "what is a monad?") == 130
    assert terminal.lines == [
        "It is **a",
        "Interrupted. What came is kept; `shammah ask -c` continues from it.",
        "",
    ]
    with closing(Journal(home / "journal.db")) as journal:
        (kept,) = journal.after(0)
    assert kept.answer == "It is **a"
    assert kept.reply is not None
    assert (kept.reply.complete, kept.reply.estimated) == (False, True)
    assert kept.cost_usd
    claude.default_to(reply("Go on."))
    with Terminal():
        assert run("ask", "--wait", "-c", "go on") == 0
    assert [message["content"] for message in claude.requests[-1].body["messages"]] == [
        "what is a monad?",
        "It is **a",
        "go on",
    ]


def stop(wire: Wire, request: Request) -> None:
    """Say nothing, and interrupt who asks."""
    interrupt()
    wire.wait()


def test_ctrl_c_before_claude_says_anything_keeps_nothing(home: Path, claude: Loopback) -> None:
    with Terminal() as terminal:
        claude.default_to(after(terminal, "asking Claude", stop))
        assert run("ask", "what is a monad?") == 130
    assert terminal.lines == ["Interrupted.", ""]
    with closing(Journal(home / "journal.db")) as journal:
        assert journal.count_after(0) == 0


def test_ctrl_c_with_json_prints_an_object(home: Path, claude: Loopback) -> None:
    with Terminal() as terminal:
        claude.default_to(after(terminal, "asking Claude", stop))
        assert run("ask", "--json", "what is a monad?") == 130
    assert terminal.lines == ['{"error": "Interrupted.", "hint": "ask again", "exit_code": 130}', ""]


def test_ctrl_c_while_a_verdict_is_awaited_asks_claude_nothing_more(home: Path, claude: Loopback) -> None:
    def behave(wire: Wire, request: Request) -> None:
        message = Message("GOOD", request.body["model"])
        wire.begin_stream()
        wire.events(message.opening()[:1])
        while "checking with Claude" not in terminal.shown:
            time.sleep(0.01)
        interrupt()
        wire.wait()

    settings = BOLD.replace("max_bad_rate = 1.0", "max_bad_rate = 0.05")
    (home / "config.toml").write_text(settings + "[judge]\nroute_threshold = 0.0\nerror = 0.001\nworth = 1.0\n")
    with Terminal() as terminal:
        for _ in range(2):
            claude.default_to(reply("You put it in boiling water for about ten minutes, and then you are done."))
            run("ask", "--wait", "--claude", "how do I boil an egg")
        asked = len(claude.requests)
        claude.default_to(behave)
        assert run("ask", "how do I boil an egg") == 130
    assert terminal.lines[-2:] == ["Interrupted.", ""]
    assert len(claude.requests) == asked + 1
    with closing(Journal(home / "journal.db")) as journal:
        assert journal.count_after(0) == 2


def test_ctrl_c_ends_a_reply_first_and_the_program_then() -> None:
    with ReplyInterrupts(lambda: True) as interrupts:
        interrupt()
        assert interrupts.has_come
        with pytest.raises(KeyboardInterrupt):
            interrupt()
    with ReplyInterrupts(lambda: False), pytest.raises(KeyboardInterrupt):
        interrupt()
    with pytest.raises(KeyboardInterrupt):  # as before
        interrupt()


def test_ctrl_c_waits_for_the_end_of_an_import() -> None:
    imported = []

    def import_one() -> None:
        with whole_imports():
            signal.raise_signal(signal.SIGINT)
            imported.append("a package")

    with pytest.raises(KeyboardInterrupt):
        import_one()
    assert imported == ["a package"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_closed_streams_are_like_readers_that_have_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    with Screen() as screen:
        screen.begin(is_typed=False)
        screen.note("a line")
        screen.show("a word")
        screen.finish("a word")


def test_who_waits_for_another_process_sees_how_far_it_is(home: Path, claude: Loopback, config: Config) -> None:
    is_held, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        with HomeLock(home, config.state).alone():
            is_held.set()
            may_go.wait(WITHIN_S)

    holder = threading.Thread(target=hold)
    with Terminal() as terminal:
        holder.start()
        assert is_held.wait(WITHIN_S)
        (home / "learning.progress").write_text(f"{os.getppid()} 3 12")
        terminal.when("waiting for another shammah: 3 of 12 learnt", may_go.set)
        assert run("ask", "--wait", "hello") == 0
        holder.join()
    assert may_go.is_set()
    assert terminal.lines == ["You asked: hello", "Claude ($0.0002)", ""]


@pytest.mark.parametrize(
    ("note", "progress"),
    [
        ("{another} 3 12", (3, 12)),
        ("{own} 3 12", None),
        ("{another} 12 12", None),  # it is done
        ("999999999 3 12", None),  # it has died
        ("{another} 3", None),
        ("nonsense", None),
        ("{another} 3 " + "9" * 5000, None),
    ],
)
def test_only_a_living_process_says_how_far_it_is(home: Path, note: str, progress: tuple[int, int] | None) -> None:
    assert progress_of_another(home) is None
    (home / "learning.progress").write_text(note.format(another=os.getppid(), own=os.getpid()))
    assert progress_of_another(home) == progress


@pytest.mark.parametrize(
    ("waiting", "arguments", "is_held", "is_said"),
    [
        (2000, ("ask",), True, True),
        (2, ("ask",), True, False),
        (2000, ("ask", "--claude"), True, False),
        (2000, ("ask",), False, False),  # whoever left the note has stopped learning
    ],
)
def test_who_gets_claude_while_much_is_learnt_is_told(
    waiting: int, arguments: tuple[str, ...], is_held: bool, is_said: bool, claude: Loopback, home: Path, config: Config
) -> None:
    (home / "learning.progress").write_text(f"{os.getppid()} 3 {waiting + 3}")
    with HomeLock(home, config.state).learning() if is_held else nullcontext():
        asked = CliRunner().invoke(main, [*arguments, "--no-store", "hello"])
    assert (f"{waiting:,} earlier questions are still being learnt" in asked.stderr) == is_said


def test_a_process_that_learns_leaves_a_note(shammah: Shammah, claude: Loopback, home: Path) -> None:
    shammah("ask", "hello")
    assert (home / "learning.progress").read_text() == f"{os.getpid()} 1 1"


def test_only_on_a_terminal_the_same_question_again_asks_claude(shammah: Shammah, claude: Loopback) -> None:
    """A script may ask the same each minute for its own reasons."""
    asked = [shammah("ask", "how do I boil an egg").stderr for _ in range(3)]
    assert [each.partition(" ")[0] for each in asked] == ["Claude", "from", "from"]
    with Terminal() as terminal:
        assert run("ask", "--wait", "how do I boil an egg") == 0
    assert "you asked the same again" in terminal.shown
    assert len(claude.requests) == 2
