"""Say on the terminal what is awaited, in one line that moves and then disappears.

Its own thread and plain escape codes: rich takes longer to import than the first frame may take to appear. The cursor
is never hidden, so there is nothing to put back.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from shammah_mlx.display.streams import can_show, columns_of

DELAY_S = 0.05  # an answer that comes sooner needs no spinner, which would only flicker
FRAME_S = 0.08  # between two frames
BRAILLE, ASCII = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"  # frames; the latter where the encoding lacks the former
ERASE = "\r\x1b[K"

Text = str | Callable[[], str]
"""What is awaited; a function is asked again for each frame."""


def can_spin() -> bool:
    """Say whether standard error is a terminal that can erase a line."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class Spinner:
    """The line. It is shown from `show` to `hide`, and may be shown again."""

    def __init__(self, *, is_on: bool) -> None:
        self._is_on = is_on
        self._text: Text | None = None  # None: hidden
        self._is_drawn = False
        self._drawing = threading.RLock()  # re-entrant: Ctrl-C may come while it is held
        self._changed = threading.Event()
        self._thread: threading.Thread | None = None

    def show(self, text: Text) -> None:
        """Show what is awaited now."""
        if not self._is_on:
            return
        with self._drawing:
            self._text = text
            if self._is_drawn:
                self._draw(0)
        if self._thread is None:
            self._thread = threading.Thread(target=self._spin, name="spinner", daemon=True)
            self._thread.start()
        self._changed.set()

    def hide(self) -> None:
        """Erase the line; nothing of it is left, and nothing more is drawn."""
        with self._drawing:
            self._text = None
            if self._is_drawn:
                _write(ERASE)
                self._is_drawn = False  # only now: Ctrl-C may come between the two

    def interrupt(self, write: Callable[[], None]) -> None:
        """Call `write` with the line erased, and show it again behind what that wrote."""
        with self._drawing:
            text = self._text
            self.hide()
            write()
            if text is not None:
                self.show(text)

    def _spin(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            time.sleep(DELAY_S)
            frame = 0
            while self._drawn(frame):
                frame += 1
                time.sleep(FRAME_S)

    def _drawn(self, frame: int) -> bool:
        """Draw a frame; say whether there was anything to draw."""
        with self._drawing:
            if self._text is None:
                return False
            self._is_drawn = True
            self._draw(frame)
            return True

    def _draw(self, frame: int) -> None:
        text = self._text if isinstance(self._text, str) else self._text() if self._text else ""
        frames = BRAILLE if can_show(BRAILLE, sys.stderr.encoding) else ASCII
        line = f"{frames[frame % len(frames)]} {text}"
        room = max(1, columns_of(sys.stderr) - 1)  # a longer line would wrap, and could not be erased
        _write(f"\r{line[:room]}\x1b[K")  # over the frame before, which is not erased first: that would flicker


def _write(text: str) -> None:
    with suppress(OSError, ValueError):  # the terminal has gone
        sys.stderr.write(text)
        sys.stderr.flush()
