"""A terminal for the program in this process: all three standard streams lead to it."""

import fcntl
import os
import re
import struct
import sys
import termios
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import pytest

CODES = re.compile(r"\x1b\[[\d;]*m")


class Terminal:
    """A context manager. `shown` is all that was written to it; `lines` is what a user sees in the end."""

    def __init__(self, columns: int = 80) -> None:
        self._columns = columns
        self._patch = pytest.MonkeyPatch()
        self._waiting: dict[str, Callable[[], object]] = {}
        self.shown = ""

    def when(self, text: str, act: Callable[[], object]) -> None:
        """Act once, on another thread, when this text has been shown."""
        self._waiting[text] = act

    def press(self, keys: bytes) -> None:
        """Type something at it."""
        os.write(self._ours, keys)

    def __enter__(self) -> Self:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, self._columns, 0, 0))
        self._theirs = theirs
        self._streams = [os.fdopen(os.dup(theirs), "w", encoding="utf-8") for _ in ("stdout", "stderr")]
        self._streams.append(os.fdopen(os.dup(theirs), encoding="utf-8"))
        for name, stream in zip(("stdout", "stderr", "stdin"), self._streams, strict=True):
            self._patch.setattr(sys, name, stream)
        self._patch.setenv("TERM", "xterm")
        self._patch.delenv("NO_COLOR", raising=False)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patch.undo()
        for stream in self._streams:
            stream.close()
        os.close(self._theirs)
        self._reader.join()
        os.close(self._ours)

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._ours, 4096)
            except OSError:  # the other side is closed
                return
            if not piece:
                return
            self.shown += piece.decode("utf-8", "replace")
            for text in [text for text in self._waiting if text in self.shown]:
                self._waiting.pop(text)()

    @property
    def lines(self) -> list[str]:
        """Return the lines as they stand, without colours and the spaces at their ends."""
        lines = []
        for written in CODES.sub("", self.shown).split("\n"):
            line, column = "", 0
            for part in re.split(r"(\r|\x1b\[K)", written):
                if part == "\r":
                    column = 0
                elif part == "\x1b[K":
                    line = line[:column]
                else:
                    line, column = line[:column] + part + line[column + len(part) :], column + len(part)
            lines.append(line.rstrip())
        return lines
