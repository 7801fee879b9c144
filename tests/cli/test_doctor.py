"""`shammah doctor`: what it looks at, and that it finds what is wrong there."""

import shutil
from pathlib import Path

import pytest

from tests.command import run
from tests.conftest import WEIGHTS
from tests.served import Served

pytestmark = [
    pytest.mark.service,
    pytest.mark.slow,
    pytest.mark.taught("what is a monad?"),
    pytest.mark.usefixtures("shammah"),
]


def line(told: str, name: str) -> str:
    return next(line for line in told.splitlines() if line[5:].startswith(name))


def test_all_is_well_where_nothing_is_wrong(home: Path) -> None:
    told = run("doctor")
    assert told.exit_code == 0, told.stdout
    assert all(line.startswith("ok ") for line in told.stdout.splitlines())
    assert "in the environment (ANTHROPIC_API_KEY)" in line(told.stdout, "key")
    assert "journal and models whole" in line(told.stdout, "home")
    assert "not installed" in line(told.stdout, "service")
    assert "sk-test-secret" not in told.output


def test_a_service_is_asked_how_it_is(home: Path) -> None:
    with Served(home, {}):
        told = run("doctor")
    assert "answers; models loaded, 0 to learn" in line(told.stdout, "service")


def test_a_service_decodes_as_fast_as_a_process_of_ones_own(home: Path, tiny_folder: Path) -> None:
    settings = f'generator = "recall+decoder"\n[lora]\nmodel = "{tiny_folder}"\nrank = 4\n'
    (home / "config.toml").write_text(settings)
    with Served(home, {}):
        told = run("doctor")
    assert "tokens a second here" in line(told.stdout, "decoder")
    assert "in the service" in line(told.stdout, "decoder")


def test_no_key_is_something_to_mend(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    told = run("doctor")
    assert told.exit_code == 1
    assert line(told.stdout, "key").startswith("BAD")
    assert "shammah key set" in told.stdout


def test_weights_that_changed_are_found_though_size_and_time_are_the_same(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "weights"
    shutil.copytree(WEIGHTS, copy)
    monkeypatch.setenv("SHAMMAH_WEIGHTS", str(copy))
    path = copy / "minilm" / "tokenizer.json"
    import os

    stat = path.stat()
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    told = run("doctor")
    assert line(told.stdout, "weights").startswith("BAD")
    assert "shammah setup" in told.stdout


def test_damage_in_the_home_is_found(home: Path) -> None:
    (home / "models" / "router.safetensors").write_bytes(b"nonsense")
    told = run("doctor")
    assert told.exit_code == 1
    assert line(told.stdout, "home").startswith("BAD")
    assert "shammah rebuild" in told.stdout


def test_a_socket_nobody_listens_on_is_found(home: Path) -> None:
    import signal

    with Served(home, {}) as served:
        served.end(signal.SIGKILL)
    told = run("doctor")
    assert line(told.stdout, "service").startswith("BAD")


def test_settings_that_cannot_be_read_are_one_finding_among_others(home: Path) -> None:
    (home / "config.toml").write_text("seed = [broken")
    told = run("doctor")
    assert told.exit_code == 1
    assert line(told.stdout, "settings").startswith("BAD")
    assert line(told.stdout, "weights").startswith("ok")
