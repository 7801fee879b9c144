"""`shammah service`: let launchd or systemd run the service."""

import os
import re
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx.cli.options import home_and_config, home_of, merge_options, settings
from shammah_mlx.cli.serve import CLIENT_CREDENTIALS
from shammah_mlx.display.console import one_line, tell
from shammah_mlx.errors import BadInputError, BadStateError
from shammah_mlx.home.background import command_line
from shammah_mlx.home.folder import make_home
from shammah_mlx.teacher.keys import BASE_URL, key_store

if TYPE_CHECKING:
    from shammah_mlx.daemon.supervisor import Job, Supervisor


START_WITHIN_S = 60.0  # loading the models takes some seconds if their files are not cached
POLL_S = 0.2
LINES = 50
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "all_proxy", "no_proxy")
VARIABLES = (  # the service gets no others
    *("SHAMMAH_WEIGHTS", "XDG_CACHE_HOME", BASE_URL),
    *(*PROXIES, "SSL_CERT_FILE", "SSL_CERT_DIR"),
)


@click.group()
def service() -> None:
    """Let the system run `shammah serve`.

    On macOS launchd does, on Linux systemd.

    \b
    Examples:
      shammah service install
      shammah service status
      shammah service logs -n 20
    """


@service.command()
@click.option("--tcp", type=click.IntRange(1, 65535), metavar="PORT", help="Also listen on this port of 127.0.0.1.")
@click.option("--client-credentials", is_flag=True, help=CLIENT_CREDENTIALS)
@settings
@click.pass_context
def install(ctx: click.Context, /, tcp: int | None, client_credentials: bool, **options: Any) -> None:
    """Start the service now, at every login, and again after a crash. Replaces a service that is already installed."""
    home, _ = home_and_config(ctx, options)  # fails here, before anything is installed, if the settings are not valid
    from shammah_mlx.daemon.supervisor import Job
    from shammah_mlx.server.client import is_served

    command = command_line("serve", make_home(home), {**merge_options(ctx, options), "tcp": tcp})
    command += ["--client-credentials"] * client_credentials
    environment = {name: value for name in VARIABLES if (value := os.environ.get(name))}
    _check_definition(Job(tuple(command), environment, _log()), tcp)
    supervisor = _supervisor()
    if is_served(home) and not supervisor.state().running:
        raise BadStateError(
            "another process already serves this home", "end it first; `shammah service status` shows its process id"
        )
    supervisor.install(Job(tuple(command), environment, _log()))
    _wait_until_up(home, supervisor)
    tell(f"The service is installed and running. Its definition is {supervisor.path}.")
    if key_store(home).get() is None:
        tell("It has no API key for Claude. Run `shammah key set`, then `shammah service restart`.")


@service.command()
def uninstall() -> None:
    """Stop the service and remove it. The home, with everything learnt, stays."""
    removed = _supervisor().uninstall()
    tell("The service is stopped and removed." if removed else "The service was not installed.")


@service.command()
@settings
@click.pass_context
def start(ctx: click.Context, /, **options: Any) -> None:
    """Start the service."""
    home = home_of(ctx, options)
    supervisor = _supervisor()
    supervisor.start()
    _wait_until_up(home, supervisor)
    tell("The service is running.")


@service.command()
def stop() -> None:
    """Stop the service until you start it or log in again. It saves what it learnt first."""
    _supervisor().stop()
    tell("The service is stopped.")


@service.command()
@settings
@click.pass_context
def restart(ctx: click.Context, /, **options: Any) -> None:
    """Stop the service and start it again."""
    home = home_of(ctx, options)
    supervisor = _supervisor()
    supervisor.restart()
    _wait_until_up(home, supervisor)
    tell("The service is running.")


@service.command()
@settings
@click.pass_context
def status(ctx: click.Context, /, **options: Any) -> None:
    """Show whether the service is installed, runs and answers. Exits with code 1 if it does not answer."""
    home = home_of(ctx, options)
    from shammah_mlx.server import client

    supervisor = _supervisor()
    state = supervisor.state()
    click.echo(f"installed  {supervisor.path if state.installed else 'no'}")
    last_exit = "" if state.last_exit is None else f" (last exit code {state.last_exit})"
    click.echo(f"running    {f'yes, process {state.pid}' if state.running else f'no{last_exit}'}")
    health = client.get_json(home, "/health")
    if health is None:
        click.echo("answers    no")
        ctx.exit(1)
    key = "" if health["key"] else "; no API key for Claude"
    details = f"{health['status']}; models {health['models']}; to learn: {health['pending']}{key}"
    click.echo(f"answers    yes, process {health['process']}: {details}")


@service.command()
@click.option("-n", "lines", type=click.IntRange(min=1), default=LINES, show_default=True, help="Number of lines.")
def logs(lines: int) -> None:
    """Show the last lines of the service's log. It contains no questions or answers."""
    path = _log()
    if not path.exists():
        hint = "`shammah service install` starts it; a `shammah serve` of your own writes to its terminal"
        raise BadStateError(f"the service has no log yet ({path})", hint)
    with path.open(encoding="utf-8", errors="replace") as log:
        for line in deque(log, lines):
            click.echo(line, nl=False)


def _supervisor() -> "Supervisor":
    from shammah_mlx.daemon.native import supervisor

    return supervisor()


def _log() -> Path:
    from platformdirs import user_log_path

    return user_log_path("shammah-mlx", appauthor=False) / "serve.log"


def _check_definition(job: "Job", tcp: int | None) -> None:
    """Check what is written into the service's definition.

    Raises:
        BadInputError: it has a secret or a control character, or the base URL is the service's own address.
    """
    environment = job.environment
    for part in (*job.command, *environment.values(), str(job.log)):
        if not part.isprintable():  # a line break would begin another setting
            raise BadInputError(f"{one_line(part)!r} has a control character", "choose a path or value without it")
    for name, value in environment.items():
        if "@" in value or ("://" in value and "?" in value):  # a user's name and password, or a token in the query
            raise BadInputError(
                f"{name} seems to contain a password, which would be written to a file", f"set {name} without it"
            )
    if tcp is not None and re.search(rf"(localhost|127\.0\.0\.1|\[::1\]):{tcp}\b", environment.get(BASE_URL, "")):
        raise BadInputError(
            f"{BASE_URL} is the service's own address: the service would ask itself", f"unset {BASE_URL}"
        )


def _wait_until_up(home: Path, supervisor: "Supervisor") -> None:
    """Wait until the process that the system started answers.

    Raises:
        BadStateError: it does not answer in time.
    """
    from shammah_mlx.server import client

    until = time.monotonic() + START_WITHIN_S
    while (health := client.get_json(home, "/health")) is None or health["process"] != supervisor.state().pid:
        if time.monotonic() > until:
            raise BadStateError(
                f"the service does not answer {START_WITHIN_S:.0f} s after its start", "see `shammah service logs`"
            )
        time.sleep(POLL_S)
