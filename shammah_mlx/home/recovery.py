"""Roll back to a checkpoint, or rebuild all models from the journal."""

from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path

import msgspec

from shammah_mlx.config import Config
from shammah_mlx.errors import BadStateError
from shammah_mlx.framework import metrics
from shammah_mlx.home import forgetting
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.journal import Journal, Progress
from shammah_mlx.home.locks import HomeLock
from shammah_mlx.home.snapshots import Snapshots
from shammah_mlx.home.training import Begin
from shammah_mlx.models.weights import Weights
from shammah_mlx.teacher.recordings import Recorded


class Rebuilt(msgspec.Struct, frozen=True):
    """The result of a rebuild."""

    interactions: int
    before: str | None  # name of the state it replaced; None: there was none
    after: str
    pending: int  # interactions that were journalled meanwhile


def roll_back(home: Path, config: Config, queries: int, on_wait: Callable[[], None] = lambda: None) -> list[int]:
    """Return to the checkpoint made after `queries` queries; archive later interactions and return their numbers.

    Later checkpoints go too, because they were made from archived interactions. `undo_rollback` brings all back, until
    a new checkpoint is made.

    Raises:
        BadStateError: there is no such checkpoint, it is damaged, or the home is in use.
    """
    snapshots = Snapshots(home, config.state)
    snapshots.check_is_checkpoint(queries)
    if not (home / "journal.db").exists():
        raise BadStateError(
            f"there is no journal in {home}", "restore journal.db: a rollback needs the journal and the checkpoint"
        )
    with closing(Journal(home / "journal.db")) as journal, HomeLock(home, config.state, on_wait).alone():
        forgetting.finish(home, journal, snapshots)
        manifest = snapshots.restore(queries)
        left, lines = journal.progress().state, metrics.metrics_path(home)
        snapshots.keep_for_undo(left, queries, lines)
        archived = journal.go_back(Progress(manifest.cursor, manifest.name), archive=True)
        snapshots.drop_undo(but=left)
        snapshots.drop_checkpoints(lambda other, _: other > queries)
        snapshots.publish(manifest)
        metrics.trim(lines, manifest.tally.queries)
        return archived


def undo_rollback(home: Path, config: Config, on_wait: Callable[[], None] = lambda: None) -> int:
    """Take back the last rollback; return how many interactions are no longer archived.

    What was asked since is learnt again, after them, by the next Assistant.

    Raises:
        BadStateError: there is no rollback to take back, or the home is in use or damaged.
    """
    snapshots = Snapshots(home, config.state)
    nothing = BadStateError(
        "there is no rollback to take back", "one can be taken back until the next checkpoint is made"
    )
    if not (home / "journal.db").exists():
        raise nothing
    with closing(Journal(home / "journal.db")) as journal:
        if journal.rollbacks.before() is None:
            raise nothing  # nobody need be waited for
        with HomeLock(home, config.state, on_wait).alone():
            forgetting.finish(home, journal, snapshots)
            before = journal.rollbacks.before()
            if before is None or not snapshots.can_undo(before[1]):
                raise nothing
            lines = metrics.metrics_path(home)
            manifest = snapshots.undo(before[1], lines)
            metrics.trim(lines, manifest.tally.queries)
            back = journal.undo_rollback(Progress(*before))
            snapshots.publish(manifest)
            snapshots.drop_undo()
            return back


def count_later(home: Path, config: Config, queries: int) -> int:
    """Return how many interactions a rollback to the checkpoint of `queries` queries would archive.

    Raises:
        BadStateError: there is no such checkpoint, or it or the journal is damaged.
    """
    cursor = Snapshots(home, config.state).cursor_of(queries)
    if not (home / "journal.db").exists():
        return 0
    with closing(Journal(home / "journal.db")) as journal:
        return sum(1 for _ in journal.after(cursor))


def rebuild(
    home: Path,
    config: Config,
    weights: Weights,
    begin: Begin = lambda _: nullcontext(lambda: None),
    on_wait: Callable[[], None] = lambda: None,
) -> Rebuilt:
    """Make all models again from the journal, then replace the current ones; until then nothing changes."""
    with Assistant(
        home, config, Recorded(()), weights, options=AssistantOptions(afresh=True, on_wait=on_wait)
    ) as assistant:
        before = assistant.saved
        with begin(assistant.pending()) as advance:
            learnt = assistant.learn_pending(advance)
        after = assistant.save()
    with closing(Journal(home / "journal.db")) as journal:
        return Rebuilt(len(learnt), before, after, journal.count_after(journal.progress().cursor))
