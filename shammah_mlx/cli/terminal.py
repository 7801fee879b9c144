"""Tell one terminal from another, so that `-c` continues what was said in this one, and a person from a program."""

import os
import subprocess
import sys
from pathlib import Path

from shammah_mlx.events import hash_63

PS_WITHIN_S = 2.0  # `ps` takes some milliseconds


def this_terminal() -> int:
    """Return a hash of the session that this process belongs to, as POSIX means the word.

    A terminal's shell leads a session of its own, and so does each tab, pane of tmux, and login; what is started there
    belongs to it, in a pipe too. A script without a terminal belongs to the session of what started it. A pid may be
    used again, so the time at which the leader was started is part of the hash.
    """
    leader = os.getsid(0)
    return hash_63(f"{leader} {_started(leader)}".encode())


def is_in_person() -> bool:
    """Say whether a person asks and reads: both standard input and standard output are terminals."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def _started(pid: int) -> str:
    """Return when a process was started, in the system's own form; nothing if that is not told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        since_boot = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]  # proc(5): starttime
        return f"{boot} {since_boot}"
    except (OSError, IndexError):  # no Linux, or the process has ended
        return _started_by_ps(pid)


def _started_by_ps(pid: int) -> str:
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PS_WITHIN_S, env={**os.environ, "LC_ALL": "C"}, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
