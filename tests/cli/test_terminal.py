"""A terminal is known by the session of its shell."""

import os
import subprocess
import sys

from shammah_mlx.cli.terminal import _started_by_ps, is_in_person, this_terminal
from tests.terminal import Terminal

TELL = "from shammah_mlx.cli.terminal import this_terminal; print(this_terminal())"


def told(*, in_new_session: bool) -> int:
    """Return what a process of its own says, in this session or as the first one of another."""
    done = subprocess.run(
        [sys.executable, "-c", TELL], capture_output=True, text=True, check=True, start_new_session=in_new_session
    )
    return int(done.stdout)


def test_the_processes_of_a_session_share_a_terminal_and_another_session_is_another_one() -> None:
    assert told(in_new_session=False) == this_terminal() == this_terminal()
    assert told(in_new_session=True) != this_terminal()


def test_the_time_of_start_tells_processes_apart_that_had_the_same_pid() -> None:
    assert _started_by_ps(os.getpid())
    assert _started_by_ps(2**22 + 1) == ""  # above the highest pid of Linux: there is no such process


def test_somebody_reads_what_a_terminal_shows() -> None:
    assert not is_in_person()
    with Terminal():
        assert is_in_person()
