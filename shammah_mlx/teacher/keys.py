"""Store and find Claude's key, and never show it."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, final

from shammah_mlx.errors import BadStateError
from shammah_mlx.files import replacing_synced

API_KEY, AUTH_TOKEN, BASE_URL = "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"
KEYCHAIN_SERVICE = "shammah-mlx"


@dataclass(frozen=True)
class Credential:
    """A key or token for Claude; its repr does not show the secret."""

    secret: str = field(repr=False)
    is_token: bool  # an OAuth token, sent as Bearer; otherwise an API key
    found_in: str

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that carry it in a request."""
        return {"authorization": f"Bearer {self.secret}"} if self.is_token else {"x-api-key": self.secret}


class KeyStore(Protocol):
    """A place that stores one key."""

    name: str

    def get(self) -> str | None:
        """Return the key, if there is one."""

    def set(self, key: str) -> None:
        """Store the key."""

    def unset(self) -> bool:
        """Delete the key; say whether there was one."""


@final
class Keychain:
    """The macOS Keychain, through keyring."""

    name = "the Keychain"

    def get(self) -> str | None:
        """Return the key, if there is one.

        Raises:
            BadStateError: the Keychain is locked or refuses access.
        """
        import keyring.errors  # imported here: most commands need no key, or find it in the environment

        try:
            return keyring.get_password(KEYCHAIN_SERVICE, API_KEY)
        except keyring.errors.KeyringError as error:
            raise _refused() from error

    def set(self, key: str) -> None:
        """Store the key.

        Raises:
            BadStateError: the Keychain is locked or refuses access.
        """
        import keyring.errors

        try:
            keyring.set_password(KEYCHAIN_SERVICE, API_KEY, key)
        except keyring.errors.KeyringError as error:
            raise _refused() from error

    def unset(self) -> bool:
        """Delete the key; say whether there was one.

        Raises:
            BadStateError: the Keychain is locked or refuses access.
        """
        import keyring.errors

        try:
            keyring.delete_password(KEYCHAIN_SERVICE, API_KEY)
        except keyring.errors.PasswordDeleteError:
            return False
        except keyring.errors.KeyringError as error:
            raise _refused() from error
        return True


def _refused() -> BadStateError:
    return BadStateError("the Keychain refused access", "unlock it, or export ANTHROPIC_API_KEY=…")


@final
class KeyFile:
    """A file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._path, self.name = path, str(path)

    def get(self) -> str | None:
        """Return the key, if there is one.

        Raises:
            BadStateError: others can read the file, or it holds no key.
        """
        try:
            if self._path.stat().st_mode & 0o077:
                raise BadStateError(
                    f"others can read {self._path}",
                    f"run chmod 600 {self._path}, and replace the key: others may have seen it",
                )
            key = self._path.read_text("utf-8").strip()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise BadStateError(f"{self._path} holds no key", "run `shammah key set`") from error
        return key or None

    def set(self, key: str) -> None:
        """Store the key, in place of any earlier one."""
        with replacing_synced(self._path, mode=0o600) as file:
            file.write(key.encode())

    def unset(self) -> bool:
        """Delete the key; say whether there was one."""
        existed = self._path.exists()
        self._path.unlink(missing_ok=True)
        return existed


def key_store(home: Path) -> KeyStore:
    """Return this platform's store for the key."""
    return Keychain() if sys.platform == "darwin" else KeyFile(_key_file(home))


def _key_file(home: Path) -> Path:
    return home / "key"


def find_credential(home: Path) -> Credential | None:
    """Return the credential from the environment, or else from the store.

    Raises:
        BadStateError: the store cannot be read.
    """
    if (found := _in_environment()) is not None:
        return found
    store = key_store(home)
    key = store.get()
    return None if key is None else Credential(key, is_token=False, found_in=store.name)


def is_at_hand(home: Path) -> bool:
    """Say whether a credential can be found at once, without asking the Keychain, which takes a while."""
    return _in_environment() is not None or (sys.platform != "darwin" and _key_file(home).exists())


def _in_environment() -> Credential | None:
    for name in (API_KEY, AUTH_TOKEN):
        # Stripped: a key read from a file ends in a newline, which a header may not contain.
        if secret := os.environ.get(name, "").strip():
            return Credential(secret, name == AUTH_TOKEN, f"the environment ({name})")
    return None
