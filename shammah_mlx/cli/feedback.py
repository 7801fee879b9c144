"""`shammah good` and `shammah bad`: say whether an answer helped. Slow packages are imported inside the commands."""

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx.cli.checks import check_text
from shammah_mlx.cli.learn import learn_behind, learn_here
from shammah_mlx.cli.options import budget, has_settings, home_and_config, merge_options, settings
from shammah_mlx.display.console import LEARNING_POSTPONED, one_line, say, say_waiting, tell
from shammah_mlx.display.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path

    from shammah_mlx.config import Config
    from shammah_mlx.events import Interaction

CUT = " It was cut short, so it is neither learnt nor given again."


@click.command()
@click.argument("number", type=click.IntRange(min=1), required=False)
@click.option("--wait", is_flag=True, help="Wait until it is learnt.")
@settings
@click.pass_context
def good(ctx: click.Context, /, number: int | None, wait: bool, **options: Any) -> None:
    """Say that the last answer was good.

    With NUMBER the answer to that question is meant.

    \b
    Examples:
      shammah good
      shammah good 11
    """
    home, config = home_and_config(ctx, options)
    from shammah_mlx.cli.terminal import this_terminal
    from shammah_mlx.home.hindsight import give_feedback

    about = give_feedback(home, config, number, good=True, terminal=this_terminal(), on_wait=say_waiting)
    is_cut = about.source == "claude" and about.reply is not None and not about.reply.complete
    tell(f"Noted: the answer to {_named(about)} was good.{CUT if is_cut else ''}")
    _learn(home, config, merge_options(ctx, options), waits=wait)


@click.command()
@click.argument("number", type=click.IntRange(min=1), required=False)
@click.option("--answer", help="The right answer, in your words; - reads it from standard input.")
@click.option("--wait", is_flag=True, help="Wait until it is learnt.")
@click.option("--json", "as_json", is_flag=True, help="Print Claude's new answer as one JSON object.")
@budget
@settings
@click.pass_context
def bad(
    ctx: click.Context,
    /,
    number: int | None,
    answer: str | None,
    wait: bool,
    as_json: bool,
    budget: float | None,
    **options: Any,
) -> None:
    """Say that the last answer was bad; Claude answers anew.

    With NUMBER the answer to that question is meant. The bad answer is not given again. With --answer yours takes its
    place, and Claude is not asked. Nor is he about a question that you keep from him.

    \b
    Examples:
      shammah bad
      shammah bad 12 --answer "It is port 8443."
    """
    since = time.perf_counter()
    home, config = home_and_config(ctx, options, {"budget": {"month": budget}})
    from shammah_mlx.cli.terminal import this_terminal
    from shammah_mlx.home.hindsight import give_feedback, why_kept_from_claude

    text = None if answer is None else _read_answer(answer, config.max_query_bytes)
    terminal = this_terminal()
    about = give_feedback(home, config, number, good=False, answer=text, terminal=terminal, on_wait=say_waiting)
    chosen = {**merge_options(ctx, options), "budget": budget}
    if text is not None:
        tell(f"Noted: the answer to {_named(about)} was bad. Yours takes its place.")
        _learn(home, config, chosen, waits=wait)
        return
    with Screen(as_json=as_json) as screen:
        if (kept := why_kept_from_claude(about, config)) is not None:
            screen.note(f"Noted: the answer to {_named(about)} was bad, and is not given again.")
            _learn(home, config, chosen, waits=wait)
            if as_json:
                raise kept
            screen.warn(f"Claude is not asked: {kept.message}; {kept.hint}.")
            return
        if not as_json:
            screen.note(f"Noted: the answer to {_named(about)} was bad. Asking Claude again.")
        exit_code = _ask_again(about, home, config, chosen, screen, since=since, waits=wait)
    ctx.exit(exit_code)


def _ask_again(
    about: "Interaction",
    home: "Path",
    config: "Config",
    chosen: dict[str, Any],
    screen: Screen,
    *,
    since: float,
    waits: bool,
) -> int:
    """Have Claude answer a question again, in the place of its conversation that it has; return the exit code.

    Raises:
        ShammahError: there is no answer.
    """
    from shammah_mlx.cli.answering import answer
    from shammah_mlx.server.protocol import AskRequest

    request = about.request
    wanted = AskRequest(
        request.query.text,
        forced_source="claude",
        waits=waits,
        terminal=request.terminal,
        unhelpful=request.number,
    )
    return answer(home, config, wanted, chosen, screen, since=since, in_process=has_settings(chosen))


def _read_answer(given: str, limit: int) -> str:
    """Return the answer that was given, or the text on standard input for `-`.

    Raises:
        BadInputError: it is too long, or not valid UTF-8.
    """
    text = sys.stdin.buffer.read(limit + 1).decode("utf-8", "surrogateescape") if given == "-" else given
    check_text("the answer", text, limit)
    return text.strip()


def _named(about: "Interaction") -> str:
    return f"question {about.request.number} ({one_line(about.request.query.text)})"


def _learn(home: "Path", config: "Config", chosen: dict[str, Any], *, waits: bool) -> None:
    """Have it learnt by the home's service, in this process if the command waits, or in the background."""
    if not waits:
        learn_behind(home, chosen)
        return
    from shammah_mlx.server import client

    try:
        if not client.is_served(home):
            learn_here(home, config, wait=True)
        elif not client.wait_until_learnt(home):
            say("The service has not learnt it yet; see `shammah service logs`.")
    except (KeyboardInterrupt, OSError):  # what was said is journalled
        say(LEARNING_POSTPONED)
