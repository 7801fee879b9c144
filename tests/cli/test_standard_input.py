"""Standard input: what has an end is read to it, and what nobody writes is not waited for."""

import subprocess
import sys
from pathlib import Path
from typing import Any

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


READ = f"""{sys.executable} -c '
import click
from shammah_mlx.cli import standard_input
print(standard_input.read(100, lambda text: click.echo(text, err=True), is_asked_for=False))
'"""


def run(command: str, folder: Path) -> str:
    """Run a shell command; return what it printed."""
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, stdout=subprocess.PIPE, text=True, check=True, timeout=300, process_group=0
    ).stdout


@pytest.mark.parametrize(
    ("command", "content"),
    [
        (f"echo hello > file; {READ} < file", b"hello\n"),
        (f"echo hello | {READ}", b"hello\n"),
        (f"{READ} < /dev/null", b""),
        (f"{READ} <&-", b""),
        (f"{READ} 0> file", b""),  # open for writing only
    ],
)
def test_what_has_an_end_is_read_to_it(command: str, content: bytes, tmp_path: Path) -> None:
    assert run(command, tmp_path) == f"{content!r}\n"


def test_a_slow_pipeline_is_waited_for(tmp_path: Path) -> None:
    until_it_waits = "until grep -q Waiting told; do sleep 0.1; done"
    assert run(f"touch told; ({until_it_waits}; echo late) | {READ} 2> told", tmp_path) == "b'late\\n'\n"


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    command = ["sh", "-c", f"{READ} 2> told"]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, process_group=0, **pipes) as process:  # a job without a pipeline
        assert process.stdout
        assert process.stdout.read() == b"b''\n"  # although nobody closes its input
    assert "nobody writes to it" in (tmp_path / "told").read_text()
