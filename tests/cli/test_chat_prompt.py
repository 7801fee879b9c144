"""The prompt of a chat, typed at through a pipe in the terminal's place."""

from collections.abc import Iterator
from typing import Any

import pytest

from shammah_mlx.cli.chat_prompt import line_reader, prompt_reader

PAST = ["which moons has Mars?", "who founded\nRome?"]
ENTER, ALT_ENTER, UP, CTRL_C, CTRL_D = "\r", "\x1b\r", "\x1b[A", "\x03", "\x04"


@pytest.fixture
def keys() -> Iterator[Any]:
    """Return what types."""
    pytest.importorskip("prompt_toolkit")
    from prompt_toolkit.input import create_pipe_input

    with create_pipe_input() as pipe:
        yield pipe


def typed(keys: Any, text: str) -> str:
    from prompt_toolkit.output import DummyOutput

    keys.send_text(text + CTRL_C)  # so that a text which is not sent fails the test instead of waiting for more
    return prompt_reader(PAST, keys, DummyOutput())()


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (f"hello{ENTER}", "hello"),
        (f"one{ALT_ENTER}two{ENTER}", "one\ntwo"),
        (f'"""one{ENTER}two{ENTER}"""{ENTER}', '"""one\ntwo\n"""'),
        (f"\x1b[200~pasted\nlines\x1b[201~{ENTER}", "pasted\nlines"),
        (f"{UP}{ENTER}", PAST[1]),
        (f"\x12moons{ENTER}{ENTER}", PAST[0]),  # Ctrl-R
    ],
)
def test_what_is_typed_is_read(keys: Any, text: str, read: str) -> None:
    assert typed(keys, text) == read


def test_ctrl_c_begins_the_line_anew_and_ctrl_d_ends(keys: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        typed(keys, "half a question")
    with pytest.raises(EOFError):
        typed(keys, CTRL_D)


def test_a_pipe_is_read_line_by_line_to_its_end() -> None:
    read = line_reader(iter([b"one\n", b"caf\xc3\xa9\n", b"\xff"]))
    assert [read(), read(), read()] == ["one", "café", "\udcff"]
    with pytest.raises(EOFError):
        read()
