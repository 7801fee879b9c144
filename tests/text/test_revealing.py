"""Test that replies with a secret are told from those that show an example. None of the secrets was ever in use."""

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
