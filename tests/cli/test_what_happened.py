"""The line after an answer; errors as JSON, and with Claude's own explanation; streams that are closed."""

import json
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.display.provenance import line
from shammah_mlx.events import AskOptions, Draft, Interaction, Query, Reply, Request, Route, ScoredDraft, Verdict
from shammah_mlx.home.recollection import Recollection
from tests.command import Shammah
from tests.loopback import Behaviour, Loopback, fail, reply
from tests.served import BOLD

pytestmark = pytest.mark.settings(BOLD)

NOW = datetime(2026, 11, 28, 12).timestamp()
REQUEST = Request(2, 1, Query("how do I boil an egg"), AskOptions().forced_source, 0.5, 0.1, {})
ROUTE = Route({"repeat": 0.9}, 0.5, ("repeat",))
REPLY = Reply("Boil it.", "claude-sonnet-5-5", "end_turn", 10, 20, 0.0006)
CHECK = Verdict(good=True, model="claude-haiku-5-5", rubric="1", with_reply=False, cost_usd=0.0012)
REFUSAL = msgspec.structs.replace(CHECK, good=False, cost_usd=0.00001)
KNOWN = Recollection("how do I boil eggs", 3, datetime(2026, 5, 2).timestamp(), "claude-haiku-4-5")
UNSAID = msgspec.structs.replace(CHECK, good=None)


def scored(source: str, *verdicts: Verdict, divergence: float | None = None) -> ScoredDraft:
    draft = msgspec.convert({"text": "Boil it.", "source": source, "entry": 1}, Draft)
    return ScoredDraft(draft, 0.9, divergence, verdicts or msgspec.UNSET)


def served(source: str, *verdicts: Verdict) -> Interaction:
    return Interaction.approved(REQUEST, ROUTE, (scored(source, *verdicts),), 0.1)


AUDITED = Interaction.audited(served("repeat"), (scored("repeat", divergence=0.0),), REPLY, good=True)
REPLACED = Interaction.audited(served("repeat"), (scored("repeat", divergence=1.0),), REPLY, good=False)
CHEAP = msgspec.structs.replace(REPLY, cost_usd=1e-6)
CUT = msgspec.structs.replace(REPLY, stop_reason=None, estimated=True)


@pytest.mark.parametrize(
    ("answered", "shown"),
    [
        (Interaction.forwarded(REQUEST, ROUTE, REPLY), "Claude ($0.0006)"),
        (Interaction.forwarded(REQUEST, ROUTE, CUT), "Claude (about $0.0006)"),
        (Interaction.forwarded(REQUEST, ROUTE, msgspec.structs.replace(REPLY, cost_usd=None)), "Claude (unpriced)"),
        (
            Interaction.forwarded(REQUEST, ROUTE, msgspec.structs.replace(REPLY, cost_usd=1e-6)),
            "Claude (under $0.0001)",
        ),
        (served("repeat"), "from memory, asked 3 times since May 2"),
        (served("recall"), 'from memory of "how do I boil eggs" (May 2)'),
        (
            served("other_model"),
            'from memory of "how do I boil eggs", learnt from claude-haiku-4-5 (May 2)',
        ),
        (
            served("other_prompt"),
            'from memory of "how do I boil eggs", learnt under another system prompt (May 2)',
        ),
        (served("decoder"), "written on this machine"),
        (
            served("repeat", CHECK),
            "from memory, asked 3 times since May 2; checked with Claude, which agreed ($0.0012)",
        ),
        (AUDITED, "from memory, asked 3 times since May 2; compared with Claude's answer, which agreed ($0.0006)"),
        (REPLACED, "Claude ($0.0006); the answer on this machine was compared with it, and differed"),
        (
            Interaction.rejected(REQUEST, ROUTE, (scored("repeat", REFUSAL),), REPLY),
            "Claude ($0.0006); a check refused the answer on this machine",
        ),
        (
            Interaction.rejected(REQUEST, ROUTE, (scored("repeat", UNSAID),), REPLY),
            "Claude ($0.0018); a check of the answer on this machine gave no verdict",
        ),
        (
            served("decoder", UNSAID),
            "written on this machine; Claude was asked to check and gave no verdict ($0.0012)",
        ),
    ],
)
def test_the_line_says_in_plain_words_what_happened(answered: Interaction, shown: str) -> None:
    assert line(answered, KNOWN, NOW) == shown


def test_the_same_question_to_another_model_is_not_told_again() -> None:
    same = msgspec.structs.replace(KNOWN, question=REQUEST.query.text)
    assert line(served("other_model"), same, NOW) == "from memory, learnt from claude-haiku-4-5 (May 2)"


@pytest.mark.parametrize(
    ("since", "times", "shown"),
    [
        (NOW - 60, 2, "from memory, asked twice today"),
        (NOW - 24 * 3600, 2, "from memory, asked twice since yesterday"),
        (datetime(2025, 5, 2).timestamp(), 1000, "from memory, asked 1,000 times since May 2, 2025"),
        (0.0, 1, "from memory, asked once"),
    ],
)
def test_a_day_is_named_as_people_do(since: float, times: int, shown: str) -> None:
    assert line(served("repeat"), Recollection("", times, since), NOW) == shown


def test_what_was_imported_counts_from_the_first_question_here() -> None:
    once, twice = Recollection("", 1, 0.0, None, "llm"), Recollection("", 2, NOW - 60, None, "llm")
    assert line(served("repeat"), once, NOW) == "from memory, imported from llm's logs, asked here once"
    assert line(served("repeat"), twice, NOW) == "from memory, imported from llm's logs, asked here twice today"


def test_without_the_journal_the_line_says_less() -> None:
    assert line(served("repeat"), None, NOW) == "from memory"


def test_a_question_is_counted_each_time_it_was_asked(shammah: Shammah, claude: Loopback) -> None:
    asked = [shammah("ask", "how do I boil an egg").stderr for _ in range(4)]
    assert asked == ["Claude ($0.0002)\n", *(f"from memory, asked {often} today\n" for often in OFTEN)]
    unstored = shammah("ask", "--no-store", "how do I boil an egg").stderr
    assert unstored == "from memory, asked 5 times today\n"
    other = shammah("ask", "--local", "--system", "be brief", "how do I boil an egg")
    assert other.exit_code == 4  # another context has its own memory


OFTEN = ("twice", "3 times", "4 times")


def test_an_imported_question_was_not_asked_here(shammah: Shammah, tmp_path: Path) -> None:
    record = tmp_path / "egg.jsonl"
    record.write_text(json.dumps({"query": "how do I boil an egg", "reply": "Eight minutes."}))
    assert shammah("import", str(record)).exit_code == 0
    asked = [shammah("ask", "how do I boil an egg").stderr for _ in range(2)]
    assert asked == [f"from memory, imported from JSON Lines, asked here {often}\n" for often in ("once", "twice")]


@pytest.mark.parametrize(
    ("behaviour", "shown"),
    [
        (fail(400, "max_tokens: 99 > 9"), "Anthropic rejected the request. Anthropic says: max_tokens: 99 > 9"),
        (fail(404, "model: claude-x"), "Anthropic does not know the model claude-x. Anthropic says: model: claude-x"),
        (fail(403, "No access to\x1b[2J it."), "Anthropic refused the API key. Anthropic says: No access to[2J it."),
        (fail(500, "sk-test-secret"), "Anthropic's server failed."),
        (fail(400, lambda asked: f"sk-test-secret {asked}"), "Anthropic says: [key] hello"),
    ],
)
def test_what_claude_says_about_an_error_reaches_the_user_and_nobody_else(
    shammah: Shammah, claude: Loopback, home: Path, behaviour: Behaviour, shown: str
) -> None:
    with (home / "config.toml").open("a") as config:
        config.write("[teacher]\nmax_retries = 0\n")
    claude.default_to(behaviour)
    asked = shammah("ask", "--model", "claude-x", "hello")
    assert asked.exit_code == 4
    assert shown in asked.stderr.splitlines()[0]
    assert "sk-test-secret" not in asked.stderr
    as_json = json.loads(shammah("ask", "--json", "--model", "claude-x", "hello").stdout)
    assert as_json.keys() == {"error", "hint", "exit_code"}
    assert shown in as_json["error"]
    said = shown.rpartition("says: ")[2].encode()
    assert not any(said in path.read_bytes() for path in home.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("ask", "--json", ""), 1, "the query is empty"),
        (("ask", "--json", "--nope", "x"), 2, "No such option"),
        (("ask", "--json", "--local", "--claude", "x"), 2, "exclude each other"),
        (("why", "--json"), 1, "nothing was asked yet"),
        (("why", "--json", "0"), 2, "0 is not in the range"),
        (("status", "--json", "--preset", "nonsense"), 1, "no preset 'nonsense'"),
        (("models", "--json", "--max-bad-rate", "nan"), 2, "'nan' is not above 0"),
        (("statu", "--json"), 2, "There is no command 'statu'"),
        (("--nope", "status", "--json"), 2, "No such option"),
        (("--max-bad-rate", "nan", "ask", "hm", "--json"), 2, "'nan' is not above 0"),
    ],
)
def test_an_error_is_an_object_where_json_is_wanted(
    shammah: Shammah, arguments: tuple[str, ...], code: int, error: str
) -> None:
    failed = shammah(*arguments)
    assert (failed.exit_code, failed.stderr) == (code, "")
    shown = json.loads(failed.stdout)
    assert error in shown["error"]
    assert shown["hint"]
    assert shown["exit_code"] == code
    assert failed.stdout.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [("--nope", "status", "--", "--json"), ("--nope", "replay", "s.jsonl", "--json", "out.json")]
)
def test_an_error_before_the_command_is_text_where_json_is_not_wanted(
    shammah: Shammah, arguments: tuple[str, ...]
) -> None:
    failed = shammah(*arguments)
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert "Error: " in failed.stderr


def test_a_question_that_names_the_option_is_no_option(shammah: Shammah) -> None:
    failed = shammah("ask", "--local", "--", "--json")
    assert failed.stdout == ""
    assert failed.stderr.startswith("Error: ")


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-", "| head -c 1", "2>&1 | head -c 1"])
def test_a_closed_stream_breaks_nothing(home: Path, claude: Loopback, closed: str) -> None:
    claude.default_to(reply("One.\nTwo.\n"))
    command = f"{sys.executable} -m shammah_mlx ask hello {closed}"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr + done.stdout
    if ">" not in closed.replace("2>&-", ""):
        assert done.stdout == ("O" if "head" in closed else "One.\nTwo.\n")
    until = time.monotonic() + 60.0
    while "Learnt: 1." not in (home / "learning.log").read_text():  # what was asked is learnt all the same
        assert time.monotonic() < until
        time.sleep(0.05)
