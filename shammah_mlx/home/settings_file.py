"""A home's config.toml as its user edits it: list every setting with its reason, read one, and change one.

The reasons are the comments beside the fields in `config.py`, read from its source, so that they stand in one place.
What the user wrote, comments too, stays as it is.
"""

import ast
import inspect
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from shammah_mlx import config as config_module
from shammah_mlx.config import Config
from shammah_mlx.errors import BadInputError
from shammah_mlx.files import replacing_synced
from shammah_mlx.presets import PRESETS, load_config, parse_config

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

FILE = "config.toml"
LISTED = "`shammah config list` shows all settings"


def listed(config: Config, *, changed_only: bool = False) -> str:
    """Return settings as a config.toml, each with its reason; `changed_only`: those that differ from the preset."""
    import tomlkit  # 0.05 s: only `shammah config` needs it

    usual = msgspec.to_builtins(PRESETS[config.preset])
    document = tomlkit.document()
    for section, settings in _sections(config):
        table = tomlkit.table() if section else document
        for name, value in settings.items():
            if changed_only and name != "preset" and value == _at(usual, (*section, name)):
                continue
            item = tomlkit.item(_inline(value))
            if reason := reasons(section).get(name):
                item.comment(reason)
            table.add(name, item)
        if section and table:
            document.add(tomlkit.key([*section]), table)
    return tomlkit.dumps(document)


def value_of(config: Config, name: str) -> str:
    """Return the value of a setting, or of a section, as TOML has it; text comes without its quotes.

    Raises:
        BadInputError: there is no such setting.
    """
    import tomlkit

    found = _at(msgspec.to_builtins(config), _keys(name))
    if found is None:
        raise BadInputError(f"there is no setting {name}", LISTED)
    return found if isinstance(found, str) else tomlkit.item(_inline(found)).as_string()


def change(home: Path, name: str, value: str | None) -> Config:
    """Set one setting in a home's config.toml, or remove it there if `value` is None; return the new config.

    `value` is TOML, a share in percent, or text without quotes.

    Raises:
        BadInputError: the setting is unknown, or it cannot have this value; the file stays as it is.
    """
    path = home / FILE
    load_config(path, {})  # a file that is wrong already is not edited
    document = _read(path)
    *sections, last = _keys(name)
    table: Any = document
    for section in sections:
        table = table.setdefault(section, {}) if value is not None else table.get(section, {})
    if value is not None:
        table[last] = _parsed(value)
    elif last in table:
        table.remove(last)
    text = document.as_string()
    changed = parse_config(text, path, {})
    with replacing_synced(path, mode=0o600) as file:
        file.write(text.encode())
    return changed


@cache
def reasons(section: tuple[str, ...]) -> Mapping[str, str]:
    """Return the reason for each setting of a section, by name; empty for a section that has no struct of its own."""
    kind: Any = Config
    for name in section:
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
        kind = fields.get(name)
    if not (inspect.isclass(kind) and issubclass(kind, msgspec.Struct)):
        return {}
    encoded = {field.name: field.encode_name for field in msgspec.structs.fields(kind)}
    return {encoded[name]: reason for name, reason in _comments()[kind.__name__].items() if name in encoded}


@cache
def _comments() -> Mapping[str, Mapping[str, str]]:
    """Return the comment of every field of every class in `config.py`, or else the docstring below the field."""
    source = inspect.getsource(config_module)
    by_line: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            by_line[token.start[0]] = token.string.lstrip("# ")
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = dict(_comments_of(node, by_line))
    return found


def _comments_of(node: ast.ClassDef, by_line: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    for place, field in enumerate(node.body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            lines = range(field.lineno, (field.end_lineno or field.lineno) + 1)
            reason = next((by_line[line] for line in lines if line in by_line), "")
            below = node.body[place + 1] if place + 1 < len(node.body) else None
            if not reason and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                reason = " ".join(str(below.value.value).split())
            yield field.target.id, reason


def _sections(config: Config) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield every section with the settings that stand in it themselves; the top level comes first."""

    def walk(struct: msgspec.Struct, section: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
        fields = [(field.encode_name, getattr(struct, field.name)) for field in msgspec.structs.fields(struct)]
        own = {name: msgspec.to_builtins(value) for name, value in fields if not isinstance(value, msgspec.Struct)}
        yield section, own
        for name, value in fields:
            if isinstance(value, msgspec.Struct):
                yield from walk(value, (*section, name))

    yield from walk(config, ())


def _inline(value: Any) -> Any:
    """Return a value whose tables stand on one line."""
    import tomlkit

    if not isinstance(value, dict):
        return value
    table = tomlkit.inline_table()
    table.update({name: _inline(below) for name, below in value.items()})
    return table


def _read(path: Path) -> "TOMLDocument":
    import tomlkit

    return tomlkit.parse(path.read_text("utf-8-sig")) if path.exists() else tomlkit.document()


def _parsed(value: str) -> Any:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    if percent := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", value):
        return float(percent[1]) / 100.0
    try:
        return tomlkit.value(value)
    except TOMLKitError:
        return value


def _keys(name: str) -> tuple[str, ...]:
    """Return the sections of a dotted name, and the setting's own; a part in quotes may have dots."""
    parts = re.findall(r'"([^"]*)"|([^."]+)', name)
    return tuple(quoted or bare for quoted, bare in parts) or (name,)


def _at(settings: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        settings = settings.get(key) if isinstance(settings, dict) else None
    return settings
