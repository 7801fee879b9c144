"""The rules that decide what the memory keeps of a question, and for how long, have a version."""

import hashlib
from pathlib import Path

from shammah_mlx import text
from shammah_mlx.learners.questions import QUESTION_RULES

RULES = ("freshness", "open_ended", "followups", "sensitive", "revealing")
READ_BY = {"1": "9eeb792ab2f4c3fe"}  # the beginning of the sha256 of their code, by version


def code(path: Path) -> str:
    """Return a module without lines that are comments."""
    return "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))


def test_changed_rules_have_another_version() -> None:
    """If this fails, raise QUESTION_RULES and write its digest here: homes then learn again by the new rules."""
    folder = Path(text.__file__).parent
    rules = "".join(code(folder / f"{name}.py") for name in RULES)
    assert hashlib.sha256(rules.encode()).hexdigest()[:16] == READ_BY[QUESTION_RULES]
