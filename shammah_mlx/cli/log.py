"""`shammah log` and `shammah export`: look at what was asked, and take it along."""

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from shammah_mlx.cli.checks import check_text
from shammah_mlx.cli.options import home_and_config, settings
from shammah_mlx.display.console import progress, say, write
from shammah_mlx.errors import BadInputError

FORMATS = ("csv", "json", "jsonl", "tsv", "md", "html")  # what somebody may mean who gives such a word for a file
LISTED = 3  # questions; as many as `llm logs` shows


@click.command()
@click.argument("number", type=click.IntRange(min=1), required=False)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(min=0),
    default=LISTED,
    show_default=True,
    help="How many questions to list; 0 lists all.",
)
@click.option("-q", "--query", "words", metavar="WORDS", help="List those with all these words in question or answer.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list, or one object for a NUMBER.")
@settings
@click.pass_context
def log(
    ctx: click.Context, /, number: int | None, count: int, words: str | None, as_json: bool, **options: Any
) -> None:
    """List the latest questions, or show one of them.

    NUMBER shows that question with its answer, system prompt and conversation.

    \b
    Examples:
      shammah log -n 20
      shammah log -q "git rebase"
      shammah log 17
    """
    home, config = home_and_config(ctx, options)
    if number is not None and words is not None:
        raise click.UsageError("NUMBER and -q exclude each other.")
    check_text("WORDS", words or "", config.max_query_bytes)
    import msgspec

    from shammah_mlx.display import listing
    from shammah_mlx.home import history

    if number is not None:
        shown = history.read_one(home, number)
        write(msgspec.json.encode(shown).decode() + "\n" if as_json else listing.exchange(shown))
        return
    listed = history.read_log(home, count, words)
    if as_json:
        write(msgspec.json.format(msgspec.json.encode(listed.lines), indent=2).decode() + "\n")
        return
    for line in listing.log_lines(listed.lines, shutil.get_terminal_size().columns):
        write(line + "\n")
    if listed.total > len(listed.lines):
        say(f"The latest {len(listed.lines)} of {listed.total:,}; -n 0 lists all.")
    elif not listed.total:
        say("Nothing was asked yet." if words is None else "No question or answer has these words.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--replies", is_flag=True, help="Only what Claude answered in full: a stream for `replay` and `import`.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@settings
@click.pass_context
def export(ctx: click.Context, /, file: Path | None, replies: bool, overwrite: bool, **options: Any) -> None:
    """Write all questions and answers as JSON Lines.

    They go to FILE, or to standard output.

    \b
    Examples:
      shammah export questions.jsonl
      shammah export | jq -r .query
    """
    home, _ = home_and_config(ctx, options)
    if file is not None:
        _check_file(file, overwrites=overwrite)
    import msgspec

    from shammah_mlx.files import replacing
    from shammah_mlx.home.history import read_all

    with ExitStack() as opened:
        if file is None:
            for line in read_all(home, with_reply=replies):
                write(msgspec.json.encode(line).decode() + "\n")
            return

        def begin(total: int) -> Any:
            return opened.enter_context(progress("export", total))

        count = 0
        out = opened.enter_context(replacing(file))
        for line in read_all(home, with_reply=replies, begin=begin):
            out.write(msgspec.json.encode(line) + b"\n")
            count += 1
    say(f"{count:,} questions written to {file}.")


def _check_file(file: Path, *, overwrites: bool) -> None:
    """Check that all questions may be written to this file.

    Raises:
        BadInputError: it exists, or it is the name of a format.
    """
    if str(file).lower() in FORMATS:
        raise BadInputError(f"{file} is no name for a file", "an export is JSON Lines: shammah export questions.jsonl")
    if file.is_file() and not overwrites:
        raise BadInputError(f"{file} exists", "give another name, or --overwrite to replace it")
