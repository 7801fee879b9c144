"""Read one stored record back: an interaction, or what was said of an answer."""

from pathlib import Path
from typing import TypeVar

import msgspec

from shammah_mlx.errors import BadStateError

Record = TypeVar("Record", bound=msgspec.Struct)
RESTORE = "restore the file from a backup, or use another --home"


def decoded(record: str, kind: type[Record], name: str, path: Path) -> Record:
    """Return a record from its row in the file at `path`; `name` is what an error calls it.

    Raises:
        BadStateError: it is damaged.
    """
    try:
        return msgspec.json.decode(record, type=kind)
    except msgspec.DecodeError as error:
        raise BadStateError(f"{path}: {name} is damaged", RESTORE) from error
