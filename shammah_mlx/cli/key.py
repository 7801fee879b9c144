"""`shammah key`: store, delete and find the API key for Claude."""

import sys
from pathlib import Path
from typing import Any

import click

from shammah_mlx.cli.options import home_of, settings
from shammah_mlx.display.console import tell
from shammah_mlx.errors import BadInputError
from shammah_mlx.home.folder import make_home
from shammah_mlx.teacher.keys import find_credential, key_store

LONGEST = 1000  # characters; a key has about a hundred
OLD_KEY = "The running service still uses the key it read when it started."


@click.group()
def key() -> None:
    """Manage the API key for Claude.

    It is kept in the Keychain, or in a file that only you can read.

    \b
    Examples:
      shammah key set
      shammah key status
    """


@key.command("set")
@settings
@click.pass_context
def set_key(ctx: click.Context, /, **options: Any) -> None:
    """Store the key.

    It is typed without being shown, or read from standard input. Anthropic is asked first, free of charge, whether it
    takes the key; one that it refuses is not stored.
    """
    home = home_of(ctx, options)
    if sys.stdin is not None and sys.stdin.isatty():
        typed = click.prompt("Anthropic API key", hide_input=True, err=True)
    else:
        typed = sys.stdin.read(LONGEST + 2) if sys.stdin is not None else ""
    secret = typed.strip()
    if not secret or len(secret) > LONGEST or not (secret.isascii() and secret.isprintable()) or " " in secret:
        raise BadInputError("this is not an API key", f"enter only the key, as {_where_keys_are()} shows it")
    from shammah_mlx.teacher.key_check import check_key

    checked = check_key(secret)
    if checked == "refused":
        raise BadInputError("Claude refused the key (401), so nothing was stored", f"copy it from {_where_keys_are()}")
    store = key_store(make_home(home))
    store.set(secret)
    works = "It works." if checked == "works" else "It was not checked: Claude could not be asked."
    tell(f"The key is stored in {store.name}. {works}")
    if (used := find_credential(home)) is not None and used.found_in != store.name:
        tell(f"Commands go on using the key in {used.found_in}, which goes first.")
    _recommend_restart(home)


@key.command("unset")
@settings
@click.pass_context
def unset_key(ctx: click.Context, /, **options: Any) -> None:
    """Delete the stored key."""
    home = home_of(ctx, options)
    store = key_store(home)
    if store.unset():
        tell(f"The key is deleted from {store.name}.")
        _recommend_restart(home)
    else:
        tell("No key is stored.")


@key.command("status")
@settings
@click.pass_context
def key_status(ctx: click.Context, /, **options: Any) -> None:
    """Print where the key is found, but not the key. Exits with code 1 if there is none."""
    home = home_of(ctx, options)
    found = find_credential(home)
    missing = "No key was found. Store one with `shammah key set`."
    tell(missing if found is None else f"The key is in {found.found_in}.")
    ctx.exit(found is None)


def _where_keys_are() -> str:
    """Return where people find their key."""
    from shammah_mlx.teacher.identity import base_url_here, host_at

    return host_at(base_url) if (base_url := base_url_here()) else "platform.claude.com"


def _recommend_restart(home: Path) -> None:
    """Print that a running service must be restarted to use the new key."""
    from shammah_mlx.daemon.native import supervisor
    from shammah_mlx.server.client import is_served

    if is_served(home):
        again = "Run `shammah service restart`" if supervisor().path.exists() else "End it and start it again"
        tell(f"{OLD_KEY} {again}.")
