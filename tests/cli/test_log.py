"""The command line's history: `log`, `export`, `import` and `replay --mine`."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from shammah_mlx.display.dates import local_time
from shammah_mlx.display.listing import log_lines
from shammah_mlx.display.markdown import text_width
from shammah_mlx.transcripts.jsonl import Line
from tests.command import Shammah
from tests.loopback import Loopback, reply
from tests.served import BOLD
from tests.transcripts.records import assistant, claude_code, llm_logs, user

pytestmark = pytest.mark.settings(BOLD)
THING = ("egg", "car", "door", "cat", "fish", "hat")
ROWS = "".join(
    json.dumps({"query": f"how do I paint a {name}", "reply": f"Paint the {name}."}) + "\n" for name in THING
)


def at_noon(number: int) -> str:
    """Return a date in the local time zone, as it is printed."""
    return datetime(2026, 5, number, 12, 0).astimezone().isoformat()


def test_a_list_has_number_date_source_cost_and_the_beginning_of_the_question() -> None:
    lines = [
        Line("what is a\nmonad? " + 50 * "x", "A monoid.", number=12, at=at_noon(2), source="claude", cost_usd=0.0123),
        Line("and?", number=7, at=at_noon(1), source="recall", cost_usd=0.0, archived=True),
        Line("old", "a", number=3, source="claude", cost_usd=None),
        Line("older", "a", number=2, source="claude", cost_usd=0.0, imported_from="llm"),
    ]
    first, *others = log_lines(lines, 80)
    assert first.startswith("#12  2026-05-02 12:00  claude            $0.0123   what is a monad? xx")
    assert (len(first), first[-1]) == (80, "…")
    assert others == [
        "#7   2026-05-01 12:00  recall, archived  $0        and?",
        "#3   -                 claude            unpriced  old",
        "#2   -                 from llm          $0        older",
    ]


@pytest.mark.taught("where does the quetzal live?", "what is a monad?", "how do I boil an egg?", "what is a functor?")
def test_log_lists_searches_and_shows(shammah: Shammah) -> None:
    latest = shammah("log")
    assert [line.split()[0] for line in latest.stdout.splitlines()] == ["#4", "#3", "#2"]
    assert "what is a functor?" in latest.stdout.splitlines()[0]
    assert latest.stderr == "The latest 3 of 4; -n 0 lists all.\n"
    assert len(shammah("log", "-n", "0").stdout.splitlines()) == 4
    found = shammah("log", "-q", "Quetzal asked")  # "You asked: …" is the answer
    assert [line.split()[0] for line in found.stdout.splitlines()] == ["#1"]
    assert "No question or answer has these words." in shammah("log", "-q", "heron").stderr
    one = shammah("log", "1").stdout
    assert "question:\nwhere does the quetzal live?\n\nanswer:\nYou asked: where does the quetzal live?\n" in one
    shown = json.loads(shammah("log", "1", "--json").stdout)
    assert (shown["number"], shown["source"]) == (1, "claude")
    assert datetime.fromisoformat(shown["at"]).tzinfo is not None
    assert local_time(shown["at"]) in one
    assert [each["number"] for each in json.loads(shammah("log", "-n", "2", "--json").stdout)] == [4, 3]
    assert local_time(shown["at"]) in shammah("why", "1").stdout
    assert shammah("forget", "--yes", "quetzal").exit_code == 0
    assert shammah("log", "-q", "quetzal").stdout == ""


def test_log_shows_system_prompt_and_conversation(shammah: Shammah, claude: Loopback) -> None:
    shammah("ask", "--claude", "--system", "be brief", "which moons has Mars?")
    shammah("ask", "-c", "and Saturn?")
    one = shammah("log", "2").stdout
    for part in (
        "system prompt:\nbe brief\n",
        "earlier question:\nwhich moons has Mars?\n\nanswer:\nYou asked: which moons has Mars?\n",
        "question:\nand Saturn?\n",
    ):
        assert part in one


def test_what_is_not_there_is_said(shammah: Shammah) -> None:
    assert shammah("log").stderr == "Nothing was asked yet.\n"
    missing = shammah("log", "9")
    assert (missing.exit_code, "no such question" in missing.stderr) == (1, True)
    assert shammah("export").stdout == ""
    assert shammah("log", "1", "-q", "x").exit_code == 2


@pytest.mark.taught("what is a monad?")
def test_an_export_overwrites_nothing_unasked(
    shammah: Shammah, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = shammah("export", "csv")
    assert (refused.exit_code, (tmp_path / "csv").exists()) == (1, False)
    assert "JSON Lines" in refused.stderr
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    refused = shammah("export", str(path))
    assert (refused.exit_code, path.read_text()) == (1, "mine")
    assert "--overwrite" in refused.stderr
    assert shammah("export", "--overwrite", str(path)).exit_code == 0
    assert json.loads(path.read_text())["query"] == "what is a monad?"


def test_in_a_narrow_terminal_a_question_has_a_line_of_its_own() -> None:
    line = Line("how do I list files by size", "ls -S", number=12, at=at_noon(2), source="claude", cost_usd=0.0006)
    assert list(log_lines([line], 40)) == ["#12  2026-05-02 12:00  claude  $0.0006", "  how do I list files by size"]


def test_a_line_of_wide_characters_fits_the_terminal() -> None:
    line = Line(query="如何在不使用编译器的情况下编写一个可以运行的程序呢", source="claude", number=7, at=None)
    (shown,) = log_lines([line], 60)
    assert 59 <= text_width(shown) <= 60
    assert shown.endswith("…")


@pytest.mark.taught("how do I boil an egg?", "what is a monad?")
def test_an_export_is_imported_elsewhere_and_can_be_replayed(shammah: Shammah, tmp_path: Path) -> None:
    shammah("ask", "what is a monad?")  # answered here
    path, replies = tmp_path / "all.jsonl", tmp_path / "replies.jsonl"
    assert shammah("export", str(path)).stderr.endswith(f"3 questions written to {path}.\n")
    lines = [json.loads(line) for line in shammah("export").stdout.splitlines()]
    assert lines == [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["source"] for line in lines] == ["claude", "claude", "repeat"]
    assert ["reply" in line for line in lines] == [True, True, False]
    assert lines[2]["answer"] == "You asked: what is a monad?"
    assert shammah("export", "--replies", str(replies)).exit_code == 0
    assert shammah("replay", str(replies), "--generator", "recall").exit_code == 0
    other = str(tmp_path / "other")
    told = shammah("import", str(path), "--home", other)
    assert told.exit_code == 0
    assert "2: another host than Anthropic's answered (--base-url says which)" in told.stdout
    assert "1: Claude did not answer it" in told.stdout


def test_a_dry_run_says_what_it_found_and_changes_nothing(shammah: Shammah, tmp_path: Path) -> None:
    logs = llm_logs(
        tmp_path / "logs.db",
        {"prompt": "what is a monad?", "response": "A monoid."},
        {"prompt": "what is a functor?", "response": "A map.", "model": "claude-3-5-haiku-20241022"},
        {"prompt": "hello", "response": "Hi.", "model": "gpt-5"},
    )
    other = tmp_path / "other"
    told = shammah("import", "--dry-run", str(logs), "--home", str(other))
    assert told.exit_code == 0, told.output
    assert told.stdout.splitlines() == [
        "3 questions found in llm's logs.",
        "2 to import of 2026-01-01 to 2026-01-02.",
        "  1 learnt as answers of claude-sonnet-5-5 at api.anthropic.com",
        "  1 learnt as answers of claude-3-5-haiku-20241022 at api.anthropic.com",
        "  You ask claude-sonnet-5-5: answers of other models are given with `ask --model NAME` at once, else once they"
        " are measured.",
        "1 skipped:",
        "  1: another model than Claude answered",
        "Learning takes less than a minute here.",
        "This was a dry run: nothing was changed.",
    ]
    assert not other.exists()


def test_lines_that_cannot_be_read_are_counted_by_fault_and_named(shammah: Shammah, tmp_path: Path) -> None:
    stream = tmp_path / "stream.jsonl"
    stream.write_text(ROWS + 7 * '{"query": "what is a quetzal?"}\n' + '{"query": "q", "reply": 3}\n')
    told = shammah("import", "--dry-run", str(stream)).stdout
    assert "  7: field `reply` is missing (line 7, line 8, line 9, line 10, line 11, …)\n" in told
    assert "  1: field `reply` is of another type (line 14)\n" in told


def test_the_help_names_the_fields_of_a_line(shammah: Shammah) -> None:
    told = " ".join(shammah("import", "--help").stdout.split())
    assert "`query` and `reply`" in told
    assert all(f"`{name}`" in told for name in ("model", "at", "system", "history", "max_tokens", "stop_sequences"))


def test_an_import_is_learnt_shown_and_replayed(shammah: Shammah, home: Path, tmp_path: Path) -> None:
    stream = tmp_path / "stream.jsonl"
    stream.write_text(ROWS)
    done = shammah("import", str(stream))
    assert done.exit_code == 0, done.output
    assert "Imported: 6." in done.stdout
    claude_code(tmp_path / "projects" / "a" / "s.jsonl", user("how do I paint a dog"), assistant("Paint the dog."))
    told = shammah("import", "--dry-run", str(tmp_path / "projects"))
    assert told.stdout.startswith("1 question found in Claude Code's transcripts.\n1 to import of 2026-03-01.\n")
    again = shammah("import", str(stream))
    assert again.stdout.endswith("6: this answer is here already, or a newer one\nNothing was imported.\n")
    status = json.loads(shammah("status", "--json").stdout)
    assert (status["imported"], status["spent_usd"], status["journalled"]) == (6, 0.0, 0)
    assert "from jsonl" in shammah("log", "-n", "1").stdout
    assert shammah("ask", "how do I paint a cat").stdout == "Paint the cat.\n"
    replayed = shammah("replay", "--mine")
    assert replayed.exit_code == 0, replayed.output
    assert "Of 7 questions, " in replayed.stdout
    assert "Answered here when they were asked: 1 of these questions. They count as that happened" in replayed.stdout
    assert "would have been saved, by list prices" in replayed.stdout
    assert shammah("forget", "--yes", "paint the fish").exit_code == 0
    assert json.loads(shammah("status", "--json").stdout)["imported"] == 5


GATEWAY = "https://user:hidden@gateway.example.com/anthropic/"


def test_what_came_through_a_gateway_is_given_to_those_who_ask_it(
    shammah: Shammah, claude: Loopback, tmp_path: Path
) -> None:
    stream = tmp_path / "stream.jsonl"
    stream.write_text(ROWS)
    told = shammah("import", "--base-url", claude.url, str(stream))
    assert f"6 learnt as answers of claude-sonnet-5-5 at {claude.url}\n" in told.stdout
    assert "You ask" not in told.stdout
    assert shammah("ask", "how do I paint a cat").stdout == "Paint the cat.\n"
    assert claude.requests == []


def test_what_another_host_answered_is_not_given_and_said_so(
    shammah: Shammah, claude: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = tmp_path / "stream.jsonl"
    stream.write_text(ROWS)
    told = shammah("import", str(stream))
    assert "6 learnt as answers of claude-sonnet-5-5 at api.anthropic.com\n" in told.stdout
    way = 'import it with --base-url "$ANTHROPIC_BASE_URL" if it came through that'
    assert f"You ask {claude.url}, where no answer of another host is given: {way}.\n" in told.stdout
    assert shammah("ask", "how do I paint a cat").stdout == "You asked: how do I paint a cat\n"
    assert json.loads(shammah("why", "--json").stdout)["known_elsewhere"] == 4
    assert "#4 is the same question, answered by another host" in " ".join(shammah("why").stdout.split())
    assert shammah("ask", "--claude", "how do I paint a house").exit_code == 0
    assert json.loads(shammah("why", "--json").stdout)["known_elsewhere"] is None
    assert json.loads(shammah("status", "--json").stdout)["imported_elsewhere"] == 5  # the cat was asked here too
    assert "5 of 6 imported answers: another host gave them" in " ".join(shammah("status").stdout.split())
    monkeypatch.delenv("ANTHROPIC_BASE_URL")
    assert json.loads(shammah("status", "--json").stdout)["imported_elsewhere"] == 0
    back = shammah("import", "--dry-run", "--base-url", GATEWAY, str(stream)).stdout
    assert "at gateway.example.com/anthropic\n" in back
    assert "You ask api.anthropic.com, where no answer of another host is given: set ANTHROPIC_BASE_URL" in back
    assert "hidden" not in back


def another_home(tmp_path: Path) -> Path:
    """Make a home without a decoder, which would take seconds to learn."""
    home = tmp_path / "other"
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(BOLD)
    return home


@pytest.mark.taught("how do I boil an egg?", "what is a monad?")
def test_a_home_behind_a_gateway_moves_to_another_folder(shammah: Shammah, claude: Loopback, tmp_path: Path) -> None:
    path, other = tmp_path / "all.jsonl", another_home(tmp_path)
    shammah("export", str(path))
    told = shammah("import", str(path), "--home", str(other), "--base-url", claude.url)
    assert "2 to import" in told.stdout
    asked = len(claude.requests)
    assert shammah("ask", "what is a monad?", "--home", str(other)).stdout == "You asked: what is a monad?\n"
    assert len(claude.requests) == asked


def test_an_export_of_several_hosts_gives_each_only_its_own_answers(
    shammah: Shammah, claude: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, stream, other = tmp_path / "all.jsonl", tmp_path / "stream.jsonl", another_home(tmp_path)
    stream.write_text(ROWS)
    shammah("import", str(stream))  # Anthropic's own answers
    shammah("ask", "--claude", "what is a monad?")  # the gateway's
    with Loopback(default=reply(lambda text: f"The other gateway: {text}")) as second:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", second.url)
        shammah("ask", "--claude", "what is a functor?")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", claude.url)
    shammah("export", str(path))
    told = shammah("import", str(path), "--home", str(other), "--base-url", claude.url).stdout
    assert f"1 learnt as answers of claude-sonnet-5-5 at {claude.url}\n" in told
    assert "7: another host answered than the one that --base-url names" in told
    asked = len(claude.requests)
    for question in ("how do I paint a cat", "what is a functor?", "what is a monad?"):
        assert shammah("ask", question, "--home", str(other)).stdout == f"You asked: {question}\n"
    assert len(claude.requests) == asked + 2  # only the gateway's own answer is given again
    plain = shammah("import", "--dry-run", str(path), "--home", str(tmp_path / "third")).stdout
    assert "6 learnt as answers of claude-sonnet-5-5 at api.anthropic.com\n" in plain
    assert "2: another host than Anthropic's answered (--base-url says which)" in plain


def test_an_earlier_export_says_only_that_it_was_another_host(shammah: Shammah, tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    lines = [{"query": f"q{n}", "reply": f"a{n}", "source": "claude", "other_host": n > 2} for n in range(5)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    told = shammah("import", "--dry-run", "--base-url", GATEWAY, str(path)).stdout
    assert "2 learnt as answers of claude-sonnet-5-5 at gateway.example.com/anthropic\n" in told
    assert "3: another host answered than the one that --base-url names" in told
    plain = shammah("import", "--dry-run", str(path)).stdout
    assert "3 learnt as answers of claude-sonnet-5-5 at api.anthropic.com\n" in plain


def test_a_base_url_that_is_none_is_refused(shammah: Shammah, tmp_path: Path) -> None:
    (tmp_path / "stream.jsonl").write_text(ROWS)
    refused = shammah("import", "--base-url", "gateway.example.com", str(tmp_path / "stream.jsonl"))
    assert (refused.exit_code, "it is no URL" in refused.stderr) == (2, True)


def test_replay_needs_one_of_both(shammah: Shammah, tmp_path: Path) -> None:
    for arguments in ((), ("--mine", "x.jsonl"), ("--mine", "--judge", "simulated"), ("--mine", "--shuffle", "1")):
        assert shammah("replay", *arguments).exit_code == 2
    nothing = shammah("replay", "--mine")
    assert (nothing.exit_code, "no questions to replay" in nothing.stderr) == (1, True)
