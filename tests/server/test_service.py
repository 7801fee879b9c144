"""The service as its user sees it: `shammah ask` beside it, what ends it, and what else happens in its home."""

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shammah_mlx.errors import BadStateError
from shammah_mlx.home.journal import Journal
from shammah_mlx.models.weights import Weights
from shammah_mlx.server.auth import Guard, token_of
from shammah_mlx.server.protocol import SOCKET
from shammah_mlx.server.service import Service
from tests.command import run
from tests.loopback import Loopback, fail, reply, stall
from tests.served import Place, Served

LEARNT = [f"how do I {verb} a {thing}" for verb in ("boil", "paint", "sell") for thing in ("egg", "car")]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with Place() as home:
        monkeypatch.setenv("SHAMMAH_HOME", str(home))
        yield home


def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "shammah_mlx", "ask", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def asked_of_service(home: Path, text: str) -> bool:
    """Say whether a question was asked here, and no process started to learn it."""
    with closing(Journal(home / "journal.db")) as journal:
        texts = [interaction.request.query.text for interaction in journal.after(0)]
    return text in texts and not (home / "learning.log").exists()


def test_ask_is_answered_by_the_service_that_runs_and_it_learns_behind(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        for text in LEARNT:
            told = ask("--claude", text)
            assert (told.returncode, told.stdout) == (0, f"You asked: {text}\n")
            assert "claude (claude-sonnet-5-5)" in told.stderr
        served.wait_until_learnt()
        known = ask("--json", "what is the way to boil an egg?")
        told_json = json.loads(known.stdout)
        assert (told_json["source"], told_json["answer"]) == ("recall", "You asked: how do I boil a egg")
        assert told_json["model"] == "shammah-default"
        assert asked_of_service(home, "what is the way to boil an egg?")
        assert len(claude.requests) == len(LEARNT)


def test_ask_does_not_load_mlx_where_a_service_answers(home: Path, claude: Loopback) -> None:
    code = (
        "import sys; from shammah_mlx.cli.main import main\n"
        "try: main(['ask', 'what is a monad?'])\n"
        "except SystemExit as end: print(end.code, bool({'mlx', 'anthropic', 'numpy'} & sys.modules.keys()))"
    )
    with Served(home, {}):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False"


def test_a_conversation_a_wish_and_waiting_work_as_they_do_without(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        assert ask("--local", "how do I boil a egg").returncode == 4
        for text in LEARNT:
            assert ask("--wait", "--claude", text).returncode == 0
            assert served.health()["pending"] == 0
        local = ask("--local", LEARNT[0])
        assert (local.returncode, local.stdout) == (0, f"You asked: {LEARNT[0]}\n")
        ask("--claude", "--system", "be brief", "which moons has Mars?")
        after = ask("-c", "and Saturn?")
        assert "Continuing after: which moons has Mars?" in after.stderr
        assert [message["content"] for message in claude.requests[-1].body["messages"]][::2] == [
            "which moons has Mars?",
            "and Saturn?",
        ]
        secret = ask("my password is hunter2hunter2, is that safe?")
        assert "looks like it holds a secret" in secret.stderr
        assert not asked_of_service(home, "my password is hunter2hunter2, is that safe?")


def test_settings_of_ones_own_are_answered_in_ones_own_process(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        assert ask("--max-bad-rate", "0.5", "what is a monad?").returncode == 0
        assert (home / "learning.log").exists()
        until = time.monotonic() + 60
        while "Learnt" not in (home / "learning.log").read_text():  # both may learn; one does
            assert time.monotonic() < until
            if served.health()["pending"] == 0 and "another" in (home / "learning.log").read_text():
                break
            time.sleep(0.1)
        assert ask("what is a functor?").returncode == 0
    with closing(Journal(home / "journal.db")) as journal:
        assert journal.count_after(0) == 2


def test_sigterm_saves_what_was_learnt_and_leaves_in_good_order(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        ask("what is a monad?")
        served.wait_until_learnt()
        assert served.end() == 0
    assert not (home / SOCKET).exists()
    with closing(Journal(home / "journal.db")) as journal:
        assert journal.progress().cursor == 1
    assert "ended; everything is saved" in served.log
    assert "monad" not in served.log


def test_one_that_was_killed_leaves_nothing_in_the_way(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        ask("what is a monad?")
        served.end(signal.SIGKILL)
        assert (home / SOCKET).exists()
        assert ask("what is a functor?").returncode == 0
        served.start()
        assert ask("what is an arrow?").returncode == 0
        served.wait_until_learnt()
    with closing(Journal(home / "journal.db")) as journal:
        assert [one.request.number for one in journal.after(0)] == [1, 2, 3]


def test_a_home_has_one_service(home: Path, claude: Loopback) -> None:
    with Served(home, {}):
        second = subprocess.run(
            [sys.executable, "-m", "shammah_mlx", "serve"], capture_output=True, text=True, check=False
        )
    assert second.returncode == 1
    assert "is already served" in second.stderr


def test_its_socket_is_its_owners_alone(home: Path, claude: Loopback) -> None:
    with Served(home, {}, "--tcp", "0"):
        assert (home / SOCKET).stat().st_mode & 0o777 == 0o600
        assert (home / "token").stat().st_mode & 0o777 == 0o600


def test_a_path_too_long_for_a_socket_is_one_clear_line(tmp_path: Path, claude: Loopback) -> None:
    home = tmp_path / ("long" * 25)
    done = subprocess.run(
        [sys.executable, "-m", "shammah_mlx", "serve", "--home", str(home)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "use a shorter --home" in done.stderr
    assert "Traceback" not in done.stderr
    assert ask("--home", str(home), "what is a monad?").returncode == 0


def test_rollback_and_forget_have_the_home_to_themselves_and_give_it_back(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        for text in LEARNT:
            ask("--claude", text)
        served.wait_until_learnt()
        forgotten = run("forget", "--yes", "egg")
        assert forgotten.exit_code == 0, forgotten.output
        assert "Interactions erased: 3" in forgotten.stdout
        assert ask("--claude", "what is a monad?").returncode == 0
        served.wait_until_learnt()
        failed = run("rollback", "77")
        assert "no checkpoint 77" in failed.stderr
        assert ask("--claude", "what is a functor?").returncode == 0
    with closing(Journal(home / "journal.db")) as journal:
        texts = [interaction.request.query.text for interaction in journal.after(0)]
    assert texts == [*(text for text in LEARNT if "egg" not in text), "what is a monad?", "what is a functor?"]


def test_while_somebody_else_is_alone_in_the_home_commands_are_told_and_clients_passed_on(
    home: Path, claude: Loopback
) -> None:
    with Served(home, {}) as served, served.own() as own:
        with own.stream("POST", "/own/away") as gone:
            lines = gone.iter_lines()  # closes the connection when it is dropped
            assert next(lines) == "away"
            body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "what is a monad?"}]}
            with served.own() as other:
                passed_on = other.post("/v1/messages", json=body)
            assert passed_on.json()["content"][0]["text"] == "You asked: what is a monad?"
            with closing(Journal(home / "journal.db")) as journal:
                assert journal.count_after(0) == 0
            assert ask("what is a functor?").returncode == 0  # by itself: it waits for whoever is alone
            assert (home / "learning.log").exists()
        assert ask("what is a monad?").returncode == 0


def test_new_settings_hold_from_the_next_quiet_moment(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        ask("what is a monad?")
        served.wait_until_learnt()
        (home / "config.toml").write_text(
            (home / "config.toml").read_text() + '[teacher]\nmodel = "claude-haiku-4-5"\n'
        )
        time.sleep(1.5)
        assert "claude (claude-haiku-4-5)" in ask("--claude", "what is a functor?").stderr
        (home / "config.toml").write_text("nonsense = 1\n")
        time.sleep(1.5)
        told = ask("--claude", "what is an arrow?")
        assert told.returncode == 1
        assert "there is no setting nonsense" in told.stderr
        assert "Traceback" not in served.log


def test_a_service_without_a_key_leaves_the_question_to_who_has_one(home: Path, claude: Loopback) -> None:
    with Served(home, {"ANTHROPIC_API_KEY": ""}) as served:
        assert not served.health()["key"]
        assert ask("what is a monad?").stdout == "You asked: what is a monad?\n"


def test_a_home_that_is_deleted_ends_it_and_what_comes_next_is_left_alone(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        ask("what is a monad?")
        served.wait_until_learnt()
        shutil.rmtree(home)
        with Served(home, {}) as again:
            assert served.process.wait(30) == 1
            assert "was deleted or replaced" in served.log
            assert again.health()["pending"] == 0
            assert ask("what is a functor?").returncode == 0


def test_an_outage_is_told_as_it_is_without_a_service(home: Path, claude: Loopback) -> None:
    claude.default_to(fail(401))
    with Served(home, {}):
        told = ask("what is a monad?")
    assert told.returncode == 4
    assert "Anthropic refused the API key" in told.stderr
    assert "--local answers from this machine" in told.stderr


def test_who_breaks_off_leaves_nothing_that_waits(home: Path, claude: Loopback) -> None:
    claude.default_to(stall("It is "))
    with Served(home, {}) as served:
        command = [sys.executable, "-m", "shammah_mlx", "ask", "what is a monad?"]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background ignores it
        ) as asking:
            assert asking.stdout is not None
            assert asking.stdout.read(4) == b"It i"
            asking.send_signal(signal.SIGINT)
            assert asking.wait(30) == 130
        until = time.monotonic() + 10  # Claude would be waited for a minute, three times
        with served.own() as own:
            while "shammah_requests 0.0" not in own.get("/metrics").text:
                assert time.monotonic() < until, "it still waits"
                time.sleep(0.05)
        with closing(Journal(home / "journal.db")) as journal:
            assert journal.count_after(0) == 0
        claude.default_to(reply("Fine."))
        assert ask("what is a functor?").returncode == 0
        assert served.process.poll() is None


def test_models_are_given_up_when_nobody_asks_and_come_back(home: Path, claude: Loopback) -> None:
    (home / "config.toml").write_text((home / "config.toml").read_text() + "[service]\nunload_after_s = 0.5\n")
    with Served(home, {}) as served:
        ask("what is a monad?")
        until = time.monotonic() + 30
        while served.health()["models"] != "unloaded":
            assert time.monotonic() < until
            time.sleep(0.1)
        assert ask("what is a functor?").returncode == 0
        assert "models unloaded" in served.log


def test_nobody_there_is_no_service(home: Path) -> None:
    from shammah_mlx.server.client import is_served, told

    assert not is_served(home)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(home / SOCKET))
    assert not is_served(home)
    assert told(home, "/health") is None
    assert (home / SOCKET).exists()


def test_a_command_that_is_led_to_the_service_by_the_base_url_learns_nothing_of_our_own(
    home: Path, claude: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Served(home, {}, "--tcp", "0") as served:
        for text in LEARNT:
            ask("--claude", text)
        served.wait_until_learnt()
        monkeypatch.setenv("ANTHROPIC_BASE_URL", served.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", served.token)
        told = ask("--timeout", "30", "--claude", LEARNT[0])
        assert told.returncode == 4
        assert "points to shammah's own service" in told.stderr
    with closing(Journal(home / "journal.db")) as journal:
        assert journal.count_after(0) == len(LEARNT)


def test_a_home_that_is_left_takes_no_memory(home: Path, weights: Weights) -> None:
    async def leave() -> None:
        service = Service(home, {}, lambda _: None)
        await service.start()
        try:
            models = weakref.ref(service._assistant.roles)  # type: ignore[union-attr]  # it is open
            async with service.away():
                assert models() is None
        finally:
            await service.stop()

    asyncio.run(leave())


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_token_is_replaced_and_never_one_that_lets_anybody_in(home: Path, content: bytes) -> None:
    (home / "token").write_bytes(content)
    (home / "token").chmod(0o600)
    assert len(token_of(home)) > 30
    assert token_of(home) == token_of(home)
    (home / "token").chmod(0o644)
    with pytest.raises(BadStateError, match="others can read"):
        token_of(home)
    with pytest.raises(ValueError, match="empty"):
        Guard(lambda *_: None, "")  # type: ignore[arg-type]


def test_a_service_that_ends_its_answer_without_one_is_no_success(home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as own:
        own.bind(str(home / SOCKET))
        own.listen()
        with subprocess.Popen(
            [sys.executable, "-m", "shammah_mlx", "ask", "what is a monad?"], stderr=subprocess.PIPE, text=True
        ) as asking:
            own.accept()[0].close()  # it looks whether somebody is there
            line, _ = own.accept()
            with line:
                line.recv(65536)
                line.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                _, told = asking.communicate(timeout=30)
    assert asking.returncode == 1
    assert "the service ended before it answered" in told
