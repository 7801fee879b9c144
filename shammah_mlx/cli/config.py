"""`shammah config`: where the settings are, what they are and why, and how to change one."""

from typing import Any

import click

from shammah_mlx.cli.options import home_and_config, home_of, settings
from shammah_mlx.display.console import tell


@click.group()
def config() -> None:
    """Show and change settings.

    \b
    Examples:
      shammah config path
      shammah config list --changed
      shammah config get teacher.model
      shammah config set teacher.model claude-haiku-5-5
      shammah config set risk.max_bad_rate 2%
      shammah config unset risk.max_bad_rate
    """


@config.command("path")
@settings
@click.pass_context
def print_path(ctx: click.Context, /, **options: Any) -> None:
    """Print where config.toml is; it need not exist."""
    from shammah_mlx.home.settings_file import FILE

    click.echo(home_of(ctx, options) / FILE)


@config.command("list")
@click.option("--changed", is_flag=True, help="Only those that differ from the preset.")
@settings
@click.pass_context
def print_settings(ctx: click.Context, /, changed: bool, **options: Any) -> None:
    """Print every setting with its reason, as a config.toml."""
    _, loaded = home_and_config(ctx, options)
    from shammah_mlx.home.settings_file import listed

    click.echo(listed(loaded, changed_only=changed), nl=False)


@config.command("get")
@click.argument("name")
@settings
@click.pass_context
def print_setting(ctx: click.Context, /, name: str, **options: Any) -> None:
    """Print one setting or section, such as teacher.model."""
    _, loaded = home_and_config(ctx, options)
    from shammah_mlx.home.settings_file import value_of

    click.echo(value_of(loaded, name))


@config.command("set")
@click.argument("name")
@click.argument("value")
@settings
@click.pass_context
def set_setting(ctx: click.Context, /, name: str, value: str, **options: Any) -> None:
    """Write NAME = VALUE into config.toml. What else stands there stays as it is.

    VALUE is TOML: a number, true, a list, text with or without quotes; of a share also a percentage.
    """
    home = home_of(ctx, options)
    from shammah_mlx.home.folder import make_home
    from shammah_mlx.home.settings_file import change, value_of

    changed = change(make_home(home), name, value)
    tell(f"{name} is {value_of(changed, name)} now.")


@config.command("unset")
@click.argument("name")
@settings
@click.pass_context
def unset_setting(ctx: click.Context, /, name: str, **options: Any) -> None:
    """Remove NAME from config.toml: the preset's value holds."""
    home = home_of(ctx, options)
    from shammah_mlx.home.settings_file import change, value_of

    changed = change(home, name, None)
    tell(f"{name} is {value_of(changed, name)}, as in the preset.")
