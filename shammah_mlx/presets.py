"""The presets, and how config.toml and flags replace single settings of one.

No other module asks which preset is in use.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import inspect

from shammah_mlx.config import (
    Config,
    DivergenceConfig,
    JudgeConfig,
    OptimizerConfig,
    PolicyConfig,
    RiskConfig,
    TargetsConfig,
)
from shammah_mlx.errors import BadInputError

DEFAULT = Config(
    preset="default",
    generator="recall+decoder",
    targets=TargetsConfig(trust_approval=False, trust_rejection=False),  # only a measured divergence is a label
    policy=PolicyConfig(
        route_thresholds=((50, 0.5),),  # a draft costs milliseconds: the Validator's threshold is the one that matters
        write_threshold=0.25,  # half of a kind's drafts may be good, and the Validator may know which
        again_minutes=5.0,  # time to read and try an answer; after longer, the question may be asked for its own sake
        shadows_follow=True,  # they teach most where drafts are soon to be served
        accept_thresholds=((50, 0.5),),  # a served draft must be likelier good than bad, whatever `risk` allows
        accept_destroying=0.95,  # a wrong answer of this kind costs more than a call
        max_other_answer=0.1,  # a home that has met no neighbours cannot know them; see learners.changed_questions
        audit_focus=2.0,  # audits teach most, and catch most bad answers, where the doubt is greatest
        audit_evenly=0.2,  # enough to measure drafts of little doubt too; 0.5 costs more calls
        audit_floor=0.02,  # the interval on bad answers is as wide as its inverse
        first_doubt=0.005,  # about the mean doubt on covid_faq
        shadows={
            "repeat": ((0, 1.0),),  # Claude's reply is paid for already
            "recall": ((0, 1.0),),
            "decoder": ((0, 0.5), (500, 0.2), (1000, 0.1), (2000, 0.05)),  # a draft takes seconds
        },
    ),
    risk=RiskConfig(max_bad_rate=0.05),
    optimizer=OptimizerConfig(  # of adapters, which start from pretrained weights
        router_lr=1e-3,
        validator_lr=1e-3,
        generator_lr=5e-4,
        cycle=100_000,  # no restart for years: after one, fewer drafts were right for 250 steps
    ),
    divergence=DivergenceConfig(kind="fitted"),
    judge=JudgeConfig(),
)
PRESETS: dict[str, Config] = {"literal": Config(preset="literal"), "default": DEFAULT}
DEFAULT_PRESET = "default"


def load_config(path: Path, flags: Mapping[str, Any]) -> Config:
    """Return the preset with the settings of the file at `path`, if it exists, and then of `flags`.

    `flags` is nested like the file; None stands for a flag that was not given.

    Raises:
        BadInputError: the file is not TOML, or a preset or setting is unknown or has a wrong value; the message names
            it.
    """
    return parse_config(_read(path), path, flags)


def parse_config(text: str, path: Path, flags: Mapping[str, Any]) -> Config:
    """Do what `load_config` does for the `text` that the file has, or is to have.

    Raises:
        BadInputError: as there.
    """
    chosen = _without_none(flags)
    given = _merge(_parse(text, path), chosen)
    name = given.get("preset", DEFAULT_PRESET)
    if not isinstance(name, str) or name not in PRESETS:
        raise BadInputError(f"there is no preset {name!r}", f"presets: {', '.join(sorted(PRESETS))}")
    base = msgspec.to_builtins(PRESETS[name])
    try:
        config = msgspec.convert(_merge(base, given), Config)
    except msgspec.ValidationError as error:
        fault = next(_faults(_merge(base, given), Config, (), base))
        where = path if not fault.setting or _find(chosen, fault.setting) is None else "the options"
        raise BadInputError(f"{where}: {fault.message}", fault.hint) from error
    named = (("embedder", config.embedder), ("lora.model", config.lora.model), ("judge.local", config.judge.local))
    for setting, folder in named:
        try:
            Path(folder).expanduser()
        except RuntimeError as error:
            raise BadInputError(
                f"{path}: {setting} names an unknown user: {folder}", "write the folder in full"
            ) from error
    return config


def _read(path: Path) -> str:
    if not path.exists():
        return ""
    if not path.is_file():  # reading a named pipe would wait for ever
        raise BadInputError(f"{path} is not a file", "make it a file, or remove it")
    try:
        return path.read_text("utf-8-sig")
    except ValueError as error:
        raise BadInputError(f"{path} is not UTF-8: {error}", "correct or remove the file") from error


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # not TOML, or a number of 5,000 digits
        raise BadInputError(f"{path} is not valid TOML: {error}", "correct or remove the file") from error
    except RecursionError as error:
        raise BadInputError(f"{path} is nested too deep", "correct or remove the file") from error


class _Fault(msgspec.Struct, frozen=True):
    """One fault in the settings."""

    setting: tuple[str, ...]  # the names of its sections, and its own
    message: str
    hint: str


def _faults(value: object, annotation: Any, setting: tuple[str, ...], preset: Mapping[str, Any]) -> Iterator[_Fault]:
    """Yield the faults of a setting or section that should be of this type; those of its parts come first.

    `preset` holds what applies where the user sets nothing.
    """
    kind = inspect.type_info(annotation)
    if isinstance(value, Mapping):
        known, parts = _names(kind), _parts(kind, annotation, value)
        for name in value:
            if name not in parts:
                yield _unknown(setting, name, known)
        for name, part in parts.items():
            if name in value:
                yield from _faults(value[name], part, (*setting, name), preset)
    if isinstance(value, Mapping) and isinstance(kind, inspect.StructType):
        for field in kind.fields:
            if field.required and field.encode_name not in value:
                message = f"{_dotted(setting)} has no {field.encode_name}"
                yield _Fault(setting, message, f"give it one: {field.encode_name} = …")
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError as error:
        correct = "correct or remove it"
        if isinstance(error.__cause__, ValueError):  # by a `__post_init__` in config.py: a sentence of ours
            yield _Fault(setting, f"{_dotted(setting)}: {error.__cause__}", correct)
        else:
            usual = _find(preset, setting)
            hint = correct if usual is None or isinstance(usual, Mapping) else f"without it, it is {json.dumps(usual)}"
            yield _Fault(setting, f"{_dotted(setting)} must be {_described(kind)}", hint)


def _parts(kind: inspect.Type, annotation: Any, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the type of every setting that a section can have; of those in `value` where it can have any."""
    if isinstance(kind, inspect.StructType):
        return {field.encode_name: field.type for field in msgspec.structs.fields(kind.cls)}
    if isinstance(kind, inspect.DictType):
        return dict.fromkeys(_names(kind) or value, get_args(annotation)[1])
    return {}


def _unknown(section: tuple[str, ...], name: str, known: list[str]) -> _Fault:
    """Return the fault of a setting that does not exist, with the settings that do."""
    setting = (*section, name)
    meant = "".join(f"did you mean {near}? " for near in get_close_matches(name, known, 1))
    of = f" of {'.'.join(section)}" if section else ""
    return _Fault(setting, f"there is no setting {'.'.join(setting)}", f"{meant}Settings{of}: {', '.join(known)}")


def _dotted(setting: tuple[str, ...]) -> str:
    return ".".join(setting) or "the settings"


def _names(kind: inspect.Type) -> list[str]:
    """Return the names that a section can have; none if it can have any."""
    if isinstance(kind, inspect.StructType):
        return [field.encode_name for field in kind.fields]
    names = kind.key_type if isinstance(kind, inspect.DictType) else None
    return [str(name) for name in names.values] if isinstance(names, inspect.LiteralType) else []


def _described(kind: inspect.Type) -> str:
    """Describe the values that a setting of this type can have."""
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType():
            return " or ".join(json.dumps(value) for value in kind.values)
        case inspect.StrType():
            return "text in quotes" + (", and not empty" if kind.min_length else "")
        case inspect.IntType() | inspect.FloatType():
            bounds = (("above", kind.gt), ("at least", kind.ge), ("below", kind.lt), ("at most", kind.le))
            limits = " and ".join(f"{word} {bound:,}".removesuffix(".0") for word, bound in bounds if bound is not None)
            return f"{'a whole' if isinstance(kind, inspect.IntType) else 'a'} number, {limits}"
        case inspect.VarTupleType():
            return f"a list, each item {_described(kind.item_type)}"
        case inspect.TupleType():
            return f"[{'; '.join(_described(item) for item in kind.item_types)}]"
    return "a section" + "".join(f", with the settings {', '.join(names)}" for names in [_names(kind)] if names)


def _find(settings: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Return the value or section that these nested names lead to; None if there is none."""
    found: Any = settings
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _without_none(flags: Mapping[str, Any]) -> dict[str, Any]:
    nested = {name: _without_none(value) if isinstance(value, Mapping) else value for name, value in flags.items()}
    return {name: value for name, value in nested.items() if value is not None and value != {}}


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = _merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
