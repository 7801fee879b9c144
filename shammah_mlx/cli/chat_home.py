"""What a chat has done in its home: answers, commands and files. It loads much, so `chat` imports it late."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
from msgspec import UnsetType

from shammah_mlx.cli import answering
from shammah_mlx.cli.answering import OpenHome, Opening
from shammah_mlx.cli.interrupts import KEPT
from shammah_mlx.cli.options import has_settings
from shammah_mlx.cli.question import check_query, warning_of_length
from shammah_mlx.config import Config
from shammah_mlx.display.console import one_line, say
from shammah_mlx.display.screen import Screen
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import Interaction, Query
from shammah_mlx.home.conversations import as_markdown, find_last_turn, find_turn, read_turns
from shammah_mlx.server import client
from shammah_mlx.server.protocol import AskRequest
from shammah_mlx.teacher.context import request_bytes
from shammah_mlx.teacher.judge import has_price

JOURNALLED_S = 2.0  # a service needs a moment to journal what came of an answer that was stopped
LOOK_S = 0.05  # between two looks for it


class ChatHome:
    """The home, as a chat uses it: by its service if one runs, or else in this process. Close it at the end.

    `chosen` are the settings of the command line that its own commands take too, `budget` among them; `timeout` is for
    answers alone.
    """

    def __init__(
        self,
        ctx: click.Context,
        home: Path,
        config: Config,
        chosen: Mapping[str, Any],
        *,
        timeout: float | None = None,
        waits: bool = False,
        is_plain: bool = False,
    ) -> None:
        self._ctx, self._home, self._config, self._chosen = ctx, home, config, chosen
        self._has_settings = has_settings({**chosen, "timeout": timeout})
        self._waits, self._is_plain = waits, is_plain
        self._screen = Screen(is_plain=is_plain)  # of the answer that is shown or was last
        self._kept = KeptHome(lambda: answering.open_home(home, config, self._await_another, self._relearning))

    def close(self) -> None:
        """Close the home, if it is open here."""
        self._kept.close()

    def check(self, wanted: AskRequest) -> None:
        """Check that Claude can read a question; say so if it is too long to be learnt.

        Raises:
            BadInputError: it is not text, or cannot fit into what Claude reads.
        """
        query = _query(wanted)
        check_query(query, self._config)
        if wanted.forced_source != "local" and (warning := warning_of_length(query, self._config)):
            say(one_line(warning, 200))

    def warning_of_model(self, name: str) -> str | None:
        """Return what to say before a model is asked whose price is not known; None if it is."""
        if has_price(name, self._config.teacher.prices):
            return None
        but = "; with a budget it is not asked" if self._config.budget.is_set else "; calls with it are unpriced"
        return f"No price is known for {one_line(name)}{but}."

    def usual(self, name: str) -> str:
        """Return the model that is asked, or the system prompt, where a question names none."""
        return self._config.teacher.model if name == "model" else ""

    def answer(self, wanted: AskRequest, on_answered: Callable[[Interaction], None]) -> int:
        """Have a question answered and show the answer; return the exit code.

        Raises:
            ShammahError: there is no answer.
            KeyboardInterrupt: the user stopped it. If something came and is kept, `on_answered` got it.
        """
        since, asked_at = time.perf_counter(), time.time()
        if not self._has_settings and client.is_served(self._home):
            self.close()  # another command that needs the home alone asks the service to leave, not this chat
        is_big = request_bytes(_query(wanted)) > self._config.service.most_body_bytes
        try:
            with Screen(is_plain=self._is_plain) as self._screen:
                return answering.answer(
                    self._home,
                    self._config,
                    wanted,
                    self._chosen,
                    self._screen,
                    since=since,
                    in_process=self._has_settings or is_big,
                    opening=self._kept.opening,
                    on_answered=on_answered,
                )
        except KeyboardInterrupt as stopped:
            if str(stopped) != KEPT:
                raise
            kept = self._find_kept(wanted, asked_at)
            if kept is None:
                raise KeyboardInterrupt from stopped
            on_answered(kept)
            raise

    def run(self, name: str, words: Sequence[str]) -> int:
        """Run a command of `shammah` with the chosen settings; return its exit code.

        Raises:
            ShammahError: it fails.
        """
        given = list(words)
        if name != "why":
            self.close()  # what was learnt may have to change, for which the home must be free
            given += ["--wait"] if self._waits else []
        if name == "bad" and self._chosen["budget"] is not None:
            given.append(f"--budget={self._chosen['budget']}")
        return _run_command(self._ctx, name, given, {**self._chosen, "home": self._home})

    def save(self, number: int, path: Path) -> None:
        """Write a conversation to a new file.

        Raises:
            BadInputError: there is such a file.
            OSError: it cannot be written.
        """
        text = as_markdown(read_turns(self._home, number))
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError as error:
            raise BadInputError(f"there is a file {one_line(str(path))}", "choose another name") from error

    def last_turn(self, number: int | None, terminal: int | UnsetType) -> Interaction:
        """Return the last turn of a conversation, or of the terminal's last one.

        Raises:
            BadInputError: there is none.
        """
        return find_last_turn(self._home, number, terminal)

    def _find_kept(self, wanted: AskRequest, asked_at: float) -> Interaction | None:
        """Return what was journalled of an answer that was stopped; None if that does not come."""
        until = time.monotonic() + JOURNALLED_S
        while (found := find_turn(self._home, wanted.text, asked_at)) is None and time.monotonic() < until:
            time.sleep(LOOK_S)
        return found

    def _await_another(self) -> None:
        answering.await_another(self._home, self._screen)

    def _relearning(self, replies: int) -> AbstractContextManager[Callable[[], None]]:
        return answering.relearning_on(self._screen, replies)


def _query(wanted: AskRequest) -> Query:
    """Return the question without its conversation, which is shortened until it fits."""
    return Query(wanted.text, wanted.system, wanted.model)


class KeptHome:
    """The home, opened in this process when it is first needed and then kept open, so that models are loaded once."""

    def __init__(self, open_home: Opening) -> None:
        self._open_home, self._opened = open_home, ExitStack()
        self._home: OpenHome | None = None

    @contextmanager
    def opening(self) -> Iterator[OpenHome]:
        """Open the home if it is not open; close it only if the user interrupts what is done with it."""
        if self._home is None:
            self._home = self._opened.enter_context(self._open_home())
        try:
            yield self._home
        except KeyboardInterrupt as stopped:  # it may have been in the midst of anything, so nothing is saved
            self._home = None
            self._opened.__exit__(type(stopped), stopped, stopped.__traceback__)
            raise

    def close(self) -> None:
        """Close the home, if it is open; it may be opened again."""
        self._home = None
        self._opened.close()


def _run_command(ctx: click.Context, name: str, words: Sequence[str], chosen: dict[str, Any]) -> int:
    """Run a command of `shammah` with the chosen settings; it prints what comes of it. Return its exit code.

    Raises:
        ShammahError: it fails.
    """
    group = ctx.find_root().command
    command = group.get_command(ctx, name) if isinstance(group, click.Group) else None
    if command is None:
        raise BadInputError(f"this version has no command `shammah {name}`", "/help lists what a chat can do")
    try:
        with command.make_context(name, list(words), parent=ctx, obj=chosen) as below:
            command.invoke(below)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.Abort:
        return 1
    except click.ClickException as wrong:
        raise BadInputError(wrong.format_message(), "/help lists what a chat can do") from wrong
    return 0
