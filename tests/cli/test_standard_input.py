"""Who could write to our standard input, by what `ps` says of the processes."""

import pytest

from shammah_mlx.cli.standard_input import Process, is_in_pipeline, read_process

SHELL = Process(10, 1, 10, True, "-zsh")
GIT = Process(20, 10, 20, True, "git")
US = Process(21, 10, 20, True, "python3")


@pytest.mark.parametrize(
    ("processes", "fed"),
    [
        ([SHELL, GIT, US], True),  # git diff | shammah
        ([SHELL, US], False),  # ssh, cron: nobody beside us
        ([SHELL, GIT._replace(is_alive=False), US], False),
        ([SHELL, GIT._replace(group=10), US], False),  # an older job in the background
        ([SHELL, US, Process(30, 21, 20, True, "ps")], False),  # our own child
        # git diff | wrapper.sh, which runs us
        ([SHELL, GIT, Process(22, 10, 20, True, "/bin/bash"), US._replace(parent=22)], True),
        # node x.js | tee log, which runs us with a pipe that it never writes to
        ([SHELL, Process(22, 10, 20, True, "node"), Process(23, 10, 20, True, "tee"), US._replace(parent=22)], False),
        ([GIT], False),  # we are not listed
    ],
)
def test_a_pipeline_is_told_from_an_inherited_pipe(processes: list[Process], fed: bool) -> None:
    assert is_in_pipeline(processes, US.pid) is fed


@pytest.mark.parametrize(
    ("line", "process"),
    [
        ("   21    10    20 S+   /usr/bin/python3", Process(21, 10, 20, True, "/usr/bin/python3")),
        ("22 10 20 Z git <defunct>", Process(22, 10, 20, False, "git <defunct>")),
    ],
)
def test_a_line_of_ps_is_read(line: str, process: Process) -> None:
    assert read_process(line) == process
