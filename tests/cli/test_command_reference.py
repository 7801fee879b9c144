"""docs/commands.md agrees with the program's help."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from shammah_mlx.cli.main import main
from tools.command_reference import PAGE, render


def paths(group: click.Group, path: str) -> Iterator[str]:
    """Yield the full name of every command below a group."""
    for name, command in group.commands.items():
        yield f"{path} {name}"
        if isinstance(command, click.Group):
            yield from paths(command, f"{path} {name}")


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == render(main), "docs/commands.md is out of date: run `make docs`"


def test_the_page_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert render(main) == PAGE.read_text("utf-8")


@pytest.mark.parametrize("group", [None, *(name for name, it in main.commands.items() if isinstance(it, click.Group))])
def test_the_help_of_80_columns_has_whole_sentences(group: str | None) -> None:
    shown = CliRunner().invoke(main, [*([group] if group else []), "--help"], env={"COLUMNS": "80"}).output
    assert shown.partition("Commands:")[2]
    assert "..." not in shown.partition("Commands:")[2]


@pytest.mark.parametrize("path", sorted(paths(main, "shammah")))
def test_every_command_is_on_the_page(path: str) -> None:
    assert f"\n## `{path}`\n" in PAGE.read_text("utf-8")
