"""A keyring backend that stores passwords in a file; a file `locked` beside it locks it."""

import json
import os
from pathlib import Path

import keyring.backend
import keyring.errors


class Keyring(keyring.backend.KeyringBackend):
    priority = 1

    @property
    def _path(self) -> Path:
        path = Path(os.environ["FAKE_KEYCHAIN"])
        if path.with_name("locked").exists():
            raise keyring.errors.KeyringLocked("locked")
        return path

    def _all(self) -> dict[str, str]:
        return json.loads(self._path.read_text()) if self._path.exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        return self._all().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._path.write_text(json.dumps({**self._all(), f"{service} {username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        passwords = self._all()
        if passwords.pop(f"{service} {username}", None) is None:
            raise keyring.errors.PasswordDeleteError("not there")
        self._path.write_text(json.dumps(passwords))
