"""Show one answer: its text on standard output, what happens meanwhile and afterwards on standard error."""

import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from shammah_mlx.display.console import LONGEST, one_line, put, say, without_controls, write
from shammah_mlx.display.inline import Look
from shammah_mlx.display.markdown import Renderer
from shammah_mlx.display.spinner import Spinner, Text, can_spin
from shammah_mlx.display.streams import can_show, columns_of

if TYPE_CHECKING:
    from shammah_mlx.events import Awaited  # msgspec, which `--help` does not load

AWAITED: "dict[Awaited, str]" = {
    "memory": "looking in memory",
    "draft": "writing a draft",
    "verdict": "checking with Claude",
    "claude": "asking Claude",
    "learning": "learning",
}


class Screen:
    """The terminal, or what stands in its place. A context manager: nothing of the spinner is left behind it.

    Markdown is rendered on a terminal, unless `is_plain`. `is_quiet` leaves the answer, errors and warnings; `as_json`
    keeps the answer's text for the object that is printed at the end.
    """

    def __init__(self, *, is_plain: bool = False, is_quiet: bool = False, as_json: bool = False) -> None:
        self.is_quiet, self.as_json = is_quiet, as_json
        self._spinner = Spinner(is_on=can_spin() and not is_quiet)
        self._renderer = None if is_plain or as_json or not _can_render() else _make_renderer()
        self._is_line_open = False  # whether a terminal's cursor stands behind a part of the answer
        self.text = ""  # of the answer, as far as it is shown
        self.has_begun = False  # a piece of the answer has come, shown or not

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spinner.hide()
        if error is not None and self.text:  # what is printed next begins a line of its own
            if self._renderer:
                put(self._renderer.finish())
            elif self._is_line_open and _is_terminal():
                put("\n")

    def begin(self, *, is_typed: bool) -> None:
        """Show at once that something happens, unless the question is still to come: through a pipe, or typed."""
        if not is_typed and (sys.stdin is None or sys.stdin.isatty()):
            self.await_(AWAITED["memory"])

    def await_(self, text: Text) -> None:
        """Show what is awaited, until the first word of the answer."""
        self._spinner.show(text)

    def announce(self, what: "Awaited") -> None:
        """Show what is awaited, in this program's words for it."""
        self.await_(AWAITED[what])

    def show_plainly(self) -> None:
        """Render no Markdown: the settings say so."""
        self._renderer = None

    def rest(self) -> None:
        """Show no longer what is awaited."""
        self._spinner.hide()

    def show(self, piece: str) -> None:
        """Show one more piece of the answer."""
        self.has_begun |= bool(piece)
        if self.as_json or not piece:
            return
        self._spinner.hide()
        self.text += piece
        if self._renderer:
            put(self._renderer.feed(without_controls(piece)))
        else:
            write(piece)
        self._is_line_open = not self.text.endswith("\n")

    def finish(self, answer: str) -> None:
        """Show what of the answer is not shown yet, and end its last line."""
        self.show(answer[len(self.text) :])
        self._spinner.hide()
        if self._renderer:
            put(self._renderer.finish())
        elif not answer.endswith("\n"):
            put("\n")
        self._is_line_open = False

    def print_json(self, line: str) -> None:
        """Print the answer as an object."""
        self._spinner.hide()
        write(line + "\n")

    def note(self, line: str) -> None:
        """Print a line that somebody may want to know, unless the user wants the answer alone."""
        if not self.is_quiet:
            self._spinner.interrupt(lambda: say(one_line(line, LONGEST)))

    def warn(self, line: str, *, is_danger: bool = False) -> None:
        """Print a line that the user must see."""
        text = one_line(line, LONGEST)
        color = "red" if is_danger and can_spin() and not _has_no_color() else None
        self._spinner.interrupt(lambda: say(text, color))


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _can_render() -> bool:
    return _is_terminal() and os.environ.get("TERM") != "dumb"


def _has_no_color() -> bool:
    return bool(os.environ.get("NO_COLOR"))  # see no-color.org


def _make_renderer() -> Renderer:
    look = Look(has_styles=not _has_no_color(), has_unicode=can_show("•│─", sys.stdout.encoding))
    return Renderer(lambda: columns_of(sys.stdout), look)
