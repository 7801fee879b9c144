"""The user's templates: files in the home's folder `templates`, each a question with variables.

`NAME.txt` and `NAME.md` hold the text of a question. `NAME.toml` has `prompt`, `system`, `model` and the section
`[defaults]` with values of variables; all are optional. `$input` stands for what is asked, and is added at the end if
it is missing; `$$` is a dollar sign.
"""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from string import Template as Pattern

import msgspec

from shammah_mlx.errors import BadInputError

FOLDER = "templates"
INPUT = "input"
TABLE, TEXTS = ".toml", (".txt", ".md")


class Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question with variables."""

    prompt: str | None = None  # None: the input alone
    system: str | None = None
    model: str | None = None
    defaults: dict[str, str | int | float] = {}
    name: str = ""

    @property
    def variables(self) -> list[str]:
        """Return the names of its variables, in the order of their first use, without `input`."""
        found = [name for text in self.texts for name in Pattern(text).get_identifiers()]
        return [name for name in dict.fromkeys(found) if name != INPUT]

    @property
    def texts(self) -> list[str]:
        """Return the texts with variables."""
        return [text for text in (self.prompt, self.system) if text]

    @property
    def has_place_for_input(self) -> bool:
        """Say whether it names `$input`."""
        return any(INPUT in Pattern(text).get_identifiers() for text in self.texts)


class Filled(msgspec.Struct, frozen=True):
    """A template with values for its variables."""

    prompt: str
    system: str | None
    model: str | None


def paths(home: Path) -> dict[str, Path]:
    """Return the files of all templates, by name; none if there is no folder."""
    folder = home / FOLDER
    kinds = (*TEXTS, TABLE)
    found = sorted(path for path in folder.glob("*") if path.suffix in kinds and path.is_file())
    return {path.stem: path for path in found}


def find(home: Path, name: str) -> Template:
    """Return the template of this name.

    Raises:
        BadInputError: there is none, or its file is not one.
    """
    known = paths(home)
    if name not in known:
        near = "".join(f"did you mean {one}? " for one in difflib.get_close_matches(name, known, 1))
        listed = f"there are {', '.join(known)}" if known else f"there are none in {home / FOLDER}"
        raise BadInputError(f"there is no template {name!r}", f"{near}{listed}")
    return read(known[name])


def read_all(home: Path) -> tuple[list[Template], list[BadInputError]]:
    """Return the templates of a home, and what is wrong with the files that are none."""
    found: list[Template] = []
    broken: list[BadInputError] = []
    for path in paths(home).values():
        try:
            found.append(read(path))
        except BadInputError as error:
            broken.append(error)
    return found, broken


def read(path: Path) -> Template:
    """Return the template in a file.

    Raises:
        BadInputError: it is not one.
    """
    try:
        text = path.read_text("utf-8-sig")
        if path.suffix in TEXTS:
            return Template(prompt=text.strip(), name=path.stem)
        return msgspec.structs.replace(msgspec.convert(tomllib.loads(text), Template), name=path.stem)
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}", "check its rights") from error
    except (msgspec.ValidationError, ValueError) as error:  # not UTF-8, not TOML, or another key
        hint = "a template has prompt, system and model in quotes, and the section [defaults]"
        raise BadInputError(f"{path} is not a template: {error}", hint) from error


def fill(template: Template, text: str, values: Mapping[str, str]) -> Filled:
    """Return the template with `text` as its input, and values or defaults for its variables.

    Raises:
        BadInputError: a variable has no value, a value has no variable, or the input is missing.
    """
    variables = template.variables
    if unknown := [name for name in values if name not in variables]:
        listed = f"its variables are {', '.join(variables)}" if variables else "it has no variables"
        raise BadInputError(f"the template {template.name} has no variable {unknown[0]!r}", listed)
    known = {**template.defaults, **values}
    if missing := [name for name in variables if name not in known]:
        hint = f"give it with -p {missing[0]} VALUE; a dollar sign that begins no variable is written $$"
        raise BadInputError(f"the template {template.name} needs a value for {missing[0]}", hint)
    if template.has_place_for_input and not text:
        raise BadInputError(f"the template {template.name} needs an input", "give words, a file or standard input")
    given = {**known, INPUT: text}
    prompt, system = (part and Pattern(part).safe_substitute(given) for part in (template.prompt, template.system))
    rest = "" if template.has_place_for_input else text
    return Filled("\n\n".join(filter(None, (prompt, rest))), system, template.model)
