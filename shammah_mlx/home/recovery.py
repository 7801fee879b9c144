"""Roll back to a checkpoint, or rebuild all models from the journal."""

from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path

import msgspec

from shammah_mlx.config import Config
from shammah_mlx.errors import BadStateError
from shammah_mlx.framework import metrics
from shammah_mlx.home import forgetting
from shammah_mlx.home.assistant import Assistant, AssistantOptions, Begin
from shammah_mlx.home.journal import Journal, Progress
from shammah_mlx.home.locks import HomeLock
from shammah_mlx.home.snapshots import Snapshots
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

    Later checkpoints are deleted, because they were made from archived interactions.

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
        archived = journal.go_back(Progress(manifest.cursor, manifest.name), archive=True)
        snapshots.drop_checkpoints(lambda other, _: other > queries)
        snapshots.publish(manifest)
        metrics.trim(metrics.metrics_path(home), manifest.tally.queries)
        return archived


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
