"""A chat on fakes: which question is asked how, and what stops it."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.cli.chat_session import Chat, Conversation, Manner
from shammah_mlx.errors import BadInputError, TeacherError
from shammah_mlx.events import Draft, Interaction, Route, ScoredDraft
from shammah_mlx.server.protocol import AskRequest
from tests.fakes import make_request, reply

MOST_BYTES = 1000
SECRET = "my password"


class Fakes:
    """What a chat is given: answers, commands and files, noted."""

    def __init__(self) -> None:
        self.asked: list[AskRequest] = []
        self.ran: list[tuple[str, list[str]]] = []
        self.saved: list[tuple[int, Path]] = []
        self.fails: list[BaseException] = []
        self.code = 0
        self.latest = 1  # number of the last turn of any conversation

    def answer(self, wanted: AskRequest, on_answered: Callable[[Interaction], None]) -> int:
        self.asked.append(wanted)
        if self.fails:
            raise self.fails.pop(0)
        query = msgspec.structs.replace(make_request().query, conversation=wanted.conversation or msgspec.UNSET)
        request = msgspec.structs.replace(
            make_request(forced_source=wanted.forced_source),
            number=len(self.asked),
            query=query,
            stored=wanted.text != SECRET,
        )
        on_answered(Interaction.forwarded(request, Route({}, None), reply()))
        return self.code

    def check(self, wanted: AskRequest) -> None:
        if len(wanted.text) > MOST_BYTES:
            raise BadInputError("the query is too long", "give a part of it")

    def warning_of_model(self, name: str) -> str | None:
        return f"no price for {name}" if name == "claude-x" else None

    def usual(self, name: str) -> str:
        return "claude-usual" if name == "model" else ""

    def run(self, name: str, words: Sequence[str]) -> int:
        self.ran.append((name, list(words)))
        return self.code

    def last_turn(self, number: int, terminal: int | msgspec.UnsetType) -> Interaction:
        query = msgspec.structs.replace(make_request().query, conversation=number)
        request = msgspec.structs.replace(make_request(), number=self.latest, query=query)
        return Interaction.forwarded(request, Route({}, None), reply())

    def save(self, number: int, path: Path) -> None:
        self.saved.append((number, path))


def said(fakes: Fakes, *typed: str | BaseException, is_interactive: bool = True, manner: Manner | None = None) -> Chat:
    """Return a chat after all this was typed."""
    left: Iterable[str | BaseException] = iter(typed)

    def read() -> str:
        text = next(left, EOFError())  # type: ignore[call-overload]
        if isinstance(text, BaseException):
            raise text
        return str(text)

    chat = Chat(fakes, manner or Manner())
    chat.converse(read, is_interactive=is_interactive)
    return chat


def test_each_question_continues_the_ones_before_it_until_a_new_conversation_begins() -> None:
    fakes = Fakes()
    said(
        fakes,
        "which moons has Mars?",
        "and Saturn?",
        "",
        '""""""',
        "why?",
        "/new",
        "who founded Rome?",
        "/quit",
        "never asked",
    )
    assert [wanted.text for wanted in fakes.asked] == [
        "which moons has Mars?",
        "and Saturn?",
        "why?",
        "who founded Rome?",
    ]
    assert [wanted.conversation for wanted in fakes.asked] == [None, 1, 1, None]
    assert all(wanted.in_chat for wanted in fakes.asked)


def test_one_question_or_all_that_follow_may_be_answered_by_claude_or_here() -> None:
    fakes = Fakes()
    said(fakes, "/claude one", "two", "/claude", "three", "/auto", "four", "/local five", "/local", "six")
    assert [wanted.forced_source for wanted in fakes.asked] == ["claude", None, "claude", None, "local", "local"]


def test_what_was_asked_locally_is_not_sent_by_what_follows(capsys: pytest.CaptureFixture[str]) -> None:
    fakes = Fakes()
    said(fakes, "one", "/local two", "/local three", "four", "five")
    assert [wanted.conversation for wanted in fakes.asked] == [None, 1, 1, None, 4]
    assert "stays on this machine, so a new conversation begins" in capsys.readouterr().err


def test_a_turn_that_is_not_stored_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    fakes = Fakes()
    chat = said(fakes, "one", SECRET, "two")
    assert [wanted.conversation for wanted in fakes.asked] == [None, 1, 1]
    assert chat.conversation.latest == 3
    assert "goes on without it" in capsys.readouterr().err


def test_model_and_system_prompt_hold_from_then_on_and_are_as_at_the_start_in_a_new_conversation() -> None:
    fakes = Fakes()
    said(fakes, "one", "/model claude-x", "/system be brief", "two", "/new", "three", manner=Manner(model="claude-y"))
    assert [(wanted.model, wanted.system) for wanted in fakes.asked] == [
        ("claude-y", None),
        ("claude-x", "be brief"),
        ("claude-y", None),
    ]


def test_a_model_without_a_price_is_said_at_once_and_asked_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    fakes = Fakes()
    said(fakes, "/model claude-x", "one", "/model claude-y")
    assert fakes.asked[0].model == "claude-x"
    assert capsys.readouterr().err == "no price for claude-x\nmodel: claude-x\nmodel: claude-y\n"


def test_strict_does_not_hold_for_what_is_asked_locally() -> None:
    fakes = Fakes()
    said(fakes, "one", "/local two", manner=Manner(strict=True))
    assert [wanted.strict for wanted in fakes.asked] == [True, False]


def test_feedback_and_why_are_about_the_last_question_of_this_chat() -> None:
    fakes = Fakes()
    said(fakes, "/good", "one", "/good", "/bad", "/bad it has two", "/why", "/why 7")
    assert fakes.ran == [
        ("good", ["1"]),
        ("bad", ["1"]),
        ("bad", ["1", "--answer=it has two"]),
        ("why", ["1"]),
        ("why", ["7"]),
    ]


def test_feedback_takes_the_number_of_a_question_and_bad_a_text_behind_it() -> None:
    fakes = Fakes()
    said(fakes, "/bad 3", "one", "/good 3", "/bad 3", "/bad 3 it has two", '/bad 3 """4"""', "/bad 4 moons\nor so")
    assert fakes.ran == [
        ("bad", ["3"]),
        ("good", ["3"]),
        ("bad", ["3"]),
        ("bad", ["3", "--answer=it has two"]),
        ("bad", ["3", "--answer=4"]),
        ("bad", ["4", "--answer=moons\nor so"]),
    ]


def test_what_a_command_cannot_take_is_refused_in_the_chats_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    fakes = Fakes()
    chat = said(fakes, "one", "/good thanks", "/why not", "/bad -", "/bad 1 -")
    assert fakes.ran == []
    assert chat.exit_code == 1
    printed = capsys.readouterr().err
    for part in ("/good takes no text", "/why takes no text", "- is no answer"):
        assert part in printed


def test_a_command_that_fails_counts_for_the_exit_code() -> None:
    fakes = Fakes()
    said(fakes, "one")
    fakes.code = 4
    assert said(fakes, "/bad 1").exit_code == 4


def test_the_conversation_goes_on_from_claudes_new_answer() -> None:
    fakes = Fakes()
    fakes.latest = 7
    assert said(fakes, "one", "/bad").conversation.latest == 7


def test_a_conversation_is_saved_once_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    fakes = Fakes()
    said(fakes, "/save notes.md", "one", "/save", "/save notes.md", "/save ~no-such-user/notes.md")
    assert fakes.saved == [(1, Path("notes.md"))]
    printed = capsys.readouterr().err
    assert "nothing of this conversation is stored yet" in printed
    assert "needs the name of a file" in printed
    assert "no file can be called ~no-such-user/notes.md" in printed


def test_ctrl_c_stops_an_answer_and_clears_a_line_but_ends_no_chat(capsys: pytest.CaptureFixture[str]) -> None:
    fakes = Fakes()
    fakes.fails = [KeyboardInterrupt()]
    chat = said(fakes, "one", KeyboardInterrupt(), "two")
    assert [wanted.text for wanted in fakes.asked] == ["one", "two"]
    assert chat.conversation.number == 2
    assert "Stopped." in capsys.readouterr().err


def test_ctrl_c_ends_a_chat_whose_questions_come_from_a_pipe() -> None:
    fakes = Fakes()
    fakes.fails = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        said(fakes, "one", "two", is_interactive=False)
    assert len(fakes.asked) == 1


def test_an_error_is_printed_with_its_hint_and_the_chat_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    fakes = Fakes()
    fakes.fails = [TeacherError("no network", "plug it in"), OSError(28, "No space left on device")]
    chat = said(fakes, "one", "two", "x" * (MOST_BYTES + 1), "/nothing", "three")
    printed = capsys.readouterr().err
    for part in ("no network", "plug it in", "No space left", "the query is too long", "no command /nothing"):
        assert part in printed
    assert [wanted.text for wanted in fakes.asked] == ["one", "two", "three"]
    assert chat.exit_code == 1


def test_the_exit_code_is_that_of_the_last_answer_that_was_not_as_it_should_be() -> None:
    fakes = Fakes()
    assert said(fakes, "one").exit_code == 0
    fakes.code = 3
    assert said(fakes, "two").exit_code == 3


def test_a_conversation_that_stayed_here_is_continued_here_only() -> None:
    drafts = (ScoredDraft(Draft("a draft", "recall"), 0.5),)
    route = Route({"recall": 0.5}, None, ("recall",))
    local = Interaction.unchecked(make_request(forced_source="local"), route, drafts, accepted=False)
    assert Conversation(local).stays_here


def test_the_model_and_the_system_prompt_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    said(Fakes(), "/model", "/system", "/model claude-y", "/model")
    assert capsys.readouterr().err == "model: claude-usual\nsystem: none\nmodel: claude-y\nmodel: claude-y\n"
