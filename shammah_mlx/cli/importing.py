"""`shammah import`: take over what Claude answered elsewhere."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx.cli.checks import check_text
from shammah_mlx.cli.learn import catch_up
from shammah_mlx.cli.options import home_and_config, merge_options, settings
from shammah_mlx.display.console import progress, relearning, say_waiting, tell
from shammah_mlx.display.dates import about
from shammah_mlx.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shammah_mlx.config import Config
    from shammah_mlx.events import Interaction


def _check_base_url(ctx: click.Context, option: click.Parameter, value: str | None) -> str:
    from shammah_mlx.teacher.identity import is_base_url

    if value and not is_base_url(value):
        raise click.BadParameter("it is no URL, such as https://gateway.example.com/anthropic", ctx, option)
    return value or ""


@click.command("import")
@click.argument("file", type=click.Path())
@click.option(
    "--dry-run", is_flag=True, help="Say what is found, what of it is new, and what is skipped and why; change nothing."
)
@click.option("--model", help="Claude model of answers that do not name one.  [the model that is asked here]")
@click.option(
    "--base-url",
    metavar="URL",
    callback=_check_base_url,
    help="Host that gave the answers, a company's gateway for example, as in ANTHROPIC_BASE_URL.  [Anthropic's own]",
)
@click.option("--wait", is_flag=True, help="Return only when everything is learnt, however long that takes.")
@settings
@click.pass_context
def import_(
    ctx: click.Context,
    /,
    file: str,
    dry_run: bool,
    model: str | None,
    base_url: str,
    wait: bool,
    **options: Any,
) -> None:
    """Learn what Claude answered elsewhere.

    That may be another program or another home. FILE is JSON Lines (`shammah export`, or recorded streams), the logs.db
    of llm, a transcript of Claude Code or the folder of all of them, or the data export of claude.ai. Nothing is sent,
    and nothing is paid.

    A line of JSON Lines is an object with the texts `query` and `reply`. It may have `model`, `at` (a date, ISO 8601),
    `system`, `history` (a list of earlier turns, each with `query` and `reply`), `stop_reason`, `max_tokens` and
    `stop_sequences`.

    An answer is given again to questions for the same model at the same host. The import says which these are. What
    takes longer than a minute to learn is learnt in the background.

    \b
    Examples:
      shammah import --dry-run "$(llm logs path)"
      shammah import ~/.claude/projects
      shammah import conversations.json
    """
    home, config = home_and_config(ctx, options)
    check_text("--model", model or "", config.max_query_bytes)
    if not file:  # as a path it would be the current folder
        raise BadInputError("the name of the file is empty", 'if it came from "$(llm logs path)", is llm installed?')
    from shammah_mlx.display import listing
    from shammah_mlx.home import importing, pace
    from shammah_mlx.teacher.identity import base_url_here
    from shammah_mlx.transcripts.kinds import read

    with progress("reading", None) as advance:
        sifted = importing.sift(home, config, read(Path(file)), time.time(), model, advance, base_url)
    for line in listing.import_lines(sifted, config.teacher.model, base_url, base_url_here()):
        tell(line)
    if not sifted.interactions:
        tell("This was a dry run: nothing was changed." if dry_run else "Nothing was imported.")
        return
    if dry_run:
        ahead = pace.expect_pending(home, config, len(sifted.interactions))
        tell(f"Learning takes {about(ahead.seconds)} here.\nThis was a dry run: nothing was changed.")
        return
    tell(f"Imported: {_write(home, config, sifted.interactions):,}. All of it is in the journal.")
    catch_up(home, config, merge_options(ctx, options), wait=wait)


def _write(home: Path, config: "Config", new: "Sequence[Interaction]") -> int:
    """Write what is new into the journal of the home, which is made if there is none; return how much that was."""
    from shammah_mlx.home.assistant import Assistant, AssistantOptions
    from shammah_mlx.home.folder import make_home
    from shammah_mlx.models.weights import Weights, weights_folder
    from shammah_mlx.teacher.recordings import Recorded

    weights, options = Weights(weights_folder()), AssistantOptions(on_wait=say_waiting, relearning=relearning)
    with Assistant(make_home(home), config, Recorded(()), weights, options=options) as assistant:
        return assistant.write_imported(new)
