"""The presets, and how a home's settings replace single values of one.

Nothing in the program asks which preset it runs.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from shammah_mlx.config import Config, DivergenceConfig, OptimizerConfig, PolicyConfig, RiskConfig, TargetsConfig
from shammah_mlx.errors import BadInputError

DEFAULT = Config(
    preset="default",
    generator="recall+decoder",
    targets=TargetsConfig(trust_approval=False, trust_rejection=False),  # only what was measured is evidence
    policy=PolicyConfig(
        route_thresholds=((50, 0.5),),  # a try costs milliseconds: the Validator's bar is the one that matters
        accept_thresholds=((50, 0.5),),  # what is served must be likelier good than bad, whatever `risk` allows
        accept_destroying=0.95,  # a wrong answer of this kind costs more than a call
        audit_focus=2.0,  # most is learnt, and most bad answers are caught, where the doubt is greatest
        audit_evenly=0.2,  # what is hardly measured can hardly be claimed; half costs more calls
        audit_floor=0.02,  # the interval's width is its inverse
        first_doubt=0.005,  # about what it comes to on covid_faq
        shadows={
            "recall": ((0, 1.0),),  # Claude's reply is paid for already
            "decoder": ((0, 0.5), (100, 0.2), (500, 0.1), (2000, 0.05)),  # a draft takes seconds
        },
    ),
    risk=RiskConfig(max_bad_rate=0.05),
    optimizer=OptimizerConfig(
        generator_lr=1e-3
    ),  # adapters: loss on recurring topics fell 3.5 to 1.7 within 200 queries of covid_faq
    divergence=DivergenceConfig(kind="gated"),
)
PRESETS: dict[str, Config] = {"literal": Config(preset="literal"), "default": DEFAULT}
DEFAULT_PRESET = "default"

_ERROR = re.compile(  # of msgspec: a problem, and the path to it
    r"(?P<problem>.*?)(?: - at (?P<of_key>`key` in )?`\$(?P<place>(?:\.\w+|\[(?:\d+|\.\.\.)\])*)`)?", re.DOTALL
)


def load_config(path: Path, flags: Mapping[str, Any]) -> Config:
    """Return the preset, with what the file at `path` (if any) and then `flags` replace.

    `flags` has the file's shape; a value of None is a flag not given.

    Raises:
        BadInputError: the file is not TOML, names a preset or setting that does not exist, or gives one of the
            wrong type; the message says which.
    """
    chosen = _given(flags)
    given = _merge(_read(path), chosen)
    name = given.get("preset", DEFAULT_PRESET)
    if not isinstance(name, str) or name not in PRESETS:
        raise BadInputError(f"there is no preset {name!r}", f"presets: {', '.join(sorted(PRESETS))}")
    base = msgspec.to_builtins(PRESETS[name])
    try:
        config = msgspec.convert(_merge(base, given), Config)
    except msgspec.ValidationError as error:
        wrong = _wrong(str(error), base)
        where = path if not wrong.setting or _found(chosen, wrong.setting) is None else "the options"
        raise BadInputError(f"{where}: {wrong.message}", wrong.hint) from error
    for setting, folder in (("embedder", config.embedder), ("lora.model", config.lora.model)):
        try:
            Path(folder).expanduser()
        except RuntimeError as error:
            raise BadInputError(f"{path}: {setting} names no user: {folder}", "write the folder in full") from error
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig")) if path.exists() else {}
    except ValueError as error:  # bytes that are no text, numbers of 5,000 digits, and whatever else TOML is not
        raise BadInputError(f"{path} is not valid TOML: {error}", "mend or remove the file") from error
    except RecursionError as error:
        raise BadInputError(f"{path} is nested too deep", "mend or remove the file") from error


class _Wrong(msgspec.Struct, frozen=True):
    """What is wrong with the settings, in the file's own words."""

    setting: tuple[str, ...]  # names, one in the other; a * where any is possible
    message: str
    hint: str


def _wrong(said: str, base: Mapping[str, Any]) -> _Wrong:
    """Return what an error of msgspec's means: a problem, and where it is; `base` is what stands without the file."""
    found = _ERROR.fullmatch(said)
    problem, place, of_key = (found["problem"], found["place"], found["of_key"]) if found else (said, "", None)
    setting, kind = _at(re.findall(r"\w+|\[", place or ""))
    name, mend = ".".join(setting) or "the settings", "mend or remove what it says there"
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", problem, re.DOTALL)
    if of_key:
        unknown = re.fullmatch(r"Invalid enum value '(.*)'", problem, re.DOTALL)
    if unknown:
        return _unknown(setting, unknown[1], _names(kind))
    if missing := re.fullmatch(r"Object missing required field `(.*)`", problem):
        return _Wrong(setting, f"{name} has no {missing[1]}", f"give it one: {missing[1]} = …")
    if problem.startswith(("Expected ", "Invalid enum value ")):
        stands = _found(base, setting)
        hint = mend if stands is None or isinstance(stands, Mapping) else f"without it, it is {json.dumps(stands)}"
        return _Wrong(setting, f"{name} must be {_described(kind)}", hint)
    return _Wrong(setting, f"{name}: {problem}", mend)


def _unknown(section: tuple[str, ...], name: str, known: list[str]) -> _Wrong:
    """Return that there is no such setting, and which there are."""
    setting = (*section, name)
    meant = "".join(f"did you mean {near}? " for near in get_close_matches(name, known, 1))
    of = f" of {'.'.join(section)}" if section else ""
    return _Wrong(setting, f"there is no setting {'.'.join(setting)}", f"{meant}Settings{of}: {', '.join(known)}")


def _at(place: Sequence[str]) -> tuple[tuple[str, ...], inspect.Type]:
    """Return the setting's names and its type; a list is one setting, whatever is wrong in it."""
    setting: tuple[str, ...] = ()
    kind: inspect.Type = inspect.type_info(Config)
    for step in place:
        if isinstance(kind, inspect.StructType):
            setting, kind = (*setting, step), {field.encode_name: field.type for field in kind.fields}[step]
        elif isinstance(kind, inspect.DictType):
            setting, kind = (*setting, "*"), kind.value_type
    return setting, kind


def _names(kind: inspect.Type) -> list[str]:
    """Return which names a section can have, where not every name will do."""
    if isinstance(kind, inspect.StructType):
        return [field.encode_name for field in kind.fields]
    names = kind.key_type if isinstance(kind, inspect.DictType) else None
    return [str(name) for name in names.values] if isinstance(names, inspect.LiteralType) else []


def _described(kind: inspect.Type) -> str:
    """Return what a setting of this type must be."""
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType():
            return " or ".join(json.dumps(value) for value in kind.values)
        case inspect.StrType():
            return "text in quotes" + (", and not empty" if kind.min_length else "")
        case inspect.IntType() | inspect.FloatType():
            bounds = (("above", kind.gt), ("at least", kind.ge), ("below", kind.lt), ("at most", kind.le))
            told = " and ".join(f"{word} {bound:,}".removesuffix(".0") for word, bound in bounds if bound is not None)
            return f"{'a whole' if isinstance(kind, inspect.IntType) else 'a'} number, {told}"
        case inspect.VarTupleType():
            return f"a list, each item {_described(kind.item_type)}"
        case inspect.TupleType():
            return f"[{'; '.join(_described(item) for item in kind.item_types)}]"
    return "a section" + "".join(f", with the settings {', '.join(names)}" for names in [_names(kind)] if names)


def _found(settings: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Return what stands under these names, one in the other; None if nothing does."""
    found: Any = settings
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _given(flags: Mapping[str, Any]) -> dict[str, Any]:
    nested = {name: _given(value) if isinstance(value, Mapping) else value for name, value in flags.items()}
    return {name: value for name, value in nested.items() if value is not None and value != {}}


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = _merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
