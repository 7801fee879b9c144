"""What is typed in a chat, taken apart."""

import pytest

from shammah_mlx.cli.chat_commands import COMMANDS, Typed, help_text, is_open, join_lines, parse
from shammah_mlx.errors import BadInputError


@pytest.mark.parametrize(
    ("typed", "parsed"),
    [
        ("which moons has Mars?", Typed("ask", "which moons has Mars?")),
        ("/why", Typed("why", "")),
        ("/Why 7 ", Typed("why", "7")),
        ("/claude  what is a monad?", Typed("claude", "what is a monad?")),
        ("/bad it has\ntwo moons", Typed("bad", "it has\ntwo moons")),
        ("/etc/hosts holds what?", Typed("ask", "/etc/hosts holds what?")),
        (" /why is a slash here?", Typed("ask", "/why is a slash here?")),
        ("quit", Typed("quit", "")),
        (" exit ", Typed("quit", "")),
        ("quit smoking how?", Typed("ask", "quit smoking how?")),
        ('"""\n/why\ntwo lines\n"""', Typed("ask", "/why\ntwo lines")),
        ('/system """be brief\nand kind"""', Typed("system", "be brief\nand kind")),
    ],
)
def test_a_text_is_a_question_unless_it_begins_with_a_command(typed: str, parsed: Typed) -> None:
    assert parse(typed) == parsed


def test_an_unknown_command_is_named() -> None:
    with pytest.raises(BadInputError, match="no command /wyh"):
        parse("/wyh 7")


def test_every_command_is_explained_within_80_columns() -> None:
    lines = help_text().splitlines()
    assert all(any(line.startswith(f"  /{name} ") for line in lines) for name in COMMANDS)
    assert max(map(len, lines)) < 80


def test_three_quotes_hold_a_text_open_until_they_close() -> None:
    assert [is_open(text) for text in ('"""', '"""a', '"""a"""', '""""""', 'a """', "")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]


def test_lines_are_questions_but_for_those_between_three_quotes() -> None:
    lines = ["one\n", '"""two\n', "three\r\n", '"""\n', "\n", '"""four\n', "five"]
    assert list(join_lines(lines)) == ["one", '"""two\nthree\n"""', "", '"""four\nfive']
