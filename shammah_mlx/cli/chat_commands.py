"""What can be typed in a chat: questions, and commands with a slash. Pure: nothing here reads or prints."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from shammah_mlx.errors import BadInputError

ASK = "ask"
QUOTES = '"""'  # around a text of several lines, as Ollama has them
COMMANDS = {  # by name: what may follow it, and what it does
    "good": ("[N]", "say that the last answer, or that to question N, was good"),
    "bad": ("[N] [TEXT]", "say that it was bad: ask Claude again, or give the TEXT"),
    "why": ("[N]", "explain the last answer, or that of question N"),
    "local": ("[TEXT]", "answer from this machine alone from now on, or TEXT only"),
    "claude": ("[TEXT]", "ask Claude from now on, or TEXT only"),
    "auto": ("", "let the Router decide again"),
    "model": ("[NAME]", "ask that Claude model from now on; without NAME, say which"),
    "system": ("[TEXT]", "set the system prompt; without TEXT, show it"),
    "save": ("FILE", "write the conversation to a new file, as Markdown"),
    "new": ("", "begin a new conversation"),
    "help": ("", "show this list"),
    "quit": ("", "end the chat, as Ctrl-D does"),
}
_BARE = {"exit", "quit"}  # that end a chat with llm, alone on a line
_NAME = re.compile(r"/([A-Za-z]+)(?:\s+(.*))?", re.DOTALL)

_NUMBERED = re.compile(r"([0-9]+)(?:\s+(.*))?", re.DOTALL)


class Typed(NamedTuple):
    """A command and what follows it; a question follows `ask`."""

    command: str
    argument: str


def parse(typed: str) -> Typed:
    """Return what was typed. A text with a blank before its slash is a question, and so is a path such as /etc/hosts.

    Raises:
        BadInputError: there is no such command.
    """
    if (bare := typed.strip()) in _BARE:
        return Typed("quit", "")
    named = _NAME.fullmatch(typed.rstrip())
    if named is None:
        return Typed(ASK, unquoted(bare))
    name, argument = named[1].lower(), (named[2] or "").strip()
    if name not in COMMANDS:
        raise BadInputError(
            f"there is no command /{name}", "/help lists them; to ask it all the same, begin with a blank"
        )
    return Typed(name, unquoted(argument))


def help_text() -> str:
    """Return the list of commands, and how to type a text of several lines."""
    lines = [f"  {f'/{name} {argument}':<16} {told}" for name, (argument, told) in COMMANDS.items()]
    keys = (
        f"  Alt-Enter        begin a new line, as Enter does between {QUOTES} and {QUOTES}",
        "  Up, Ctrl-R       earlier questions; search them",
        "  Ctrl-C           stop the answer, or clear the line",
    )
    return "\n".join([*lines, *keys])


def numbered(argument: str) -> tuple[str, str]:
    """Return the number that an argument begins with, empty if it does not, and the text behind it.

    A text that begins with a number needs the question's number before it.
    """
    found = _NUMBERED.fullmatch(argument)
    return (found[1], unquoted((found[2] or "").strip())) if found else ("", argument)


def is_open(text: str) -> bool:
    """Say whether a text has begun with three quotes that are not closed yet."""
    text = text.strip()
    return text.startswith(QUOTES) and not (text.endswith(QUOTES) and len(text) >= 2 * len(QUOTES))


def unquoted(text: str) -> str:
    """Return a text without the three quotes around it."""
    if not text.startswith(QUOTES):
        return text
    return text.removeprefix(QUOTES).removesuffix(QUOTES).strip()


def join_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield what was typed from the lines of a file or a pipe: one line each, or several between three quotes."""
    held: list[str] = []
    for line in lines:
        held.append(line.rstrip("\r\n"))
        if not is_open("\n".join(held)):
            yield "\n".join(held)
            held.clear()
    if held:
        yield "\n".join(held)
