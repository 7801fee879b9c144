"""A process to be killed: goes through recorded rows in a home, from wherever the one before it came to.

`python -m tests.killed HOME CONFIG ROWS`
"""

import sys
from contextlib import closing
from pathlib import Path

import msgspec

from shammah_mlx.assistant import Assistant
from shammah_mlx.config import Config
from shammah_mlx.events import Query
from shammah_mlx.journal import Journal
from shammah_mlx.stream import Row
from shammah_mlx.teacher import Recorded
from shammah_mlx.weights import Weights, weights_folder


def main() -> None:
    home, config = Path(sys.argv[1]), msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=Config)
    rows = msgspec.json.decode(Path(sys.argv[3]).read_bytes(), type=list[Row])
    with Assistant(home, config, Recorded(rows), Weights(weights_folder()), clock=lambda: 1e9) as assistant:
        with closing(Journal(home / "journal.db")) as journal:
            asked = journal.queries_after(0)
        assistant.learn_pending()
        for row in rows[asked:]:
            assistant.ask(Query(row.query, row=row.id))
            assistant.learn_pending()


if __name__ == "__main__":
    main()
