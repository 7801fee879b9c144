"""The commands that have the system run the service."""

import os
import re
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx.cli.options import given_settings, home_and_config, home_of, settings
from shammah_mlx.errors import BadInputError, BadStateError
from shammah_mlx.home.background import command_line
from shammah_mlx.home.folder import make_home
from shammah_mlx.teacher.keys import BASE_URL, key_store

if TYPE_CHECKING:
    from shammah_mlx.daemon.supervisor import Supervisor


UP_WITHIN_S = 60.0  # with cold files, loading takes some seconds
LOOK_S = 0.2
LINES = 50
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "all_proxy", "no_proxy")
KEPT = ("SHAMMAH_WEIGHTS", BASE_URL, *PROXIES, "SSL_CERT_FILE", "SSL_CERT_DIR")  # the system passes on nothing else


@click.group()
def service() -> None:
    """Have the system keep shammah running, with warm models: launchd on macOS, systemd on Linux."""


@service.command()
@click.option("--tcp", type=click.IntRange(1, 65535), metavar="PORT", help="Listen on this port of 127.0.0.1 too.")
@settings
@click.pass_context
def install(ctx: click.Context, /, tcp: int | None, **given: Any) -> None:
    """Start the service now, whenever you log in, and again when it crashes; once more replaces it."""
    home, _ = home_and_config(ctx, given)  # that it is valid should be known before
    from shammah_mlx.daemon.supervisor import Job
    from shammah_mlx.server.client import is_served

    command = command_line("serve", make_home(home), {**given_settings(ctx, given), "tcp": tcp})
    environment = {name: value for name in KEPT if (value := os.environ.get(name))}
    _check_environment(environment, tcp)
    runner = _supervisor()
    if is_served(home) and not runner.state().running:
        raise BadStateError(
            "another process serves this home already", "`shammah service status` says which: end it first"
        )
    runner.install(Job(tuple(command), environment, _log()))
    _wait_until_up(home, runner)
    click.echo(f"Running, and described in {runner.place}.")
    if key_store(home).get() is None:
        click.echo("It has no key for Claude: shammah key set, then shammah service restart")


@service.command()
def uninstall() -> None:
    """End the service and take it away. The home and all that was learnt stay."""
    click.echo("Taken away." if _supervisor().uninstall() else "It was not installed.")


@service.command()
@settings
@click.pass_context
def start(ctx: click.Context, /, **given: Any) -> None:
    """Start the service."""
    home = home_of(ctx, given)
    runner = _supervisor()
    runner.start()
    _wait_until_up(home, runner)
    click.echo("Running.")


@service.command()
def stop() -> None:
    """End the service until it is started, or you log in again. What is learnt is saved first."""
    _supervisor().stop()
    click.echo("Ended.")


@service.command()
@settings
@click.pass_context
def restart(ctx: click.Context, /, **given: Any) -> None:
    """End the service and start it anew."""
    home = home_of(ctx, given)
    runner = _supervisor()
    runner.restart()
    _wait_until_up(home, runner)
    click.echo("Running.")


@service.command()
@settings
@click.pass_context
def status(ctx: click.Context, /, **given: Any) -> None:
    """Say whether the service is installed, runs, and answers. Exit code 1: it does not answer."""
    home = home_of(ctx, given)
    from shammah_mlx.server import client

    runner = _supervisor()
    state = runner.state()
    click.echo(f"installed  {runner.place if state.installed else 'no'}")
    ended = "" if state.last_exit is None else f" (last exit code {state.last_exit})"
    click.echo(f"running    {f'yes, process {state.pid}' if state.running else f'no{ended}'}")
    health = client.told(home, "/health")
    if health is None:
        click.echo("answers    no")
        ctx.exit(1)
    key = "" if health["key"] else "; no key for Claude"
    doing = f"{health['status']}, models {health['models']}, {health['pending']} to learn{key}"
    click.echo(f"answers    yes, process {health['process']}: {doing}")


@service.command()
@click.option("-n", "lines", type=click.IntRange(min=1), default=LINES, show_default=True, help="How many lines.")
def logs(lines: int) -> None:
    """Show the end of what the service has written. No question or answer is in it."""
    path = _log()
    if not path.exists():
        raise BadStateError(f"there is no log yet ({path})", "shammah service install")
    with path.open(encoding="utf-8", errors="replace") as log:
        for line in deque(log, lines):
            click.echo(line, nl=False)


def _supervisor() -> "Supervisor":
    from shammah_mlx.daemon.native import supervisor

    return supervisor()


def _log() -> Path:
    from platformdirs import user_log_path

    return user_log_path("shammah-mlx", appauthor=False) / "serve.log"


def _check_environment(environment: Mapping[str, str], tcp: int | None) -> None:
    """Pass if this may be written to a file, and leads to Claude.

    Raises:
        BadInputError: there is a password in it, or it leads back to the service.
    """
    for name, value in environment.items():
        if "@" in value:
            raise BadInputError(f"{name} holds a password, which would be written to a file", "leave that out")
    if tcp is not None and re.search(rf"(localhost|127\.0\.0\.1|\[::1\]):{tcp}\b", environment.get(BASE_URL, "")):
        raise BadInputError(f"{BASE_URL} is the service's own address: it would ask itself", f"unset {BASE_URL}")


def _wait_until_up(home: Path, runner: "Supervisor") -> None:
    """Return when the process that the system runs answers.

    Raises:
        BadStateError: it does not.
    """
    from shammah_mlx.server import client

    until = time.monotonic() + UP_WITHIN_S
    while (health := client.told(home, "/health")) is None or health["process"] != runner.state().pid:
        if time.monotonic() > until:
            raise BadStateError("the service does not come up", "see `shammah service logs`")
        time.sleep(LOOK_S)
