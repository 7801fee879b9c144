import tomllib
from pathlib import Path

import pytest

from shammah_mlx.errors import BadInputError
from shammah_mlx.home.settings_file import change, listed, reasons, value_of
from shammah_mlx.presets import PRESETS, load_config

DEFAULT = PRESETS["default"]


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_what_is_listed_is_a_file_that_changes_nothing(tmp_path: Path, preset: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(listed(PRESETS[preset]))
    assert load_config(path, {}) == PRESETS[preset]


def test_every_setting_is_listed_with_its_reason() -> None:
    lines = [line for line in listed(DEFAULT).splitlines() if line and not line.startswith("[")]
    assert len(lines) > 100
    assert [line for line in lines if " # " not in line] == []


def test_of_changed_settings_only_those_are_listed_that_differ_from_the_preset(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('seed = 4\n[teacher]\nmodel = "claude-x"\ntimeout_s = 60\n')
    shown = listed(load_config(path, {}), changed_only=True)
    assert tomllib.loads(shown) == {"preset": "default", "seed": 4, "teacher": {"model": "claude-x"}}


def test_a_change_keeps_what_the_user_wrote(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("# mine\nseed = 4   # a lucky number\n\n[risk]\nmax_bad_rate = 0.1\n")
    changed = change(tmp_path, "risk.max_bad_rate", "2%")
    assert changed.risk.max_bad_rate == 0.02
    change(tmp_path, "teacher.model", "claude-x")
    assert path.read_text() == (
        '# mine\nseed = 4   # a lucky number\n\n[risk]\nmax_bad_rate = 0.02\n\n[teacher]\nmodel = "claude-x"\n'
    )
    assert path.stat().st_mode & 0o777 == 0o600
    assert change(tmp_path, "seed", None).seed == DEFAULT.seed
    assert load_config(path, {}).teacher.model == "claude-x"


@pytest.mark.parametrize(
    ("name", "value"),
    [("teacher.modle", "x"), ("seed", "many"), ("nothing", "1"), ("risk.max_bad_rate", "200%"), ("teacher", "x")],
)
def test_what_cannot_be_set_leaves_the_file_as_it_is(tmp_path: Path, name: str, value: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text("seed = 4\n")
    with pytest.raises(BadInputError, match=name):
        change(tmp_path, name, value)
    assert path.read_text() == "seed = 4\n"


def test_a_file_that_is_wrong_already_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("sede = 4\n")
    with pytest.raises(BadInputError, match="sede"):
        change(tmp_path, "seed", "5")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("teacher.model", "claude-sonnet-5-5"),
        ("seed", "0"),
        ("policy.shadows_follow", "true"),
        ("teacher.prices.claude-haiku-4-5.input", "1.0"),
        ('teacher.prices."claude-haiku-4-5".output', "5.0"),
        ("policy.audits", "[[0, 0.5], [100, 0.2], [500, 0.1], [2000, 0.05]]"),
    ],
)
def test_a_value_is_read_by_its_name(name: str, value: str) -> None:
    assert value_of(DEFAULT, name) == value


def test_an_unknown_setting_has_no_value() -> None:
    with pytest.raises(BadInputError, match=r"teacher\.modle"):
        value_of(DEFAULT, "teacher.modle")


def test_the_reasons_are_those_of_the_source() -> None:
    assert reasons(("risk",))["known"].startswith("measured drafts above a threshold")
    assert reasons(())["generator"].startswith("Who drafts")
