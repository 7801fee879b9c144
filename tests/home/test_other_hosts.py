"""What another host answered is found by the words of its question, without reading the journal through."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.events import Interaction, Query, Route
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.other_hosts import OtherHosts
from shammah_mlx.home.schema import open_database
from tests.fakes import make_request, reply

ROWS = 600
LONG = " ".join(f"word{number}" for number in range(500))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "journal.db")) as opened:
        yield opened


def answered(query: Query) -> Interaction:
    return Interaction.forwarded(msgspec.structs.replace(make_request(), query=query), Route({}, None), reply("a"))


@pytest.mark.parametrize(
    "text",
    [
        "what is a monad?",
        'say "hi" OR question:x NEAR(y) -z*',
        "¿qué és això?",
        "東京はどこですか",
        "🙂🙂",
        "?!",
        '"',
        40 * "- " + "why?",
        LONG,
    ],
)
def test_the_same_question_to_another_host_is_found_whatever_signs_it_has(journal: Journal, text: str) -> None:
    for query in (Query(text, origin=1), Query(text, origin=1), Query(f"{text} x"), Query(text, "s")):
        journal.write(answered(query))
    assert journal.other_hosts.knows(Query(text)) == 2
    assert journal.other_hosts.knows(Query(text, origin=1)) is None
    assert journal.other_hosts.knows(Query(text, "s", origin=1)) == 4
    assert journal.other_hosts.knows(Query(f"{text} y")) is None


def steps_to_look_up(path: Path, query: Query) -> int:
    """Return how many of SQLite's own steps a look-up takes, in tens."""
    steps = 0

    def note() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(open_database(path)) as database:
        hosts = OtherHosts(database, lambda _, record: msgspec.json.decode(record, type=Interaction))
        database.set_progress_handler(note, 10)
        assert hosts.knows(query) is not None
    return steps


def test_a_long_journal_is_not_read_through(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal.write(answered(Query("what is a monad?", origin=1)))
    before = steps_to_look_up(path, Query("what is a monad?"))
    for number in range(ROWS):
        journal.write(answered(Query(f"what is number {number}?", origin=1 + number % 2)))
    assert (
        steps_to_look_up(path, Query("what is a monad?")) <= before + ROWS / 4
    )  # reading all takes twice ROWS / 4 and more
