from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shammah_mlx.errors import BadInputError
from shammah_mlx.presets import PRESETS, load_config


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_without_a_file_the_preset_stands(tmp_path: Path) -> None:
    assert load_config(tmp_path / "none.toml", {}) == PRESETS["default"]


def test_the_file_replaces_single_values_and_flags_replace_the_files(tmp_path: Path) -> None:
    path = written(tmp_path, 'seed = 4\n[teacher]\nmodel = "claude-x"\ntimeout_s = 5\n')
    config = load_config(path, {"seed": 7, "preset": None, "teacher": {"timeout_s": None}})
    assert (config.seed, config.teacher.model, config.teacher.timeout_s) == (7, "claude-x", 5.0)
    assert config.teacher.max_tokens == PRESETS["default"].teacher.max_tokens


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("seed = ", "TOML"),
        ("seed = 'x'", "seed"),
        ("sede = 1", "sede"),
        ("[router]\nwidth = 0", "router.width"),
        ("[teacher]\nmodle = 'x'", "modle"),
        ("[policy]\naudits = [[0, 1.5]]", "policy.audits"),
        ("[divergence]\nkind = 'vibes'", "divergence.kind"),
        ("preset = 'nonsense'", "nonsense"),
        ("preset = 3", "preset"),
        ("teacher = 3", "teacher"),
        ("seed = -1", "seed"),
        ("[router]\nheads = 3", "heads"),
        ("[decoder]\nwidth = 36", "rotary"),
        ("[validator]\nmax_tokens = 2", "max_tokens"),
        ("[decoder]\nmax_tokens = 1", "max_tokens"),
        ("[optimizer]\nbeta1 = 1.0", "beta1"),
        ("[teacher]\ntimeout_s = inf", "timeout_s"),
        ("[teacher]\nmodel = ''", "model"),
        ("generator = 'cloud'", "generator"),
        ("[policy.shadows]\nrecall = [[100, 0.1], [0, 0.5]]", "shadows.recall"),
        ("[lora]\nmax_tokens = 100", "max_tokens"),
        ("[policy]\naudits = [[100, 0.1], [0, 0.5]]", "audits"),
    ],
)
def test_a_broken_setting_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(BadInputError, match=named):
        load_config(written(tmp_path, text), {})


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_a_config_or_a_clear_refusal(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with suppress(BadInputError):
        load_config(path, {})
