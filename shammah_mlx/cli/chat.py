"""`shammah chat`: a conversation at a terminal, or of the lines on standard input."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx.cli.ask import forced_source_of
from shammah_mlx.cli.console import check_text, one_line, say_waiting
from shammah_mlx.cli.options import home_and_config, merge_options, settings
from shammah_mlx.cli.screen import Screen
from shammah_mlx.errors import BadInputError

if TYPE_CHECKING:
    from shammah_mlx.cli.answering import OpenHome, Opening
    from shammah_mlx.cli.chat_prompt import Read
    from shammah_mlx.events import Interaction
    from shammah_mlx.server.protocol import AskRequest

PAST_QUESTIONS = 1000  # to choose from with Up and Ctrl-R: some months of questions, read in a moment


@click.command()
@click.option("-c", "--continue", "continues", is_flag=True, help="Continue this terminal's last conversation.")
@click.option(
    "--conversation",
    type=click.IntRange(min=1),
    metavar="ID",
    help="Continue that conversation: the number of any question in it.",
)
@click.option("--claude", is_flag=True, help="Ask Claude, whatever the Router decides.")
@click.option("--local", is_flag=True, help="Never call Claude: answer from this machine, however doubtful the answer.")
@click.option("--strict", is_flag=True, help="Accept no answer that max_bad_rate does not cover.")
@click.option("--wait", is_flag=True, help="Wait after each answer until it is learnt.")
@click.option("-m", "--model", help="Claude model to ask.")
@click.option("-s", "--system", help="System prompt; answers are reused only under the same one.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds without a word from Claude until one of three tries fails.",
)
@settings
@click.pass_context
def chat(
    ctx: click.Context,
    /,
    continues: bool,
    conversation: int | None,
    claude: bool,
    local: bool,
    strict: bool,
    wait: bool,
    model: str | None,
    system: str | None,
    timeout: float | None,
    **options: Any,
) -> None:
    """Ask one question after the other: each one knows what was said before it.

    /help lists the commands. Ctrl-C stops an answer, Ctrl-D ends the chat. Standard input that is no terminal is read
    line by line, each line a question.

    \b
    Examples:
      shammah chat
      shammah chat -c
    """
    forced_source = forced_source_of(claude=claude, local=local, strict=strict)
    home, config = home_and_config(ctx, options, {"teacher": {"timeout_s": timeout}})
    for name, value in (("--system", system), ("--model", model)):
        check_text(name, value or "", config.max_query_bytes)
    from shammah_mlx.cli.answering import answer, open_home
    from shammah_mlx.cli.chat_session import Chat, Conversation, Manner
    from shammah_mlx.cli.terminal import is_in_person, this_terminal
    from shammah_mlx.home.conversations import find_last_turn
    from shammah_mlx.server import client

    chosen = merge_options(ctx, options)
    has_settings = any(value is not None for name, value in {**chosen, "timeout": timeout}.items() if name != "home")
    kept = KeptHome(lambda: open_home(home, config, say_waiting))

    def answer_turn(wanted: "AskRequest", on_answered: "Callable[[Interaction], None]") -> int:
        since = time.perf_counter()
        if not has_settings and client.is_served(home):
            kept.close()  # another command that needs the home alone asks the service to leave, not this chat
        with Screen() as screen:
            return answer(
                home,
                config,
                wanted,
                chosen,
                screen,
                since=since,
                in_process=has_settings,
                opening=kept.opening,
                on_answered=on_answered,
            )

    def run(name: str, words: Sequence[str]) -> None:
        if name != "why":
            kept.close()  # what was learnt may have to change, for which the home must be free
        waiting = ["--wait"] if wait and name != "why" else []
        _run_command(ctx, name, [*words, *waiting], {**chosen, "home": home})
        if name == "bad" and talk.conversation.number is not None:
            talk.conversation.add(find_last_turn(home, talk.conversation.number, terminal))  # Claude's new answer

    terminal = this_terminal()
    manner = Manner(forced_source, model, system, strict, wait, terminal, is_in_person())
    with closing(kept):
        talk = Chat(answer_turn, run, lambda number, path: _save(home, number, path), manner, config.max_query_bytes)
        if continues or conversation is not None:
            last = find_last_turn(home, conversation, terminal)
            talk.conversation = Conversation(last)
            click.echo(f"Continuing after: {one_line(last.request.query.text)}", err=True)
        is_interactive = sys.stdin is not None and sys.stdin.isatty()
        talk.converse(_reader(home, is_interactive=is_interactive), is_interactive=is_interactive)
        if is_interactive and talk.conversation.number is not None:
            click.echo(f"To go on: shammah chat --conversation {talk.conversation.number}", err=True)
    ctx.exit(0 if is_interactive else talk.exit_code)


class KeptHome:
    """The home, opened in this process when it is first needed and then kept open, so that models are loaded once."""

    def __init__(self, open_home: "Opening") -> None:
        self._open_home, self._opened = open_home, ExitStack()
        self._home: OpenHome | None = None

    @contextmanager
    def opening(self) -> "Iterator[OpenHome]":
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


def _reader(home: Path, *, is_interactive: bool) -> "Read":
    from shammah_mlx.cli.chat_prompt import line_reader, prompt_reader
    from shammah_mlx.home.conversations import read_questions

    if not is_interactive:
        return line_reader(iter(sys.stdin.buffer if sys.stdin is not None else ()))
    click.echo("Ask; /help lists the commands, Ctrl-D ends the chat.", err=True)
    return prompt_reader(read_questions(home, PAST_QUESTIONS))


def _run_command(ctx: click.Context, name: str, words: Sequence[str], chosen: dict[str, Any]) -> None:
    """Run a command of `shammah` with the chosen options; it prints what comes of it.

    Raises:
        ShammahError: it fails.
    """
    group = ctx.find_root().command
    command = group.get_command(ctx, name) if isinstance(group, click.Group) else None
    if command is None:
        raise BadInputError(f"this version has no command `shammah {name}`", "/help lists what a chat can do")
    if not any(isinstance(each, click.Argument) for each in command.params):
        words = words[1:]  # it means the last question
    try:
        with command.make_context(name, list(words), parent=ctx, obj=chosen) as below:
            command.invoke(below)
    except (click.exceptions.Exit, click.Abort):
        return
    except click.ClickException as wrong:
        wrong.show()


def _save(home: Path, number: int, path: Path) -> None:
    """Write a conversation to a new file.

    Raises:
        BadInputError: there is such a file.
        OSError: it cannot be written.
    """
    from shammah_mlx.home.conversations import as_markdown, read_turns

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(as_markdown(read_turns(home, number)))
    except FileExistsError as error:
        raise BadInputError(f"there is a file {one_line(str(path))}", "choose another name") from error
