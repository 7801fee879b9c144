"""What the system is told of the service, and the commands that tell it, against stand-ins that really run it."""

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
from tests.served import WITHIN_S, Served

ROOT = Path(__file__).parents[2]
JOB = Job(("/a b/python", "-P", 'say "hi"', "100%", "$HOME"), {"SHAMMAH_WEIGHTS": "/w 50%"}, Path("/logs/serve.log"))
ON_A_MAC = (  # what looks at the platform when it is imported comes first
    "import sys, httpx2, keyring.core; keyring.get_keyring(); sys.platform = 'darwin'\n"
    "from shammah_mlx.__main__ import run; run()"
)

Run = Callable[..., subprocess.CompletedProcess[str]]


pytestmark = [pytest.mark.service, pytest.mark.slow]


@pytest.fixture
def mac(home: Path, tmp_path: Path, claude: Loopback, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Return what runs `shammah` as on a Mac, with a launchd that takes its time, and a Keychain."""
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


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


def pid(told: str) -> int:
    return int(told.partition("process ")[2].split()[0])


def test_a_plist_is_read_back_as_it_was_told() -> None:
    told = plistlib.loads(plistlib.dumps(plist(JOB)))
    assert told["Label"] == LABEL
    assert told["ProgramArguments"] == list(JOB.command)
    assert told["EnvironmentVariables"] == JOB.environment
    assert told["KeepAlive"] == {"SuccessfulExit": False}
    assert told["ProcessType"] == "Interactive"
    assert (told["RunAtLoad"], told["ExitTimeOut"], told["Umask"]) == (True, 60, 0o077)
    assert told["StandardOutPath"] == told["StandardErrorPath"] == "/logs/serve.log"


def test_a_unit_says_the_same_with_what_systemd_would_replace_escaped() -> None:
    told = unit(JOB).splitlines()
    assert r'ExecStart="/a b/python" "-P" "say \"hi\"" "100%%" "$$HOME"' in told
    assert 'Environment="SHAMMAH_WEIGHTS=/w 50%%"' in told
    assert "Restart=on-failure" in told
    assert "TimeoutStopSec=60" in told
    assert "UMask=0077" in told


def test_launchd_runs_the_service_from_its_installation_to_its_end(mac: Run, home: Path, tmp_path: Path) -> None:
    place = tmp_path / "Library" / "LaunchAgents" / f"{LABEL}.plist"
    installed = mac("service", "install")
    assert installed.returncode == 0, installed.stderr
    assert str(place) in installed.stdout
    assert "It has no key for Claude: shammah key set" in installed.stdout
    assert b"sk-test-secret" not in place.read_bytes()

    told = mac("service", "status")
    assert told.returncode == 0
    assert "ok, models loaded, 0 to learn; no key for Claude" in told.stdout  # none was kept for it
    first = pid(told.stdout)

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

    again = mac("service", "install")  # takes out what is there, which takes its time
    assert again.returncode == 0, again.stderr
    assert "serving" in mac("service", "logs").stdout

    taken = mac("service", "uninstall")
    assert (taken.returncode, taken.stdout) == (0, "Taken away.\n")
    assert not place.exists()
    assert not client.is_served(home)
    assert mac("service", "uninstall").stdout == "It was not installed.\n"
    assert "shammah service install" in mac("service", "start").stderr


def test_without_a_desktop_there_is_no_launchd_to_ask(mac: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NO_DESKTOP", "1")
    told = mac("service", "install")
    assert told.returncode == 1
    assert "not over SSH" in told.stderr
    monkeypatch.delenv("FAKE_NO_DESKTOP")


def test_a_base_url_that_is_the_services_own_is_refused(mac: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://localhost:8317/")
    told = mac("service", "install", "--tcp", "8317")
    assert told.returncode == 1
    assert "it would ask itself" in told.stderr


def test_a_home_that_something_else_serves_is_not_installed_over(mac: Run, home: Path) -> None:
    with Served(home, {}):
        told = mac("service", "install")
    assert told.returncode == 1
    assert "another process serves this home" in told.stderr


def test_a_password_in_the_base_url_is_not_written_to_a_file(mac: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://me:secret@127.0.0.1:1")
    told = mac("service", "install")
    assert told.returncode == 1
    assert "secret" not in told.stderr


def test_the_keychain_keeps_the_key_on_a_mac(
    mac: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    assert mac("key", "status").returncode == 1
    kept = mac("key", "set", stdin="sk-kept\n")
    assert (kept.returncode, kept.stdout) == (0, "Kept in the Keychain.\n")
    assert not (home / "key").exists()
    assert mac("key", "status").stdout == "The key is in the Keychain.\n"
    (tmp_path / "locked").touch()
    locked = mac("key", "status")
    assert (locked.returncode, "unlock it" in locked.stderr) == (1, True)
    assert "sk-kept" not in locked.stderr
    (tmp_path / "locked").unlink()
    assert mac("key", "unset").stdout == "Dropped from the Keychain.\n"
    assert mac("key", "unset").stdout == "None is kept.\n"


def test_systemd_is_told_step_by_step(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    systemctl, said = bin_folder / "systemctl", tmp_path / "said"
    start = f'"{sys.executable}" -m shammah_mlx serve --home "{home}" & echo $! > "{home}/pid"'
    systemctl.write_text(
        f'#!/bin/sh\necho "$@" >> "{said}"\n'
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
        assert shammah("uninstall").stdout == "Taken away.\n"
    finally:
        if (health := client.told(home, "/health")) is not None:
            os.kill(health["process"], signal.SIGKILL)
    assert not (tmp_path / "config" / "systemd" / "user" / "shammah.service").exists()
    verbs = [line.split()[1] for line in said.read_text().splitlines()]
    told = [verb for verb in verbs if verb != "show"]
    assert told == [*("daemon-reload", "daemon-reload", "enable", "restart", "stop", "disable", "daemon-reload")]


def test_where_there_is_no_systemd_that_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    command = [sys.executable, "-m", "shammah_mlx", "service", "install"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "systemctl cannot be run" in told.stderr
    assert "shammah serve" in told.stderr


def test_without_a_systemd_that_runs_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text("#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2; exit 1\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name, said in (("install", "no systemd runs for this login"), ("uninstall", "")):
        told = subprocess.run(
            [sys.executable, "-m", "shammah_mlx", "service", name], capture_output=True, text=True, check=False
        )
        assert said in told.stderr
    assert not (tmp_path / ".config" / "systemd" / "user" / "shammah.service").exists()
