"""Settings every command takes: `--home`, `--preset`, `--max-bad-rate`, `--seed`."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from shammah_mlx.cli.console import is_text
from shammah_mlx.errors import BadInputError

if TYPE_CHECKING:
    from shammah_mlx.config import Config


Command = TypeVar("Command", bound=Callable[..., Any])


def _home_option(ctx: click.Context, option: click.Parameter, given: str | None) -> Path | None:
    try:
        return None if given is None else _folder(given)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, option) from error


def _folder(given: str) -> Path:
    """Return the path a user gave.

    Raises:
        ValueError: it is none, and why.
    """
    if not given.strip():
        raise ValueError("it is empty")
    if not is_text(given):  # MLX could not open it
        raise ValueError("it is not valid UTF-8")
    try:
        return Path(given).expanduser()
    except RuntimeError as error:
        raise ValueError(f"there is no such user: {given}") from error


def _number(ctx: click.Context, option: click.Parameter, given: float | None) -> float | None:
    if given is not None and math.isnan(given):
        raise click.BadParameter("it is no number", ctx, option)
    return given


def settings(command: Command) -> Command:
    """Add the options every command takes; each replaces what config.toml says."""
    for option in (
        click.option(
            "--max-bad-rate",
            type=click.FloatRange(0.0, 1.0, min_open=True),
            callback=_number,
            metavar="SHARE",
            help="Of local answers, how many may be bad in the long run.  [0.05; 1 promises nothing]",
        ),
        click.option(
            "--seed", type=click.IntRange(min=0, max=2**63 - 1), help="Seed of initial weights and of all chance."
        ),
        click.option("--preset", help="Which set of models and rules: default, literal."),
        click.option("--home", callback=_home_option, help="State folder.  [$SHAMMAH_HOME, ~/.shammah]"),
    ):
        command = option(command)
    return command


def given_settings(ctx: click.Context, given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings, whether they stood before or after the command's name."""
    return {name: value if value is not None else ctx.obj[name] for name, value in given.items()}


def home_of(ctx: click.Context, given: dict[str, Any]) -> Path:
    """Return the home alone, whatever its settings are."""
    try:
        return given_settings(ctx, given)["home"] or _folder(os.environ.get("SHAMMAH_HOME") or "~/.shammah")
    except ValueError as error:
        raise BadInputError(f"SHAMMAH_HOME is no folder: {error}", "give it or --home a folder") from error


def flags_of(ctx: click.Context, given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings without the home, in the shape config.toml has."""
    flags = given_settings(ctx, given)
    del flags["home"]
    risk = {"max_bad_rate": flags.pop("max_bad_rate")}
    return {**flags, "risk": risk}


def home_and_config(
    ctx: click.Context, given: dict[str, Any], flags: dict[str, Any] | None = None
) -> "tuple[Path, Config]":
    """Return the home, and its config with the given settings and flags; presets are loaded here, not for --help."""
    from shammah_mlx.presets import load_config

    home = home_of(ctx, given)
    return home, load_config(home / "config.toml", {**flags_of(ctx, given), **(flags or {})})
