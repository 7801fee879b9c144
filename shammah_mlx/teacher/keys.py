"""Claude's key: where it is kept, and where it is looked for. It is shown to nobody."""

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
    """What Claude is shown; no text of it is in its repr."""

    secret: str = field(repr=False)
    is_token: bool  # an OAuth token, shown as Bearer; else a key
    found_in: str

    @property
    def headers(self) -> dict[str, str]:
        """Return what a request carries."""
        return {"authorization": f"Bearer {self.secret}"} if self.is_token else {"x-api-key": self.secret}


class KeyStore(Protocol):
    """A place that keeps one key."""

    name: str

    def get(self) -> str | None:
        """Return the key, if there is one."""

    def set(self, key: str) -> None:
        """Keep it."""

    def unset(self) -> bool:
        """Drop it; say whether there was one."""


@final
class Keychain:
    """The macOS Keychain, through keyring."""

    name = "the Keychain"

    def get(self) -> str | None:
        """Return the key, if there is one.

        Raises:
            BadStateError: the Keychain is locked, or refuses.
        """
        import keyring.errors  # imported here: most commands need no key, or find it in the environment

        try:
            return keyring.get_password(KEYCHAIN_SERVICE, API_KEY)
        except keyring.errors.KeyringError as error:
            raise _refused() from error

    def set(self, key: str) -> None:
        """Keep it.

        Raises:
            BadStateError: the Keychain is locked, or refuses.
        """
        import keyring.errors

        try:
            keyring.set_password(KEYCHAIN_SERVICE, API_KEY, key)
        except keyring.errors.KeyringError as error:
            raise _refused() from error

    def unset(self) -> bool:
        """Drop it; say whether there was one.

        Raises:
            BadStateError: the Keychain is locked, or refuses.
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
    return BadStateError("the Keychain does not give access", "unlock it, or export ANTHROPIC_API_KEY=…")


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
                raise BadStateError(f"others can read {self._path}", f"chmod 600 {self._path}, and get another key")
            key = self._path.read_text("utf-8").strip()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise BadStateError(f"{self._path} holds no key", "shammah key set") from error
        return key or None

    def set(self, key: str) -> None:
        """Keep it; a file that is there is replaced."""
        with replacing_synced(self._path, mode=0o600) as file:
            file.write(key.encode())

    def unset(self) -> bool:
        """Drop it; say whether there was one."""
        existed = self._path.exists()
        self._path.unlink(missing_ok=True)
        return existed


def key_store(home: Path) -> KeyStore:
    """Return where this platform keeps the key."""
    return Keychain() if sys.platform == "darwin" else KeyFile(home / "key")


def find_credential(home: Path) -> Credential | None:
    """Return what the environment has, or else the store.

    Raises:
        BadStateError: the store cannot be read.
    """
    for name in (API_KEY, AUTH_TOKEN):
        # Stripped: a key read from a file brings a newline, which no header may hold.
        if secret := os.environ.get(name, "").strip():
            return Credential(secret, name == AUTH_TOKEN, f"the environment ({name})")
    store = key_store(home)
    kept = store.get()
    return None if kept is None else Credential(kept, is_token=False, found_in=store.name)
