"""`shammah models`: what this machine can hold, whether the decoder that is set fits, and a proposal."""

import json
from typing import TYPE_CHECKING, Any

import click

from shammah_mlx.cli.options import home_and_config, settings
from shammah_mlx.display.console import tell

if TYPE_CHECKING:
    from shammah_mlx.config import Config
    from shammah_mlx.models.machine import Outlook
    from shammah_mlx.models.memory import Machine, Need

INDENT = 10  # columns before the sentences
UNUSED = "It is not used: `generator` leaves the decoder out."


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@settings
@click.pass_context
def models(ctx: click.Context, /, as_json: bool, **options: Any) -> None:
    """Say which decoder this machine can hold, and propose one.

    Memory is estimated from the files of the decoder that is set. Nothing is loaded, and nothing is sent to other
    machines.

    \b
    Examples:
      shammah models
    """
    _, config = home_and_config(ctx, options)
    from shammah_mlx.models.machine import look, this_machine

    outlook = look(config.lora, this_machine())
    if as_json:
        click.echo(models_json(outlook, config))
        return
    tell("\n".join(sentences(outlook, config)), INDENT)
    click.echo("\n".join(["", *config_lines(outlook, config)]))


def models_json(outlook: "Outlook", config: "Config") -> str:
    """Return the object that `models --json` prints."""
    import msgspec

    shown = msgspec.to_builtins(outlook)
    used = config.generator == "recall+decoder"
    return json.dumps({**shown, "used": used, "fits": outlook.fits, "config": config_lines(outlook, config)})


def sentences(outlook: "Outlook", config: "Config") -> list[str]:
    """Return what `models` says before the lines for config.toml."""
    proposed = outlook.proposed
    lines = [
        f"Memory    {memory_sentence(outlook.machine)}",
        f"          A decoder may take {in_gb(outlook.room_bytes)} of it.",
        f"Decoder   {fit_sentence(outlook)}.",
    ]
    if config.generator != "recall+decoder":
        lines.append(f"          {UNUSED}")
    lines.append(f"Proposed  {proposed.name} ({proposed.license}) takes {need_words(outlook.proposed_need)}.")
    if outlook.machine.wired_bytes is None and not proposed.model:
        lines.append("          Without a GPU larger decoders are too slow.")
    if proposed.model == outlook.model:
        lines.append("          It is the one that is set:")
    elif proposed.model:
        fetched = in_gb(proposed.size.stored_bytes)
        lines.append(
            f"          mlx-lm fetches {fetched} from the hub when it is first needed. It starts to learn anew."
        )
        lines.append("          In config.toml:")
    else:
        lines.append("          In config.toml:")
    return lines


def memory_sentence(machine: "Machine") -> str:
    """Return what the machine has."""
    if machine.wired_bytes is None:
        return f"{in_gb(machine.memory_bytes)}, and no GPU: MLX computes on the CPU, with 32 bits for each weight."
    wired = in_gb(machine.wired_bytes)
    return f"{in_gb(machine.memory_bytes)} shared with the GPU. MLX may keep {wired} wired, from macOS 15 on."


def fit_sentence(outlook: "Outlook") -> str:
    """Say whether the decoder that is set fits."""
    if outlook.need is None:
        return f"How much {outlook.name} takes is unknown: {outlook.unknown}"
    return f"{outlook.name} takes {need_words(outlook.need)}: it {'fits' if outlook.fits else 'does not fit'}"


def need_words(need: "Need") -> str:
    """Return how much a decoder takes."""
    return f"about {in_gb(need.answering_bytes)} to answer, {in_gb(need.learning_bytes)} while it learns"


def in_gb(size: int) -> str:
    """Return bytes in GB, as Apple counts memory."""
    from shammah_mlx.models.memory import GB

    return f"{size / GB:,.1f} GB"


def config_lines(outlook: "Outlook", config: "Config") -> list[str]:
    """Return the lines of config.toml that set the proposed decoder."""
    first = [] if config.generator == "recall+decoder" else ['generator = "recall+decoder"', ""]
    return [*first, "[lora]", f"model = {json.dumps(outlook.proposed.model)}"]
