"""The command that looks for what is wrong: key, weights, home, disk, service, and how fast the decoder writes."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from shammah_mlx.cli.options import home_and_config, home_of, settings
from shammah_mlx.errors import ShammahError

if TYPE_CHECKING:
    from shammah_mlx.config import Config

LEAST_FREE = 2e9  # bytes: some states of the largest kind, and room for the journal
LEAST_SHARE = 0.4  # of what a foreground process writes: a throttled service has an eighth
TRIES = 3  # in turn, the best of each: other programs take their share too
DECODING_S = 120.0  # with cold files, on a slow CPU


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    told: str
    is_well: bool = True
    hint: str = ""


@click.command()
@settings
@click.pass_context
def doctor(ctx: click.Context, /, **given: Any) -> None:
    """Look for what is wrong, and say what to do about it. Exit code 1: something is.

    Nothing is changed, and nothing leaves this machine: whether Claude takes the key is found out by asking.
    """
    bad = 0
    for check in _checks(ctx, given):
        click.echo(f"{'ok ' if check.is_well else 'BAD'}  {check.name:<9} {check.told}")
        if not check.is_well:
            bad += 1
            click.echo(f"     {'':<9} {check.hint}")
    ctx.exit(bad > 0)


def _checks(ctx: click.Context, given: dict[str, Any]) -> Iterator[Check]:
    home = home_of(ctx, given)
    for name, look in (
        ("settings", lambda: _settings(home_and_config(ctx, given)[0])),
        ("key", lambda: _key(home)),
        ("weights", _weights),
        ("home", lambda: _home(*home_and_config(ctx, given))),
        ("disk", lambda: _disk(home)),
        ("MLX", _mlx),
        ("service", lambda: _service(home)),
        ("decoder", lambda: _decoder(*home_and_config(ctx, given))),
    ):
        yield _look(name, look)


def _look(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except ShammahError as error:
        return Check(name, error.message, is_well=False, hint=error.hint)
    except OSError as error:
        return Check(name, str(error), is_well=False, hint="see whether you may read and write there")


def _settings(home: Path) -> Check:
    path = home / "config.toml"
    return Check("settings", str(path) if path.exists() else "the preset's own")


def _key(home: Path) -> Check:
    from shammah_mlx.teacher.keys import find_credential

    found = find_credential(home)
    if found is None:
        return Check("key", "there is none", is_well=False, hint="shammah key set")
    return Check("key", f"in {found.found_in} (not tried: nothing leaves this machine)")


def _weights() -> Check:
    from shammah_mlx.models.weights import check_weights, weights_folder

    folder = weights_folder()
    check_weights(folder)
    return Check("weights", f"in {folder}, all as they should be (sha256)")


def _home(home: Path, config: "Config") -> Check:
    if not (home / "journal.db").exists():
        return Check("home", f"{home}: nothing asked yet")
    from contextlib import closing

    from shammah_mlx.home.journal import Journal
    from shammah_mlx.home.snapshots import Snapshots

    with closing(Journal(home / "journal.db")) as journal:
        journal.check()
        progress = journal.progress()
        pending = journal.count_after(progress.cursor)
    snapshots = Snapshots(home, config.state)
    if (manifest := snapshots.manifest(progress.state)) is not None:
        snapshots.files(manifest)
    if home.stat().st_mode & 0o077:
        return Check("home", f"others can read {home}", is_well=False, hint=f"chmod 700 {home}")
    return Check("home", f"{home}: journal and models whole, {pending} to learn")


def _disk(home: Path) -> Check:
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    hint = f"make room where {place} is"
    return Check("disk", f"{free / 1e9:,.1f} GB free", is_well=free >= LEAST_FREE, hint=hint)


def _mlx() -> Check:
    from shammah_mlx.models.backend import HAS_FAST_BLAS, mx

    if mx.metal.is_available():
        return Check("MLX", f"Metal, {mx.device_info().get('device_name', 'unnamed')}")
    hint = "install OpenBLAS (Debian: libopenblas0-pthread)"
    blas = "a fast BLAS" if HAS_FAST_BLAS else "no fast BLAS"
    return Check("MLX", f"no Metal; the CPU, with {blas}", is_well=HAS_FAST_BLAS, hint=hint)


def _service(home: Path) -> Check:
    from shammah_mlx.daemon.native import supervisor
    from shammah_mlx.server import client, protocol

    path, health = home / protocol.SOCKET, client.told(home, "/health")
    if health is None and path.exists():
        hint = "one that was killed left it: start the service again (shammah serve, or shammah service start)"
        return Check("service", "its socket is there, and nobody answers", is_well=False, hint=hint)
    if health is None:
        if supervisor().place.exists():
            return Check("service", "installed, and not running", is_well=False, hint="shammah service start")
        return Check("service", "not installed: questions are answered without it")
    if path.stat().st_mode & 0o077:
        return Check("service", f"others can use {path}", is_well=False, hint="shammah service restart")
    if health["status"] != "ok":
        return Check("service", health["status"], is_well=False, hint="shammah service logs")
    return Check("service", f"answers; models {health['models']}, {health['pending']} to learn")


def _decoder(home: Path, config: "Config") -> Check:
    if config.generator != "recall+decoder":
        return Check("decoder", "none in use")
    from shammah_mlx.models.language_model import LanguageModel, decode_rate
    from shammah_mlx.models.weights import Weights, weights_folder
    from shammah_mlx.server import client

    model = LanguageModel(Weights(weights_folder()).decoder, config.lora, config.seed)
    here = there = 0.0
    for _ in range(TRIES):
        told = client.told(home, "/own/decode-rate", DECODING_S)
        there = max(there, (told and told["tokens_per_s"]) or 0.0)
        here = max(here, decode_rate(model))
        if not there or there >= LEAST_SHARE * here:
            break
    said = f"{here:,.0f} tokens a second here" + (f", {there:,.0f} in the service" if there else "")
    hint = "something slows the service down: if the system runs it, shammah service install, once more"
    return Check("decoder", said, is_well=not there or there >= LEAST_SHARE * here, hint=hint)
