"""`shammah serve`: run the service in this process."""

import logging
import sys
from contextlib import ExitStack
from typing import Any

import click

from shammah_mlx.cli.options import flags_of, home_and_config, settings
from shammah_mlx.home.folder import make_home


@click.command()
@click.option("--tcp", type=click.IntRange(0, 65535), metavar="PORT", help="Also listen on this port of 127.0.0.1.")
@settings
@click.pass_context
def serve(ctx: click.Context, /, tcp: int | None, **given: Any) -> None:
    """Serve this home: keep the models loaded, answer questions, and learn between them.

    Listens on the home's socket, shammah.sock, for `shammah ask` and for clients of Claude's Messages API. Runs until
    it is stopped; `shammah service install` lets the system start it.
    """
    home, _ = home_and_config(ctx, given)
    make_home(home)
    import asyncio  # takes longer than all the rest of a command

    from shammah_mlx.server import run

    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", level=logging.WARNING)
    with ExitStack() as held:
        held.enter_context(run.hold_serving_lock(home))
        port = held.enter_context(run.listening_on(tcp)) if tcp is not None else None
        asyncio.run(run.serve(home, flags_of(ctx, given), port))
