"""`shammah completion`: what a shell reads to complete commands and options."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, /, shell: str) -> None:
    """Print what makes SHELL complete commands and options.

    \b
    Examples:
      eval "$(shammah completion bash)"   # in ~/.bashrc
      eval "$(shammah completion zsh)"    # in ~/.zshrc
      shammah completion fish > ~/.config/fish/completions/shammah.fish   # once
    """
    made_by = get_completion_class(shell)
    assert made_by is not None  # click knows all of SHELLS
    click.echo(made_by(ctx.find_root().command, {}, "shammah", "_SHAMMAH_COMPLETE").source())
