"""A stand-in for `launchctl` that really runs one service.

It copies the behaviour that matters: `bootstrap` of a loaded service fails with 5, `bootout` returns before the service
is unloaded, `print` of an unknown service fails with 113, a service that fails is started again, and the service does
not inherit the caller's environment.

Run it as `fake_launchd.py COMMAND …` for `launchctl`, or as `fake_launchd.py keep PLIST` for launchd itself.
"""

import os
import plistlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["FAKE_LAUNCHD"])
KEEPER, CHILD, LAST = FOLDER / "keeper", FOLDER / "child", FOLDER / "last"
UNLOAD_S = 0.5  # between the end of the service and its unloading


def keep(plist: Path) -> None:
    """Run the service, and run it again after a failure, until it is unloaded."""
    job = plistlib.loads(plist.read_bytes())
    is_unloaded = False

    def unload(*_: object) -> None:
        nonlocal is_unloaded
        is_unloaded = True
        _signal(CHILD, signal.SIGTERM)

    signal.signal(signal.SIGTERM, unload)
    signal.signal(signal.SIGUSR1, lambda *_: None)  # ends the pause below: start again
    while not is_unloaded:
        code = _run(job)
        LAST.write_text(str(code))
        CHILD.unlink()
        if is_unloaded:
            break
        if code == 0 or job["KeepAlive"] != {"SuccessfulExit": False}:
            signal.pause()
    time.sleep(UNLOAD_S)
    KEEPER.unlink()


def _run(job: dict[str, Any]) -> int:
    """Run the service once and return its exit code."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": os.environ["HOME"], **job["EnvironmentVariables"]}
    with Path(job["StandardOutPath"]).open("ab") as log:
        child = subprocess.Popen(job["ProgramArguments"], env=environment, stdout=log, stderr=log)
        CHILD.write_text(str(child.pid))
        return child.wait()


def _signal(pid_file: Path, number: signal.Signals) -> None:
    """Send a signal to the process of this file, if there is one."""
    if pid_file.exists():
        os.kill(int(pid_file.read_text()), number)


def main(command: str, *arguments: str) -> int:
    """Run one `launchctl` command and return its exit code."""
    if os.environ.get("FAKE_NO_DESKTOP"):
        sys.stderr.write("Could not find domain for\n")
        return 125
    match command:
        case "print" if arguments[0].count("/") == 1:
            return 0
        case "print":
            return _print()
        case "bootstrap":
            if KEEPER.exists():
                sys.stderr.write("Bootstrap failed: 5: Input/output error\n")
                return 5
            keep_command = [sys.executable, __file__, "keep", arguments[1]]
            nul = subprocess.DEVNULL
            keeper = subprocess.Popen(keep_command, start_new_session=True, stdin=nul, stdout=nul, stderr=nul)
            KEEPER.write_text(str(keeper.pid))
        case "bootout":
            _signal(KEEPER, signal.SIGTERM)
        case "kill":
            _signal(CHILD, signal.Signals[arguments[0]])
        case "kickstart":
            if "-k" in arguments and CHILD.exists():
                _signal(CHILD, signal.SIGKILL)
            elif not CHILD.exists():
                _signal(KEEPER, signal.SIGUSR1)
        case _:
            return 64
    return 0


def _print() -> int:
    if not KEEPER.exists():
        sys.stderr.write("Could not find service\n")
        return 113
    if CHILD.exists():
        sys.stdout.write(f"\tstate = running\n\tpid = {CHILD.read_text()}\n")
    else:
        sys.stdout.write("\tstate = not running\n")
    if LAST.exists():
        sys.stdout.write(f"\tlast exit code = {LAST.read_text()}\n")
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "keep":
        keep(Path(sys.argv[2]))
    else:
        sys.exit(main(*sys.argv[1:]))
