"""The rules that read a question have a version, on which the memory's entries rest."""

import hashlib
from pathlib import Path

from shammah_mlx import text
from shammah_mlx.learners.questions import QUESTION_RULES

RULES = ("freshness", "open_ended", "followups", "sensitive", "revealing", "destructive")
READ_BY = {"1": "6c8669eb1e5c1e29"}  # the beginning of the sha256 of their code, by version


def test_changed_rules_have_another_version() -> None:
    """If this fails, raise QUESTION_RULES and write its digest here."""
    folder = Path(text.__file__).parent
    code = b"".join((folder / f"{name}.py").read_bytes() for name in RULES)
    assert hashlib.sha256(code).hexdigest()[:16] == READ_BY[QUESTION_RULES]
