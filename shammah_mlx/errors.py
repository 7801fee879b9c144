"""The failures a user can act on: one sentence, one hint, one exit code each."""

import errno
import sqlite3


class ShammahError(Exception):
    """Say what is wrong and what the user can do about it."""

    exit_code = 1

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BadInputError(ShammahError):
    """A query, a setting or a stream file cannot be used as it is."""


class BadStateError(ShammahError):
    """Something under the home is damaged, foreign or in use."""


class WeightsError(ShammahError):
    """Pretrained weights are missing, could not be fetched, or are not what they should be."""


class TeacherError(ShammahError):
    """Claude could not answer, and nothing else did."""

    exit_code = 4


RIGHTS_HINT = "check that the path exists and that you may write there"


def as_user_error(error: OSError | sqlite3.Error) -> ShammahError:
    """Return what the system or the journal's file said as what a user can act on."""
    if isinstance(error, sqlite3.Error):
        hint = "make room on the disk if it is full; if journal.db is damaged, restore it or use another --home"
        return ShammahError(f"the journal cannot be used: {error}", hint)
    where = f" ({error.filename})" if error.filename else ""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    hint = "make room on the disk; what is journalled is learnt by the next question" if full else RIGHTS_HINT
    return ShammahError(f"{error.strerror or error}{where}", hint)
