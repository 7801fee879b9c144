"""What goes into a question: words, standard input, files and templates; and what is too long, or no text, to learn."""

import base64
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shammah_mlx import __version__
from shammah_mlx.cli.main import main
from shammah_mlx.home.journal import Journal
from tests.command import Shammah
from tests.loopback import Loopback
from tests.served import BOLD

SHAMMAH = (sys.executable, "-m", "shammah_mlx")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(40))
PDF = b"%PDF-1.7\n\xff\xfe"

pytestmark = pytest.mark.settings(BOLD)


def asked(claude: Loopback) -> Any:
    """Return what Claude was asked last: the content of the last message."""
    return claude.requests[-1].body["messages"][-1]["content"]


def remembered(home: Path) -> int:
    """Return how many questions the memory holds."""
    with closing(sqlite3.connect(home / "journal.db")) as database:
        return int(database.execute("SELECT count(*) FROM memory").fetchone()[0])


def test_words_need_no_quotes(shammah: Shammah, claude: Loopback) -> None:
    assert shammah("ask", "how", "do", "I", "list", "files").stdout == "You asked: how do I list files\n"
    assert shammah("ask", "what", "does", "tar", "-xzf", "do").stdout == "You asked: what does tar -xzf do\n"


def test_a_question_needs_no_command(shammah: Shammah, claude: Loopback) -> None:
    assert shammah("--wait", "how", "do", "I", "list", "files").stdout == "You asked: how do I list files\n"
    assert shammah("--wait", "what is a monad?").stdout == "You asked: what is a monad?\n"
    assert shammah("--wait", stdin="what is a functor?").stdout == "You asked: what is a functor?\n"
    assert "the query is empty" in shammah(stdin=" ").stderr


@pytest.mark.parametrize("typed", ["good morning", "bad idea or not", "status of my disk", "key changes in music"])
def test_what_does_not_fit_a_command_is_told_how_to_be_asked(home: Path, claude: Loopback, typed: str) -> None:
    refused = CliRunner().invoke(main, typed.split())
    assert (refused.exit_code, claude.requests) == (2, [])
    assert refused.stderr.endswith(f'\nTo ask it as a question: shammah ask "{typed}"\n')


def test_an_option_without_its_value_is_no_question(shammah: Shammah, claude: Loopback) -> None:
    failed = shammah("--home", stdin="hello")
    assert (failed.exit_code, claude.requests) == (2, [])
    assert "--home" in failed.stderr


def test_the_version_has_a_short_option(shammah: Shammah) -> None:
    for option in ("-V", "--version"):
        assert shammah(option).stdout == f"shammah, version {__version__}\n"


def test_the_version_can_be_asked_for_by_name(shammah: Shammah, claude: Loopback) -> None:
    assert shammah("version").stdout == f"shammah, version {__version__}\n"
    assert claude.requests == []


def test_help_can_be_asked_for_by_name(shammah: Shammah, claude: Loopback) -> None:
    assert shammah("help").stdout.startswith("Usage: ")
    assert shammah("help", "log").stdout == shammah("log", "--help").stdout
    assert claude.requests == []
    assert shammah("--wait", "help me").stdout == "You asked: help me\n"


@pytest.mark.parametrize("typed", ["shammah statu ", "shammah ask what does grep -c "])
def test_a_shell_completes_behind_words_that_would_be_refused(typed: str) -> None:
    given = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split())), "_SHAMMAH_COMPLETE": "bash_complete"}
    assert CliRunner().invoke(main, prog_name="shammah", env=given).exception is None


def test_what_is_piped_in_is_appended(shammah: Shammah, claude: Loopback) -> None:
    shammah("ask", "write a commit message", stdin="diff --git\n  indented\n\n")
    assert asked(claude) == "write a commit message\n\ndiff --git\n  indented"
    shammah("ask", "explain", "-", stdin="  this\n")
    assert asked(claude) == "explain\n\n  this"
    shammah("ask", "-", stdin="  that\n")
    assert asked(claude) == "that"


def test_short_options_reach_claude(shammah: Shammah, claude: Loopback) -> None:
    shammah("ask", "-m", "claude-haiku-4-5", "-s", "be brief", "hello")
    (request,) = claude.requests
    assert (request.body["model"], request.body["system"]) == ("claude-haiku-4-5", "be brief")


class TestFiles:
    def test_a_text_is_part_of_the_question_with_its_name(
        self, shammah: Shammah, claude: Loopback, tmp_path: Path
    ) -> None:
        (tmp_path / "a.py").write_text("x = 1\n", encoding="utf-8-sig")
        (tmp_path / "b.txt").write_text("ä")
        shammah("ask", "-f", str(tmp_path / "a.py"), "-f", str(tmp_path / "b.txt"), "explain", "these", stdin="more")
        assert asked(claude) == (
            'explain these\n\n<file name="a.py">\nx = 1\n</file>\n\n<file name="b.txt">\nä\n</file>\n\nmore'
        )
        assert '<file name="a.py">' in shammah("ask", "-c", "and?").stderr  # the file is a part of the conversation

    @pytest.mark.parametrize(
        ("name", "content", "kind", "media_type"),
        [("photo.png", PNG, "image", "image/png"), ("paper.pdf", PDF, "document", "application/pdf")],
    )
    def test_an_image_or_a_pdf_goes_to_claude_and_is_neither_stored_nor_learnt(
        self, shammah: Shammah, claude: Loopback, home: Path, tmp_path: Path,
        name: str, content: bytes, kind: str, media_type: str,
    ) -> None:  # fmt: skip
        path, data = tmp_path / name, base64.b64encode(content).decode()
        path.write_bytes(content)
        for count in (1, 2, 3):  # a text would be served from memory from the second time on
            result = shammah("ask", "-f", str(path), "what", "does", "it", "show")
            assert (result.exit_code, result.stdout) == (0, "You asked: what does it show\n")
            assert len(claude.requests) == count
            assert asked(claude) == [
                {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}},
                {"type": "text", "text": "what does it show"},
            ]
        assert not any(data.encode() in path.read_bytes() for path in home.rglob("*") if path.is_file())
        with closing(Journal(home / "journal.db")) as journal:
            last = journal.last()
            assert last is not None
        assert remembered(home) == 0
        (attached,) = last.request.query.attachments or ()
        assert (attached.name, attached.size, attached.media_type) == (name, len(content), media_type)
        explained = json.loads(shammah("why", "--json").stdout)
        assert (explained["claude_only"], explained["files"]) == ("files", [name])
        assert "which no local model reads" in shammah("why").stdout

    def test_the_same_words_without_the_image_are_another_question(
        self, shammah: Shammah, claude: Loopback, tmp_path: Path
    ) -> None:
        (tmp_path / "photo.png").write_bytes(PNG)
        shammah("ask", "-f", str(tmp_path / "photo.png"), "what is this")
        assert shammah("ask", "--local", "what is this").exit_code == 4

    def test_it_is_not_answered_here_nor_continued(self, shammah: Shammah, claude: Loopback, tmp_path: Path) -> None:
        (tmp_path / "photo.png").write_bytes(PNG)
        refused = shammah("ask", "--local", "-f", str(tmp_path / "photo.png"), "what is this")
        assert (refused.exit_code, len(claude.requests)) == (4, 0)
        assert "No model on this machine reads images or PDFs" in refused.stderr
        shammah("ask", "-f", str(tmp_path / "photo.png"), "what is this")
        refused = shammah("ask", "-c", "and what is behind it?")
        assert (refused.exit_code, len(claude.requests)) == (1, 1)
        assert "photo.png, which is not kept" in refused.stderr

    def test_an_image_may_be_piped_in(self, shammah: Shammah, claude: Loopback) -> None:
        shammah("ask", "what is this", stdin=PNG)
        assert [block["type"] for block in asked(claude)] == ["image", "text"]

    def test_what_claude_does_not_read_is_refused(self, shammah: Shammah, claude: Loopback, tmp_path: Path) -> None:
        (tmp_path / "a.bin").write_bytes(b"\0\xff")
        refused = shammah("ask", "-f", str(tmp_path / "a.bin"), "what is this")
        assert refused.exit_code == 1
        assert "a.bin is neither text nor an image or PDF" in refused.stderr
        assert shammah("ask", "-f", str(tmp_path), "what is this").exit_code == 1
        (tmp_path / "photo.png").write_bytes(PNG)
        assert shammah("ask", "-f", str(tmp_path / "photo.png")).exit_code == 2  # and what about it?
        assert claude.requests == []

    def test_more_than_a_request_holds_is_refused(self, shammah: Shammah, claude: Loopback, tmp_path: Path) -> None:
        for name in ("a.png", "b.png"):
            (tmp_path / name).write_bytes(PNG + bytes(13_000_000))
        refused = shammah("ask", "-f", str(tmp_path / "a.png"), "-f", str(tmp_path / "b.png"), "compare these")
        assert (refused.exit_code, claude.requests) == (1, [])
        assert "take 35 MB, and Claude takes 32 MB at once" in refused.stderr

    def test_a_file_can_be_forgotten_by_its_name(self, shammah: Shammah, claude: Loopback, tmp_path: Path) -> None:
        (tmp_path / "divorce.png").write_bytes(PNG)
        shammah("ask", "-f", str(tmp_path / "divorce.png"), "what is this")
        assert shammah("forget", "--yes", "divorce").exit_code == 0
        assert shammah("why").exit_code == 1


def test_a_long_question_is_answered_by_claude_and_not_learnt(shammah: Shammah, claude: Loopback, home: Path) -> None:
    text = "line of a log file\n" * 6_000
    for count in (1, 2):
        result = shammah("ask", "-m", "claude-haiku-4-5", "summarise", stdin=text)
        assert (result.exit_code, len(claude.requests)) == (0, count)
        assert result.stdout.startswith("You asked: summarise\n\nline of a log file\n")
        assert "A long question (about 28,5" in result.stderr
        assert "about $0.03 to read): Claude answers it, and nothing of it is learnt." in result.stderr
    assert "it is longer than 100,000 bytes (max_query_bytes)" in shammah("why").stdout
    refused = shammah("ask", "--local", "summarise", stdin=text)
    assert refused.exit_code == 4
    assert "too long to be answered on this machine" in refused.stderr
    shammah("ask", "--conversation", "2", "and the last line?")
    first, _, last = claude.requests[-1].body["messages"]
    assert (first["content"].startswith("summarise\n\nline"), last["content"]) == (True, "and the last line?")
    assert remembered(home) == 0
    before = len(claude.requests)
    for _ in range(2):  # a short one is learnt, and given again
        assert "Claude answers" not in shammah("ask", "hello").stderr
    assert (remembered(home), len(claude.requests)) == (1, before + 1)


def test_why_says_that_a_question_is_too_long_for_the_memory(shammah: Shammah, claude: Loopback, home: Path) -> None:
    shammah("ask", "summarise", stdin="a line of a log file\n" * 100)
    assert remembered(home) == 0
    assert "no: the question is longer than the memory reads" in shammah("why").stdout
    shammah("ask", "what is a monad?")
    assert "learnt       yes" in shammah("why").stdout


class TestTemplates:
    @pytest.fixture(autouse=True)
    def folder(self, home: Path) -> Path:
        folder = home / "templates"
        folder.mkdir()
        (folder / "translate.txt").write_text("Translate to $language:\n")
        (folder / "review.toml").write_text(
            'system = "You are $role."\nmodel = "claude-haiku-4-5"\n'
            'prompt = "For $$5, review <$input>"\n[defaults]\nrole = "kind"\n'
        )
        return folder

    def test_a_text_takes_variables_and_the_question(self, shammah: Shammah, claude: Loopback) -> None:
        shammah("ask", "-t", "translate", "-p", "language", "French", "good", "morning", stdin="and $night")
        assert asked(claude) == "Translate to French:\n\ngood morning\n\nand $night"

    def test_a_table_has_system_model_and_defaults(self, shammah: Shammah, claude: Loopback) -> None:
        shammah("ask", "-t", "review", "this")
        body = claude.requests[-1].body
        assert (asked(claude), body["system"]) == ("For $5, review <this>", "You are kind.")
        assert body["model"] == "claude-haiku-4-5"
        shammah("ask", "-t", "review", "-p", "role", "harsh", "-m", "claude-x", "-s", "be brief", "this")
        body = claude.requests[-1].body
        assert (body["system"], body["model"]) == ("be brief", "claude-x")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["-t", "translate", "hello"], "needs a value for language"),
            (["-t", "translate", "-p", "language", "x", "-p", "tone", "y", "hello"], "has no variable 'tone'"),
            (["-t", "review"], "needs an input"),
            (["-t", "reviw", "x"], "did you mean review?"),
            (["-t", "../config", "x"], "there is no template"),
            (["-t", "broken", "x"], "broken.toml is not a template"),
        ],
    )
    def test_what_does_not_fit_is_refused_before_claude_is_asked(
        self, shammah: Shammah, claude: Loopback, folder: Path, arguments: list[str], message: str
    ) -> None:
        (folder / "broken.toml").write_text("promt = 'x'")
        refused = shammah("ask", *arguments)
        assert (refused.exit_code, claude.requests) == (1, [])
        assert message in refused.stderr

    def test_a_broken_one_does_not_hide_the_others(self, shammah: Shammah, folder: Path) -> None:
        (folder / "broken.toml").write_text("promt = 'x'")
        listed = shammah("templates")
        assert listed.exit_code == 0
        assert [line.split()[0] for line in listed.stdout.splitlines()] == ["review", "translate"]
        assert "broken.toml is not a template" in listed.stderr
        found = {one["name"]: one for one in json.loads(shammah("templates", "--json").stdout)}
        assert found.keys() == {"broken", "review", "translate"}
        assert "is not a template" in found["broken"]["error"]
        assert shammah("templates", "broken").exit_code == 1

    def test_they_can_be_listed_and_shown(self, shammah: Shammah, folder: Path) -> None:
        listed = shammah("templates").stdout.splitlines()
        assert listed == [
            "review $role For $$5, review <$input>",
            "translate $language Translate to $language:",
        ]
        assert shammah("templates", "translate").stdout == "Translate to $language:\n"
        names = [found["name"] for found in json.loads(shammah("templates", "--json").stdout)]
        assert names == ["review", "translate"]
        (folder / "broken.toml").write_text("promt = 'x'")
        told = shammah("templates")
        assert (told.exit_code, told.stdout.splitlines()) == (0, listed)
        assert "broken.toml is not a template" in told.stderr
        for path in folder.iterdir():
            path.unlink()
        assert "There are no templates in" in shammah("templates").stderr


@pytest.mark.parametrize("is_quiet", [False, True])
def test_a_process_that_inherits_an_open_pipe_answers(home: Path, claude: Loopback, is_quiet: bool) -> None:
    command = [*SHAMMAH, "ask", "--no-store", *(["--quiet"] if is_quiet else []), "hello"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    own = {"process_group": 0}  # a job without a pipeline
    with subprocess.Popen(command, text=True, **own, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "You asked: hello\n"  # although nobody closes its input
        process.stdin.close()
        told = process.stderr.read()
    assert ("Standard input is open, but nobody writes to it" in told) is not is_quiet
    assert not is_quiet or told == ""


def test_alone_without_input_it_prints_its_help() -> None:
    told = subprocess.run(SHAMMAH, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert told.stdout.startswith("Usage: ")
