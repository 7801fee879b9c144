"""Render docs/commands.md: every command of `shammah`, with its arguments and options, from the Click group.

    python tools/command_reference.py            # print the page
    python tools/command_reference.py --write    # write docs/commands.md

The text does not depend on the width of the terminal.
"""

import argparse
import inspect
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from shammah_mlx.cli.main import main as shammah

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"
WIDTH = 120  # characters a line, as in the code
AS_IT_IS = "\b"  # begins a paragraph that Click does not fill
TITLE = """# Command reference

This page is generated from the program's own help. Do not edit it: change the help text, then run `make docs`.
[How to use the commands](usage.md) explains them in context."""


def render(group: click.Group) -> str:
    """Return the page as Markdown."""
    top = click.Context(group, info_name="shammah", **group.context_settings)
    common = _options(top)
    sections = [_section(context, common) for context in _contexts(group, top)]
    return "\n\n".join([TITLE, *sections]) + "\n"


def _contexts(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """Yield the context of a command and those of all its subcommands, in the order of `--help`."""
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from _contexts(below, click.Context(below, info_name=name, parent=context))


def _section(context: click.Context, common: dict[str, str]) -> str:
    """Return the section of one command; `common` are the options of `shammah` itself, which are explained once."""
    command = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"## `{context.command_path}`", f"```text\n{usage}\n```", *_paragraphs(command.help or "")]
    options = _options(context)
    own = {name: text for name, text in options.items() if context.parent is None or common.get(name) != text}
    shared = [f"`{name.split()[0]}`" for name in options if name not in own and not name.startswith("-h")]
    items = [f"`{name}`: {text}" for name, text in {**_arguments(context), **own}.items()]
    if shared:
        items.append(f"{', '.join(shared)}: see [`shammah`](#shammah).")
    if items:
        parts.append("\n".join(_filled(item, "- ", "  ") for item in items))
    return "\n\n".join(parts)


def _paragraphs(text: str) -> list[str]:
    return [_paragraph(paragraph) for paragraph in inspect.cleandoc(text).split("\n\n") if paragraph]


def _paragraph(text: str) -> str:
    """Return a paragraph; one whose lines Click leaves alone is a title with examples."""
    if not text.startswith(AS_IT_IS):
        return _filled(text)
    title, *lines = text.removeprefix(AS_IT_IS).strip("\n").splitlines()
    return "\n".join([f"{title}\n", "```shell", textwrap.dedent("\n".join(lines)), "```"])


def _arguments(context: click.Context) -> dict[str, str]:
    """Return the command's arguments, by name; what each means is in the command's own text."""
    return {
        argument.human_readable_name: "required." if argument.required else "optional."
        for argument in context.command.get_params(context)
        if isinstance(argument, click.Argument)
    }


def _options(context: click.Context) -> dict[str, str]:
    """Return the help of the command's options, with range and default, by their names and value."""
    options = [option for option in context.command.get_params(context) if isinstance(option, click.Option)]
    return dict(record for option in options if (record := option.get_help_record(context)) is not None)


def _filled(text: str, first: str = "", rest: str = "") -> str:
    """Return the text on lines of at most WIDTH characters."""
    return textwrap.fill(
        " ".join(text.split()),
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def run() -> None:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(description="Render the reference of all commands as Markdown.")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.parent.name}/{PAGE.name}")
    page = render(shammah)
    if parser.parse_args().write:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")
    else:
        sys.stdout.write(page)


if __name__ == "__main__":
    run()
