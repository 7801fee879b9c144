"""The command line: parse, call, print. Slow packages are imported inside the commands, so that --help is instant."""

import os
import sys
from io import TextIOWrapper
from typing import Any

import click

from shammah_mlx import __version__
from shammah_mlx.cli.ask import ask
from shammah_mlx.cli.chat import chat
from shammah_mlx.cli.completion import completion
from shammah_mlx.cli.config import config
from shammah_mlx.cli.default_command import DefaultGroup
from shammah_mlx.cli.doctor import doctor
from shammah_mlx.cli.feedback import bad, good
from shammah_mlx.cli.importing import import_
from shammah_mlx.cli.key import key
from shammah_mlx.cli.learn import learn
from shammah_mlx.cli.log import export, log
from shammah_mlx.cli.models import models
from shammah_mlx.cli.options import settings
from shammah_mlx.cli.replay import replay
from shammah_mlx.cli.serve import serve
from shammah_mlx.cli.service import service
from shammah_mlx.cli.setup import setup
from shammah_mlx.cli.status import report, status, why
from shammah_mlx.cli.templates import templates
from shammah_mlx.cli.undo import forget, rebuild, rollback


@click.group(cls=DefaultGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="shammah")
@settings
@click.pass_context
def main(ctx: click.Context, /, **options: Any) -> None:
    """Answer on this machine when it can be trusted to, ask Claude when it cannot, and learn from every answer.

    Without the name of a command, the words are a question: `shammah how do I list files` is `shammah ask how do I
    list files`.

    \b
    Examples:
      shammah how do I list files by size
      git diff | shammah ask "write a commit message"
      shammah chat
      shammah status

    Exit codes: 0 answered, 1 bad input or state, 2 wrong usage, 3 answered locally but not covered by
    max_bad_rate, 4 Claude unavailable or its reply incomplete, 130 interrupted.
    """
    os.umask(0o077)  # files may contain the user's questions
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error, for what its encoding lacks
    ctx.obj = options


for command in (
    ask,
    chat,
    good,
    bad,
    templates,
    learn,
    replay,
    status,
    why,
    report,
    log,
    export,
    import_,
    rollback,
    rebuild,
    forget,
    serve,
    service,
    key,
    config,
    models,
    doctor,
    setup,
    completion,
):
    main.add_command(command)
