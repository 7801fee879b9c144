"""`shammah chat`: a conversation at a terminal, or of the lines on standard input."""

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx.cli.ask import forced_source_of
from shammah_mlx.cli.checks import check_unicode
from shammah_mlx.cli.options import asking, home_and_config, merge_options, settings
from shammah_mlx.display.console import one_line, say

if TYPE_CHECKING:
    from shammah_mlx.cli.chat_prompt import Read

PAST_QUESTIONS = 1000  # to choose from with Up and Ctrl-R: some months of questions, read in a moment


@click.command()
@asking
@click.option("--wait", is_flag=True, help="Wait after each answer until it is learnt.")
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
    is_plain: bool,
    budget: float | None,
    **options: Any,
) -> None:
    """Ask one question after the other in a conversation.

    /help lists the commands. Ctrl-C stops an answer, Ctrl-D ends the chat. Standard input that is no terminal is read
    line by line, each line a question.

    \b
    Examples:
      shammah chat
      shammah chat -c
    """
    forced_source = forced_source_of(claude=claude, local=local, strict=strict)
    home, config = home_and_config(ctx, options, {"teacher": {"timeout_s": timeout}, "budget": {"month": budget}})
    for name, value in (("--system", system), ("--model", model)):
        check_unicode(name, value or "")
    from shammah_mlx.cli.chat_home import ChatHome
    from shammah_mlx.cli.chat_session import Chat, Conversation, Manner
    from shammah_mlx.cli.terminal import is_in_person, this_terminal

    chosen = {**merge_options(ctx, options), "budget": budget}
    terminal = this_terminal()
    manner = Manner(forced_source, model, system, strict, wait, terminal, is_in_person())
    is_interactive = sys.stdin is not None and sys.stdin.isatty()
    with closing(ChatHome(ctx, home, config, chosen, timeout=timeout, waits=wait, is_plain=is_plain)) as at_home:
        talk = Chat(at_home, manner)
        if continues or conversation is not None:
            last = at_home.last_turn(conversation, terminal)
            talk.conversation = Conversation(last)
            say(f"Continuing after: {one_line(last.request.query.text)}")
        talk.converse(_reader(home, is_interactive=is_interactive), is_interactive=is_interactive)
        if is_interactive and talk.conversation.number is not None:
            say(f"To go on: shammah chat --conversation {talk.conversation.number}")
    ctx.exit(0 if is_interactive else talk.exit_code)


def _reader(home: Path, *, is_interactive: bool) -> "Read":
    from shammah_mlx.cli.chat_prompt import line_reader, prompt_reader
    from shammah_mlx.home.conversations import read_questions

    if not is_interactive:
        return line_reader(iter(sys.stdin.buffer if sys.stdin is not None else ()))
    say("Ask; /help lists the commands, Ctrl-D ends the chat.")
    return prompt_reader(read_questions(home, PAST_QUESTIONS))
