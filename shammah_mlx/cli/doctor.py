"""`shammah doctor`: check settings, key, weights, home, contexts, disk, MLX, memory, service and decoder."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from shammah_mlx.cli.options import home_and_config, home_of, settings
from shammah_mlx.display.console import LONGEST, one_line, tell
from shammah_mlx.errors import ShammahError

if TYPE_CHECKING:
    from shammah_mlx.config import Config

INDENT = 16  # columns before what a check says
MIN_FREE = 2e9  # bytes: room for several of the largest snapshots, and for the journal
MIN_SPEED = 0.4  # of the speed in this process: a throttled service has an eighth of it
TRIES = 3  # alternating, the best counts: other programs may disturb any one of them
DECODING_S = 120.0  # long enough for a slow CPU that must load the weights first


class Check(NamedTuple):
    """The result of one check; `hint` says how to fix a problem."""

    name: str
    message: str
    passed: bool = True
    hint: str = ""


@click.command()
@settings
@click.pass_context
def doctor(ctx: click.Context, /, **options: Any) -> None:
    """Look for problems, and say how to fix them. Exits with code 1 if there is one.

    Doctor changes nothing and sends nothing to other machines, so it does not find out whether Claude accepts the key.

    \b
    Examples:
      shammah doctor
    """
    failures = 0
    for check in _checks(ctx, options):
        message = one_line(check.message, LONGEST)
        tell(f"{'ok' if check.passed else 'FAIL':<4}  {check.name:<8}  {message}", INDENT)
        if not check.passed:
            failures += 1
            tell(f"{'':{INDENT}}{check.hint}", INDENT)
    ctx.exit(failures > 0)


def _checks(ctx: click.Context, options: dict[str, Any]) -> Iterator[Check]:
    home = home_of(ctx, options)
    for name, check in (
        ("settings", lambda: _settings(home_and_config(ctx, options)[0])),
        ("key", lambda: _key(home)),
        ("weights", _weights),
        ("home", lambda: _home(*home_and_config(ctx, options))),
        ("contexts", lambda: _contexts(home)),
        ("disk", lambda: _disk(home)),
        ("MLX", _mlx),
        ("memory", lambda: _memory(home_and_config(ctx, options)[1])),
        ("service", lambda: _service(home)),
        ("decoder", lambda: _decoder(*home_and_config(ctx, options))),
    ):
        yield _run(name, check)


def _run(name: str, check: Callable[[], Check]) -> Check:
    """Return the result of a check; an error is a failure."""
    try:
        return check()
    except ShammahError as error:
        return Check(name, error.message, passed=False, hint=error.hint)
    except OSError as error:
        return Check(name, str(error), passed=False, hint="check that you may read and write this path")


def _settings(home: Path) -> Check:
    path = home / "config.toml"
    return Check("settings", str(path) if path.exists() else "those of the preset: there is no config.toml")


def _key(home: Path) -> Check:
    from shammah_mlx.teacher.keys import find_credential

    credential = find_credential(home)
    if credential is None:
        return Check("key", "there is no API key for Claude", passed=False, hint="run `shammah key set`")
    return Check("key", f"found in {credential.found_in}; not tested with Claude")


def _weights() -> Check:
    from shammah_mlx.models.weights import check_weights, weights_folder

    folder = weights_folder()
    check_weights(folder)
    return Check("weights", f"complete in {folder}; all checksums (sha256) match")


def _home(home: Path, config: "Config") -> Check:
    if not (home / "journal.db").exists():
        return Check("home", f"{home}: no question was asked yet")
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
        return Check("home", f"other users can read {home}", passed=False, hint=f"run `chmod 700 {home}`")
    return Check("home", f"{home}: journal and models are intact; to learn: {pending}")


def _contexts(home: Path) -> Check:
    if not (home / "journal.db").exists():
        return Check("contexts", "no question was asked yet")
    from contextlib import closing

    from shammah_mlx.home.journal import Journal
    from shammah_mlx.home.lone_contexts import LATEST, find_lone_contexts

    with closing(Journal(home / "journal.db")) as journal:
        found = find_lone_contexts([asked.request.query for asked in journal.latest(LATEST)])
    message = f"{found.alone} of the last {found.asked} questions have a context of their own"
    if not found.changing:
        return Check("contexts", message)
    hint = "answers are given again in the same context only: keep what changes with every call out of it"
    return Check("contexts", f"{message}; what changes: {'; '.join(found.changing)}", not found.is_fault, hint)


def _disk(home: Path) -> Check:
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    hint = f"free at least {MIN_FREE / 1e9:.0f} GB on the disk of {existing}"
    return Check("disk", f"{free / 1e9:,.1f} GB free", passed=free >= MIN_FREE, hint=hint)


def _mlx() -> Check:
    from shammah_mlx.models.backend import HAS_FAST_BLAS, mx

    if mx.metal.is_available():
        return Check("MLX", f"Metal, {mx.device_info().get('device_name', 'unnamed')}")
    hint = "install OpenBLAS, which makes it much faster (Debian: libopenblas0-pthread)"
    blas = "a fast BLAS" if HAS_FAST_BLAS else "no fast BLAS"
    return Check("MLX", f"Metal is not available; MLX uses the CPU, with {blas}", passed=HAS_FAST_BLAS, hint=hint)


def _memory(config: "Config") -> Check:
    if config.generator != "recall+decoder":
        return Check("memory", "no decoder in these settings")
    from shammah_mlx.cli.models import fit_sentence, in_gb
    from shammah_mlx.models.machine import look, this_machine

    outlook = look(config.lora, this_machine())
    message = f"{in_gb(outlook.room_bytes)} for a decoder. {fit_sentence(outlook)}"
    if not config.lora.rank:
        return Check("memory", f"{message} Without adapters (`rank = 0`) several machines may share it.")
    hint = f"set `model` in [lora] of config.toml to {outlook.proposed.name}: see `shammah models`"
    if outlook.proposed.model == outlook.model:
        hint = 'set generator = "recall" in config.toml: it leaves the decoder out'
    return Check("memory", message, passed=outlook.fits is not False, hint=hint)


def _service(home: Path) -> Check:
    from shammah_mlx.daemon.native import supervisor
    from shammah_mlx.server import client, protocol

    path, health = home / protocol.SOCKET, client.get_json(home, "/health")
    if health is None and path.exists():
        hint = "a killed service left it: run `shammah service start` or `shammah serve`"
        return Check("service", "the socket exists, but nothing answers", passed=False, hint=hint)
    if health is None:
        if supervisor().path.exists():
            return Check("service", "installed, but not running", passed=False, hint="run `shammah service start`")
        return Check("service", "not installed; `shammah ask` works without it")
    if path.stat().st_mode & 0o077:
        return Check("service", f"other users can access {path}", passed=False, hint="run `shammah service restart`")
    if health["status"] != "ok":
        return Check("service", health["status"], passed=False, hint="see `shammah service logs`")
    return Check("service", f"running; models {health['models']}; to learn: {health['pending']}")


def _decoder(home: Path, config: "Config") -> Check:
    if config.generator != "recall+decoder":
        return Check("decoder", "not used by these settings")
    from shammah_mlx.server import client

    if not config.lora.rank:  # several machines may share it, and it may be too big for this one
        measured = client.get_json(home, "/own/decode-rate", DECODING_S)
        if not measured:
            return Check("decoder", "not measured: without adapters, only a running service measures it")
        return Check("decoder", f"{measured['tokens_per_s'] or 0.0:,.1f} tokens/s in the service; it learns nothing")
    from shammah_mlx.models.language_model import LanguageModel, decode_rate
    from shammah_mlx.models.weights import Weights, weights_folder

    model = LanguageModel(Weights(weights_folder()).decoder, config.lora, config.seed)
    here = there = 0.0
    for _ in range(TRIES):
        measured = client.get_json(home, "/own/decode-rate", DECODING_S)
        there = max(there, (measured and measured["tokens_per_s"]) or 0.0)
        here = max(here, decode_rate(model))
        if not there or there >= MIN_SPEED * here:
            break
    speeds = f"{here:,.0f} tokens/s in this process" + (f", {there:,.0f} in the service" if there else "")
    hint = "the service is slowed down; if the system runs it, run `shammah service install` again"
    return Check("decoder", speeds, passed=not there or there >= MIN_SPEED * here, hint=hint)
