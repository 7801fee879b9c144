"""`shammah templates`: list the templates of a home, or show one."""

import json
from typing import Any

import click

from shammah_mlx.cli.options import home_of, settings


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings
@click.pass_context
def templates(ctx: click.Context, /, name: str | None, as_json: bool, **options: Any) -> None:
    """List the templates for `ask -t`, or show the one called NAME.

    A template is a file in the folder `templates` of the home: NAME.txt or NAME.md with the text of a question, or
    NAME.toml with `prompt`, `system`, `model` and `[defaults]`. `$input` stands for what is asked, `$other` for the
    value of `-p other VALUE`, and `$$` for a dollar sign.

    \b
    Examples:
      mkdir -p ~/.shammah/templates
      echo 'Translate to $language:' > ~/.shammah/templates/translate.txt
      shammah ask -t translate -p language French good morning
      shammah templates
    """
    home = home_of(ctx, options)
    from shammah_mlx.cli.group import print_error
    from shammah_mlx.display.console import one_line
    from shammah_mlx.home import templates as stored

    listed = [stored.find(home, name)] if name else stored.read_all(home)
    found = [one for one in listed if isinstance(one, stored.Template)]
    broken = [one for one in listed if isinstance(one, stored.Broken)]
    if as_json:
        shown: list[dict[str, Any]] = [
            {
                "name": template.name,
                "prompt": template.prompt,
                "system": template.system,
                "model": template.model,
                "defaults": template.defaults,
                "variables": template.variables,
            }
            for template in found
        ]
        shown += [{"name": one.name, "error": one.error.message} for one in broken]
        click.echo(json.dumps(shown[0] if name else shown, ensure_ascii=False))
    elif name:
        for part, text in (("system: ", found[0].system), ("model: ", found[0].model), ("", found[0].prompt)):
            if text:
                click.echo("\n".join(one_line(part + line, 1_000) for line in text.splitlines()))
    elif found:
        width = max(len(template.name) for template in found)
        for template in found:
            variables = "".join(f"${variable} " for variable in template.variables)
            text = template.prompt or template.system or ""
            click.echo(one_line(f"{template.name:{width}}  {variables}{text}", 100))
    elif not broken:
        click.echo(f"There are no templates in {home / stored.FOLDER}.", err=True)
    if not as_json:
        for one in broken:
            print_error(one.error)
