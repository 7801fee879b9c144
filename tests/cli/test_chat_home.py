"""What a chat has done in its home, where no answer is needed for it."""

from pathlib import Path

import click
import msgspec
import pytest

from shammah_mlx.cli.chat_home import ChatHome
from shammah_mlx.cli.main import main
from shammah_mlx.config import BudgetConfig, Config
from shammah_mlx.errors import BadInputError, BadStateError
from shammah_mlx.presets import PRESETS
from shammah_mlx.server.protocol import AskRequest


def chat_home(home: Path, config: Config = PRESETS["default"]) -> ChatHome:
    return ChatHome(click.Context(main), home, config, {"budget": None})


def test_a_question_may_be_as_long_as_the_models_context(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teacher = msgspec.structs.replace(PRESETS["default"].teacher, context_tokens=100, contexts={})
    narrow = chat_home(tmp_path, msgspec.structs.replace(PRESETS["default"], max_query_bytes=200, teacher=teacher))
    narrow.check(AskRequest("x" * 150))
    assert capsys.readouterr().err == ""
    narrow.check(AskRequest("x" * 150, system="y" * 100))
    assert "A long question" in capsys.readouterr().err
    narrow.check(AskRequest("x" * 300, forced_source="local"))  # nobody pays for it
    assert capsys.readouterr().err == ""
    for wanted in (AskRequest("x" * 900), AskRequest("x", system="y" * 900)):
        with pytest.raises(BadInputError, match="holds 100"):
            narrow.check(wanted)
    with pytest.raises(BadInputError, match="not valid UTF-8"):
        narrow.check(AskRequest("\udcff"))


def test_a_conversation_that_cannot_be_read_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_text("This is no database, but it is as long as the head of one: 100 bytes." * 2)
    with pytest.raises(BadStateError):
        chat_home(tmp_path).save(1, tmp_path / "notes.md")
    assert not (tmp_path / "notes.md").exists()


def test_a_model_is_known_by_its_price(tmp_path: Path) -> None:
    free, preset = chat_home(tmp_path), PRESETS["default"]
    assert free.warning_of_model("claude-haiku-4-5-20251001") is None
    assert free.warning_of_model("nonsense") == "No price is known for nonsense; calls with it are unpriced."
    limited = chat_home(tmp_path, msgspec.structs.replace(preset, budget=BudgetConfig(month=20.0)))
    assert limited.warning_of_model("nonsense") == "No price is known for nonsense; with a budget it is not asked."
