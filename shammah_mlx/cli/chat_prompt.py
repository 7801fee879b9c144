"""Read what is typed in a chat: at a terminal with history and several lines, or line by line from a pipe."""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from shammah_mlx.cli.chat_commands import COMMANDS, is_open, join_lines

if TYPE_CHECKING:
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.output import Output

Read = Callable[[], str]
"""Returns what is typed next.

Raises:
    EOFError: nothing comes any more.
    KeyboardInterrupt: the user wants to begin the line anew.
"""

PROMPT, CONTINUATION = "> ", "… "


def prompt_reader(past: Sequence[str], keys: "Input | None" = None, screen: "Output | None" = None) -> Read:
    """Return what reads from the terminal; `past` are earlier questions, the latest one last.

    The prompt goes to standard error, so that standard output has the answers alone. No file holds what was typed: the
    history is the journal's, so nothing comes back that was not to be stored, or was forgotten.
    """
    from prompt_toolkit import PromptSession  # only a chat at a terminal pays for loading it
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import InMemoryHistory
    from prompt_toolkit.output import create_output

    terminal = sys.stderr if sys.stderr.isatty() else sys.stdout
    session: PromptSession[str] = PromptSession(
        PROMPT,
        multiline=True,
        prompt_continuation=CONTINUATION,
        key_bindings=_keys(),
        history=InMemoryHistory(list(past)),
        completer=WordCompleter([f"/{name}" for name in COMMANDS], sentence=True),
        complete_while_typing=False,
        input=keys,
        output=screen or create_output(stdout=terminal),
    )
    return session.prompt


def _keys() -> "KeyBindings":
    """Return what Enter does: it sends the text unless three quotes are open; with Alt it begins a new line."""
    from prompt_toolkit.enums import DEFAULT_BUFFER
    from prompt_toolkit.filters import has_focus
    from prompt_toolkit.key_binding import KeyBindings

    bindings = KeyBindings()

    @bindings.add("enter", filter=has_focus(DEFAULT_BUFFER))  # not while Ctrl-R searches
    def send(event: "KeyPressEvent") -> None:
        if is_open(event.current_buffer.text):
            event.current_buffer.insert_text("\n")
        else:
            event.current_buffer.validate_and_handle()

    @bindings.add("escape", "enter", filter=has_focus(DEFAULT_BUFFER))
    def begin_line(event: "KeyPressEvent") -> None:
        event.current_buffer.insert_text("\n")

    return bindings


def line_reader(lines: Iterator[bytes]) -> Read:
    """Return what reads from a pipe or a file."""
    typed = join_lines(line.decode("utf-8", "surrogateescape") for line in lines)

    def read() -> str:
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    return read
