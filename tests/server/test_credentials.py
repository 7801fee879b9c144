"""The service's token is told from a client's own credential, in whatever form it is shown."""

from base64 import b64encode

import pytest

from shammah_mlx.server.credentials import ClientCredentials

TOKEN = "token-of-the-service"
SIGN_IN = ClientCredentials(TOKEN, sign_in=True)


@pytest.mark.parametrize(
    "value",
    [b"", b"  ", b"Bearer ", b"bearer", TOKEN.encode(), f"Bearer {TOKEN}".encode(), f"bearer  {TOKEN}".encode()]
    + [b"Basic " + b64encode(f"{user}:{TOKEN}".encode()) for user in ("", "me")],
)
def test_neither_the_token_nor_nothing_is_a_clients_own_credential(value: bytes) -> None:
    assert SIGN_IN.sign_in_headers([(b"authorization", value)]) == []


@pytest.mark.parametrize("value", [b"Bearer sk-ant-oat-1", b"Basic " + b64encode(b"me:mine"), b"Basic ?", b"sk-ant-1"])
def test_anything_else_is(value: bytes) -> None:
    assert SIGN_IN.sign_in_headers([(b"Authorization", value)]) == [(b"Authorization", value)]
    assert ClientCredentials(TOKEN).sign_in_headers([(b"Authorization", value)]) == []


def test_the_token_is_shown_with_and_without_its_scheme() -> None:
    for value in (TOKEN, f"Bearer {TOKEN}", f"bearer {TOKEN}"):
        assert SIGN_IN.show_token([(b"X-Api-Key", value.encode())])
    assert not SIGN_IN.show_token([(b"authorization", b"Bearer " + TOKEN[:-1].encode())])
