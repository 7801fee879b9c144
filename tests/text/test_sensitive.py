"""Texts that hold a secret, and texts that only speak of one. None of these was ever in use."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.text.sensitive import holds_secret

NOISE = "q7Zt4Lw9Xc2Vb8Nm5Kj3Hg6Fd1Sa0PoIuYtR"  # secrets are put together here: whole ones would alarm a scanner
HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

SECRETS = [
    "my key is sk-ant-api03-" + NOISE,
    "why does sk-" + NOISE + " give a 401?",
    "export OPENAI_API_KEY=sk-proj-" + NOISE,
    "git clone with ghp_" + NOISE + " fails",
    "github_pat_11AAAA_" + NOISE,
    "aws configure says AKIA" + "QX3Z7PLM2KD9RT5W" + " is invalid",
    "slack bot xoxb-" + "2048-4096-" + NOISE[:24],
    "maps.js?key=AIza" + NOISE[:35],
    "glpat-" + NOISE[:20],
    "login with hf_" + NOISE[:34],
    "//packages.example.org/:_authToken=npm_" + NOISE,
    "charge with sk_" + "live_" + NOISE[:24],
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAu1SU1L\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNzaC1rZXktdjEA\\n",
    "decode eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N",
    "password = hunter2",
    "my password is hunter2, is that strong?",
    "my password is swordfish.",
    "the wifi password is Tr0ub4dor&3",
    '{"user": "bob", "password": "swordfish"}',
    "passwd: letmein99",
    "DB_PASSWORD=s3cr3t-pw make run",
    "mysql --password hunter2 -u root",
    "my PIN is 4921",
    "the door code is 80512",
    "my bank pin: 4921, can I change it?",
    "token=8f3a9c77b1 does not work",
    "client_secret: 'a91bc-77de2-0f'",
    "curl -H 'Authorization: Bearer " + NOISE + "' host",
    "Authorization: Basic dXNlcjpwYXNzd29yZA==",
    "connect to postgres://user:pw@host/db",
    "redis://:hunter2@localhost:6379",
    "my card 4111 1111 1111 1111 was declined",
    "5555555555554444 exp 12/27",
    "amex 3782-822463-10005",
    "send it to DE89 3704 0044 0532 0130 00 please",
    "iban gb82west12345698765432",
    "my ssn is 219-09-9999",
    "what is this: " + NOISE,
    "the value " + HEX[:32] + " is rejected",
    "key " + HEX,
    "ALTER USER bob WITH PASSWORD 'hunter2'",
    "password: can't-guess9",
    "my cvv is 123",
]

NO_SECRETS = [
    "how do I reset my password",
    "what is a bearer token",
    "the password must have 8 characters",
    "my password is expired",
    "why is my password not working?",
    "the password is stored in the keychain",
    "my password is incorrect, what now?",
    "the password is case-sensitive",
    "the password is too short",
    "password: how do I choose a good one?",
    "password=<your password>",
    "password=$DB_PASSWORD",
    "password = getpass.getpass()",
    "def login(user: str, password: str) -> bool:",
    "password = None",
    "password=********",
    "Authorization: Bearer <token>",
    "Authorization: Bearer YOUR_ACCESS_TOKEN",
    "what does sk-ant-... mean?",
    "set ANTHROPIC_API_KEY=sk-ant-xxxxxxxxxxxxxxxxxxxx",
    "what does -----BEGIN RSA PRIVATE KEY----- mean?",
    "a token is a unit of text",
    "token = request.headers.get('x')",
    "my order number is 1234567890123456",
    "order 4111111111111111 has not arrived",
    "call +1 415 555 2671 or 020 7946 0958",
    "postgres://localhost:5432/db",
    "see https://example.com:8080/a@b",
    "postgres://user:<password>@host",
    "git show " + HEX[:40],
    "sha256 " + HEX,
    "md5: " + HEX[:32],
    "123e4567-e89b-12d3-a456-426614174000 is a UUID",
    "what is src/main/java/com/example/project/MyClassName2Test",
    "the_quick_brown_fox_jumps_over_the_lazy_dog_2024",
    "AbstractSingletonProxyFactoryBeanConfiguration2",
    "my zip code is 90210",
    "what is the best PIN length?",
    "connect pin 13 to ground",
    "DE89 3704 0044 0532 0130 01 is not an IBAN",
    "4111 1111 1111 1112",
    "what is 2 to the power of 64: 18446744073709551616",
    "the date 2024-05-06 and 1700000000000 in ms",
    "sk-learn is a nickname of scikit-learn",
    "the meeting was on 12-31-2024",
    "================================================",
    "max_tokens: 200000",
    "the secret is simple",
    "how to store a password in sqlite3",
    "the password is 12 characters long",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_seen(text: str) -> None:
    assert holds_secret(text)


@pytest.mark.parametrize("text", NO_SECRETS)
def test_talk_of_secrets_holds_none(text: str) -> None:
    assert not holds_secret(text)


@given(st.text() | st.text("0123456789 -abAB:=/.\"'`\n"))
def test_the_rule_takes_any_text(text: str) -> None:
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
def test_the_rule_takes_no_long_time_over_any_text(piece: str) -> None:
    started = time.perf_counter()
    holds_secret(piece * (20_000 // len(piece)))
    assert time.perf_counter() - started < 2
