"""What a process does that is to be killed."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

from shammah_mlx.config import Config
from shammah_mlx.events import Query
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.journal import Journal
from shammah_mlx.models.weights import Weights, weights_folder
from shammah_mlx.teacher.recordings import Recorded, Row


def quietly(interactions: int) -> AbstractContextManager[Callable[[], None]]:
    return nullcontext(lambda: None)


def go_through(home: Path, config: Config, rows: list[Row]) -> None:
    """Ask and learn recorded rows in a home, from wherever the process before came to."""
    with Assistant(
        home, config, Recorded(rows), Weights(weights_folder()), options=AssistantOptions(clock=lambda: 1e9)
    ) as assistant:
        with closing(Journal(home / "journal.db")) as journal:
            asked = journal.queries_after(0)
        assistant.learn_all(quietly, wait=True)
        for number, row in enumerate(rows[asked:]):
            assistant.ask(Query(row.query, row=row.id))
            if number % 2:
                assistant.learn_pending()  # saves where that is cheap
            else:
                assistant.learn_all(quietly, wait=True)  # saves at once
