"""A chat: what is typed becomes the questions of one conversation, and commands.

Reading, answering and running commands are given to it, so it knows neither terminal nor network.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from shammah_mlx.cli.chat_commands import Typed, help_text, numbered, parse
from shammah_mlx.cli.chat_prompt import Read
from shammah_mlx.cli.checks import check_unicode
from shammah_mlx.cli.group import print_error
from shammah_mlx.cli.interrupts import KEPT
from shammah_mlx.display.console import one_line, say
from shammah_mlx.errors import BadInputError, ShammahError, as_user_error
from shammah_mlx.events import ForcedSource, Interaction
from shammah_mlx.server.protocol import AskRequest


class AtHome(Protocol):
    """What a chat has done for it; `chat_home` is the real one. Each method may raise a ShammahError."""

    def check(self, wanted: AskRequest) -> None:
        """Check that a question can be asked."""

    def warning_of_model(self, name: str) -> str | None:
        """Return what to say before a model is asked whose price is not known; None if it is."""

    def usual(self, name: str) -> str:
        """Return the model or the system prompt of questions that name none."""

    def answer(self, wanted: AskRequest, on_answered: Callable[[Interaction], None]) -> int:
        """Have a question answered and show the answer, which `on_answered` receives; return the exit code."""

    def run(self, name: str, words: Sequence[str]) -> int:
        """Run a command of `shammah`, by its name and its words; return the exit code."""

    def save(self, number: int, path: Path) -> None:
        """Write a conversation to a new file."""

    def last_turn(self, number: int, terminal: int | UnsetType) -> Interaction:
        """Return the last turn of a conversation."""


WHO: dict[str, ForcedSource | None] = {"local": "local", "claude": "claude", "auto": None}
ANSWERS_COME_FROM: dict[ForcedSource | None, str] = {
    "local": "this machine alone",
    "claude": "Claude",
    None: "this machine where it can, else Claude",
}
GOES_ON = " What came is kept; the next question continues from it."
GOES_ON_ANEW = "What was asked with /local stays on this machine, so a new conversation begins."


class Manner(msgspec.Struct, frozen=True):
    """How the questions of a chat are asked."""

    forced_source: ForcedSource | None = None
    model: str | None = None
    system: str | None = None
    strict: bool = False
    waits: bool = False  # after each answer, until it is learnt
    terminal: int | UnsetType = UNSET
    in_person: bool = False  # a person types and reads


class Conversation:
    """One conversation: its number, and whether Claude may see it."""

    def __init__(self, last: Interaction | None = None) -> None:
        self.number: int | None = None  # None: nothing is stored of it yet
        self.latest: int | None = None  # number of its last question that is stored
        self.is_last_kept = True  # no question was asked after that one
        self.stays_here = False  # its last question was not to be sent
        self.model: str | None = None  # of its last question
        self.system: str | None = None
        if last is not None:
            self.add(last)

    def add(self, answered: Interaction) -> None:
        """Note a turn; one that is not stored is no part of the conversation."""
        if answered.request.stored:
            self.number, self.latest = answered.request.conversation, answered.request.number
            self.is_last_kept = True
            self.stays_here = answered.request.forced_source == "local"
            self.model, self.system = answered.request.query.model, answered.request.query.system

    def request(self, text: str, manner: Manner) -> AskRequest:
        """Return the next question of this conversation."""
        return AskRequest(
            text,
            manner.system,
            manner.model,
            forced_source=manner.forced_source,
            strict=manner.strict and manner.forced_source != "local",
            waits=manner.waits,
            conversation=self.number,
            terminal=manner.terminal,
            in_chat=True,
            in_person=manner.in_person,
        )


class Chat:
    """Carries out what is typed, one after the other."""

    def __init__(self, home: AtHome, manner: Manner) -> None:
        self._home, self._first_manner = home, manner
        self.manner, self.conversation = manner, Conversation()
        self.exit_code = 0  # of the last answer or command that was not as it should be

    def converse(self, read: Read, *, is_interactive: bool) -> None:
        """Carry out what `read` returns until it ends; report errors and go on.

        Raises:
            KeyboardInterrupt: the user interrupts a chat that is not interactive.
        """
        while True:
            try:
                if not self._take(read(), is_interactive=is_interactive):
                    return
            except EOFError:
                return
            except KeyboardInterrupt:  # at the prompt: the line is begun anew
                if not is_interactive:
                    raise
                say("Ctrl-D or /quit ends the chat.")

    def _take(self, text: str, *, is_interactive: bool) -> bool:
        """Carry out what was typed; return whether the chat goes on."""
        if not text.strip():
            return True
        try:
            typed = parse(text)
            if typed.command == "quit":
                return False
            self._carry_out(typed)
        except KeyboardInterrupt as stopped:
            if not is_interactive:
                raise
            say(f"\nStopped.{GOES_ON if str(stopped) == KEPT else ''}")
        except ShammahError as error:
            self._report(error)
        except (OSError, sqlite3.Error) as error:
            if isinstance(error, BrokenPipeError):
                raise
            self._report(as_user_error(error))
        return True

    def _report(self, error: ShammahError) -> None:
        self.exit_code = error.exit_code
        print_error(error)

    def _carry_out(self, typed: Typed) -> None:
        command, argument = typed
        match command:
            case "ask":
                self._ask(argument, self.manner)
            case "local" | "claude" if argument:
                self._ask(argument, msgspec.structs.replace(self.manner, forced_source=WHO[command]))
            case "local" | "claude" | "auto":
                self.manner = msgspec.structs.replace(self.manner, forced_source=WHO[command])
                say(f"Answers come from {ANSWERS_COME_FROM[self.manner.forced_source]}.")
            case "model" | "system":
                self._set_text(command, argument)
            case "good" | "bad" | "why":
                self._run(command, argument)
            case "save":
                self._save_as(argument)
            case "new":
                self.conversation, self.manner = Conversation(), self._first_manner
                say("A new conversation begins.")
            case _:
                say(help_text())

    def _ask(self, text: str, manner: Manner) -> None:
        if not text:  # three quotes with nothing between them
            return
        self._home.check(self.conversation.request(text, manner))
        if self.conversation.stays_here and manner.forced_source != "local":
            self.conversation = Conversation()
            say(GOES_ON_ANEW)
        self.conversation.is_last_kept = False  # until it is
        taken: list[Interaction] = []

        def note(answered: Interaction) -> None:
            taken.append(answered)
            self.conversation.add(answered)

        code = self._home.answer(self.conversation.request(text, manner), note)
        self.exit_code = code or self.exit_code
        if taken and not taken[0].request.stored:
            say("The conversation goes on without it.")

    def _run(self, command: str, argument: str) -> None:
        code = self._home.run(command, self._words(command, argument))
        self.exit_code = code or self.exit_code
        if command == "bad" and self.conversation.number is not None:  # Claude's new answer is its last turn
            last = self._home.last_turn(self.conversation.number, self.manner.terminal)
            if last.request.number != self.conversation.latest:
                self.conversation.add(last)

    def _set_text(self, name: str, text: str) -> None:
        """Set the model or the system prompt, or say what it is."""
        if text:
            check_unicode(f"/{name}", text)
            self.manner = msgspec.structs.replace(self.manner, **{name: text})
            if name == "model" and (warning := self._home.warning_of_model(text)):
                say(warning)
        value = getattr(self.manner, name) or getattr(self.conversation, name) or self._home.usual(name)
        say(f"{name}: {one_line(value) or 'none'}")

    def _words(self, command: str, argument: str) -> list[str]:
        """Return the words that follow a command of `shammah`: which question is meant, and what is said of it.

        Raises:
            BadInputError: no question of this chat is stored, or what follows the command cannot be.
        """
        number, text = numbered(argument)
        if text and command != "bad":
            raise BadInputError(
                f"/{command} takes no text, but the number of a question", f"type /{command} alone, or /{command} 3"
            )
        if text == "-":  # the command would read its standard input, which the chat reads
            raise BadInputError("- is no answer", "type the right answer after /bad, or /bad alone to ask Claude again")
        if not number and self.conversation.latest is None:
            raise BadInputError("nothing of this conversation is stored yet", "ask something first")
        if not number and not self.conversation.is_last_kept:
            raise BadInputError("the last question was not kept", f"name the question you mean: /{command} N")
        number = number or str(self.conversation.latest)
        return [number, f"--answer={text}"] if text else [number]

    def _save_as(self, name: str) -> None:
        """Write the conversation to a new file.

        Raises:
            BadInputError: nothing of it is stored, or the name is missing or no name of a file.
        """
        if not name:
            raise BadInputError("/save needs the name of a file", "for example /save notes.md")
        if self.conversation.number is None:
            raise BadInputError("nothing of this conversation is stored yet", "ask something first")
        try:
            self._home.save(self.conversation.number, Path(name).expanduser())
        except (ValueError, RuntimeError) as error:  # a NUL; a user that there is not
            raise BadInputError(f"no file can be called {one_line(name)}", "choose another name") from error
        say(f"Saved: {one_line(name)}")
