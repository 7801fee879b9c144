"""The presets, and how a home's settings replace single values of one.

Nothing in the program asks which preset it runs.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

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


def load_config(path: Path, flags: Mapping[str, Any]) -> Config:
    """Return the preset, with what the file at `path` (if any) and then `flags` replace.

    `flags` has the file's shape; a value of None is a flag not given.

    Raises:
        BadInputError: the file is not TOML, names a preset or setting that does not exist, or gives one of the
            wrong type; the message says which.
    """
    try:
        written = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} is not valid TOML: {error}", "mend or remove the file") from error
    given = _merge(written, _given(flags))
    name = given.get("preset", DEFAULT_PRESET)
    if name not in PRESETS:
        raise BadInputError(f"there is no preset {name!r}", f"presets: {', '.join(sorted(PRESETS))}")
    try:
        return msgspec.convert(_merge(msgspec.to_builtins(PRESETS[name]), given), Config)
    except msgspec.ValidationError as error:
        where = path if path.exists() else "the options"
        raise BadInputError(
            f"bad setting in {where}: {error}", f"settings of its top level: {', '.join(Config.__struct_fields__)}"
        ) from error


def _given(flags: Mapping[str, Any]) -> dict[str, Any]:
    nested = {name: _given(value) if isinstance(value, Mapping) else value for name, value in flags.items()}
    return {name: value for name, value in nested.items() if value is not None and value != {}}


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = _merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
