"""Run every command that README.md and docs/ show, in a home that knows some questions.

A command is a line of a `console` or `shell` block, or a whole command in the text. What has a placeholder (`shammah
import FILE`) or is a command's name alone is only looked up: the command and its options exist. What no test can run
stands in NOT_RUN, with the reason.
"""

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner

from shammah_mlx.cli.main import main
from tests.loopback import Loopback
from tests.served import WITHIN_S
from tests.transcripts import records

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WITHOUT_DECODER = 'generator = "recall"\n'  # it takes seconds for every question
OTHER_HOMES = ("tried", "another")  # that the pages name
KNOWN = 22  # questions of the home: enough for the numbers on the pages
SOONER = 20  # questions to a checkpoint; a user's comes after a hundred
LLM_LOGS = "$(llm logs path)"
BLOCK_OR_SPAN = r"^```(.*?)^```|`([^`\n]+(?:\n[^`\n]+)?)`"
FIRST_WORDS = ("shammah", "make", "python", "pipx", "uv", "mlx.launch")  # of commands in the text

MINUTES = "takes minutes or hours; tests/test_benchmarks.py runs the benchmarks small"
INSTALLS = "installs what is on the network"
SYSTEM = "tests/daemon/test_supervisors.py, with stand-ins for launchd and systemd"
SERVES = "tests/server/test_service.py: it runs until it is ended"
LLM = (
    "ANTHROPIC_BASE_URL=http://127.0.0.1:8317 ANTHROPIC_API_KEY=$(cat ~/.shammah/token)"
    ' llm -m claude-sonnet-4.5 "How do I undo my last commit?"'
)
NOT_RUN = {
    "make run": "it is a replay of half a minute, and these tests replay twenty of its questions",
    "make docs": "tests/cli/test_command_reference.py: it would write docs/commands.md",
    "make setup": INSTALLS,
    "make load": MINUTES,
    "make soak": MINUTES,
    "python -m benchmarks.fit_meter --write": MINUTES,
    "python -m benchmarks.fit_meter": MINUTES,
    "python -m benchmarks.checks": MINUTES,
    "python -m benchmarks.checks STREAM": MINUTES,
    "python -m benchmarks.doubtful_worlds": MINUTES,
    "python -m benchmarks.doubtful_worlds --runs 60 --queries 500": MINUTES,
    "python -m benchmarks.worlds --runs 40 --queries 500": MINUTES,
    "python -m benchmarks.neighbours --pairs FILE": MINUTES,
    "pipx install .": INSTALLS,
    "uv tool install .": INSTALLS,
    "export ANTHROPIC_API_KEY=...": "the reader's own key; the tests set another",
    "shammah key set": "tests/teacher/test_keys.py: on a Mac it would change the Keychain",
    "shammah service install": SYSTEM,
    "shammah service install --tcp 8317": SYSTEM,
    "shammah service status": SYSTEM,
    "shammah service logs -n 20": SYSTEM,
    "shammah serve": SERVES,
    "shammah serve --tcp 0": SERVES,
    "shammah serve --tcp 8317": SERVES,
    "shammah serve --client-credentials": "tests/server/test_client_credentials.py",
    "mlx.launch -n 3 .venv/bin/shammah serve": "tests/models/test_sharded.py starts the same processes",
    ".venv/bin/mlx.launch --backend ring --hostfile macs.json .venv/bin/shammah serve": "it takes several Macs",
    LLM: "tests/server/test_clients.py: `make clients` installs llm",
    'while read line; do shammah ask "$line"; done < file': "a shell's loop around `shammah ask`",
}
EXIT_CODES = {"shammah statsu": 2, "shammah status of my disk": 2}  # else 0
TYPED = {  # on standard input
    "shammah chat": "what is a monad?\n/why\n/quit\n",
    "shammah chat -c": "and a functor?\n",
    "shammah rollback 100": "y\n",
    'shammah forget "Project Quetzal"': "y\n",
}
PIPED = {"git diff": "-one\n+two\n"}  # what other programs print into ours
READS_JSON = "jq"


class Shown(NamedTuple):
    """A command on a page."""

    page: str
    line: str
    is_run: bool  # or only looked up


def shown_on(page: Path) -> Iterator[Shown]:
    """Yield the commands of a page, in its order."""
    for block, span in re.findall(BLOCK_OR_SPAN, page.read_text("utf-8"), re.DOTALL | re.MULTILINE):
        kind, _, text = block.partition("\n")
        lines = text.replace("\\\n", "").splitlines()
        if kind == "console":
            yield from (Shown(page.name, without_comment(line[2:]), True) for line in lines if line.startswith("$ "))
        elif kind == "shell":
            yield from (Shown(page.name, without_comment(line), True) for line in lines if line)
        elif " " in span and (span.split()[0] in FIRST_WORDS or " shammah ask" in span):
            yield Shown(page.name, " ".join(span.split()), not is_a_name(span))


def without_comment(line: str) -> str:
    return re.sub(r"\s+# .*", "", line).strip()


def is_a_name(span: str) -> bool:
    """Say whether a span only names a command, or has a place for something else."""
    words = span.split()
    if words[0] != "shammah":
        return False
    _, rest = command_of(words[1:])
    return not rest or any("…" in word or re.fullmatch("N|[A-Z]{2,}", word) for word in words)


def command_of(words: Sequence[str]) -> tuple[click.Command, list[str]]:
    """Return the command that the words name, and the words behind its name."""
    command: click.Command = main
    rest = list(words)
    while isinstance(command, click.Group) and rest and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    return command, rest


ALL = [shown for page in PAGES for shown in shown_on(page)]


def test_what_is_only_named_exists() -> None:
    named = [shown for shown in ALL if not shown.is_run]
    assert len(named) > 50
    assert [shown for shown in named if not exists(shown.line.split()[1:])] == []


def exists(words: Sequence[str]) -> bool:
    """Say whether there is such a command with such options."""
    command, rest = command_of(words)
    known = {name for each in (main, command, main.commands["ask"]) for param in each.params for name in param.opts}
    is_other = command is main and bool(rest) and rest[0].isalpha() and rest[0].islower()
    return not is_other and all(word in known for word in rest if word.startswith("-"))


def test_what_is_not_run_is_shown_and_nothing_else() -> None:
    assert [line for line in NOT_RUN if line not in {shown.line for shown in ALL}] == []


@pytest.mark.parametrize("line", [line for line in NOT_RUN if "benchmarks." in line])
def test_every_benchmark_that_is_shown_exists(line: str) -> None:
    assert importlib.util.find_spec(re.findall(r"benchmarks\.\w+", line)[0])


@pytest.mark.parametrize("line", [line for line in NOT_RUN if line.startswith("make")])
def test_every_target_that_is_shown_exists(line: str) -> None:
    assert f"\n{line.removeprefix('make').strip() or 'all'}:" in (ROOT / "Makefile").read_text()


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home that has imported questions, and learnt them."""
    folder = tmp_path_factory.mktemp("taught")
    home, stream = folder / "home", folder / "questions.jsonl"
    rows = (ROOT / "examples" / "questions.jsonl").read_text().splitlines()[:KNOWN]
    stream.write_text("\n".join(rows))
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(f"{WITHOUT_DECODER}[state]\ncheckpoint_every = {SOONER}\n")
    imported = CliRunner().invoke(main, ["import", "--home", str(home), str(stream)])
    assert f"Imported: {KNOWN}" in imported.stdout
    return home


@pytest.fixture
def machine(taught: Path, tmp_path: Path, claude: Loopback, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Prepare a user's folders and files as the pages suppose them; return the file in which a browser notes pages."""
    monkeypatch.delenv("SHAMMAH_HOME")
    shutil.copytree(taught, tmp_path / ".shammah")
    work, programs, opened = tmp_path / "work", tmp_path / "bin", tmp_path / "opened"
    for folder in (work, programs, tmp_path / ".config/fish/completions"):
        folder.mkdir(parents=True)
    for name in OTHER_HOMES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.toml").write_text(WITHOUT_DECODER)
    monkeypatch.chdir(work)
    for name in ("open", "xdg-open"):
        (programs / name).write_text(f'#!/bin/sh\necho "$1" >> {shlex.quote(str(opened))}\n')
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    (work / "examples").symlink_to(ROOT / "examples")
    (work / "main.py").write_text("print(1)\n")
    (work / "test_main.py").write_text("import main\n")
    (work / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00")
    said = [records.user("who founded Rome?"), records.assistant("Romulus, it is said.")]
    records.claude_code(tmp_path / ".claude/projects/one/session.jsonl", *said)
    records.llm_logs(tmp_path / "logs.db", {"prompt": "what is a functor?", "response": "A map."})
    chat = records.claude_ai(("human", "which moons has Mars?"), ("assistant", "Phobos and Deimos."))
    (work / "conversations.json").write_text(json.dumps([chat]))
    (tmp_path / ".shammah/templates").mkdir()
    (tmp_path / ".shammah/templates/translate.txt").write_text("Translate to $language:")
    return opened


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:subprocess .* is still running")  # a browser, and what learns behind an answer
@pytest.mark.parametrize("page", [page.name for page in PAGES])
def test_every_command_of_a_page_works(page: str, machine: Path, tmp_path: Path) -> None:
    lines = dict.fromkeys(shown.line for shown in ALL if shown.page == page and shown.is_run)
    wrong = [
        f"{line}: {trouble}" for line in lines if line not in NOT_RUN and (trouble := trouble_with(line, tmp_path))
    ]
    assert wrong == []
    if any("--open" in line for line in lines):
        assert appears(machine)


def appears(path: Path) -> bool:
    """Wait until there is such a file; say whether there is."""
    until = time.monotonic() + WITHIN_S
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.05)
    return path.exists()


def test_the_help_of_every_command_has_examples() -> None:
    assert [name for name, command in main.commands.items() if "Examples:" not in (command.help or "")] == []


def trouble_with(line: str, tmp_path: Path) -> str:
    """Run a line; return what went wrong, or nothing."""
    words = [word.replace(LLM_LOGS, str(tmp_path / "logs.db")) for word in split(line)]
    if words[0] in ("echo", "mkdir"):
        done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True)
        return done.stderr
    if words[0] == "eval":
        words = split(re.sub(r"^\$\((.*)\)$", r"\1", words[1]))
    given: str | None = TYPED.get(line, "")
    if "|" in words and words[words.index("|") + 1] == "shammah":
        given = PIPED.get(" ".join(words[: words.index("|")]))
        words = words[words.index("|") + 1 :]
    if words[0] != "shammah" or given is None:
        return "it is neither run nor in NOT_RUN"
    words, target = parted(words, ">")
    words, reader = parted(words, "|")
    ours = [re.sub("^~/", f"{tmp_path}/", word) for word in words[1:]]
    result = CliRunner().invoke(main, made_small(ours), input=given)
    if result.exit_code != EXIT_CODES.get(line, 0):
        return f"exit code {result.exit_code}: {result.output}"
    if target:
        Path(re.sub("^~/", f"{tmp_path}/", target[0])).write_text(result.stdout)
    if reader:
        assert reader[0] == READS_JSON
        assert all(isinstance(json.loads(each), dict) for each in result.stdout.splitlines())
    return ""


def split(line: str) -> list[str]:
    """Return the words of a line as a shell reads them, with `|` and `>` as words of their own."""
    words = shlex.shlex(line, posix=True, punctuation_chars="|>")
    words.whitespace_split, words.commenters = True, ""
    return list(words)


def parted(words: list[str], sign: str) -> tuple[list[str], list[str]]:
    """Return the words before a sign and those behind it."""
    place = words.index(sign) if sign in words else len(words)
    return words[:place], words[place + 1 :]


def made_small(words: list[str]) -> list[str]:
    """Return the words of a command so that nothing is learnt behind its back, and that it does not take long."""
    if words[0] == "replay":
        return [*words, "--limit", "10"]
    if words == ["rollback", "100"]:
        return ["rollback", str(SOONER)]
    if words[0] in ("ask", "good", "bad", "chat"):
        return [words[0], "--wait", *words[1:]]
    return words if words[0] in main.commands else ["--wait", *words]
