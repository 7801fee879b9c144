"""`shammah serve`: run the service in this process."""

import logging
import os
import signal
import sys
from contextlib import ExitStack
from typing import Any

import click

from shammah_mlx.cli.options import budget, config_overrides, home_and_config, settings
from shammah_mlx.home.folder import make_home

CLIENT_CREDENTIALS = "Let clients sign in to Claude themselves, with their own Authorization or x-api-key."


@click.command()
@click.option("--tcp", type=click.IntRange(0, 65535), metavar="PORT", help="Also listen on this port of 127.0.0.1.")
@click.option("--client-credentials", is_flag=True, help=CLIENT_CREDENTIALS)
@budget
@settings
@click.pass_context
def serve(
    ctx: click.Context, /, tcp: int | None, client_credentials: bool, budget: float | None, **options: Any
) -> None:
    """Serve this home until stopped.

    The models stay loaded, and the service learns between questions. It listens on the home's socket, shammah.sock, for
    `shammah ask` and for clients of Claude's Messages API. `shammah service install` lets the system start it.

    Started on several machines by mlx.launch, the first one serves. The others follow: they hold and compute their
    part of the decoder, until the first one ends.

    \b
    Examples:
      shammah serve
      shammah serve --tcp 8317
    """
    _leave_a_core()
    import asyncio  # imported here: it takes longer than all other imports of a command together

    from shammah_mlx.models import sharded
    from shammah_mlx.server import run

    if sharded.is_follower():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the first one, which may still finish an answer
        sharded.follow()
        return
    flags = {**config_overrides(ctx, options), "budget": {"month": budget}}
    home, config = home_and_config(ctx, options, flags)
    make_home(home)

    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", level=logging.WARNING)
    with ExitStack() as stack:
        stack.enter_context(run.hold_serving_lock(home))
        port = stack.enter_context(run.listening_on(tcp)) if tcp is not None else None
        if (leader := sharded.leader()) is not None:
            stack.callback(leader.end)
            if config.generator == "recall+decoder":
                click.echo(f"{leader.machines} machines share the decoder; it writes and learns nothing", err=True)
        asyncio.run(run.serve(home, flags, port, sign_in=client_credentials))


def _leave_a_core() -> None:
    """Leave one core of a Linux machine to questions: OpenBLAS' own threads know nothing of the learning thread's rank.

    MLX is not imported yet, so OpenBLAS still reads the environment.
    """
    if sys.platform == "linux":
        others = max(1, len(os.sched_getaffinity(0)) - 1)
        os.environ.setdefault("OPENBLAS_NUM_THREADS", str(others))
