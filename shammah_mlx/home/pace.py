"""Tell how long learning takes in a home."""

from contextlib import closing
from pathlib import Path

import msgspec

from shammah_mlx.config import Config
from shammah_mlx.home.journal import Journal

PATIENCE_S = 60.0  # learning that takes longer goes on behind the command
MEMORY_S, DECODER_S = 0.1, 7.6  # to learn an answer without and with a decoder: measured on two busy CPU cores


class Ahead(msgspec.Struct, frozen=True):
    """What is to be learnt, and about how long that takes."""

    interactions: int = 0
    seconds: float = 0.0


def expect(journal: Journal, config: Config, interactions: int) -> Ahead:
    """Return about how long it takes to learn so many interactions, at the pace of this home so far."""
    return Ahead(interactions, (journal.pace() or _usual_pace(config)) * interactions)


def expect_pending(home: Path, config: Config, more: int = 0) -> Ahead:
    """Return what is pending in a home and `more` interactions, and about how long it takes to learn them.

    Raises:
        BadStateError: the journal is damaged.
    """
    if not (home / "journal.db").exists():
        return Ahead(more, _usual_pace(config) * more)
    with closing(Journal(home / "journal.db")) as journal:
        return expect(journal, config, journal.count_after(journal.progress().cursor) + more)


def _usual_pace(config: Config) -> float:
    return DECODER_S if config.trains_decoder else MEMORY_S
