"""`shammah doctor`: every check passes on a healthy home and fails on a damaged one."""

import os
import shutil
import signal
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.home.journal import Journal
from tests.command import run
from tests.conftest import WEIGHTS
from tests.served import BOLD, Served

pytestmark = [
    pytest.mark.service,
    pytest.mark.settings(BOLD),
    pytest.mark.slow,
    pytest.mark.taught("what is a monad?"),
    pytest.mark.usefixtures("shammah"),
]


def line(output: str, name: str) -> str:
    """Return the line of one check."""
    return next(line for line in output.splitlines() if line[6:].startswith(name))


def test_every_check_passes_on_a_healthy_home(home: Path) -> None:
    result = run("doctor")
    assert result.exit_code == 0, result.stdout
    assert all(line.startswith("ok ") for line in result.stdout.splitlines())
    assert "in the environment (ANTHROPIC_API_KEY)" in line(result.stdout, "key")
    assert "journal and models are intact" in line(result.stdout, "home")
    assert "not installed" in line(result.stdout, "service")
    assert "sk-test-secret" not in result.output


def test_a_running_service_passes_with_its_state(home: Path) -> None:
    with Served(home, {}):
        result = run("doctor")
    assert "running; models loaded; to learn: 0" in line(result.stdout, "service")


def test_the_decoder_is_as_fast_in_the_service_as_in_this_process(home: Path, tiny_folder: Path) -> None:
    settings = f'generator = "recall+decoder"\n[lora]\nmodel = "{tiny_folder}"\nrank = 4\n'
    (home / "config.toml").write_text(settings)
    with Served(home, {}):
        result = run("doctor")
    assert "tokens/s in this process" in line(result.stdout, "decoder")
    assert "in the service" in line(result.stdout, "decoder")


def test_a_decoder_that_may_be_too_big_for_this_machine_is_not_loaded(home: Path, tmp_path: Path) -> None:
    settings = f'generator = "recall+decoder"\n[lora]\nmodel = "{tmp_path / "too-big"}"\nrank = 0\n'
    (home / "config.toml").write_text(settings)
    assert "only a running service measures it" in line(run("doctor").stdout, "decoder")


def test_a_missing_key_fails_with_the_command_to_set_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    result = run("doctor")
    assert result.exit_code == 1
    assert line(result.stdout, "key").startswith("FAIL")
    assert "shammah key set" in result.stdout


def test_changed_weights_fail_though_their_size_and_time_are_the_same(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "weights"
    shutil.copytree(WEIGHTS, copy)
    monkeypatch.setenv("SHAMMAH_WEIGHTS", str(copy))
    path = copy / "minilm" / "tokenizer.json"
    stat = path.stat()
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    result = run("doctor")
    assert line(result.stdout, "weights").startswith("FAIL")
    assert "shammah setup" in result.stdout


def test_a_damaged_model_file_fails(home: Path) -> None:
    (home / "models" / "router.safetensors").write_bytes(b"nonsense")
    result = run("doctor")
    assert result.exit_code == 1
    assert line(result.stdout, "home").startswith("FAIL")
    assert "shammah rebuild" in result.stdout


def test_a_socket_left_by_a_killed_service_fails(home: Path) -> None:
    with Served(home, {}) as served:
        served.end(signal.SIGKILL)
    result = run("doctor")
    assert line(result.stdout, "service").startswith("FAIL")


def test_unreadable_settings_do_not_stop_the_other_checks(home: Path) -> None:
    (home / "config.toml").write_text("seed = [broken")
    result = run("doctor")
    assert result.exit_code == 1
    assert line(result.stdout, "settings").startswith("FAIL")
    assert line(result.stdout, "weights").startswith("ok")


def test_a_clock_in_the_system_prompt_fails_with_its_place_and_without_the_text(home: Path) -> None:
    assert line(run("doctor").stdout, "contexts").startswith("ok")
    with closing(Journal(home / "journal.db")) as journal:
        known = next(journal.latest(1))
        for minute in range(30):
            query = msgspec.structs.replace(known.request.query, system=f"I am Zoltan.\nIt is 09:{minute:02} now.")
            request = msgspec.structs.replace(known.request, query=query)
            journal.write(msgspec.structs.replace(known, request=request))
    result = run("doctor")
    assert result.exit_code == 1
    told = line(result.stdout, "contexts")
    assert told.startswith("FAIL")
    assert "31 of the last 31 questions" in told
    assert "the system prompt (a time at line 2, character 7)" in told
    assert "Zoltan" not in result.output
