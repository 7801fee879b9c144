"""Conversations have a number, and each terminal continues its own."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET

from shammah_mlx.errors import BadInputError
from shammah_mlx.events import Draft, DraftSource, Exchange, ForcedSource, Interaction, Query, Route, ScoredDraft
from shammah_mlx.home import conversation_rows as rows
from shammah_mlx.home.conversations import Turn, as_markdown, continued, find_turn
from shammah_mlx.home.journal import Journal
from shammah_mlx.presets import PRESETS
from tests.fakes import make_request, reply

HERE, THERE = 11, 22  # two terminals
CONFIG = PRESETS["default"]
Say = Callable[..., Interaction]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "journal.db")) as opened:
        yield opened


@pytest.fixture
def say(journal: Journal) -> Say:
    """Return what journals a turn as a terminal asked it; `after` is the turn that it continues."""

    def write(
        text: str,
        terminal: int = HERE,
        after: Interaction | None = None,
        forced_source: ForcedSource | None = None,
        by_client: bool = False,
    ) -> Interaction:
        query = Query(text)
        if after is not None:
            query = continued(after, text, None, None, CONFIG, stays_here=forced_source == "local")
        request = msgspec.structs.replace(
            make_request(forced_source=forced_source), query=query, terminal=terminal, by_client=by_client or UNSET
        )
        return journal.write(Interaction.forwarded(request, Route({}, None), reply()))

    return write


def test_each_terminal_continues_what_was_said_in_it(journal: Journal, say: Say) -> None:
    mars = say("which moons has Mars?", HERE)
    rome = say("who founded Rome?", THERE)
    assert journal.conversations.last_turn(None, HERE) == mars
    assert journal.conversations.last_turn(None, THERE) == rome
    assert journal.conversations.last_turn(None, UNSET) == rome


def test_a_turn_names_the_first_question_of_its_conversation(journal: Journal, say: Say) -> None:
    first = say("which moons has Mars?")
    say("who founded Rome?", THERE)
    second = say("and Saturn?", after=first)
    third = say("why?", after=second)
    assert [turn.request.conversation for turn in (first, second, third)] == [1, 1, 1]
    assert [exchange.question for exchange in third.request.query.history] == ["which moons has Mars?", "and Saturn?"]
    assert journal.conversations.turns_of(1) == [first, second, third]
    for number in (1, 3, 4):  # any of its questions names it
        assert journal.conversations.last_turn(number, UNSET) == third


def test_a_conversation_continued_elsewhere_goes_on_here_where_it_ended_there(journal: Journal, say: Say) -> None:
    first = say("which moons has Mars?", HERE)
    second = say("and Saturn?", THERE, after=first)
    assert journal.conversations.last_turn(None, HERE) == second
    assert journal.conversations.last_turn(None, THERE) == second


def test_a_terminal_without_a_conversation_is_told_how_to_continue_another_one(journal: Journal, say: Say) -> None:
    with pytest.raises(BadInputError, match="no conversation to continue"):
        journal.conversations.last_turn(None, HERE)
    first = say("which moons has Mars?", THERE)
    say("and Saturn?", THERE, after=first)
    with pytest.raises(BadInputError, match="in this terminal") as refused:
        journal.conversations.last_turn(None, HERE)
    assert refused.value.hint.endswith("--conversation 1")


def test_no_question_of_a_client_is_continued(journal: Journal, say: Say) -> None:
    say("a client's own", by_client=True)
    for conversation, terminal in ((None, HERE), (None, UNSET), (1, UNSET)):
        with pytest.raises(BadInputError, match="no conversation"):
            journal.conversations.last_turn(conversation, terminal)
    assert journal.conversations.questions(10) == []


def test_a_conversation_is_found_after_its_first_question_was_erased(journal: Journal, say: Say) -> None:
    second = say("and Saturn?", after=say("which moons has Mars?"))
    journal.erasures.erase([1])
    assert journal.conversations.last_turn(1, UNSET) == second
    with pytest.raises(BadInputError, match="no conversation 7"):
        journal.conversations.last_turn(7, UNSET)


def test_what_was_asked_locally_goes_on_locally_only_wherever_it_goes_on(journal: Journal, say: Say) -> None:
    first = say("which moons has Mars?", HERE)
    say("a private matter", THERE, after=first, forced_source="local")
    for conversation, terminal in ((1, UNSET), (None, HERE), (None, THERE)):
        last = journal.conversations.last_turn(conversation, terminal)
        with pytest.raises(BadInputError, match="Claude is not to see it"):
            continued(last, "and then?", None, None, CONFIG, stays_here=False)
        assert continued(last, "and then?", None, None, CONFIG, stays_here=True).history[-1].question == (
            "a private matter"
        )


def test_the_questions_to_choose_from_are_listed_once_where_they_were_asked_last(journal: Journal, say: Say) -> None:
    for text in ("one", "two", "one", "three"):
        say(text)
    assert journal.conversations.questions(10) == ["two", "one", "three"]
    assert journal.conversations.questions(2) == ["one", "three"]


def test_neither_conversation_nor_terminal_is_part_of_the_question(say: Say) -> None:
    history = (Exchange("one", "two"),)
    assert Query("three", history=history).context == Query("three", history=history, conversation=7).context


def test_a_terminals_and_a_conversations_last_turn_are_found_by_an_index(journal: Journal) -> None:
    for condition, index in ((rows._HERE, "terminals"), (rows._IN_CONVERSATION, "conversations")):
        plan = journal._db.execute(
            f"EXPLAIN QUERY PLAN SELECT number {rows._ASKED} {condition} ORDER BY number DESC LIMIT 1", (7,)
        ).fetchall()
        assert any(f"INDEX {index}" in str(row) for row in plan), plan


def test_a_question_that_was_just_asked_is_found_by_its_text_and_its_time(tmp_path: Path, say: Say) -> None:
    say("one")
    last = say("two")
    assert find_turn(tmp_path, "two", 0.0) == last
    assert find_turn(tmp_path, "one", 0.0) is None  # another one was asked since
    assert find_turn(tmp_path, "two", 1.0) is None  # it was asked before
    assert find_turn(tmp_path / "elsewhere", "two", 0.0) is None


def served(source: DraftSource, *, by_user: bool = False) -> Turn:
    draft = Draft("It has two.", source, by_user=by_user or UNSET)
    route = Route({source: 0.5}, None, (source,))
    request = make_request(forced_source="local")
    return Turn(Interaction.unchecked(request, route, (ScoredDraft(draft, 0.5),), accepted=False))


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        (Turn(Interaction.forwarded(make_request(), Route({}, None), reply("Two."))), "claude-test\n\nTwo."),
        (served("repeat"), "Claude, from memory\n\nIt has two."),
        (served("recall"), "Claude, from memory\n\nIt has two."),
        (served("decoder"), "Written on this machine\n\nIt has two."),
        (served("repeat", by_user=True), "Your own answer, from memory\n\nIt has two."),
        (served("recall")._replace(own_answer="Phobos and Deimos."), "Your own answer\n\nPhobos and Deimos."),
    ],
)
def test_a_saved_turn_names_who_answered_and_has_the_right_answer(turn: Turn, told: str) -> None:
    assert as_markdown([turn]) == f"# what is a monad?\n\n## {told}\n"
