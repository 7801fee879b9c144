"""One contract for all functions that recognise something in a text: they accept any text, and are never slow."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.text.destructive import destroys
from shammah_mlx.text.followups import leans_back
from shammah_mlx.text.freshness import is_fleeting
from shammah_mlx.text.open_ended import is_open_ended
from shammah_mlx.text.revealing import reveals_secret
from shammah_mlx.text.sensitive import holds_secret

Recognise = Callable[[str], bool]


def reveals(text: str) -> bool:
    return reveals_secret("a password", text)


RECOGNISERS = pytest.mark.parametrize(
    "recognise", [destroys, holds_secret, is_fleeting, is_open_ended, leans_back, reveals]
)
PIECES = [  # repeated, they make patterns backtrack
    *("password ", "a1B2", "4111 ", "GB82 ", "x://", "pin to ", "eyJ", "a.", "-u ", "-----BEGIN PRIVATE KEY-----", "="),
    *("\n", "\n- ", "docker login ", "mysql ", "redis-cli ", "curl ", "**a", "K7#mQ9$v", "roll a-", "throw a "),
    *("PIN of your ", "password: '... ", "seed phrase: replace ", "xxxx", "your-"),
    *("it ", "how ", "what is ", "`", '"', "my ", "-", "is the "),
    *("write ", "give ", "some ", "random ", "plot of a ", "please ", "story a ", "what's "),
    *("rm", "sudo ", "xargs -0 ", "'", "```\n", "> ", "a=b ", "find \\;", "{", "delete from ", "<a", "- ", "sh 'a' "),
]


@RECOGNISERS
@given(text=st.text() | st.text("0123456789 -abAB:=/.\"'`\n") | st.text("rm -f>|;&`'\"$({})\n#x/."))
def test_any_text_is_accepted(recognise: Recognise, text: str) -> None:
    assert isinstance(recognise(text), bool)


@RECOGNISERS
@pytest.mark.parametrize("piece", PIECES)
def test_no_long_text_takes_long(recognise: Recognise, piece: str) -> None:
    started = time.perf_counter()
    recognise(piece * (20_000 // len(piece)))
    assert time.perf_counter() - started < 2
