"""What a memory that is made again has to learn: all replies of a journal, and what the user took back, in order."""

from collections.abc import Iterable, Iterator

from shammah_mlx.config import Config
from shammah_mlx.events import Feedback
from shammah_mlx.framework.targets import (
    Target,
    Withdrawal,
    make_feedback_targets,
    make_targets,
    make_withdrawal,
)
from shammah_mlx.home.journal import Journal


def replies_until(journal: Journal, last: int, config: Config) -> Iterator[Target | Withdrawal]:
    """Yield all complete replies up to number `last`, the user's own answers too, and what was taken back.

    Raises:
        BadStateError: the journal has lost what has that number, so the replies cannot be learnt again.
    """
    if journal.feedback.find(last) is None:
        journal.read(last)
    for event in journal.events_after(0):
        if isinstance(event, Feedback):
            if event.number > last:
                return
            about = journal.read(event.about)
            if (withdrawal := make_withdrawal(event, about)) is not None:
                yield withdrawal
            yield from _replies_in(make_feedback_targets(event, about))
        elif event.request.number > last:
            return
        else:
            yield from _replies_in(make_targets(event, config))


def _replies_in(targets: Iterable[Target]) -> Iterator[Target]:
    return (target for target in targets if target.role == "generator")
