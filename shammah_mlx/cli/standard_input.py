"""Read what is piped in, without waiting for input that nobody writes.

Programs such as cron, ssh, editors and servers start others with a standard input that is open and never written.
Reading it to its end, as a pipe asks for, would hang. So if nothing comes for a while, look who could write: in a
pipeline the writer is a sibling of this process, or of a shell script that it is run by.
"""

import errno
import os
import select
import stat
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

from shammah_mlx.display.console import say

STDIN = "-"  # names it, as a word or a file
FIRST_S = 3.0  # until the first byte or the end; a program that has input for us writes it at once
PS = ("ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "pgid=", "-o", "stat=", "-o", "comm=")  # as POSIX has it
PS_S = 5.0
SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "fish", "csh", "tcsh"}
TYPING = "Type the question; Ctrl-D ends it."
WAITING = "Waiting for standard input … (`< /dev/null` asks without it)"
UNWRITTEN = "Standard input is open, but nobody writes to it: asking without it. `< /dev/null` saves the wait."


class Process(NamedTuple):
    """A process of this machine."""

    pid: int
    parent: int
    group: int
    is_alive: bool
    name: str


def is_asked_for(words: Sequence[str], files: Sequence[str]) -> bool:
    """Say whether a question names standard input: in its last word, or as a file. At a terminal it is typed then."""
    return STDIN in (*words[-1:], *files)


def may_have_input() -> bool:
    """Say whether something may be piped in: standard input is a file, a pipe or a socket, not a device."""
    descriptor = _descriptor()
    if descriptor is None:
        return sys.stdin is not None and not sys.stdin.closed
    try:
        return not stat.S_ISCHR(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def read(limit: int, note: Callable[[str], None], *, is_asked_for: bool) -> bytes:
    """Return what is piped in, at most `limit` bytes; nothing if that is a terminal, closed, or never written to.

    If it `is_asked_for` by name, wait for it whatever it is. `note` prints what the user may want to know.
    """
    if sys.stdin is None or sys.stdin.closed:
        return b""
    descriptor = _descriptor()
    if is_asked_for:
        if sys.stdin.isatty():
            say(TYPING)
    elif sys.stdin.isatty() or (descriptor is not None and not _has_writer(descriptor, note)):
        return b""
    try:
        return sys.stdin.buffer.read(limit)
    except OSError as error:
        if error.errno == errno.EBADF:  # open for writing only
            return b""
        raise


def _descriptor() -> int | None:
    """Return the descriptor of standard input; None if it is closed, or is not a file of the system."""
    try:
        return None if sys.stdin is None else sys.stdin.fileno()
    except (OSError, ValueError):
        return None


def _has_writer(descriptor: int, note: Callable[[str], None]) -> bool:
    """Wait for the first byte or the end; return False if nothing comes and nobody could write it."""
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)) or select.select([descriptor], [], [], FIRST_S)[0]:
        return True
    processes = _processes()
    is_fed = processes is None or is_in_pipeline(processes, os.getpid())
    note(WAITING if is_fed else UNWRITTEN)
    return is_fed


def is_in_pipeline(processes: Iterable[Process], own: int) -> bool:
    """Say whether another process of our job may write to us: a sibling, or one of a shell that we are run by."""
    known = {process.pid: process for process in processes}
    us = known.get(own)
    group, here = us and us.group, us
    while here is not None and here.group == group:
        if any(_is_sibling(process, here, known, own) for process in known.values()):
            return True
        above = known.get(here.parent)
        here = above if above and PurePath(above.name).name.lstrip("-") in SHELLS else None
    return False


def _is_sibling(process: Process, of: Process, known: Mapping[int, Process], own: int) -> bool:
    is_other = process.pid not in (of.pid, own) and process.is_alive
    return is_other and process.parent == of.parent and process.group == of.group and of.parent in known


def _processes() -> list[Process] | None:
    """Return all processes; None if the system does not tell."""
    import subprocess  # hardly ever needed, and --help is to be instant

    try:
        told = subprocess.run(PS, stdin=subprocess.DEVNULL, capture_output=True, timeout=PS_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return [read_process(line) for line in told.decode("utf-8", "replace").splitlines() if len(line.split()) > 4]


def read_process(line: str) -> Process:
    """Return the process that a line of `ps` describes."""
    pid, parent, group, state, name = line.split(None, 4)
    return Process(int(pid), int(parent), int(group), not state.startswith("Z"), name.strip())
