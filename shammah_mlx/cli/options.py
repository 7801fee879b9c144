"""Options that nearly every command takes: `--home`, `--preset`, `--max-bad-rate`, `--seed`."""

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from shammah_mlx.cli.checks import is_valid_unicode
from shammah_mlx.errors import BadInputError
from shammah_mlx.home.folder import check_owner

if TYPE_CHECKING:
    from shammah_mlx.config import Config


Command = TypeVar("Command", bound=Callable[..., Any])


def _parse_home(ctx: click.Context, option: click.Parameter, value: str | None) -> Path | None:
    try:
        return None if value is None else _expand(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, option) from error


def _expand(path: str) -> Path:
    """Return the path with `~` expanded.

    Raises:
        ValueError: it is empty, not valid UTF-8, or names an unknown user; with the reason.
    """
    if not path.strip():
        raise ValueError("the path is empty")
    if not is_valid_unicode(path):  # MLX could not open it
        raise ValueError("the path is not valid UTF-8")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"there is no such user: {path}") from error


class Share(click.ParamType):  # type: ignore[type-arg]  # older versions of click know no argument
    """A share above 0 and at most 1, also written as a percentage."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the share; 5% is 0.05."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
        except ValueError:
            reason = f"{value!r} is neither a number nor a percentage such as 5%."
            raise click.BadParameter(reason, ctx, param) from None
        if 0.0 < share <= 1.0:
            return share
        meant = f" Did you mean {text}%?" if 1.0 < share <= 100.0 and not text.endswith("%") else ""
        raise click.BadParameter(f"{value!r} is not above 0 and at most 1, or 100%.{meant}", ctx, param)


def _reject_nan(ctx: click.Context, option: click.Parameter, value: float | None) -> float | None:
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is not a number", ctx, option)
    return value


def settings(command: Command) -> Command:
    """Add the common options to a command; each of them overrides config.toml."""
    for option in (
        click.option(
            "--max-bad-rate",
            type=Share(),
            metavar="SHARE",
            help="Largest share of local answers that may be bad in the long run.  [5%; 1 promises nothing]",
        ),
        click.option(
            "--seed",
            type=click.IntRange(min=0, max=2**63 - 1),
            help="Seed of the initial weights and all random draws.",
        ),
        click.option("--preset", help="Set of models and rules: default or literal."),
        click.option(
            "--home", callback=_parse_home, help="Folder of the journal and models.  [$SHAMMAH_HOME, ~/.shammah]"
        ),
    ):
        command = option(command)
    return command


def budget(command: Command) -> Command:
    """Add `--budget` to a command that may ask Claude; it overrides config.toml."""
    return click.option(
        "--budget",
        type=click.FloatRange(min=0.0, max=1e9),
        callback=_reject_nan,
        metavar="USD",
        help="Ask Claude nothing more once this much was spent this month.  [no limit]",
    )(command)


def asking(command: Command) -> Command:
    """Add what `ask` and `chat` both take: whom to ask and how, what to continue, how to print."""
    for option in (
        budget,
        click.option("--plain", "is_plain", is_flag=True, help="Print Markdown as it comes, on a terminal too."),
        click.option(
            "--timeout",
            type=click.FloatRange(min=0, min_open=True),
            help="Seconds without a word from Claude until one of three tries fails.",
        ),
        click.option(
            "--strict", is_flag=True, help="Fail rather than give an answer that max_bad_rate does not cover."
        ),
        click.option(
            "--local", is_flag=True, help="Never call Claude: answer from this machine, however doubtful the answer."
        ),
        click.option("--claude", is_flag=True, help="Ask Claude, whatever the Router decides."),
        click.option("-s", "--system", help="System prompt; answers are reused only under the same one."),
        click.option("-m", "--model", help="Claude model to ask."),
        click.option(
            "--conversation",
            type=click.IntRange(min=1),
            metavar="ID",
            help="Continue that conversation: the number of any question in it.",
        ),
        click.option("-c", "--continue", "continues", is_flag=True, help="Continue this terminal's last conversation."),
    ):
        command = option(command)
    return command


def merge_options(ctx: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """Return the common options: those after the command's name, or else those before it."""
    return {name: value if value is not None else ctx.obj[name] for name, value in options.items()}


def has_settings(chosen: Mapping[str, Any]) -> bool:
    """Say whether a setting is given: a running service has its own, so the command does the work itself then."""
    return any(value is not None for name, value in chosen.items() if name != "home")


def home_of(ctx: click.Context, options: dict[str, Any]) -> Path:
    """Return the home, without reading its config.toml.

    Raises:
        BadInputError: SHAMMAH_HOME is not a usable path.
        BadStateError: the home belongs to another user.
    """
    try:
        home = merge_options(ctx, options)["home"] or _expand(os.environ.get("SHAMMAH_HOME") or "~/.shammah")
    except ValueError as error:
        raise BadInputError(f"SHAMMAH_HOME is not usable: {error}", "set it, or --home, to a folder") from error
    check_owner(home)
    return home


def config_overrides(ctx: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """Return the common options other than the home, structured as in config.toml."""
    overrides = merge_options(ctx, options)
    del overrides["home"]
    risk = {"max_bad_rate": overrides.pop("max_bad_rate")}
    return {**overrides, "risk": risk}


def home_and_config(
    ctx: click.Context, options: dict[str, Any], overrides: dict[str, Any] | None = None
) -> "tuple[Path, Config]":
    """Return the home, and its config with the common options and further `overrides` applied.

    Raises:
        BadInputError: SHAMMAH_HOME or a setting is not usable.
        BadStateError: the home belongs to another user.
    """
    from shammah_mlx.presets import load_config  # imported here: `--help` needs no presets

    home = home_of(ctx, options)
    return home, load_config(home / "config.toml", {**config_overrides(ctx, options), **(overrides or {})})
