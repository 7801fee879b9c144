"""Read the tables of texts under `tests/data/`."""

import tomllib
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data"


def read_table(name: str) -> dict[str, Any]:
    """Return the content of `tests/data/<name>.toml`."""
    return tomllib.loads((DATA / f"{name}.toml").read_text("utf-8"))
