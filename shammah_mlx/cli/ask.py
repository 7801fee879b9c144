"""`shammah ask`: one question, answered by the home's service if one runs, or else in this process."""

import time
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx.cli.interrupts import whole_imports
from shammah_mlx.cli.options import asking, has_settings, home_and_config, merge_options, settings
from shammah_mlx.cli.standard_input import is_asked_for
from shammah_mlx.cli.words import QuestionCommand
from shammah_mlx.display.screen import Screen

if TYPE_CHECKING:
    from shammah_mlx.events import ForcedSource


@click.command(cls=QuestionCommand)
@click.argument("words", nargs=-1)
@asking
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    metavar="PATH",
    help="File to ask about: text, image or PDF. May be given several times; - is standard input.",
)
@click.option("-t", "--template", metavar="NAME", help="Template to put the question into; see `shammah templates`.")
@click.option(
    "-p",
    "--param",
    "parameters",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="Value of a variable in the template. May be given several times.",
)
@click.option("--no-store", "unstored", is_flag=True, help="Answer, but neither store nor learn the question.")
@click.option("--wait", is_flag=True, help="Wait until the answer is learnt.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the answer alone.")
@click.option("-q", "--quiet", "is_quiet", is_flag=True, help="Print the answer alone, and warnings and errors.")
@settings
@click.pass_context
def ask(
    ctx: click.Context,
    /,
    words: tuple[str, ...],
    continues: bool,
    model: str | None,
    system: str | None,
    files: tuple[str, ...],
    template: str | None,
    parameters: tuple[tuple[str, str], ...],
    conversation: int | None,
    claude: bool,
    local: bool,
    strict: bool,
    unstored: bool,
    wait: bool,
    timeout: float | None,
    as_json: bool,
    is_plain: bool,
    is_quiet: bool,
    budget: float | None,
    **options: Any,
) -> None:
    """Answer a question: WORDS, what is piped in, and files.

    Options stand before the words; they may also follow a question in quotes. Standard output gets the answer alone;
    standard error gets one line about where it came from.

    \b
    Examples:
      shammah ask how do I list files by size
      shammah ask "what does grep -c do?"
      shammah ask -c "and without empty lines?"
      git diff | shammah ask write a commit message
      shammah ask -f main.py -f test_main.py which case is not tested
      shammah ask -f photo.jpg what does the sign say
      shammah ask -m claude-haiku-5-5 -s "answer in French" what is a monad
      shammah ask -t translate -p language French good morning
      shammah ask --json "what is a monad?" | jq .source
    """
    since = time.perf_counter()
    forced_source = forced_source_of(claude=claude, local=local, strict=strict)
    with Screen(is_plain=is_plain, is_quiet=is_quiet, as_json=as_json) as screen:
        screen.begin(is_typed=is_asked_for(words, files))
        home, config = home_and_config(ctx, options, {"teacher": {"timeout_s": timeout}, "budget": {"month": budget}})
        with whole_imports():
            from shammah_mlx.cli.answering import answer
            from shammah_mlx.cli.question import Asked, read_question, warning_of_length
            from shammah_mlx.cli.terminal import is_in_person, this_terminal
            from shammah_mlx.server.protocol import AskRequest
            from shammah_mlx.teacher.context import request_bytes

        query = read_question(Asked(words, files, template, parameters, system, model), home, config, screen.note)
        if not local and (warning := warning_of_length(query, config)):
            screen.note(warning)
        wanted = AskRequest(
            query.text,
            query.system,
            query.model,
            continues,
            forced_source,
            strict,
            stored=not unstored,
            waits=wait,
            attachments=query.attachments or (),
            conversation=conversation,
            terminal=this_terminal(),
            in_person=is_in_person(),
        )
        chosen = {**merge_options(ctx, options), "budget": budget}  # what is learnt afterwards may cost verdicts
        is_big = request_bytes(query) > config.service.most_body_bytes
        in_process = has_settings({**chosen, "timeout": timeout}) or is_big
        exit_code = answer(home, config, wanted, chosen, screen, since=since, in_process=in_process)
    ctx.exit(exit_code)


def forced_source_of(*, claude: bool, local: bool, strict: bool) -> "ForcedSource | None":
    """Return who the user asked for."""
    if claude and local:
        raise click.UsageError("--claude and --local exclude each other.")
    if strict and local:
        raise click.UsageError("--strict and --local exclude each other: a --local answer is never covered.")
    return "claude" if claude else "local" if local else None
