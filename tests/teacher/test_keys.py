"""Test where Claude's key is stored, in which order it is looked for, and that it is never shown."""

from pathlib import Path

import pytest

from shammah_mlx.teacher.keys import Credential, KeyFile, find_credential
from tests.command import run
from tests.loopback import Behaviour, Loopback, fail, page
from tests.served import Served

KEY = "sk-ant-kept"


def test_the_key_is_kept_in_a_private_file_and_used(
    home: Path, claude: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    assert run("key", "status").exit_code == 1
    kept = run("key", "set", stdin=f"{KEY}\n")
    assert (kept.exit_code, kept.stdout) == (0, f"The key is stored in {home / 'key'}. It works.\n")
    assert (home / "key").stat().st_mode & 0o777 == 0o600
    told = run("key", "status")
    assert (told.exit_code, told.stdout) == (0, f"The key is in {home / 'key'}.\n")
    (home / "config.toml").write_text('generator = "recall"\n')
    assert run("ask", "what is a monad?").exit_code == 0
    assert claude.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    for shown in (run("status"), run("why"), run("key", "status")):
        assert KEY not in shown.output
    assert run("key", "unset").stdout == f"The key is deleted from {home / 'key'}.\n"
    assert run("key", "unset").stdout == "No key is stored.\n"
    assert not (home / "key").exists()


def test_a_stored_key_says_what_goes_before_it_and_who_does_not_read_it(home: Path, claude: Loopback) -> None:
    with Served(home, {}):
        told = run("key", "set", stdin=KEY).stdout
    assert "Commands go on using the key in the environment (ANTHROPIC_API_KEY), which goes first.\n" in told
    assert "The running service still uses the key it read when it started. End it and start it again.\n" in told


def test_a_key_that_claude_refuses_is_not_stored(home: Path, claude: Loopback) -> None:
    run("key", "set", stdin=KEY)
    claude.list_models_by(fail(401))
    refused = run("key", "set", stdin="sk-ant-mistyped")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "Claude refused the key (401), so nothing was stored" in refused.stderr
    assert (home / "key").read_text() == KEY
    assert [request.headers.get("x-api-key") or request.headers["authorization"] for request in claude.requests] == [
        f"Bearer {KEY}",
        "Bearer sk-ant-mistyped",
    ]
    assert all(request.path.startswith("/v1/models") for request in claude.requests)  # which costs nothing


@pytest.mark.parametrize("behaviour", [fail(403), fail(404), fail(500), page("<p>Sign in.</p>"), None])
def test_whoever_cannot_say_says_nothing_about_the_key(
    home: Path, claude: Loopback, monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour | None
) -> None:
    if behaviour is None:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    else:
        claude.list_models_by(behaviour)
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    kept = run("key", "set", stdin=KEY)
    told = f"The key is stored in {home / 'key'}. It was not checked: Claude could not be asked.\n"
    assert (kept.exit_code, kept.stdout) == (0, told)
    assert len(claude.requests) <= 1
    assert (home / "key").read_text() == KEY


def test_only_the_typed_key_is_checked(home: Path, claude: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "sk-another")
    run("key", "set", stdin=KEY)
    assert not any("sk-another" in value for value in claude.requests[0].headers.values())


def test_the_environment_comes_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KeyFile(home / "key").set(KEY)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token")
    found = find_credential(home)
    assert found == Credential("token", is_token=True, found_in="the environment (ANTHROPIC_AUTH_TOKEN)")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-env")
    found = find_credential(home)
    assert found is not None
    assert found.headers == {"x-api-key": "sk-env"}
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "  ")
    found = find_credential(home)
    assert found is not None
    assert found.secret == KEY


def test_a_credential_does_not_show_its_secret() -> None:
    assert KEY not in repr(Credential(KEY, is_token=False, found_in="a test"))


@pytest.mark.parametrize("typed", ["", "\n", "two words", "k" * 1001, "schlüssel", "a\x1bb"])
def test_what_is_no_key_is_not_kept(home: Path, typed: str) -> None:
    refused = run("key", "set", stdin=typed)
    assert refused.exit_code == 1
    assert "not an API key" in refused.stderr
    assert not (home / "key").exists()


def test_a_key_that_others_can_read_is_not_used(home: Path) -> None:
    KeyFile(home / "key").set(KEY)
    (home / "key").chmod(0o644)
    told = run("key", "status")
    assert told.exit_code == 1
    assert "others can read" in told.stderr
    assert KEY not in told.output


def test_a_file_that_holds_no_text_is_no_key(home: Path) -> None:
    (home / "key").write_bytes(b"\xff\xfe")
    (home / "key").chmod(0o600)
    assert "holds no key" in run("key", "status").stderr
