"""`shammah setup`: download and check the pretrained weights."""

import click


@click.command()
def setup() -> None:
    """Download and check the pretrained weights.

    They are stored in the platform's cache folder, or in the folder that SHAMMAH_WEIGHTS names.

    \b
    Examples:
      shammah setup
    """
    from shammah_mlx.models.weights import fetch_weights, weights_folder

    folder = weights_folder()
    click.echo(f"Weights folder: {folder}")
    fetch_weights(folder, click.echo)
    click.echo("Ready: all weights are in place.")
