"""Let Ctrl-C end Claude's reply rather than the program, and never a half-made import.

What came of a reply is paid for, and is kept.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

KEPT = "Interrupted. What came is kept; `shammah ask -c` continues from it."


@contextmanager
def whole_imports() -> Iterator[None]:
    """Let Ctrl-C wait for the end of this context: a package that is imported by half breaks whatever comes next."""
    came: list[int] = []
    is_ours = _is_default()
    if is_ours:
        signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if came:
        raise KeyboardInterrupt


def _is_default() -> bool:
    """Say whether Ctrl-C does what it does in any Python program; threads other than the main one get no signals."""
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler


class ReplyInterrupts:
    """A context manager. Within it, Ctrl-C calls `hang_up`; if that says no, or Ctrl-C comes again, it interrupts.

    `has_come` says whether the reply was ended so; the program then goes on, until what came is journalled.
    """

    def __init__(self, hang_up: Callable[[], bool]) -> None:
        self._hang_up = hang_up
        self._is_installed = False
        self.has_come = False

    def __enter__(self) -> Self:
        if _is_default():
            signal.signal(signal.SIGINT, self._interrupt)
            self._is_installed = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _interrupt(self, _: int, __: FrameType | None) -> None:
        is_again, self.has_come = self.has_come, True
        if is_again or not self._hang_up():
            raise KeyboardInterrupt
