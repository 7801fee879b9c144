"""A conversation becomes questions with their answers, each with what was said before it on its own branch."""

from typing import Any

from shammah_mlx.events import Exchange
from shammah_mlx.transcripts.conversations import Message, exchanges
from shammah_mlx.transcripts.found import AFTER_UNANSWERED, TOOLS, UNANSWERED, Found, Skipped


def asks(name: str, parent: str | None, **more: Any) -> Message:
    return Message(name, parent, "user", f"question {name}", **more)


def says(name: str, parent: str | None, **more: Any) -> Message:
    return Message(name, parent, "assistant", f"answer {name}", **{"at": 5.0, **more})


def found(*messages: Message) -> list[tuple[str, str, int] | str]:
    return [
        each.reason if isinstance(each, Skipped) else (each.question, each.answer, len(each.history))
        for each in exchanges(messages)
    ]


def test_each_question_has_the_turns_before_it() -> None:
    second = list(exchanges([asks("1", None), says("2", "1"), asks("3", "2"), says("4", "3")]))[1]
    assert isinstance(second, Found)
    assert second.history == (Exchange("question 1", "answer 2"),)
    assert (second.question, second.answer) == ("question 3", "answer 4")


def test_a_branch_sees_its_own_past_only() -> None:
    told = found(asks("1", None), says("2", "1"), asks("3", "2"), says("4", "3"), asks("5", "2"), says("6", "5"))
    assert told == [
        ("question 1", "answer 2", 0),
        ("question 3", "answer 4", 1),
        ("question 5", "answer 6", 1),
    ]


def test_an_answer_in_pieces_is_one_and_what_says_nothing_changes_nothing() -> None:
    pieces = (says("2", "1"), says("3", "2"), Message("4", "3", "other"), asks("5", "4"), says("6", "5"))
    assert found(asks("1", None), *pieces) == [("question 1", "answer 2answer 3", 0), ("question 5", "answer 6", 1)]


def test_an_answer_given_again_is_a_second_one_of_its_own_date() -> None:
    again = list(exchanges([asks("1", None, at=1.0), says("2", "1", at=2.0), says("3", "1", at=3.0)]))
    assert [(each.answer, each.at) for each in again if isinstance(each, Found)] == [
        ("answer 2", 2.0),
        ("answer 3", 3.0),
    ]


def test_after_a_tool_nothing_of_the_conversation_is_learnt() -> None:
    told = found(
        asks("1", None), says("2", "1"), asks("3", "2"), says("4", "3", problem=TOOLS), asks("5", "4"), says("6", "5")
    )
    assert told == [("question 1", "answer 2", 0), TOOLS, TOOLS]


def test_a_question_without_an_answer_is_none_and_spoils_what_follows() -> None:
    assert found(asks("1", None)) == [UNANSWERED]
    assert found(asks("1", None), asks("2", "1"), says("3", "2")) == [UNANSWERED, AFTER_UNANSWERED]
