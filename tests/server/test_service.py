"""The service as its user sees it: `shammah ask` through it, its end, and other commands in its home."""

import asyncio
import base64
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import weakref
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from shammah_mlx.cli.main import main
from shammah_mlx.errors import BadStateError
from shammah_mlx.home.journal import Journal
from shammah_mlx.models.weights import Weights
from shammah_mlx.server import client
from shammah_mlx.server.auth import token_of
from shammah_mlx.server.credentials import ClientCredentials
from shammah_mlx.server.protocol import SOCKET
from shammah_mlx.server.service import Service
from tests.command import run
from tests.loopback import Loopback, fail, reply, stall
from tests.served import BOLD, WITHIN_S, Served
from tests.terminal import Terminal

TAUGHT = [f"how do I {verb} a {thing}" for verb in ("boil", "paint", "sell") for thing in ("egg", "car")]


pytestmark = [pytest.mark.service, pytest.mark.settings(BOLD), pytest.mark.slow]


def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "shammah_mlx", "ask", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def was_asked_through_service(home: Path, text: str) -> bool:
    """Say whether a question was journalled and no process was started to learn it."""
    with closing(Journal(home / "journal.db")) as journal:
        texts = [interaction.request.query.text for interaction in journal.after(0)]
    return text in texts and not (home / "learning.log").exists()


def test_ask_uses_the_running_service_which_learns_in_the_background(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        for text in TAUGHT:
            done = ask("--claude", text)
            assert (done.returncode, done.stdout) == (0, f"You asked: {text}\n")
            assert done.stderr == "Claude ($0.0002)\n"
        served.wait_until_learnt()
        known = ask("--json", "what is the way to boil an egg?")
        answer = json.loads(known.stdout)
        assert (answer["source"], answer["answer"]) == ("recall", "You asked: how do I boil a egg")
        assert answer["model"] == "shammah-default"
        assert was_asked_through_service(home, "what is the way to boil an egg?")
        assert len(claude.requests) == len(TAUGHT)


def test_an_image_reaches_claude_through_the_service_and_is_not_stored(
    home: Path, claude: Loopback, tmp_path: Path
) -> None:
    image = b"\x89PNG\r\n\x1a\n" + bytes(100_000)
    (tmp_path / "photo.png").write_bytes(image)
    with Served(home, {}) as served:
        done = ask("--json", "-f", str(tmp_path / "photo.png"), "what is this?")
        served.wait_until_learnt()
        assert json.loads(done.stdout)["answer"] == "You asked: what is this?"
        assert was_asked_through_service(home, "what is this?")
    data = base64.b64encode(image)
    assert claude.requests[-1].body["messages"][0]["content"][0]["source"]["data"] == data.decode()
    assert not any(data in path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_ask_does_not_load_mlx_when_a_service_answers(home: Path, claude: Loopback) -> None:
    code = (
        "import sys; from shammah_mlx.cli.main import main\n"
        "try: main(['ask', 'what is a monad?'])\n"
        "except SystemExit as end: print(end.code, bool({'mlx', 'anthropic', 'numpy'} & sys.modules.keys()))"
    )
    with Served(home, {}):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False"


def test_conversations_forced_sources_and_wait_work_through_the_service(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        assert ask("--local", "how do I boil a egg").returncode == 4
        for text in TAUGHT:
            assert ask("--wait", "--claude", text).returncode == 0
            assert served.health()["pending"] == 0
        local = ask("--local", TAUGHT[0])
        assert (local.returncode, local.stdout) == (0, f"You asked: {TAUGHT[0]}\n")
        ask("--claude", "--system", "be brief", "which moons has Mars?")
        after = ask("-c", "and Saturn?")
        assert "Continuing after: which moons has Mars?" in after.stderr
        assert [message["content"] for message in claude.requests[-1].body["messages"]][::2] == [
            "which moons has Mars?",
            "and Saturn?",
        ]
        secret = ask("my password is hunter2hunter2, is that safe?")
        assert "looks like it holds a secret" in secret.stderr
        assert not was_asked_through_service(home, "my password is hunter2hunter2, is that safe?")


def test_feedback_that_waits_does_so_until_the_service_has_learnt_it(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        assert ask("--wait", "--claude", TAUGHT[0]).returncode == 0
        served.process.send_signal(signal.SIGSTOP)  # it learns nothing meanwhile
        command = [sys.executable, "-m", "shammah_mlx", "bad", "--answer", "In a pan.", "--wait"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting:
            try:
                assert waiting.stdout is not None
                assert "Yours takes its place" in waiting.stdout.readline()
                with pytest.raises(subprocess.TimeoutExpired):
                    waiting.wait(1.0)
            finally:
                served.process.send_signal(signal.SIGCONT)
            assert waiting.wait(WITHIN_S) == 0
        pending = client.get_json(home, "/own/pending", WITHIN_S)
        assert pending == {"pending": 0}


def test_a_continuation_skips_the_questions_of_clients(home: Path, claude: Loopback) -> None:
    with Served(home, {}, "--tcp", "0") as served:
        of_client = {"model": "claude-x", "max_tokens": 50, "messages": [{"role": "user", "content": "a client's own"}]}

        def client_asks() -> None:
            with served.own() as own:
                assert own.post("/v1/messages", json=of_client).status_code == 200
            scoped = {"x-api-key": served.token, "shammah-scope": "theirs"}
            assert httpx2.post(f"{served.url}/v1/messages", json=of_client, headers=scoped).status_code == 200

        client_asks()
        refused = ask("-c", "and then?")
        assert refused.returncode == 1
        assert "no conversation to continue" in refused.stderr
        ask("--claude", "which moons has Mars?")
        client_asks()
        for option in ((), ("--max-bad-rate", "0.5")):  # the second in the command's own process
            assert "Continuing after: which moons has Mars?" in ask("-c", "--claude", *option, "and?").stderr
            ask("--claude", "which moons has Mars?")
        sent = [request for request in claude.requests if len(request.body["messages"]) > 1]
        assert len(sent) == 2
        assert not any(b"a client's own" in request.raw for request in sent)
        ask("--local", "which moons has Mars?")
        assert "asked with --local" in ask("-c", "and?").stderr


def test_ask_with_its_own_settings_answers_in_its_own_process(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        assert ask("--max-bad-rate", "0.5", "what is a monad?").returncode == 0
        assert (home / "learning.log").exists()
        until = time.monotonic() + 60
        while "Learnt" not in (home / "learning.log").read_text():  # either process may learn
            assert time.monotonic() < until
            if served.health()["pending"] == 0 and "Another" in (home / "learning.log").read_text():
                break
            time.sleep(0.1)
        assert ask("what is a functor?").returncode == 0
    with closing(Journal(home / "journal.db")) as journal:
        assert journal.count_after(0) == 2


def test_sigterm_saves_what_was_learnt_and_removes_the_socket(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        ask("what is a monad?")
        served.wait_until_learnt()
        assert served.end() == 0
    assert not (home / SOCKET).exists()
    with closing(Journal(home / "journal.db")) as journal:
        assert journal.progress().cursor == 1
    assert "ended; everything is saved" in served.log
    assert "monad" not in served.log


def test_a_killed_service_does_not_block_the_next(home: Path, claude: Loopback) -> None:
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


def test_only_the_owner_can_open_the_socket_and_the_token(home: Path, claude: Loopback) -> None:
    with Served(home, {}, "--tcp", "0"):
        assert (home / SOCKET).stat().st_mode & 0o777 == 0o600
        assert (home / "token").stat().st_mode & 0o777 == 0o600


def test_a_path_too_long_for_a_socket_gives_one_clear_error(tmp_path: Path, claude: Loopback) -> None:
    home = tmp_path / ("long" * 25)
    done = subprocess.run(
        [sys.executable, "-m", "shammah_mlx", "serve", "--home", str(home)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "use a shorter --home" in done.stderr
    assert "Traceback" not in done.stderr
    assert ask("--home", str(home), "what is a monad?").returncode == 0


def test_rollback_and_forget_get_the_home_to_themselves_and_release_it(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        for text in TAUGHT:
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
    assert texts == [*(text for text in TAUGHT if "egg" not in text), "what is a monad?", "what is a functor?"]


def test_while_the_service_is_away_commands_answer_themselves_and_clients_are_passed_on(
    home: Path, claude: Loopback
) -> None:
    with Served(home, {}) as served, served.own() as own:
        with own.stream("POST", "/own/away") as response:
            lines = response.iter_lines()  # closes the connection when it is dropped
            assert next(lines) == "away"
            body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "what is a monad?"}]}
            with served.own() as other:
                passed_on = other.post("/v1/messages", json=body)
            assert passed_on.json()["content"][0]["text"] == "You asked: what is a monad?"
            with closing(Journal(home / "journal.db")) as journal:
                assert journal.count_after(0) == 0
            assert ask("what is a functor?").returncode == 0  # in its own process
            assert (home / "learning.log").exists()
        assert ask("what is a monad?").returncode == 0


def test_new_settings_take_effect_when_the_service_is_idle(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        ask("what is a monad?")
        served.wait_until_learnt()
        (home / "config.toml").write_text(
            (home / "config.toml").read_text() + '[teacher]\nmodel = "claude-haiku-4-5"\n'
        )
        time.sleep(1.5)
        assert ask("--claude", "what is a functor?").stderr == "Claude ($0.0001)\n"
        assert claude.requests[-1].body["model"] == "claude-haiku-4-5"
        (home / "config.toml").write_text("nonsense = 1\n")
        time.sleep(1.5)
        done = ask("--claude", "what is an arrow?")
        assert done.returncode == 1
        assert "there is no setting nonsense" in done.stderr
        assert "Traceback" not in served.log


def test_ask_calls_claude_itself_if_the_service_has_no_key(home: Path, claude: Loopback) -> None:
    with Served(home, {"ANTHROPIC_API_KEY": ""}) as served:
        assert not served.health()["key"]
        assert ask("what is a monad?").stdout == "You asked: what is a monad?\n"


def ask_in_person(text: str) -> str:
    """Ask at a terminal, in this process; return what was shown."""
    with Terminal(columns=200) as terminal:
        main(["ask", "--wait", text], standalone_mode=False)
    return terminal.shown


def teach() -> None:
    for text in TAUGHT:
        assert run("ask", "--claude", text).exit_code == 0


@pytest.mark.parametrize("has_key", [True, False])
def test_a_service_without_a_key_leaves_it_to_the_command_what_becomes_of_what_is_asked_again(
    home: Path, claude: Loopback, monkeypatch: pytest.MonkeyPatch, has_key: bool
) -> None:
    teach()
    if not has_key:
        monkeypatch.delenv("ANTHROPIC_API_KEY")
    with Served(home, {"ANTHROPIC_API_KEY": ""}):
        assert json.loads(run("ask", "--json", TAUGHT[0]).stdout)["source"] == "repeat"
        before = len(claude.requests)
        shown = ask_in_person(TAUGHT[0])
    assert len(claude.requests) == before + has_key
    assert f"You asked: {TAUGHT[0]}" in shown
    assert ("this is the answer you had before. There is no Anthropic API key." in shown) is not has_key


@pytest.mark.parametrize("where", ["environment", "file", "nowhere"])
def test_a_service_without_a_key_leaves_an_audit_to_a_command_that_has_one(
    home: Path, claude: Loopback, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (home / "config.toml").write_text(BOLD.replace("audits = []", "audits = [[0, 1.0]]"))
    teach()
    with Served(home, {"ANTHROPIC_API_KEY": ""}) as served:
        if where != "environment":
            monkeypatch.delenv("ANTHROPIC_API_KEY")
        if where == "file":
            run("key", "set", stdin="sk-ant-kept")
        done = run("ask", "--json", TAUGHT[0])
        with served.own() as own:
            was_served = 'shammah_answers_total{source="repeat"} 1.0' in own.get("/metrics").text
    answer, has_key = json.loads(done.stdout), where != "nowhere"
    assert (answer["source"], answer["called_claude"], done.exit_code) == ("repeat", has_key, 0 if has_key else 3)
    assert was_served is not has_key  # without one the command would only load the models to say the same


def test_the_service_ends_when_its_home_is_deleted_and_leaves_the_next_service_alone(
    home: Path, claude: Loopback
) -> None:
    with Served(home, {}) as served:
        ask("what is a monad?")
        served.wait_until_learnt()
        shutil.rmtree(home)
        with Served(home, {}) as again:
            assert served.process.wait(30) == 1
            assert "was deleted or replaced" in served.log
            assert again.health()["pending"] == 0
            assert ask("what is a functor?").returncode == 0


def test_a_command_that_names_another_host_is_not_answered_by_a_service_that_asks_elsewhere(
    home: Path, claude: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(default=reply("From the other host.")) as other, Served(home, {}):
        monkeypatch.setenv("ANTHROPIC_BASE_URL", other.url)
        assert run("ask", "hello").stdout == "From the other host.\n"
        monkeypatch.delenv("ANTHROPIC_BASE_URL")  # whoever names no host leaves it to the service
        run("ask", "hello again")
    assert [len(claude.requests), len(other.requests)] == [1, 1]


def test_an_outage_is_reported_as_without_a_service(home: Path, claude: Loopback) -> None:
    claude.default_to(fail(401))
    with Served(home, {}):
        done = ask("what is a monad?")
    assert done.returncode == 4
    assert "Anthropic refused the API key" in done.stderr
    assert "--local answers from this machine" in done.stderr


def test_an_interrupted_ask_leaves_no_request_waiting_and_what_came_is_kept(home: Path, claude: Loopback) -> None:
    claude.default_to(stall("It is "))
    with Served(home, {}) as served:
        command = [sys.executable, "-m", "shammah_mlx", "ask", "what is a monad?"]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore SIGINT
        ) as asking:
            assert asking.stdout is not None
            assert asking.stdout.read(4) == b"It i"
            asking.send_signal(signal.SIGINT)
            assert asking.wait(30) == 130
            assert asking.stderr is not None
            assert asking.stderr.read() == b"Interrupted. What came is kept; `shammah ask -c` continues from it.\n"
        until = time.monotonic() + 10  # without the interrupt it would wait for Claude for a minute, three times
        with served.own() as own:
            while "shammah_requests 0.0" not in own.get("/metrics").text:
                assert time.monotonic() < until, "the request still waits"
                time.sleep(0.05)
        with closing(Journal(home / "journal.db")) as journal:
            (cut,) = journal.after(0)
        assert cut.answer == "It is "
        assert cut.reply is not None
        assert (cut.reply.stop_reason, cut.reply.teaches, cut.reply.estimated) == (None, False, True)
        assert cut.cost_usd == pytest.approx((10 * 2 + 2 * 10) / 1e6)  # 10 tokens were read, and about 2 written
        claude.default_to(reply("Fine."))
        assert ask("-c", "go on").returncode == 0
        said = [message["content"] for message in claude.requests[-1].body["messages"]]
        assert said == ["what is a monad?", "It is ", "go on"]
        assert served.process.poll() is None


def test_a_service_without_models_learns_what_is_imported(home: Path, tmp_path: Path) -> None:
    (home / "config.toml").write_text(BOLD + "[service]\nunload_after_s = 0.5\n")
    stream = tmp_path / "stream.jsonl"
    stream.write_text("".join(json.dumps({"query": text, "reply": "Like this."}) + "\n" for text in TAUGHT))
    with closing(Journal(home / "journal.db")) as journal:
        journal.note_pace(1, 3600.0)  # so slow that no command waits for it
        journal.commit(journal.progress())
    with Served(home, {}) as served:
        until = time.monotonic() + WITHIN_S
        while served.health()["models"] != "unloaded":
            assert time.monotonic() < until
            time.sleep(0.05)
        assert "in the background" in run("import", str(stream)).stdout
        with closing(Journal(home / "journal.db")) as journal:
            while journal.progress().cursor < len(TAUGHT):
                assert time.monotonic() < until
                time.sleep(0.05)
    assert not (home / "learning.log").exists()


def test_unused_models_are_unloaded_and_loaded_again(home: Path, claude: Loopback) -> None:
    (home / "config.toml").write_text((home / "config.toml").read_text() + "[service]\nunload_after_s = 0.5\n")
    with Served(home, {}) as served:
        ask("what is a monad?")
        until = time.monotonic() + 30
        while served.health()["models"] != "unloaded":
            assert time.monotonic() < until
            time.sleep(0.1)
        assert ask("what is a functor?").returncode == 0
        assert "models unloaded" in served.log


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85"])
def test_an_answer_with_a_sign_that_breaks_lines_elsewhere_arrives_whole(
    home: Path, claude: Loopback, sign: str
) -> None:
    claude.default_to(reply(f"It is{sign}a star."))
    with Served(home, {}):
        done = ask("--json", f"what{sign}is a pulsar?")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answer"] == f"It is{sign}a star."


def test_a_service_that_stands_still_is_not_waited_for(home: Path, claude: Loopback) -> None:
    with Served(home, {}) as served:
        served.process.send_signal(signal.SIGSTOP)
        done = ask("what is a monad?")
        assert (done.returncode, done.stdout) == (0, "You asked: what is a monad?\n")
        served.process.send_signal(signal.SIGCONT)


def test_a_service_that_stands_still_half_way_is_an_error_and_the_question_is_not_asked_twice(
    home: Path, claude: Loopback
) -> None:
    claude.default_to(stall("It is "))
    with Served(home, {}) as served:
        command = [sys.executable, "-m", "shammah_mlx", "ask", "what is a monad?"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as asking:
            assert asking.stdout is not None
            assert asking.stdout.read(4) == "It i"
            served.process.send_signal(signal.SIGSTOP)
            _, stderr = asking.communicate(timeout=60)
        assert asking.returncode == 1
        assert "the service stopped answering" in stderr
        served.process.send_signal(signal.SIGCONT)
        assert len(claude.requests) == 1


@pytest.mark.parametrize("whose", ["home", "socket"])
def test_a_socket_of_another_user_is_not_trusted(home: Path, monkeypatch: pytest.MonkeyPatch, whose: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home / SOCKET))
        listener.listen()
        assert client.is_served(home)
        owner, real = os.getuid(), Path.lstat
        theirs = home if whose == "home" else home / SOCKET

        def lstat(path: Path) -> os.stat_result:
            found = list(real(path))
            if path == theirs:
                found[stat.ST_UID] = owner + 1
            return os.stat_result(found)

        monkeypatch.setattr(Path, "lstat", lstat)
        with pytest.raises(BadStateError, match="belongs to another user"):
            client.is_served(home)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_link_to_the_folder_of_another_user_is_not_trusted(tmp_path: Path) -> None:
    theirs, link = tmp_path / "theirs", tmp_path / "link"
    theirs.mkdir()
    os.chown(theirs, os.getuid() + 1, -1)
    link.symlink_to(theirs)
    with pytest.raises(BadStateError, match="belongs to another user"):
        client.is_served(link)


def test_a_socket_without_a_listener_is_no_service(home: Path) -> None:
    from shammah_mlx.server.client import get_json, is_served

    assert not is_served(home)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(home / SOCKET))
    assert not is_served(home)
    assert get_json(home, "/health") is None
    assert (home / SOCKET).exists()


def test_a_base_url_that_points_to_the_service_is_an_outage_and_nothing_is_learnt(
    home: Path, claude: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Served(home, {}, "--tcp", "0") as served:
        for text in TAUGHT:
            ask("--claude", text)
        served.wait_until_learnt()
        monkeypatch.setenv("ANTHROPIC_BASE_URL", served.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", served.token)
        done = ask("--timeout", "30", "--claude", TAUGHT[0])
        assert done.returncode == 4
        assert "points to shammah's own service" in done.stderr
    with closing(Journal(home / "journal.db")) as journal:
        assert journal.count_after(0) == len(TAUGHT)


def test_a_service_that_is_away_frees_its_models(home: Path, weights: Weights) -> None:
    async def go_away() -> None:
        service = Service(home, {}, lambda _: None)
        await service.start()
        try:
            models = weakref.ref(service._assistant.roles)  # type: ignore[union-attr]  # it is open
            async with service.away():
                assert models() is None
        finally:
            await service.stop()

    asyncio.run(go_away())


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_token_is_replaced_and_a_readable_one_refused(home: Path, content: bytes) -> None:
    (home / "token").write_bytes(content)
    (home / "token").chmod(0o600)
    assert len(token_of(home)) > 30
    assert token_of(home) == token_of(home)
    (home / "token").chmod(0o644)
    with pytest.raises(BadStateError, match="others can read"):
        token_of(home)
    with pytest.raises(ValueError, match="empty"):
        ClientCredentials("")


def test_a_service_that_ends_without_an_answer_is_an_error(home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as own:
        own.bind(str(home / SOCKET))
        own.listen()
        with subprocess.Popen(
            [sys.executable, "-m", "shammah_mlx", "ask", "what is a monad?"], stderr=subprocess.PIPE, text=True
        ) as asking:
            own.accept()[0].close()  # the check whether a service listens
            connection, _ = own.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                _, stderr = asking.communicate(timeout=30)
    assert asking.returncode == 1
    assert "the service ended before it answered" in stderr
