"""The commands that keep Claude's key."""

import sys
from pathlib import Path
from typing import Any

import click

from shammah_mlx.cli.options import home_of, settings
from shammah_mlx.errors import BadInputError
from shammah_mlx.home.folder import make_home
from shammah_mlx.teacher.keys import find_credential, key_store

LONGEST = 1000  # characters: keys have about a hundred
RESTART = "The service read its key when it started: shammah service restart"


@click.group()
def key() -> None:
    """Keep Claude's key where the service finds it: in the Keychain, or in a file only you can read."""


@key.command("set")
@settings
@click.pass_context
def set_key(ctx: click.Context, /, **given: Any) -> None:
    """Read the key from the keyboard, unseen, or from standard input, and keep it."""
    home = home_of(ctx, given)
    if sys.stdin is not None and sys.stdin.isatty():
        typed = click.prompt("Anthropic API key", hide_input=True, err=True)
    else:
        typed = sys.stdin.read(LONGEST + 2) if sys.stdin is not None else ""
    kept = typed.strip()
    if not kept or len(kept) > LONGEST or not (kept.isascii() and kept.isprintable()) or " " in kept:
        raise BadInputError("that is no key", "give the key alone, as platform.claude.com shows it")
    store = key_store(make_home(home))
    store.set(kept)
    click.echo(f"Kept in {store.name}.")
    _say_if_served(home)


@key.command("unset")
@settings
@click.pass_context
def unset_key(ctx: click.Context, /, **given: Any) -> None:
    """Drop the key that is kept."""
    home = home_of(ctx, given)
    store = key_store(home)
    if store.unset():
        click.echo(f"Dropped from {store.name}.")
        _say_if_served(home)
    else:
        click.echo("None is kept.")


@key.command("status")
@settings
@click.pass_context
def key_status(ctx: click.Context, /, **given: Any) -> None:
    """Say where the key is found, and nothing of it. Exit code 1: there is none."""
    home = home_of(ctx, given)
    found = find_credential(home)
    click.echo("There is no key." if found is None else f"The key is in {found.found_in}.")
    ctx.exit(found is None)


def _say_if_served(home: Path) -> None:
    from shammah_mlx.server.client import is_served

    if is_served(home):
        click.echo(RESTART)
