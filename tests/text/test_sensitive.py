"""Test that texts with a secret are told from texts that only mention one. None of the secrets was ever in use."""

import re

import pytest

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
