"""Run the command line: `python -m shammah_mlx`."""

from shammah_mlx.cli import main

if __name__ == "__main__":
    main()
