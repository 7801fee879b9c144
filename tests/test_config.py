import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shammah_mlx.errors import BadInputError
from shammah_mlx.presets import PRESETS, load_config


def write_config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_without_a_file_the_config_is_the_default_preset(tmp_path: Path) -> None:
    assert load_config(tmp_path / "none.toml", {}) == PRESETS["default"]


def test_the_file_replaces_values_of_the_preset_and_flags_replace_those_of_the_file(tmp_path: Path) -> None:
    path = write_config(tmp_path, 'seed = 4\n[teacher]\nmodel = "claude-x"\ntimeout_s = 5\n')
    config = load_config(path, {"seed": 7, "preset": None, "teacher": {"timeout_s": None}})
    assert (config.seed, config.teacher.model, config.teacher.timeout_s) == (7, "claude-x", 5.0)
    assert config.teacher.max_tokens == PRESETS["default"].teacher.max_tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed = ", "TOML"),
        ("seed = 'x'", "seed"),
        ("sede = 1", "sede"),
        ("[router]\nwidth = 0", "router.width"),
        ("[teacher]\nmodle = 'x'", "modle"),
        ("[policy]\naudits = [[0, 1.5]]", "policy.audits"),
        ("[divergence]\nkind = 'vibes'", "divergence.kind"),
        ("[divergence]\nkind = 'gated'", '"fitted" or "semantic"'),
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
        ("preset = []", "preset"),
        ("[router]\nnorm_eps = 0", "router.norm_eps"),
        ("[router]\nlayers = 1_000_000", "router: this model would have"),
        ("[optimizer]\nrouter_lr = 1e30", "optimizer.router_lr"),
        ("[risk]\nworse_odds = 1e30", "risk.worse_odds"),
        ("[recall]\nsharpness = 1e10", "recall.sharpness"),
        ("[evidence.router.recall.prior]\ntrust = nan", "evidence.router"),
        (
            "[evidence.router.recall.prior]\ntrusty = 1.0",
            "`router` has no feature `trusty`; its features are agreed, concord, constant, ",
        ),
        ("[lora]\nmodel = '~no-such-user/model'", "lora.model"),
        ("embedder = '~no-such-user/model'", "embedder"),
        ("[judge]\nlocal = '~no-such-user/model'", "judge.local"),
        ("[judge]\nlocal = 3", "judge.local must be text in quotes"),
        ("[judge]\nlocal_tokens = 0", "judge.local_tokens"),
        ("seed = " + "9" * 5_000, "TOML"),
        ("seed = " + "[" * 9_999, "too deep"),
    ],
)
def test_the_error_names_the_invalid_setting(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(BadInputError, match=expected):
        load_config(write_config(tmp_path, text), {})


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("seed = 'x'", "seed must be a whole number, at least 0 and at most 9,223,372,036,854,775,807", "it is 0"),
        ("[risk]\nmax_bad_rate = '5%'", "risk.max_bad_rate must be a number, above 0 and at most 1", "it is 0.05"),
        ("[optimizer]\nbeta1 = 1", "optimizer.beta1 must be a number, at least 0 and below 1", "it is 0.9"),
        ("[targets]\ntrust_approval = 1", "targets.trust_approval must be true or false", "it is false"),
        ("[teacher]\nmodel = ''", "teacher.model must be text in quotes, and not empty", 'it is "claude-'),
        ("generator = 'x'", 'generator must be "recall" or "recall+decoder" or "scratch"', 'it is "recall+decoder"'),
        (
            "[policy]\naudits = [[0, 2]]",
            "policy.audits must be a list, each item [a whole number, ",
            "it is [[0, 0.5], ",
        ),
        ("teacher = 3", "teacher must be a section, with the settings model, max_tokens, ", "correct or remove"),
        ("teacher.prices = 3", "teacher.prices must be a section", "correct or remove"),
        ("teacher.prices.x.input = 'y'", "teacher.prices.x.input must be a number, at least 0", "correct or remove"),
        ("teacher.prices.x.input = 1", "teacher.prices.x has no output", "output = "),
        ("sede = 1", "there is no setting sede", "did you mean seed? Settings: preset, seed, "),
        (
            "[teacher]\nmodle = 'x'",
            "there is no setting teacher.modle",
            "did you mean model? Settings of teacher: model, ",
        ),
        ("policy.shadows.recal = []", "there is no setting policy.shadows.recal", "did you mean recall? "),
        ("[router]\nheads = 3", "router: `width` must be a multiple of `heads`", "correct or remove"),
    ],
)
def test_the_error_says_what_the_setting_must_be_and_hints_at_its_default(
    tmp_path: Path, text: str, message: str, hint: str
) -> None:
    path = write_config(tmp_path, text)
    with pytest.raises(BadInputError) as failed:
        load_config(path, {})
    assert failed.value.message.startswith(f"{path}: {message}")
    assert hint in failed.value.hint


def test_a_config_that_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    os.mkfifo(path)
    with pytest.raises(BadInputError, match="is not a file"):
        load_config(path, {})


def test_the_error_for_an_invalid_option_does_not_blame_the_file(tmp_path: Path) -> None:
    path = write_config(tmp_path, "[teacher]\ntimeout_s = 5")
    with pytest.raises(
        BadInputError, match=r"^the options: teacher\.timeout_s must be a number, above 0 and at most 3,600"
    ):
        load_config(path, {"teacher": {"timeout_s": 1e9}})


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    assert load_config(write_config(tmp_path, "\ufeffseed = 4"), {}).seed == 4


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_either_load_or_raise_bad_input_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with suppress(BadInputError):
        load_config(path, {})
