"""A process to be killed: goes through recorded rows in a home, from wherever the one before it came to.

`python -m tests.killed HOME CONFIG ROWS`
"""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

import msgspec

from shammah_mlx.config import Config
from shammah_mlx.events import Query
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.journal import Journal
from shammah_mlx.models.weights import Weights, weights_folder
from shammah_mlx.teacher.recordings import Recorded, Row


def quietly(interactions: int) -> AbstractContextManager[Callable[[], None]]:
    return nullcontext(lambda: None)


def main() -> None:
    home, config = Path(sys.argv[1]), msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=Config)
    rows = msgspec.json.decode(Path(sys.argv[3]).read_bytes(), type=list[Row])
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


if __name__ == "__main__":
    main()
