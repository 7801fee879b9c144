"""Test that replies with a secret are told from those that show an example. None of the secrets was ever in use."""

import time

import pytest

from shammah_mlx.text.revealing import reveals_secret
from tests.text.tables import read_table
from tests.text.test_sensitive import assemble

TABLE = read_table("revealing")
QUESTION = "please make me a new password"


@pytest.mark.parametrize("reply", [assemble(reply) for reply in TABLE["secrets"]])
def test_a_reply_with_a_secret_is_seen(reply: str) -> None:
    assert reveals_secret(QUESTION, reply)


@pytest.mark.parametrize("reply", [assemble(reply) for reply in TABLE["no_secrets"]])
def test_a_reply_with_an_example_reveals_nothing(reply: str) -> None:
    assert not reveals_secret("how is a password set here?", reply)


@pytest.mark.parametrize(
    "piece", ["username", "mongodb", "passwpassword", "testing1", "secretkey", "a1", "my-", "example"]
)
@pytest.mark.parametrize("end", ["", "q", "Q9"])
def test_no_value_takes_long_to_read(piece: str, end: str) -> None:
    """A search that goes back over words made of others would take hours here."""
    started = time.perf_counter()
    reveals_secret(QUESTION, f"password: {piece * 500}{end}")
    assert time.perf_counter() - started < 1


def test_what_is_not_made_of_examples_words_to_its_end_is_a_secret() -> None:
    assert reveals_secret(QUESTION, f"password: {'username' * 500}q")
    assert not reveals_secret(QUESTION, f"password: {'username' * 400}")
