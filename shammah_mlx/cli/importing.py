"""`shammah import`: take over what Claude answered elsewhere."""

import time
from pathlib import Path
from typing import Any

import click

from shammah_mlx.cli.console import LEARNING_POSTPONED, check_text, learning, progress, say_waiting
from shammah_mlx.cli.options import home_and_config, settings


def _check_base_url(ctx: click.Context, option: click.Parameter, value: str | None) -> str:
    from shammah_mlx.teacher.identity import is_base_url

    if value and not is_base_url(value):
        raise click.BadParameter("it is no URL, such as https://gateway.example.com/anthropic", ctx, option)
    return value or ""


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
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
@settings
@click.pass_context
def import_(ctx: click.Context, /, file: Path, dry_run: bool, model: str | None, base_url: str, **options: Any) -> None:
    """Learn what Claude answered elsewhere: in llm, Claude Code, claude.ai, or another home.

    FILE is JSON Lines (`shammah export`, or recorded streams), the logs.db of llm, a transcript of Claude Code or the
    folder of all of them, or the data export of claude.ai. Nothing is sent, and nothing is paid.

    An answer is given again to questions for the same model at the same host. The import says which these are.

    \b
    Examples:
      shammah import --dry-run "$(llm logs path)"
      shammah import ~/.claude/projects
      shammah import conversations.json
    """
    home, config = home_and_config(ctx, options)
    check_text("--model", model or "", config.max_query_bytes)
    from shammah_mlx.cli import listing
    from shammah_mlx.home.importing import sift
    from shammah_mlx.teacher.identity import base_url_here
    from shammah_mlx.transcripts.kinds import read

    with progress("reading", None) as advance:
        sifted = sift(home, config, read(file), time.time(), model, advance, base_url)
    for line in listing.import_lines(sifted, config.teacher.model, base_url, base_url_here()):
        click.echo(line)
    if dry_run or not sifted.interactions:
        click.echo("Nothing was imported." if not dry_run else "This was a dry run: nothing was changed.")
        return
    from shammah_mlx.home.assistant import Assistant, AssistantOptions
    from shammah_mlx.home.folder import make_home
    from shammah_mlx.models.weights import Weights, weights_folder
    from shammah_mlx.teacher.recordings import Recorded

    weights, opened = Weights(weights_folder()), AssistantOptions(on_wait=say_waiting)
    nobody = Recorded(())  # an import asks nobody, so it costs nothing
    written = 0
    try:
        with Assistant(make_home(home), config, nobody, weights, options=opened) as assistant:
            written = assistant.write_imported(sifted.interactions)
            click.echo(f"Imported: {written:,}. They are learnt now; Ctrl-C puts off the rest.")
            assistant.learn_rest(learning, wait=True)
    except KeyboardInterrupt:
        if not written:
            raise
        click.echo(LEARNING_POSTPONED, err=True)
