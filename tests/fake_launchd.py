"""A `launchctl` that behaves as the real one does where it matters, and really runs the one service it is given.

`bootstrap` of a known service fails with 5, `bootout` returns before the service is out, `print` of an unknown one
fails with 113, a service that ends badly is started again, and none inherits the environment of who started it.

Run as `fake_launchd.py COMMAND …`, or as `fake_launchd.py keep PLIST`, which is launchd's own side.
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
LINGERS_S = 0.5  # after the service has ended


def keep(plist: Path) -> None:
    """Run the service until it is taken out."""
    told = plistlib.loads(plist.read_bytes())
    is_out = False

    def take_out(*_: object) -> None:
        nonlocal is_out
        is_out = True
        _signal(CHILD, signal.SIGTERM)

    signal.signal(signal.SIGTERM, take_out)
    signal.signal(signal.SIGUSR1, lambda *_: None)  # start again: it ends a pause
    while not is_out:
        code = _run(told)
        LAST.write_text(str(code))
        CHILD.unlink()
        if is_out:
            break
        if code == 0 or told["KeepAlive"] != {"SuccessfulExit": False}:
            signal.pause()
    time.sleep(LINGERS_S)
    KEEPER.unlink()


def _run(told: dict[str, Any]) -> int:
    environment = {"PATH": "/usr/bin:/bin", "HOME": os.environ["HOME"], **told["EnvironmentVariables"]}
    with Path(told["StandardOutPath"]).open("ab") as log:
        child = subprocess.Popen(told["ProgramArguments"], env=environment, stdout=log, stderr=log)
        CHILD.write_text(str(child.pid))
        return child.wait()


def _signal(of: Path, number: signal.Signals) -> None:
    if of.exists():
        os.kill(int(of.read_text()), number)


def main(command: str, *given: str) -> int:
    """Do what `launchctl` does."""
    if os.environ.get("FAKE_NO_DESKTOP"):
        sys.stderr.write("Could not find domain for\n")
        return 125
    match command:
        case "print" if given[0].count("/") == 1:
            return 0
        case "print":
            return _print()
        case "bootstrap":
            if KEEPER.exists():
                sys.stderr.write("Bootstrap failed: 5: Input/output error\n")
                return 5
            keeping = [sys.executable, __file__, "keep", given[1]]
            nul = subprocess.DEVNULL
            keeper = subprocess.Popen(keeping, start_new_session=True, stdin=nul, stdout=nul, stderr=nul)
            KEEPER.write_text(str(keeper.pid))
        case "bootout":
            _signal(KEEPER, signal.SIGTERM)
        case "kill":
            _signal(CHILD, signal.Signals[given[0]])
        case "kickstart":
            if "-k" in given and CHILD.exists():
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
