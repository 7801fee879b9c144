"""What was learnt, on disk: a set of safetensors files and a manifest, replaced as one.

`models` is a symbolic link to a folder under `states/`. A save writes a new folder, syncs it, then swaps the link:
a reader, or a crash, sees the old set or the new set, never a mix. Files are never written again once in place, so a
checkpoint is a folder of hard links and costs no copy.
"""

import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from shammah_mlx.config import StateConfig
from shammah_mlx.disk import crc32, is_intact, link_all, sync, write_synced
from shammah_mlx.errors import BadStateError
from shammah_mlx.events import ROLES, DraftSource
from shammah_mlx.metrics import Tally
from shammah_mlx.selection import Evidence

FILES = (*(f"{role}.safetensors" for role in ROLES), "optimizer_state.safetensors")
ADAPTER_CONFIG, ADAPTERS = "adapter_config.json", "adapters.safetensors"  # beside which mlx-lm finds what it loads
MANIFEST = "manifest.json"
FORMAT = 2  # 1: before drafts had sources and evidence


class _Sealed(msgspec.Struct, frozen=True):
    """A manifest's bytes with their own check sum."""

    manifest: msgspec.Raw
    crc32: int


class _Format(msgspec.Struct, frozen=True):
    """What is read of a manifest first: whether the rest can be."""

    format: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a set of model files is; written last, so its presence says the set is whole."""

    preset: str
    cursor: int  # number of the last interaction trained on
    tally: Tally
    crc32: dict[str, int]  # by file name: damage is found before it is learnt from
    versions: dict[str, str] = {}  # of what the evidence in it holds for
    selection: dict[DraftSource, Evidence] = {}  # what the thresholds follow from
    format: int = FORMAT


class States:
    """The model files of one home."""

    def __init__(self, home: Path, config: StateConfig) -> None:
        self._current = home / "models"
        self._states = home / "states"
        self._checkpoints = home / "checkpoints"
        self._config = config

    def manifest(self) -> Manifest | None:
        """Return the current set's manifest; None if nothing was saved yet.

        Raises:
            BadStateError: it cannot be read, or is gone while a good checkpoint is there.
        """
        if self._current.is_symlink() or self._current.exists() or self._last_good() is not None:
            return self._read_manifest(self._current)
        return None

    def checked_files(self) -> dict[str, Path]:
        """Return the current set's files by stem, after checking that each is as it was written.

        Raises:
            BadStateError: one is not; the message names it, the hint the last good checkpoint.
        """
        manifest = self._read_manifest(self._current)
        for name in FILES:
            if not is_intact(self._current / name, manifest.crc32.get(name)):
                raise self._damaged(self._current / name)
        return {Path(name).stem: self._current / name for name in FILES}

    def save(
        self,
        write: Mapping[str, Callable[[BinaryIO], None]],
        manifest: Manifest,
        adapter_config: bytes | None = None,
    ) -> None:
        """Replace the current set: `write[stem]` writes the content of that file to the open file it is given.

        `manifest` lacks the check sums only. With `adapter_config` the folder is an adapter that mlx-lm loads.
        """
        tally = manifest.tally
        self._states.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"query_{tally.queries}_", dir=self._states))
        try:
            for name in FILES:
                write_synced(folder / name, write[Path(name).stem])
            crcs = {name: crc32(folder / name) for name in FILES}
            if adapter_config is not None:
                (folder / ADAPTER_CONFIG).write_bytes(adapter_config)
                os.link(folder / "generator.safetensors", folder / ADAPTERS)
            sealed = _seal(msgspec.structs.replace(manifest, crc32=crcs))
            write_synced(folder / MANIFEST, lambda file: file.write(sealed))
            sync(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._point_at(folder)
        if tally.queries % self._config.checkpoint_every == 0:
            self._checkpoint(folder, tally.queries)

    def check_preset(self, preset: str) -> None:
        """Pass if the current set is of that preset, or there is none that can be read.

        Raises:
            BadStateError: it is of another.
        """
        manifest = _unseal(self._current / MANIFEST)
        if manifest is not None and manifest.preset != preset:
            raise BadStateError(
                f"{self._current.parent} was made by the preset {manifest.preset!r}",
                f"use --preset {manifest.preset}, or another --home",
            )

    def checkpoints(self) -> list[int]:
        """Return the query counts that can be gone back to, oldest first."""
        names = [path.name.removeprefix("query_") for path in self._checkpoints.glob("query_*")]
        return sorted(int(name) for name in names if name.isdigit())

    def check_is_checkpoint(self, queries: int) -> None:
        """Pass if there is a checkpoint of that query count.

        Raises:
            BadStateError: there is none; the hint lists those there are.
        """
        if queries not in self.checkpoints():
            known = ", ".join(map(str, self.checkpoints())) or "none yet"
            raise BadStateError(f"there is no checkpoint {queries}", f"checkpoints: {known}")

    def roll_back(self, queries: int) -> Manifest:
        """Make the checkpoint of that query count the current set.

        Raises:
            BadStateError: there is none, or it is damaged.
        """
        self.check_is_checkpoint(queries)
        source = self._checkpoints / f"query_{queries}"
        manifest = self._read_manifest(source)
        for name in FILES:
            if not is_intact(source / name, manifest.crc32.get(name)):
                raise self._damaged(source / name)
        for later in self.checkpoints():  # made from what is about to be set aside
            if later > queries:
                shutil.rmtree(self._checkpoints / f"query_{later}")
        self._states.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"query_{queries}_", dir=self._states))
        link_all(source, folder)
        self._point_at(folder)
        return manifest

    def drop_from(self, number: int) -> list[int]:
        """Drop every set that was trained on an interaction from `number` on; return the checkpoints among them.

        The newest good checkpoint from before becomes the current set; without one there is none. Dropped, too, is what
        cannot be read, and what a process that died left: whatever may hold what was learnt.
        """
        folders = {queries: self._checkpoints / f"query_{queries}" for queries in self.checkpoints()}
        dropped = [queries for queries, folder in folders.items() if _may_hold(folder, number)]
        for folder in (*(folders[queries] for queries in dropped), *self._checkpoints.glob(".query_*")):
            shutil.rmtree(folder)
        if _may_hold(self._current, number):
            if (earlier := self._last_good()) is not None:
                self.roll_back(earlier)
            elif self._current.is_symlink():
                self._current.unlink()
                sync(self._current.parent)
            elif self._current.exists():
                shutil.rmtree(self._current)
        self._sweep(self._current.resolve())
        return dropped

    def _checkpoint(self, folder: Path, queries: int) -> None:
        for unfinished in self._checkpoints.glob(".query_*"):
            shutil.rmtree(unfinished)
        target = self._checkpoints / f"query_{queries}"
        shutil.rmtree(target, ignore_errors=True)
        partial = self._checkpoints / f".query_{queries}"
        partial.mkdir(parents=True)
        link_all(folder, partial)
        partial.rename(target)
        sync(self._checkpoints)
        for old in expired(self.checkpoints(), self._config):
            shutil.rmtree(self._checkpoints / f"query_{old}")

    def _point_at(self, folder: Path) -> None:
        if self._current.is_dir() and not self._current.is_symlink():  # a home copied with its links followed
            self._current.rename(self._states / "query_copied")
        sync(self._states)
        link = self._states / ".link"
        link.unlink(missing_ok=True)
        link.symlink_to(folder.relative_to(self._current.parent))
        link.replace(self._current)
        sync(self._current.parent)
        self._sweep(folder)

    def _sweep(self, current: Path) -> None:
        for other in self._states.glob("query_*"):
            if other.resolve() != current.resolve():
                shutil.rmtree(other)

    def complete(self, tally: Tally) -> None:
        """Make the checkpoint that was due when the process that saved died."""
        if tally.queries % self._config.checkpoint_every == 0 and tally.queries not in self.checkpoints():
            self._checkpoint(self._current.resolve(), tally.queries)

    def _read_manifest(self, folder: Path) -> Manifest:
        manifest = _unseal(folder / MANIFEST)
        if manifest is None:
            raise self._damaged(folder / MANIFEST)
        return manifest

    def _damaged(self, path: Path) -> BadStateError:
        if (queries := self._last_good()) is not None:
            return BadStateError(
                f"{path} is damaged",
                f"return to the last good checkpoint: shammah rollback {queries} --home {self._current.parent}",
            )
        return BadStateError(
            f"{path} is damaged, and there is no good checkpoint",
            f"remove {self._current} and ask again: all that the journal holds is then learnt anew",
        )

    def _last_good(self) -> int | None:
        good = (n for n in reversed(self.checkpoints()) if self._is_good(self._checkpoints / f"query_{n}"))
        return next(good, None)

    def _is_good(self, folder: Path) -> bool:
        manifest = _unseal(folder / MANIFEST)
        return manifest is not None and all(is_intact(folder / name, manifest.crc32.get(name)) for name in FILES)


def _seal(manifest: Manifest) -> bytes:
    content = msgspec.json.encode(manifest)
    return msgspec.json.encode(_Sealed(msgspec.Raw(content), zlib.crc32(content)))


def _unseal(path: Path) -> Manifest | None:
    """Return the manifest at `path`; None if it is missing or not as it was written.

    Raises:
        BadStateError: a newer version wrote it.
    """
    try:
        sealed = msgspec.json.decode(path.read_bytes(), type=_Sealed)
        if zlib.crc32(bytes(sealed.manifest)) != sealed.crc32:
            return None
        written = msgspec.json.decode(sealed.manifest, type=_Format).format
        if written > FORMAT:
            raise BadStateError(f"{path} was written by a newer shammah-mlx", "upgrade, or use another --home")
        if written < FORMAT:
            raise BadStateError(
                f"{path} was written by an older shammah-mlx", "use another --home: learning starts anew"
            )
        return msgspec.json.decode(sealed.manifest, type=Manifest)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError):
        return None


def _may_hold(folder: Path, number: int) -> bool:
    manifest = _unseal(folder / MANIFEST)
    return manifest is None or manifest.cursor >= number


def expired(checkpoints: list[int], config: StateConfig) -> list[int]:
    """Return the checkpoints to drop: all but the most recent few and every thousandth."""
    recent = set(checkpoints[-config.keep_recent :])
    return [queries for queries in checkpoints if queries not in recent and queries % config.keep_every]
