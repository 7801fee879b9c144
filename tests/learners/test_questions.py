"""The rules that decide what the memory keeps of a question, and for how long, have a version."""

import hashlib
import tokenize
from pathlib import Path

from shammah_mlx import text
from shammah_mlx.learners.questions import QUESTION_RULES

RULES = ("freshness", "open_ended", "followups", "sensitive", "revealing")
READ_BY = {"1": "4e292b1c2404d90b"}  # the beginning of the sha256 of their code, by version
SAYS_NOTHING = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}


def code(path: Path) -> str:
    with path.open("rb") as file:
        return "".join(token.string for token in tokenize.tokenize(file.readline) if token.type not in SAYS_NOTHING)


def test_changed_rules_have_another_version() -> None:
    """If this fails, raise QUESTION_RULES and write its digest here: what was learnt is then learnt by the new rules."""
    folder = Path(text.__file__).parent
    rules = "".join(code(folder / f"{name}.py") for name in RULES)
    assert hashlib.sha256(rules.encode()).hexdigest()[:16] == READ_BY[QUESTION_RULES]
