"""`shammah setup`: fetch and check the pretrained weights."""

import click


@click.command()
def setup() -> None:
    """Fetch and check the pretrained weights.

    They are kept in the platform's cache folder, or the one SHAMMAH_WEIGHTS names.
    """
    from shammah_mlx.models.weights import fetch_weights, weights_folder

    folder = weights_folder()
    click.echo(f"Weights folder: {folder}")
    fetch_weights(folder, click.echo)
    click.echo("Ready.")
