"""The command that serves: sockets, signals, and the parts put together."""

import logging
import sys
from contextlib import ExitStack
from typing import Any

import click

from shammah_mlx.cli.options import flags_of, home_and_config, settings
from shammah_mlx.home.folder import make_home
from shammah_mlx.server.run import LOOPBACK, _listening, _only_one, _serve


@click.command()
@click.option("--tcp", type=click.IntRange(0, 65535), metavar="PORT", help="Listen on this port of 127.0.0.1 too.")
@settings
@click.pass_context
def serve(ctx: click.Context, /, tcp: int | None, **given: Any) -> None:
    """Keep the models warm, answer at once, and learn when nobody waits.

    Listens on the home's own socket, shammah.sock, where `shammah ask` finds it, and for Claude's Messages API. Runs
    until it is ended; `shammah service install` has the system start it.
    """
    home, _ = home_and_config(ctx, given)
    make_home(home)
    import asyncio  # takes longer than all the rest of a command

    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", level=logging.WARNING)
    with ExitStack() as held:
        held.enter_context(_only_one(home))
        port = held.enter_context(_listening(LOOPBACK, tcp)) if tcp is not None else None
        asyncio.run(_serve(home, flags_of(ctx, given), port))
