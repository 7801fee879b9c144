"""Snapshots of the models on disk: folders of safetensors files with a manifest, written once and never changed.

The name of a snapshot is the sha256 of its manifest, which holds the sha256 of every file: equal names are equal
states, bit for bit. The journal says which snapshot is the current one; the link `models` points to it, for people and
for mlx-lm. A checkpoint is a folder of hard links, so it costs no copy.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from shammah_mlx.config import StateConfig
from shammah_mlx.errors import BadStateError
from shammah_mlx.events import ROLES
from shammah_mlx.files import is_intact, link_all, sha256, sync, write_synced
from shammah_mlx.framework.metrics import Tally
from shammah_mlx.risk.threshold import ScoreCounts

FILES = (*(f"{role}.safetensors" for role in ROLES), "optimizer_state.safetensors")
ADAPTER_CONFIG, ADAPTERS = (
    "adapter_config.json",
    "adapters.safetensors",
)  # the files that mlx-lm loads
MANIFEST = "manifest.json"
UNDONE = "state"  # folder of the state that a rollback left, in one that has the state's name
KEPT_LINES = "training.jsonl"  # beside it: the lines of metrics of that time
FORMAT = 3  # 1: before drafts had sources and features; 2: while the link `models` named the current state
_SHOWN = 16  # characters of a snapshot's name that name its folder


class _Format(msgspec.Struct, frozen=True):
    """The version of a manifest, which is read before the rest."""

    format: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"score_counts": "selection"}):
    """The description of a snapshot; it is written last, so its presence means that the snapshot is complete."""

    preset: str
    cursor: int  # number of the last interaction trained on
    tally: Tally
    sha256: dict[str, str]  # by file name, to find damage before learning from it
    versions: dict[str, str] = {}  # of the parts that its features and labels depend on
    score_counts: dict[str, ScoreCounts] = {}  # by `Draft.counted_as`; the thresholds are computed from these
    format: int = FORMAT

    @property
    def name(self) -> str:
        """Return the name of the snapshot."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


class Snapshots:
    """The snapshots and checkpoints of one home."""

    def __init__(self, home: Path, config: StateConfig) -> None:
        self._home = home
        self._link = home / "models"
        self._states = home / "states"
        self._checkpoints = home / "checkpoints"
        self._archive = home / "aside"  # its name on disk since 0.2.0
        self._undo = home / "undo"
        self._config = config

    def manifest(self, name: str | None) -> Manifest | None:
        """Return the manifest of the snapshot that the journal names; None if it names none.

        Raises:
            BadStateError: the snapshot is missing or damaged, or the journal names none although checkpoints exist.
        """
        if name is None:
            if self.last_good() is None:
                return None
            hint = "restore journal.db; to start anew, move the folders models, states and checkpoints away"
            raise BadStateError(f"{self._home} has models that its journal does not know", hint)
        if (manifest := self.find(name)) is None:
            raise self._damaged(self._folder(name) / MANIFEST)
        return manifest

    def find(self, name: str | None) -> Manifest | None:
        """Return the manifest of a snapshot, or None if it is missing or damaged."""
        manifest = None if name is None else _read(self._folder(name) / MANIFEST)
        return manifest if manifest and manifest.name == name else None

    def check_preset(self, manifest: Manifest, preset: str) -> None:
        """Check that a snapshot was made by the preset in use.

        Raises:
            BadStateError: another preset made it.
        """
        if manifest.preset != preset:
            raise BadStateError(
                f"{self._home} was made by the preset {manifest.preset!r}",
                f"use --preset {manifest.preset}, or another --home",
            )

    def missing(self, manifest: Manifest) -> list[str]:
        """Return the names of the files of a snapshot that are not there; their content is not looked at."""
        folder = self._folder(manifest.name)
        return [name for name in manifest.sha256 if not (folder / name).exists()]

    def files(self, manifest: Manifest) -> dict[str, Path]:
        """Return the files of a snapshot by stem, after checking their sha256.

        Raises:
            BadStateError: a file is missing or damaged; the message names it, the hint says how to repair it.
        """
        folder = self._folder(manifest.name)
        self._check_files(folder, manifest)
        return {Path(name).stem: folder / name for name in FILES}

    def write(
        self,
        write: Mapping[str, Callable[[BinaryIO], None]],
        manifest: Manifest,
        adapter_config: bytes | None = None,
    ) -> Manifest:
        """Write a snapshot durably, and return its complete manifest.

        `write[stem]` writes one file to the open file it receives. `manifest` lacks only the sha256 of the files. With
        `adapter_config` mlx-lm can load the folder as an adapter.
        """
        partial = self._new_folder()
        try:
            for name in FILES:
                write_synced(partial / name, write[Path(name).stem])
            complete = msgspec.structs.replace(manifest, sha256={name: sha256(partial / name) for name in FILES})
            if adapter_config is not None:
                (partial / ADAPTER_CONFIG).write_bytes(adapter_config)
                os.link(partial / "generator.safetensors", partial / ADAPTERS)
            write_synced(partial / MANIFEST, lambda file: file.write(msgspec.json.encode(complete)))
            self._put_in_place(partial, complete)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return complete

    def publish(self, manifest: Manifest | None) -> None:
        """Publish the snapshot that the journal now names: make a due checkpoint, set the link, and clean up."""
        if manifest is None:
            self._unlink()
        else:
            self.keep_checkpoint(manifest)
            self._point_at(self._folder(manifest.name))
        self.sweep(manifest.name if manifest else None)

    def is_due(self, queries: int) -> bool:
        """Say whether a checkpoint is made after that many queries."""
        return queries > 0 and queries % self._config.checkpoint_every == 0

    def keep_checkpoint(self, manifest: Manifest) -> None:
        """Make a checkpoint of a snapshot if one is due and its query count has none, and delete expired ones.

        What else is learnt before the next query leaves the checkpoint as it is, and the last rollback can be undone.
        """
        queries = manifest.tally.queries
        if self.is_due(queries) and not self._is_good(self._checkpoints / f"query_{queries}"):
            self.make_checkpoint(manifest)
            self.drop_undo()

    def make_checkpoint(self, manifest: Manifest) -> None:
        """Make a checkpoint of a snapshot, in place of one of the same query count, and delete expired ones."""
        self._copy(self._folder(manifest.name), self._checkpoints / f"query_{manifest.tally.queries}")
        for old in expired(self.checkpoints(), self._config):
            shutil.rmtree(self._checkpoints / f"query_{old}")

    def sweep(self, current: str | None) -> None:
        """Delete snapshots that are not current, and folders that a dead process left unfinished."""
        for other in self._states.glob("*"):
            if other.is_dir() and (current is None or other != self._folder(current)):
                shutil.rmtree(other)
        for left in self._checkpoints.glob(".query_*"):
            shutil.rmtree(left)

    def archive(self, manifest: Manifest) -> None:
        """Keep a snapshot that can't be made again, in a folder that nothing loads."""
        kept = self._archive / manifest.name[:_SHOWN]
        if not kept.exists():
            self._copy(self._folder(manifest.name), kept)

    def adopt(self) -> Manifest | None:
        """Return the snapshot that the link `models` points to, for a journal that does not name one."""
        folder = self._link.resolve()
        manifest = _read(folder / MANIFEST)
        return manifest if manifest and folder == self._folder(manifest.name).resolve() else None

    def checkpoints(self) -> list[int]:
        """Return the query counts of the checkpoints, oldest first."""
        names = [path.name.removeprefix("query_") for path in self._checkpoints.glob("query_*")]
        return sorted(int(name) for name in names if name.isdigit())

    def check_is_checkpoint(self, queries: int) -> None:
        """Check that there is a checkpoint of that query count.

        Raises:
            BadStateError: there is none; the hint lists the existing ones.
        """
        if queries not in self.checkpoints():
            known = ", ".join(map(str, self.checkpoints())) or "none yet"
            raise BadStateError(f"there is no checkpoint {queries}", f"checkpoints: {known}")

    def cursor_of(self, queries: int) -> int:
        """Return the number of the last interaction that a checkpoint has learnt.

        Raises:
            BadStateError: there is no such checkpoint, or it is damaged.
        """
        self.check_is_checkpoint(queries)
        manifest = _read(path := self._checkpoints / f"query_{queries}" / MANIFEST)
        if manifest is None:
            raise self._damaged(path)
        return manifest.cursor

    def restore(self, queries: int) -> Manifest:
        """Make a snapshot of a checkpoint, for the journal to name; later checkpoints stay.

        Raises:
            BadStateError: there is no such checkpoint, or it is damaged.
        """
        self.check_is_checkpoint(queries)
        return self._take_in(self._checkpoints / f"query_{queries}")

    def keep_for_undo(self, name: str | None, queries: int, lines: Path) -> None:
        """Keep the snapshot of that name, the checkpoints after `queries`, and the file `lines`, for an undo.

        What an earlier rollback took away stays until the journal has the new one: see `drop_undo`.
        """
        if self.find(name) is None or name is None:
            return
        folder = self._undo_folder(name)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for later in self.checkpoints():
            if later > queries:
                self._copy(self._checkpoints / f"query_{later}", folder / f"query_{later}")
        if lines.exists():
            shutil.copyfile(lines, folder / KEPT_LINES)
        self._copy(self._folder(name), folder / UNDONE)  # last: with it the folder is complete

    def can_undo(self, name: str | None) -> bool:
        """Say whether the snapshot of that name, which a rollback took away, is still here."""
        kept = None if name is None else _read(self._undo_folder(name) / UNDONE / MANIFEST)
        return kept is not None and kept.name == name

    def undo(self, name: str, lines: Path) -> Manifest:
        """Take in the snapshot of that name and what was kept with it; it stays kept until the journal names it.

        Raises:
            BadStateError: the snapshot is damaged.
        """
        folder = self._undo_folder(name)
        manifest = self._take_in(folder / UNDONE)
        for kept in folder.glob("query_*"):
            self._copy(kept, self._checkpoints / kept.name)
        if (folder / KEPT_LINES).exists():
            shutil.copyfile(folder / KEPT_LINES, lines)
        return manifest

    def drop_undo(self, but: str | None = None) -> None:
        """Delete what rollbacks took away, so that they can't be undone any more, `but` what has the name given."""
        if but is None:
            shutil.rmtree(self._undo, ignore_errors=True)
            return
        for kept in self._undo.glob("*"):
            if kept != self._undo_folder(but) and kept.is_dir():
                shutil.rmtree(kept)

    def _undo_folder(self, name: str) -> Path:
        return self._undo / name[:_SHOWN]

    def _take_in(self, source: Path) -> Manifest:
        """Make a snapshot of a folder of links to one.

        Raises:
            BadStateError: it is damaged.
        """
        manifest = _read(source / MANIFEST)
        if manifest is None:
            raise self._damaged(source / MANIFEST)
        self._check_files(source, manifest)
        partial = self._new_folder()
        link_all(source, partial)
        self._put_in_place(partial, manifest)
        return manifest

    def drop_checkpoints(self, is_dropped: Callable[[int, Manifest | None], bool]) -> list[int]:
        """Delete checkpoints by query count and manifest (None: unreadable); return their query counts."""
        folders = {queries: self._checkpoints / f"query_{queries}" for queries in self.checkpoints()}
        dropped = [queries for queries, folder in folders.items() if is_dropped(queries, _read(folder / MANIFEST))]
        for queries in dropped:
            shutil.rmtree(folders[queries])
        return dropped

    def drop_archived(self, is_dropped: Callable[[Manifest | None], bool]) -> None:
        """Delete archived snapshots by their manifest (None: unreadable)."""
        for folder in self._archive.glob("*"):
            if is_dropped(_read(folder / MANIFEST)):
                shutil.rmtree(folder)

    def last_cursor_before(self, number: int) -> int:
        """Return how far the latest checkpoint had come that knows nothing of this number or later; 0 without one."""
        manifests = (_read(self._checkpoints / f"query_{queries}" / MANIFEST) for queries in self.checkpoints())
        return max((each.cursor for each in manifests if each and each.cursor < number), default=0)

    def last_good(self) -> int | None:
        """Return the query count of the newest checkpoint that is intact."""
        good = (n for n in reversed(self.checkpoints()) if self._is_good(self._checkpoints / f"query_{n}"))
        return next(good, None)

    def _check_files(self, folder: Path, manifest: Manifest) -> None:
        for name in FILES:
            if not is_intact(folder / name, manifest.sha256.get(name)):
                raise self._damaged(folder / name, manifest.preset)

    def _folder(self, name: str) -> Path:
        return self._states / name[:_SHOWN]

    def _new_folder(self) -> Path:
        self._states.mkdir(exist_ok=True)  # without parents: a home that was deleted meanwhile stays deleted
        return Path(tempfile.mkdtemp(prefix=".partial_", dir=self._states))

    def _put_in_place(self, partial: Path, manifest: Manifest) -> None:
        """Give a complete folder its name, unless an intact folder of that name is already there: it is the same."""
        sync(partial)
        folder = self._folder(manifest.name)
        if _is_whole(folder, manifest):
            shutil.rmtree(partial)
            return
        if folder.exists():
            folder.rename(partial.with_name(f"{partial.name}_damaged"))
        partial.rename(folder)
        sync(self._states)

    def _copy(self, source: Path, target: Path) -> None:
        """Make a folder of hard links to the files of another, atomically."""
        partial = target.with_name(f".{target.name}")
        for left in (partial, target):
            shutil.rmtree(left, ignore_errors=True)
        target.parent.mkdir(exist_ok=True)
        partial.mkdir()
        link_all(source, partial)
        partial.rename(target)
        sync(target.parent)

    def _point_at(self, folder: Path) -> None:
        if self._link.is_symlink() and self._link.resolve() == folder.resolve():
            return
        if not self._link.is_symlink():
            self._unlink()
        link = self._states / ".link"
        link.unlink(missing_ok=True)
        link.symlink_to(folder.relative_to(self._home))
        link.replace(self._link)

    def _unlink(self) -> None:
        if self._link.is_dir() and not self._link.is_symlink():  # a home that was copied with its links resolved
            shutil.rmtree(self._link)
        else:
            self._link.unlink(missing_ok=True)

    def _damaged(self, path: Path, preset: str | None = None) -> BadStateError:
        option = f" --preset {preset}" if preset else ""
        hint = f"make the models again from the journal (nothing is lost): shammah rebuild --home {self._home}{option}"
        if (queries := self.last_good()) is not None:
            hint += f"; or return to the last good checkpoint: shammah rollback {queries} --home {self._home}"
        return BadStateError(f"{path} is damaged or missing", hint)

    def _is_good(self, folder: Path) -> bool:
        manifest = _read(folder / MANIFEST)
        return manifest is not None and _is_whole(folder, manifest)


def _is_whole(folder: Path, manifest: Manifest) -> bool:
    """Say whether a folder holds this snapshot, undamaged."""
    known = _read(folder / MANIFEST)
    is_same = known is not None and known.name == manifest.name
    return is_same and all(is_intact(folder / name, manifest.sha256.get(name)) for name in FILES)


def _read(path: Path) -> Manifest | None:
    """Return the manifest at `path`; None if it is missing, damaged, or of an older format.

    Raises:
        BadStateError: a newer version wrote it.
    """
    try:
        content = path.read_bytes()
        written = msgspec.json.decode(content, type=_Format).format
        if written > FORMAT:
            raise BadStateError(f"{path} was written by a newer shammah-mlx", "upgrade, or use another --home")
        if written < FORMAT:
            return None
        return msgspec.json.decode(content, type=Manifest)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError):
        return None


def expired(checkpoints: list[int], config: StateConfig) -> list[int]:
    """Return the checkpoints to delete: all but the most recent few and every thousandth."""
    recent = set(checkpoints[-config.keep_recent :])
    return [queries for queries in checkpoints if queries not in recent and queries % config.keep_every]
