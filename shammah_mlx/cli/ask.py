"""`shammah ask`: one question, answered by the home's service if one runs, or else in this process."""

import time
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx.cli.console import check_text, read_query
from shammah_mlx.cli.options import home_and_config, merge_options, settings
from shammah_mlx.cli.screen import Screen

if TYPE_CHECKING:
    from shammah_mlx.events import ForcedSource


@click.command()
@click.argument("query", required=False)
@click.option("-c", "--continue", "continues", is_flag=True, help="Continue the last conversation.")
@click.option("--claude", is_flag=True, help="Ask Claude, whatever the Router decides.")
@click.option("--local", is_flag=True, help="Never call Claude: answer from this machine, however doubtful the answer.")
@click.option("--strict", is_flag=True, help="Fail rather than give an answer that max_bad_rate does not cover.")
@click.option("--no-store", "unstored", is_flag=True, help="Answer, but neither store nor learn the question.")
@click.option("--wait", is_flag=True, help="Wait until the answer is learnt.")
@click.option("--model", help="Claude model to ask.")
@click.option("--system", help="System prompt; answers are reused only under the same one.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds without a word from Claude until one of three tries fails.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the answer alone.")
@click.option("--plain", "is_plain", is_flag=True, help="Print Markdown as it comes, on a terminal too.")
@click.option("-q", "--quiet", "is_quiet", is_flag=True, help="Print the answer alone, and warnings and errors.")
@settings
@click.pass_context
def ask(
    ctx: click.Context,
    /,
    query: str | None,
    continues: bool,
    claude: bool,
    local: bool,
    strict: bool,
    unstored: bool,
    wait: bool,
    model: str | None,
    system: str | None,
    timeout: float | None,
    as_json: bool,
    is_plain: bool,
    is_quiet: bool,
    **options: Any,
) -> None:
    """Answer QUERY, or the question on standard input.

    Standard output gets the answer alone; standard error gets one line about where it came from.
    """
    since = time.perf_counter()
    forced_source = _forced_source(claude=claude, local=local, strict=strict)
    with Screen(is_plain=is_plain, is_quiet=is_quiet, as_json=as_json) as screen:
        screen.begin()
        home, config = home_and_config(ctx, options, {"teacher": {"timeout_s": timeout}})
        text = read_query(query, config.max_query_bytes)
        for name, value in (("--system", system), ("--model", model)):
            check_text(name, value or "", config.max_query_bytes)
        from shammah_mlx.cli.answering import answer
        from shammah_mlx.server.protocol import AskRequest

        wanted = AskRequest(text, system, model, continues, forced_source, strict, stored=not unstored, waits=wait)
        chosen = merge_options(ctx, options)
        given = {**chosen, "timeout": timeout}
        has_settings = any(value is not None for name, value in given.items() if name != "home")
        exit_code = answer(home, config, wanted, chosen, screen, since=since, in_process=has_settings)
    ctx.exit(exit_code)


def _forced_source(*, claude: bool, local: bool, strict: bool) -> "ForcedSource | None":
    """Return who the user asked for."""
    if claude and local:
        raise click.UsageError("--claude and --local exclude each other.")
    if strict and local:
        raise click.UsageError("--strict and --local exclude each other: a --local answer is never covered.")
    return "claude" if claude else "local" if local else None
