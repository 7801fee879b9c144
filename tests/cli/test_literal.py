"""The command line with the literal preset: output and exit codes, with Claude replaced by a loopback server."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shammah_mlx.home.snapshots import FILES
from shammah_mlx.models.backend import load_arrays, mx
from tests.command import Shammah
from tests.conftest import TINY_TOML
from tests.loopback import Behaviour, Loopback, cut, fail, hang, reply

SHAMMAH = (sys.executable, "-m", "shammah_mlx")


pytestmark = pytest.mark.settings(TINY_TOML)


def state_of(home: Path) -> set[tuple[str, float]]:
    """Return the paths in the home with their times, without those of its locks."""
    return {(str(path), path.lstat().st_mtime) for path in home.rglob("*") if path.name not in ("lock", "learning")}


class TestAsk:
    def test_standard_output_has_only_the_answer_and_standard_error_its_origin(
        self, shammah: Shammah, claude: Loopback
    ) -> None:
        asked = shammah("ask", "what is a monad?")
        assert asked.exit_code == 0
        assert asked.stdout == "You asked: what is a monad?\n"
        assert asked.stderr == "Claude ($0.0002)\n"

    def test_a_query_may_come_from_standard_input(self, shammah: Shammah, claude: Loopback) -> None:
        assert shammah("ask", stdin="piped question\n").stdout == "You asked: piped question\n"

    def test_json_has_its_fixed_names(self, shammah: Shammah, claude: Loopback) -> None:
        result = json.loads(shammah("ask", "--json", "hello").stdout)
        assert set(result) == {
            *("answer", "source", "model", "p_local", "p_accept", "called_claude", "verdict", "audit", "covered", "ms"),
            *("cost_usd", "query_id", "conversation"),
        }
        assert result["answer"] == "You asked: hello"
        assert (result["source"], result["called_claude"], result["audit"], result["covered"]) == (
            "claude",
            True,
            False,
            None,
        )
        assert result["query_id"] == 1

    def test_model_system_and_limits_reach_claude(self, shammah: Shammah, claude: Loopback) -> None:
        shammah("ask", "--model", "claude-haiku-4-5", "--system", "be brief", "hello")
        (request,) = claude.requests
        assert (request.body["model"], request.body["system"]) == ("claude-haiku-4-5", "be brief")

    def test_a_second_process_continues_from_the_state_of_the_first(self, home: Path, claude: Loopback) -> None:
        def ask(text: str) -> None:
            subprocess.run(
                [sys.executable, "-m", "shammah_mlx", "ask", "--wait", text], check=True, capture_output=True
            )

        ask("one")
        before = {name: load_arrays(home / "models" / name) for name in FILES}
        ask("two")
        after = {name: load_arrays(home / "models" / name) for name in FILES}
        steps = [state["optimizer_state.safetensors"]["generator.step"].item() for state in (before, after)]
        assert steps == [1, 2]
        first, second = (state["generator.safetensors"]["norm.bias"] for state in (before, after))
        assert not mx.array_equal(first, second).item()

    def test_the_home_is_private(self, shammah: Shammah, claude: Loopback, tmp_path: Path) -> None:
        fresh = tmp_path / "fresh"
        (tmp_path / "home" / "config.toml").rename(tmp_path / "config.toml")
        shammah("status", "--home", str(fresh))
        assert not fresh.exists()  # `status` creates nothing
        fresh_parent = tmp_path / "new" / "home"
        fresh_parent.parent.mkdir()
        shammah("ask", "--home", str(fresh_parent), "hello")
        assert stat.S_IMODE(fresh_parent.stat().st_mode) == 0o700
        for path in fresh_parent.rglob("*"):
            if path.is_file():
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path

    def test_the_answer_is_printed_before_it_is_learnt_and_learnt_though_the_reader_left(
        self, home: Path, claude: Loopback
    ) -> None:
        with subprocess.Popen(
            [*SHAMMAH, "ask", "--wait", "hello"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout is not None
            assert os.read(process.stdout.fileno(), 3) == b"You"
            assert not (home / "models").exists()
        assert (home / "models").exists()

    def test_the_claude_option_asks_claude_though_a_draft_would_be_served(
        self, shammah: Shammah, claude: Loopback, home: Path
    ) -> None:
        be_bold(home, audits=0.0)
        asked = json.loads(shammah("ask", "--json", "hello").stdout)
        assert (asked["source"], asked["called_claude"]) == ("decoder", False)
        asked = json.loads(shammah("ask", "--json", "--claude", "hello").stdout)
        assert (asked["source"], asked["called_claude"]) == ("claude", True)

    @pytest.mark.parametrize("text", ["one", "one\n", "\x1b[31mred"])
    def test_a_piped_answer_is_unchanged_and_ends_with_one_newline(
        self, home: Path, claude: Loopback, text: str
    ) -> None:
        claude.default_to(reply(text))
        command = [*SHAMMAH, "ask", "--wait", "hello"]
        piped = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert piped == text.removesuffix("\n") + "\n"

    def test_an_interrupt_after_the_answer_postpones_learning(self, home: Path, claude: Loopback) -> None:
        command = [*SHAMMAH, "ask", "--wait", "hello"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"You asked: hello\n"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate()
        assert process.returncode == 0
        assert b"Traceback" not in errors


def be_bold(home: Path, audits: float) -> None:
    """Set thresholds that let every query be tried locally and every draft be accepted, from the first query on."""
    with (home / "config.toml").open("a") as config:
        config.write(
            "[policy]\nforward_only = 0\nroute_thresholds = [[0, 0.0]]\n"
            f"accept_thresholds = [[0, 0.0]]\naudits = [[0, {audits}]]\n"
        )


class TestWhenClaudeFails:
    @pytest.mark.parametrize(
        ("behaviour", "message"),
        [
            (fail(401), "refused the API key"),
            (fail(402), "out of credit"),
            (fail(404), "does not know the model"),
            (fail(429, retry_after=3600), "too often"),
        ],
    )
    def test_there_is_no_answer_nothing_is_stored_and_the_error_says_why(
        self, shammah: Shammah, claude: Loopback, home: Path, behaviour: Behaviour, message: str
    ) -> None:
        claude.default_to(behaviour)
        asked = shammah("ask", "hello")
        assert asked.exit_code == 4
        assert asked.stdout == ""
        assert message in asked.stderr
        assert "Hint: " in asked.stderr
        assert "sk-test-secret" not in asked.stderr
        assert json.loads(shammah("status", "--json").stdout)["seen"] == 0
        assert not (home / "models").exists()

    def test_the_part_of_a_cut_reply_that_arrived_is_printed_and_marked_incomplete(
        self, shammah: Shammah, claude: Loopback
    ) -> None:
        claude.default_to(cut("The first half", abrupt=False))
        asked = shammah("ask", "hello")
        assert asked.exit_code == 4
        assert asked.stdout == "The first half\n"
        assert "Incomplete: the connection was cut" in asked.stderr

    def test_a_reply_that_reached_the_limit_is_marked_and_not_learnt(
        self, shammah: Shammah, claude: Loopback, home: Path
    ) -> None:
        claude.default_to(reply("half an answ", stop_reason="max_tokens"))
        asked = shammah("ask", "hello")
        assert (asked.exit_code, asked.stdout) == (4, "half an answ\n")
        assert "max_tokens" in asked.stderr
        line = json.loads((home / "metrics" / "training.jsonl").read_text())
        assert line["losses"] == {}

    def test_a_reply_that_never_comes_ends_at_the_timeout(self, shammah: Shammah, claude: Loopback, home: Path) -> None:
        claude.default_to(hang())
        with (home / "config.toml").open("a") as config:
            config.write("[teacher]\nmax_retries = 0\n")
        started = time.monotonic()
        asked = shammah("ask", "--timeout", "0.3", "hello")
        assert asked.exit_code == 4
        assert time.monotonic() - started < 10
        assert "did not answer in time" in asked.stderr

    def test_without_a_key_the_hint_names_the_variable(self, shammah: Shammah) -> None:
        asked = shammah("ask", "hello")
        assert asked.exit_code == 4
        assert "ANTHROPIC_API_KEY" in asked.stderr

    def test_a_draft_whose_audit_fails_is_served_and_marked_not_covered(
        self, shammah: Shammah, claude: Loopback, home: Path
    ) -> None:
        be_bold(home, audits=1.0)
        claude.default_to(fail(401))
        asked = shammah("ask", "--json", "hello")
        result = json.loads(asked.stdout)
        assert asked.exit_code == 3
        assert (result["source"], result["covered"], result["audit"], result["called_claude"]) == (
            "decoder",
            False,
            True,
            False,
        )
        assert result["cost_usd"] == 0.0
        assert "Not covered" in asked.stderr


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "stdin", "code", "message"),
        [
            (["ask", ""], None, 1, "empty"),
            (["ask", "  \n"], None, 1, "empty"),
            (["ask"], b"", 1, "empty"),
            (["ask"], b"x" * 8_000_001, 1, "claude-sonnet-5-5 holds 1,000,000"),
            (["ask", "-m", "claude-haiku-4-5", "q"], b"x" * 1_600_001, 1, "claude-haiku-4-5 holds 200,000"),
            (["ask"], b"\xff\xfe hello", 1, "UTF-8"),
            (["ask", "bad \udcff argument"], None, 1, "UTF-8"),
            (["ask", "--system", "\udcff", "q"], None, 1, "UTF-8"),
            (["ask", "--model", "\udcff", "q"], None, 1, "UTF-8"),
            (["ask", "--preset", "nonsense", "q"], None, 1, "nonsense"),
            (["ask", "--timeout", "-1", "q"], None, 2, "--timeout"),
            (["ask", "--seed", "x", "q"], None, 2, "--seed"),
            (["ask", "--seed", "-1", "q"], None, 2, "--seed"),
            (["ask", "--home", "", "q"], None, 2, "--home"),
            (["ask", "what", "does", "grep", "-c", "do"], None, 2, "Is -c an option, or a word"),
            (["ask", "-f", "none.txt", "q"], None, 1, "none.txt cannot be read"),
            (["ask", "-t", "none", "q"], None, 1, "there is no template 'none'"),
            (["ask", "-p", "language", "French", "q"], None, 2, "name it with --template"),
            (["replay", "none.jsonl"], None, 1, "none.jsonl"),
            (["rollback", "7"], None, 1, "no checkpoint 7"),
            (["rollback", "-7"], None, 2, "-7"),
            (["statsu"], None, 2, "Did you mean status?"),
            (["status", "of", "my", "disk"], None, 2, 'shammah ask "status of my disk"'),
            (["why", "me"], None, 2, 'shammah ask "why me"'),
        ],
    )
    def test_it_is_refused_with_a_clear_message_and_changes_nothing(
        self, shammah: Shammah, claude: Loopback, home: Path,
        arguments: list[str], stdin: bytes | None, code: int, message: str,
    ) -> None:  # fmt: skip
        before = state_of(home)
        failed = shammah(*arguments, stdin=stdin)
        assert failed.exit_code == code
        assert message in failed.stderr
        assert failed.stdout == ""
        assert "Traceback" not in failed.stderr
        assert state_of(home) == before
        assert not claude.requests

    def test_a_broken_config_is_named(self, shammah: Shammah, home: Path) -> None:
        (home / "config.toml").write_text("seed = [")
        failed = shammah("ask", "q")
        assert failed.exit_code == 1
        assert "config.toml is not valid TOML" in failed.stderr

    def test_a_home_that_is_a_file_is_refused(self, shammah: Shammah, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        failed = shammah("ask", "--home", str(tmp_path / "file"), "q")
        assert failed.exit_code == 1
        assert "Traceback" not in failed.stderr

    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.binary(max_size=60))
    def test_any_bytes_on_standard_input_are_answered_or_clearly_refused(
        self, shammah: Shammah, claude: Loopback, content: bytes
    ) -> None:
        asked = shammah("ask", stdin=content)
        assert asked.exit_code in (0, 1) or "Say what Claude is to do with the file" in asked.stderr
        assert asked.exception is None or isinstance(asked.exception, SystemExit)

    def test_a_full_disk_loses_no_answer_and_changes_no_state(self, home: Path, claude: Loopback) -> None:
        def ask(text: str, largest_file: int) -> subprocess.CompletedProcess[str]:
            program = (
                "import resource\nfrom shammah_mlx.cli.main import main\n"
                f"resource.setrlimit(resource.RLIMIT_FSIZE, ({largest_file}, resource.RLIM_INFINITY))\n"
                f"main(['ask', '--wait', {text!r}])"
            )
            return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

        roomy, tight = 10**9, 300_000  # bytes: the journal fits into the second, the models do not
        assert ask("first", roomy).returncode == 0
        before = {name: (home / "models" / name).read_bytes() for name in FILES}
        failed = ask("second", tight)
        assert failed.stdout == "You asked: second\n"
        assert failed.returncode == 1
        assert "make room on the disk" in failed.stderr
        assert "Traceback" not in failed.stderr
        assert {name: (home / "models" / name).read_bytes() for name in FILES} == before
        assert ask("third", roomy).returncode == 0
        state = load_arrays(home / "models" / "optimizer_state.safetensors")
        assert state["generator.step"].item() == 3  # the question that could not be saved is learnt now

    def test_a_folder_with_other_files_is_refused_as_a_home(self, shammah: Shammah, tmp_path: Path) -> None:
        (tmp_path / "docs").mkdir()
        (tmp_path / "docs" / "thesis.tex").write_text("x")
        failed = shammah("ask", "--home", str(tmp_path / "docs"), "q")
        assert failed.exit_code == 1
        assert "holds other files" in failed.stderr
        assert [path.name for path in (tmp_path / "docs").iterdir()] == ["thesis.tex"]

    def test_a_home_may_begin_with_its_templates(self, shammah: Shammah, tmp_path: Path) -> None:
        (tmp_path / "new" / "templates").mkdir(parents=True)
        assert shammah("config", "set", "--home", str(tmp_path / "new"), "seed", "3").exit_code == 0

    def test_a_damaged_journal_is_reported_without_a_traceback(
        self, shammah: Shammah, claude: Loopback, home: Path
    ) -> None:
        shammah("ask", "hello")
        path = home / "journal.db"
        path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 8192)
        for command in (("ask", "again"), ("status",)):
            failed = shammah(*command)
            assert failed.exit_code == 1
            assert "journal" in failed.stderr
            assert isinstance(failed.exception, SystemExit)


@pytest.mark.slow
class TestReplay:
    @pytest.fixture
    def stream(self, tmp_path: Path) -> Path:
        path = tmp_path / "stream.jsonl"
        rows = [{"id": f"r{n}", "query": f"q {n}", "reply": f"reply {n % 3}", "topic": f"t{n % 3}"} for n in range(60)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def test_a_run_prints_a_table_and_writes_the_requested_files(
        self, shammah: Shammah, home: Path, stream: Path, tmp_path: Path
    ) -> None:
        out, trace = tmp_path / "out.json", tmp_path / "trace.jsonl"
        done = shammah(
            *("replay", str(stream), "--home", str(home), "--preset", "literal", "--shuffle", "3"),
            *("--json", str(out), "--trace", str(trace)),
        )
        assert done.exit_code == 0, done.stderr
        headings = ("queries", "calls", "checks", "local", "bad local", "divergence", "cost", "forwarded", "specified")
        assert all(heading in done.stdout for heading in headings)  # none is cut in a terminal of 80 columns
        result = json.loads(out.read_text())
        assert (result["stream"], result["preset"], result["shuffle"], result["queries"]) == (
            "stream.jsonl",
            "literal",
            3,
            60,
        )
        assert [(band["from"], band["to"]) for band in result["bands"]] == [(0, 50), (50, 60)]
        assert result["total"]["calls"] == 60
        assert all(distance > 0 for distance in result["moved"].values())
        assert len(trace.read_text().splitlines()) == 60
        assert (home / "models" / "router.safetensors").exists()

    def test_shuffle_and_limit_choose_the_rows(
        self, shammah: Shammah, home: Path, stream: Path, tmp_path: Path
    ) -> None:
        def ids(name: str, *options: str) -> list[str]:
            shutil.copytree(home, tmp_path / name)
            trace = tmp_path / f"{name}.trace"
            done = shammah("replay", str(stream), "--home", str(tmp_path / name), "--trace", str(trace), *options)
            assert done.exit_code == 0, done.stderr
            return [json.loads(line)["id"] for line in trace.read_text().splitlines()]

        assert ids("limited", "--limit", "2") == ["r0", "r1"]
        shuffled = ids("shuffled", "--limit", "3", "--shuffle", "1")
        assert len(shuffled) == 3
        assert shuffled != ["r0", "r1", "r2"]

    def test_decisions_do_not_depend_on_the_topic_fields_of_the_stream(
        self, shammah: Shammah, home: Path, tmp_path: Path
    ) -> None:
        be_bold(home, audits=0.5)
        rows = [{"id": f"r{n}", "query": f"question {n}", "reply": f"reply {n % 5}"} for n in range(40)]
        truth: dict[str, object] = {"topic": "t1", "also": ["t9"], "tail": True}
        streams: dict[str, list[dict[str, object]]] = {
            "stripped": [dict(row) for row in rows],
            "whole": [{**row, **truth} for row in rows],
        }
        traces = {}
        for name, content in streams.items():
            shutil.copytree(home, tmp_path / name)
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
            command = ("replay", str(tmp_path / f"{name}.jsonl"), "--home", str(tmp_path / name))
            done = shammah(*command, "--trace", str(tmp_path / f"{name}.trace"))
            assert done.exit_code == 0, done.stderr
            traces[name] = (tmp_path / f"{name}.trace").read_bytes()
        assert traces["stripped"] == traces["whole"]
        result = [json.loads(line) for line in traces["whole"].splitlines()]
        assert {line["source"] for line in result} == {"claude", "decoder"}
        assert {line["audit"] for line in result} == {True, False}

    @pytest.mark.parametrize("out", ["--json", "--trace"])
    def test_writing_over_the_stream_is_refused(self, shammah: Shammah, stream: Path, out: str) -> None:
        before = stream.read_bytes()
        failed = shammah("replay", str(stream), out, str(stream))
        assert failed.exit_code == 1
        assert "different files" in failed.stderr
        assert stream.read_bytes() == before

    def test_without_a_home_it_leaves_no_files(
        self, shammah: Shammah, home: Path, stream: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
        (tmp_path / "tmp").mkdir()
        before = state_of(home)
        command = [sys.executable, "-m", "shammah_mlx", "replay", str(stream), "--limit", "2"]
        assert b"total" in subprocess.run(command, check=True, capture_output=True).stdout
        assert state_of(home) == before
        assert list((tmp_path / "tmp").glob("shammah*")) == []

    def test_a_home_with_a_journal_is_refused(
        self, shammah: Shammah, claude: Loopback, home: Path, stream: Path
    ) -> None:
        shammah("ask", "hello")
        failed = shammah("replay", str(stream), "--home", str(home))
        assert failed.exit_code == 1
        assert "journal" in failed.stderr

    def test_a_bad_line_leaves_an_existing_output_file_unchanged(
        self, shammah: Shammah, stream: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out.json"
        out.write_text("earlier")
        stream.write_text(stream.read_text() + "{broken\n")
        failed = shammah("replay", str(stream), "--json", str(out))
        assert failed.exit_code == 1
        assert "line 61" in failed.stderr
        assert out.read_text() == "earlier"


class TestStatusAndRollback:
    def test_status_json_has_its_fixed_names(self, shammah: Shammah, claude: Loopback) -> None:
        shammah("ask", "--model", "claude-haiku-4-5", "hello")
        result = json.loads(shammah("status", "--json").stdout)
        assert {
            *("seen", "journalled", "trained", "pending", "preset", "threshold", "max_bad_rate", "bad_rate"),
            *("covered", "forward_rate", "spent_usd"),
        } <= result.keys()
        assert (result["seen"], result["journalled"], result["trained"], result["pending"]) == (1, 1, 1, 0)
        assert result["bad_rate"] == {"estimate": None, "low": None, "high": None, "audits": 0}
        assert result["forward_rate"] == 1.0
        assert result["threshold"] is None

    def test_the_status_table_names_the_important_things(self, shammah: Shammah) -> None:
        result = shammah("status").stdout
        for word in ("literal", "none asked yet", "nothing asked yet", "none yet"):
            assert word in result

    def test_rollback_says_what_it_archived(self, shammah: Shammah, claude: Loopback, home: Path) -> None:
        with (home / "config.toml").open("a") as config:
            config.write("[state]\ncheckpoint_every = 2\n")
        for text in ("one", "two", "three"):
            shammah("ask", text)
        refused = shammah("rollback", "2", stdin="n\n")
        assert (refused.exit_code, "Nothing was changed." in refused.stdout) == (0, True)
        assert "no longer used: 1." in refused.stdout
        assert json.loads(shammah("status", "--json").stdout)["seen"] == 3
        done = shammah("rollback", "2", "--yes")
        assert done.exit_code == 0
        assert "archived: 1 (from number 3 on)." in done.stdout
        assert json.loads(shammah("status", "--json").stdout)["seen"] == 2
        undone = shammah("rollback", "--undo")
        assert "in use again: 1." in undone.stdout
        assert json.loads(shammah("status", "--json").stdout)["seen"] == 3
        assert "no rollback to take back" in shammah("rollback", "--undo").stderr
        for arguments in ((), ("2", "--undo")):
            assert shammah("rollback", *arguments).exit_code == 2


def test_options_may_stand_before_or_after_the_command(shammah: Shammah, tmp_path: Path) -> None:
    for arguments in (("--preset", "x", "status"), ("status", "--preset", "x")):
        assert "no preset 'x'" in shammah(*arguments).stderr


def test_help_imports_no_slow_package() -> None:
    code = (
        "import sys\nfrom shammah_mlx.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "sys.exit(bool({'mlx', 'anthropic', 'rich', 'numpy', 'msgspec', 'tokenizers'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
