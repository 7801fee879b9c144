"""Run the command line: `shammah`, or `python -m shammah_mlx`."""

import os
import sys
from contextlib import suppress

from shammah_mlx.cli.main import main


def run() -> None:
    """Run the command line, and leave at once.

    To take an interpreter with MLX and the SDK down in good order takes half a second, and the user waits for it. By
    then the home is closed, and what matters is on the disk.
    """
    try:
        main()
    except SystemExit as leaving:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # nobody reads it any more
                stream.flush()
        os._exit(leaving.code if isinstance(leaving.code, int) else 0)


if __name__ == "__main__":
    run()
