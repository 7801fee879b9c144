"""shammah-mlx: answers on this machine when it can, asks Claude when it cannot, learns from every answer."""

__version__ = "0.2.0"
INTERRUPTED = 130  # exit code, by the convention of shells
