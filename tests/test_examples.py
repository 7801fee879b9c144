"""What examples/ shows works, and what docs/settings.md says of the settings is what they are."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from shammah_mlx.config import Config
from shammah_mlx.presets import PRESETS, load_config
from shammah_mlx.teacher.recordings import read_stream

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


def test_the_settings_file_changes_nothing_of_the_default_preset() -> None:
    assert load_config(EXAMPLES / "config.toml", {}) == PRESETS["default"]


def test_the_questions_are_a_stream() -> None:
    assert len(read_stream(EXAMPLES / "questions.jsonl", None, None)) == 512


def test_the_client_compiles_and_explains_itself() -> None:
    client = EXAMPLES / "sdk_client.py"
    compile(client.read_text("utf-8"), str(client), "exec")
    done = subprocess.run([sys.executable, client, "--help"], capture_output=True, text=True, check=True)
    assert "--token-file" in done.stdout


def settings(kind: inspect.Type, value: Any, section: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield section, name and value of every setting; what is a table of its own by name counts as one."""
    assert isinstance(kind, inspect.StructType)
    for field in kind.fields:
        below = value[field.encode_name]
        if isinstance(field.type, inspect.StructType):
            yield from settings(field.type, below, f"{section}.{field.encode_name}".strip("."))
        else:
            yield section, field.encode_name, below


def rows(page: str) -> dict[tuple[str, str], str]:
    """Return the rows of the page's tables, by section and setting; one table may be that of two sections."""
    found: dict[tuple[str, str], str] = {}
    sections = [""]
    for line in page.splitlines():
        if line.startswith("## "):
            sections = re.findall(r"`\[(\w+)\]`", line) or [""]
        elif row := re.match(r"\| `(\w+)` \|", line):
            found |= {(section, row[1]): line for section in sections}
    return found


@pytest.mark.parametrize("preset", ["default", "literal"])
def test_the_settings_page_has_every_setting_and_its_value(preset: str) -> None:
    page = rows((ROOT / "docs" / "settings.md").read_text("utf-8"))
    known = list(settings(inspect.type_info(Config), msgspec.to_builtins(PRESETS[preset])))
    assert set(page) == {(section, name) for section, name, _ in known}
    for section, name, value in known:
        if not isinstance(value, dict):  # these stand in full below the table
            assert f"`{json.dumps(value)}`" in page[section, name], f"[{section}] {name}"
