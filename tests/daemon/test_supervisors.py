"""The service's plist and unit, and the `shammah service` commands against stand-ins for launchd and systemd."""

import os
import plistlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shammah_mlx.daemon.launchd import LABEL, plist
from shammah_mlx.daemon.supervisor import Job
from shammah_mlx.daemon.systemd import unit
from shammah_mlx.server import client
from tests.loopback import Loopback
from tests.served import BOLD, WITHIN_S, Served

ROOT = Path(__file__).parents[2]
JOB = Job(("/a b/python", "-P", 'say "hi"', "100%", "$HOME"), {"SHAMMAH_WEIGHTS": "/w 50%"}, Path("/logs/serve.log"))
ON_A_MAC = (  # modules that look at the platform when imported come first
    "import sys, httpx2, keyring.core, zoneinfo; keyring.get_keyring(); sys.platform = 'darwin'\n"
    "from shammah_mlx.__main__ import run; run()"
)

Run = Callable[..., subprocess.CompletedProcess[str]]


pytestmark = [pytest.mark.service, pytest.mark.settings(BOLD), pytest.mark.slow]


@pytest.fixture
def mac(home: Path, tmp_path: Path, claude: Loopback, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Return a function that runs `shammah` as if on a Mac, with fakes of a slow launchd and of the Keychain."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    launchctl = bin_folder / "launchctl"
    launchctl.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / "tests" / "fake_launchd.py"}" "$@"\n')
    launchctl.chmod(0o755)
    (tmp_path / "launchd").mkdir()
    for name, value in {
        "PATH": f"{bin_folder}:/usr/bin:/bin",
        "FAKE_LAUNCHD": tmp_path / "launchd",
        "FAKE_KEYCHAIN": tmp_path / "keychain",
        "PYTHON_KEYRING_BACKEND": "tests.fake_keychain.Keyring",
        "PYTHONPATH": ROOT,
        "SHAMMAH_HOME": home,
    }.items():
        monkeypatch.setenv(name, str(value))

    def shammah(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", ON_A_MAC, *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)

    yield shammah
    subprocess.run([launchctl, "bootout", "x"], check=True)
    wait_until(lambda: not (tmp_path / "launchd" / "keeper").exists())


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


def pid(status: str) -> int:
    """Return the first process id in the output of `service status`."""
    return int(status.partition("process ")[2].split()[0])


def test_the_plist_describes_the_job() -> None:
    described = plistlib.loads(plistlib.dumps(plist(JOB)))
    assert described["Label"] == LABEL
    assert described["ProgramArguments"] == list(JOB.command)
    assert described["EnvironmentVariables"] == JOB.environment
    assert described["KeepAlive"] == {"SuccessfulExit": False}
    assert described["ProcessType"] == "Interactive"
    assert (described["RunAtLoad"], described["ExitTimeOut"], described["Umask"]) == (True, 60, 0o077)
    assert described["StandardOutPath"] == described["StandardErrorPath"] == "/logs/serve.log"


def test_the_unit_describes_the_job_with_special_characters_escaped() -> None:
    lines = unit(JOB).splitlines()
    assert r'ExecStart="/a b/python" "-P" "say \"hi\"" "100%%" "$$HOME"' in lines
    assert 'Environment="SHAMMAH_WEIGHTS=/w 50%%"' in lines
    assert "Restart=on-failure" in lines
    assert "TimeoutStopSec=60" in lines
    assert "UMask=0077" in lines


def test_launchd_runs_the_service_from_install_to_uninstall(mac: Run, home: Path, tmp_path: Path) -> None:
    place = tmp_path / "Library" / "LaunchAgents" / f"{LABEL}.plist"
    installed = mac("service", "install")
    assert installed.returncode == 0, installed.stderr
    assert str(place) in installed.stdout
    assert "It has no API key for Claude. Run `shammah key set`" in installed.stdout
    assert b"sk-test-secret" not in place.read_bytes()

    result = mac("service", "status")
    assert result.returncode == 0
    assert "ok; models loaded; to learn: 0; no API key for Claude" in result.stdout  # not the environment's
    first = pid(result.stdout)

    os.kill(first, signal.SIGKILL)  # a crash
    wait_until(lambda: mac("service", "status").returncode == 0)
    second = pid(mac("service", "status").stdout)
    assert second != first

    assert mac("service", "stop").returncode == 0
    stopped = mac("service", "status")
    assert stopped.returncode == 1
    assert "running    no (last exit code 0)" in stopped.stdout

    assert mac("service", "start").returncode == 0
    third = pid(mac("service", "status").stdout)
    assert mac("service", "restart").returncode == 0
    wait_until(lambda: mac("service", "status").returncode == 0)
    assert pid(mac("service", "status").stdout) != third

    assert b"--client-credentials" not in place.read_bytes()
    again = mac("service", "install", "--client-credentials")  # unloads the installed service first, which takes time
    assert again.returncode == 0, again.stderr
    assert b"--client-credentials" in place.read_bytes()
    assert "serving" in mac("service", "logs").stdout

    removed = mac("service", "uninstall")
    assert (removed.returncode, removed.stdout) == (0, "The service is stopped and removed.\n")
    assert not place.exists()
    assert not client.is_served(home)
    assert mac("service", "uninstall").stdout == "The service was not installed.\n"
    assert "shammah service install" in mac("service", "start").stderr


def test_install_without_a_desktop_session_is_refused(mac: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NO_DESKTOP", "1")
    result = mac("service", "install")
    assert result.returncode == 1
    assert "not over SSH" in result.stderr
    monkeypatch.delenv("FAKE_NO_DESKTOP")


def test_a_base_url_that_is_the_services_own_is_refused(mac: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://localhost:8317/")
    result = mac("service", "install", "--tcp", "8317")
    assert result.returncode == 1
    assert "the service would ask itself" in result.stderr


def test_install_is_refused_while_another_process_serves_the_home(mac: Run, home: Path) -> None:
    with Served(home, {}):
        result = mac("service", "install")
    assert result.returncode == 1
    assert "another process already serves this home" in result.stderr


@pytest.mark.parametrize("url", ["http://me:secret@127.0.0.1:1", "http://127.0.0.1:1/?token=secret"])
def test_install_refuses_a_base_url_with_a_secret(mac: Run, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    result = mac("service", "install")
    assert result.returncode == 1
    assert "secret" not in result.stderr


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SHAMMAH_HOME"])
def test_install_refuses_a_line_break_which_would_begin_another_setting(
    mac: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, f"{tmp_path}/x\nExecStartPre=touch {tmp_path}/ran")
    result = mac("service", "install")
    assert result.returncode == 1
    assert "has a control character" in result.stderr
    assert not (tmp_path / "Library").exists()


def test_the_service_gets_the_cache_of_the_shell(mac: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert mac("service", "install").returncode == 0
    place = tmp_path / "Library" / "LaunchAgents" / f"{LABEL}.plist"
    assert plistlib.loads(place.read_bytes())["EnvironmentVariables"]["XDG_CACHE_HOME"] == str(tmp_path / "cache")


def test_the_keychain_stores_the_key_on_a_mac(
    mac: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    assert mac("key", "status").returncode == 1
    stored = mac("key", "set", stdin="sk-stored\n")
    assert (stored.returncode, stored.stdout) == (0, "The key is stored in the Keychain. It works.\n"), stored.stderr
    assert not (home / "key").exists()
    assert mac("key", "status").stdout == "The key is in the Keychain.\n"
    (tmp_path / "locked").touch()
    locked = mac("key", "status")
    assert (locked.returncode, "unlock it" in locked.stderr) == (1, True)
    assert "sk-stored" not in locked.stderr
    (tmp_path / "locked").unlink()
    assert mac("key", "unset").stdout == "The key is deleted from the Keychain.\n"
    assert mac("key", "unset").stdout == "No key is stored.\n"


def test_systemd_gets_the_expected_commands_in_order(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    systemctl, calls = bin_folder / "systemctl", tmp_path / "calls"
    start = f'"{sys.executable}" -m shammah_mlx serve --home "{home}" & echo $! > "{home}/pid"'
    systemctl.write_text(
        f'#!/bin/sh\necho "$@" >> "{calls}"\n'
        f'case "$*" in *"restart shammah.service") ({start}) > /dev/null 2>&1;;\n'
        f"*show*) echo ActiveState=active; echo MainPID=$(cat '{home}/pid'); echo ExecMainStatus=0;;\n"
        f'*start*|*daemon-reload*|*enable*|*disable*) ;; *) echo "Failed to stop: no bus" >&2; exit 1;; esac\n'
    )
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")
    monkeypatch.setenv("SHAMMAH_HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def shammah(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "shammah_mlx", "service", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    try:
        installed = shammah("install")
        assert installed.returncode == 0, installed.stderr
        assert f"process {(home / 'pid').read_text().strip()}" in shammah("status").stdout
        failed = shammah("stop")
        assert failed.returncode == 1
        assert "no bus" in failed.stderr
        assert shammah("uninstall").stdout == "The service is stopped and removed.\n"
    finally:
        if (health := client.get_json(home, "/health")) is not None:
            os.kill(health["process"], signal.SIGKILL)
    assert not (tmp_path / "config" / "systemd" / "user" / "shammah.service").exists()
    verbs = [line.split()[1] for line in calls.read_text().splitlines()]
    assert [verb for verb in verbs if verb != "show"] == [
        *("daemon-reload", "daemon-reload", "enable", "restart", "stop", "disable", "daemon-reload")
    ]


def test_without_systemctl_install_fails_with_a_clear_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    command = [sys.executable, "-m", "shammah_mlx", "service", "install"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "systemctl cannot be run" in result.stderr
    assert "shammah serve" in result.stderr


def test_without_a_running_systemd_install_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text("#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2; exit 1\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name, message in (("install", "systemd does not run for this login"), ("uninstall", "")):
        result = subprocess.run(
            [sys.executable, "-m", "shammah_mlx", "service", name], capture_output=True, text=True, check=False
        )
        assert message in result.stderr
    assert not (tmp_path / ".config" / "systemd" / "user" / "shammah.service").exists()
