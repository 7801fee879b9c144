"""Run the command line: `shammah`, or `python -m shammah_mlx`."""

import os
import signal
import sys
from contextlib import suppress

from shammah_mlx import INTERRUPTED


def run() -> None:
    """Run the command line, and exit without shutting the interpreter down.

    With MLX and the SDK loaded, the shutdown takes half a second, for which the user waits. It is not needed: the home
    is closed, and everything is on the disk.
    """
    _open_closed_streams()
    try:
        from shammah_mlx.cli.interrupts import whole_imports  # within the `try`: Ctrl-C may come while it is imported

        with whole_imports():
            from shammah_mlx.cli.main import main

        main()
    except SystemExit as exit_:
        _end(exit_.code if isinstance(exit_.code, int) else 0)
    except KeyboardInterrupt:  # before there was a command, or twice
        with suppress(OSError, ValueError):
            sys.stderr.write("Interrupted.\n")
        _end(INTERRUPTED)


def _open_closed_streams() -> None:
    """Open each standard stream that was closed (`>&-`) on nothing.

    Otherwise the next file that is opened, such as the journal, would get its number, and what a library prints.
    """
    for number, mode in ((0, "r"), (1, "w"), (2, "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            name = ("stdin", "stdout", "stderr")[number]
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", errors="backslashreplace"))


def _end(code: int) -> None:
    with suppress(OSError, ValueError, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C changes nothing any more
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # the reader closed the pipe
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
