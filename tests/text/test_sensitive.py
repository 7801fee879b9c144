"""Test that texts with a secret are told from texts that only mention one. None of the secrets was ever in use."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.text.sensitive import holds_secret
from tests.text.tables import read_table

TABLE = read_table("sensitive")


def assemble(template: str) -> str:
    """Return a text of the table with its placeholders filled: {noise}, {hex}, {noise:24}, {}."""

    def fill(found: re.Match[str]) -> str:
        name, length = found.groups()
        return str(TABLE[name])[: int(length) if length else None] if name else ""

    return re.sub(r"\{(?:(noise|hex)(?::(\d+))?)?\}", fill, template)


@pytest.mark.parametrize("text", [assemble(text) for text in TABLE["secrets"]])
def test_a_secret_is_seen(text: str) -> None:
    assert holds_secret(text)


@pytest.mark.parametrize("text", [assemble(text) for text in TABLE["no_secrets"]])
def test_talk_of_secrets_holds_none(text: str) -> None:
    assert not holds_secret(text)


@given(st.text() | st.text("0123456789 -abAB:=/.\"'`\n"))
def test_any_text_is_accepted(text: str) -> None:
    assert isinstance(holds_secret(text), bool)


PIECES = [
    "password ",
    "a1B2",
    "4111 ",
    "GB82 ",
    "x://",
    "pin to ",
    "eyJ",
    "a.",
    "-u ",
    "-----BEGIN PRIVATE KEY-----",
    "=",
]


@pytest.mark.parametrize("piece", PIECES)
def test_no_long_text_takes_long(piece: str) -> None:
    started = time.perf_counter()
    holds_secret(piece * (20_000 // len(piece)))
    assert time.perf_counter() - started < 2
