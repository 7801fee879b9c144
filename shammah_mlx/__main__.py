"""Run the command line: `shammah`, or `python -m shammah_mlx`."""

import os
import sys
from contextlib import suppress

from shammah_mlx.cli.main import main


def run() -> None:
    """Run the command line, and exit without shutting the interpreter down.

    With MLX and the SDK loaded, the shutdown takes half a second, for which the user waits. It is not needed: the home
    is closed, and everything is on the disk.
    """
    try:
        main()
    except SystemExit as exit_:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # the reader closed the pipe
                stream.flush()
        os._exit(exit_.code if isinstance(exit_.code, int) else 0)


if __name__ == "__main__":
    run()
