"""Erase what the user asked to forget: the interactions, and everything that was learnt from them.

The journal is erased first, and records in the same transaction that the models must follow. If the process dies in
between, the next process that opens the home finishes the job, so no answer comes from a model that knew the text.
"""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path

import msgspec

from shammah_mlx.config import Config
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import Interaction
from shammah_mlx.framework import metrics
from shammah_mlx.home.journal import Journal, Progress
from shammah_mlx.home.locks import HomeLock
from shammah_mlx.home.pace import Ahead, expect
from shammah_mlx.home.snapshots import Snapshots

_UNSEEN = {"Mn", "Me", "Cf"}  # accents; soft hyphens, zero-width signs, tags


class Forgotten(msgspec.Struct, frozen=True):
    """The result of forgetting."""

    interactions: int
    checkpoints: list[int]  # query counts whose checkpoints were deleted
    resumed: bool = False  # an earlier, interrupted erasure was finished too


def expected_relearning(home: Path, config: Config, found: Sequence[Interaction]) -> Ahead:
    """Return what is to be learnt if these interactions are erased: what was pending, and what is learnt again.

    Raises:
        BadStateError: the journal is damaged.
    """
    with closing(Journal(home / "journal.db")) as journal:
        learnt = [each.request.number for each in found if not journal.is_archived(each.request.number)]
        first, cursor = min(learnt, default=None), journal.progress().cursor
        start = cursor if first is None or first > cursor else Snapshots(home, config.state).last_cursor_before(first)
        return expect(journal, config, journal.count_after(start) - sum(number > start for number in learnt))


def forget(
    home: Path,
    config: Config,
    pattern: str,
    confirm: Callable[[Sequence[Interaction]], bool],
    on_wait: Callable[[], None] = lambda: None,
    keeping_out: AbstractContextManager[None] | None = None,
) -> Forgotten | None:
    """Erase the interactions that hold `pattern`, and all that was learnt after the first of them.

    The remaining interactions from there on are pending afterwards: an Assistant learns them again. `confirm` is shown
    the matching interactions; if it returns False nothing happens, and None is returned. `keeping_out` is a context
    held while the home must be empty.

    Raises:
        BadInputError: the pattern is empty.
        BadStateError: the home is in use or damaged, or was made by another preset.
    """
    matcher(pattern)
    if not (home / "journal.db").exists():
        return Forgotten(0, [])
    snapshots, lock = Snapshots(home, config.state), HomeLock(home, config.state, on_wait)
    with closing(Journal(home / "journal.db")) as journal:
        if manifest := snapshots.find(journal.progress().state):
            snapshots.check_preset(manifest, config.preset)  # this preset will learn the rest again
        found = list(_matching(journal, pattern))
        if not found and journal.erasures.unfinished_from() is None:
            return Forgotten(0, [])  # nobody need be waited for
        if found and not confirm(found):
            return None
        with keeping_out or nullcontext(), lock.alone():
            resumed, dropped = journal.erasures.unfinished_from() is not None, finish(home, journal, snapshots)
            numbers = [interaction.request.number for interaction in _matching(journal, pattern)]  # some are new
            journal.erasures.erase(numbers)
            return Forgotten(len(numbers), [*dropped, *finish(home, journal, snapshots)], resumed)


def _matching(journal: Journal, pattern: str) -> Iterator[Interaction]:
    """Yield the interactions that hold the pattern, or about which the user gave an answer that does."""
    holds, sought = matcher(pattern), _plain(pattern)
    corrected = {said.about for said in journal.feedback.every() if said.answer and sought in _plain(said.answer)}
    return (each for each in journal.every() if each.request.number in corrected or holds(each))


def matcher(pattern: str) -> Callable[[Interaction], bool]:
    """Return a function that says whether any text of an interaction contains the pattern.

    The pattern is plain text. Case, accents, invisible signs, line breaks and Unicode forms make no difference:
    erasing a row too many is better than one too few.

    Raises:
        BadInputError: the pattern is empty.
    """
    sought = _plain(pattern)
    if not sought:
        raise BadInputError("the pattern is empty", "give a text to look for; to forget everything, delete the home")
    return lambda interaction: any(sought in _plain(text) for _, text in _texts(interaction))


@contextmanager
def all_forgotten(home: Path, journal: Journal, snapshots: Snapshots, lock: HomeLock) -> Iterator[None]:
    """Share the home; first finish an erasure that a dead process left unfinished.

    Raises:
        BadStateError: another process holds the home alone.
    """
    while True:
        with lock.shared():
            if journal.erasures.unfinished_from() is None:
                yield
                return
        with lock.alone():
            finish(home, journal, snapshots)


def finish(home: Path, journal: Journal, snapshots: Snapshots) -> list[int]:
    """Remove every trace of what was erased from the journal; return the checkpoints that were deleted.

    The caller holds the home alone. Every step may be repeated: if the process dies, the next one starts over.

    Raises:
        BadStateError: another process is reading the journal.
    """
    first = journal.erasures.unfinished_from()
    if first is None:
        return []
    journal.drop_undo()
    snapshots.drop_undo()  # what a rollback took away may have been learnt from what is erased
    journal.erasures.scrub()
    dropped = snapshots.drop_checkpoints(lambda _, manifest: manifest is None or manifest.cursor >= first)
    snapshots.drop_archived(lambda manifest: manifest is None or manifest.cursor >= first)
    progress = journal.progress()
    manifest = snapshots.find(progress.state) if progress.cursor < first else None
    if manifest is None:
        earlier = snapshots.last_good()
        manifest = None if earlier is None else snapshots.restore(earlier)
        journal.go_back(Progress(manifest.cursor, manifest.name) if manifest else Progress(), archive=False)
    snapshots.publish(manifest)
    metrics.trim(metrics.metrics_path(home), manifest.tally.queries if manifest else 0)
    journal.erasures.finish()
    return dropped


def place_in(interaction: Interaction, pattern: str) -> str:
    """Return what of an interaction holds the pattern, for people: the first of its parts that does."""
    sought = _plain(pattern)
    return next((place for place, text in _texts(interaction) if sought in _plain(text)), "your answer")


def _texts(interaction: Interaction) -> Iterator[tuple[str, str]]:
    """Yield every text of an interaction, after the name of its place."""
    query, reply = interaction.request.query, interaction.reply
    yield "question", query.text
    if reply:
        yield "answer", reply.text
    yield "system prompt", query.system or ""
    yield "model's name", query.model or ""
    yield from (("stop sequence", text) for text in query.stop_sequences)
    yield from (("file's name", attached.name) for attached in query.attachments or ())
    for exchange in query.history:
        yield "earlier turn", exchange.question
        yield "earlier turn", exchange.answer
    if reply:
        yield from (("model's name", reply.model), ("stop sequence", reply.stop_sequence or ""))
    for scored in interaction.drafts:
        yield "draft", scored.draft.text
        yield "stop sequence", scored.draft.stop_sequence or ""


def _plain(text: str) -> str:
    """Return a text without case, white space beyond single blanks, accents, and signs that nobody sees."""
    seen = (sign for sign in unicodedata.normalize("NFKD", text) if unicodedata.category(sign) not in _UNSEEN)
    return " ".join("".join(seen).casefold().split())
