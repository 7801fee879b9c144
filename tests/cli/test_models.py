"""`shammah models`, and doctor's line about memory."""

import json
import socket
import tomllib
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.cli.models import config_lines, models_json, sentences
from shammah_mlx.config import Config
from shammah_mlx.models.machine import look
from shammah_mlx.models.memory import GB, PROPOSALS, Machine
from tests.command import run

MAC = Machine(16 * GB, 10 * GB)


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("this command must not connect to anything")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_it_says_what_fits_and_prints_the_lines_that_set_it(home: Path) -> None:
    result = run("models")
    assert result.exit_code == 0, result.output
    assert "SmolLM2 135M Instruct takes about 0.5 GB to answer, 0.9 GB while it learns: it fits." in result.stdout
    assert result.stdout.endswith('\n[lora]\nmodel = ""\n')
    assert not list(home.iterdir())


def test_its_object_says_the_same(home: Path) -> None:
    said = json.loads(run("models", "--json").stdout)
    assert said["machine"]["memory_bytes"] > said["room_bytes"]
    assert said["machine"]["wired_bytes"] is None
    assert said["need"]["learning_bytes"] > said["need"]["answering_bytes"]
    assert (said["model"], said["fits"], said["unknown"], said["used"]) == ("", True, "", True)
    assert said["proposed"]["model"] == ""


def test_a_mac_with_16_gb_gets_4_billion_parameters_proposed(config: Config) -> None:
    outlook = look(config.lora, MAC)
    text, to_copy = "\n".join(sentences(outlook, config)), config_lines(outlook, config)
    assert "16.0 GB shared with the GPU. MLX may keep 10.0 GB wired" in text
    assert "2.1 GB from the hub" in text
    assert "does not fit" not in text
    assert tomllib.loads("\n".join(to_copy)) == {"lora": {"model": PROPOSALS[0].model}}
    assert json.loads(models_json(outlook, config))["config"] == to_copy


def test_where_the_decoder_is_not_used_the_lines_bring_it_in(config: Config) -> None:
    config = msgspec.structs.replace(config, generator="recall")
    outlook = look(config.lora, MAC)
    assert "It is not used" in "\n".join(sentences(outlook, config))
    assert tomllib.loads("\n".join(config_lines(outlook, config)))["generator"] == "recall+decoder"


@pytest.mark.settings('[lora]\nmodel = "someone/not-fetched"')
@pytest.mark.usefixtures("home")
def test_what_is_not_fetched_is_unknown() -> None:
    result = run("models")
    assert result.exit_code == 0
    assert "How much someone/not-fetched takes is unknown: someone/not-fetched is not fetched yet." in result.stdout
    assert json.loads(run("models", "--json").stdout)["fits"] is None
    assert memory_line().startswith("ok")


def memory_line() -> str:
    return next(line for line in run("doctor").stdout.splitlines() if line[6:].startswith("memory"))


@pytest.mark.settings('[lora]\nmodel = "huge"')
def test_doctor_fails_where_the_decoder_does_not_fit(
    home: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = home / "huge"
    huge.mkdir()
    (huge / "config.json").write_text((tiny_folder / "config.json").read_text())
    head = json.dumps({"x.weight": {"dtype": "F16", "shape": [10**6, 10**6], "data_offsets": [0, 2 * 10**12]}}).encode()
    (huge / "model.safetensors").write_bytes(len(head).to_bytes(8, "little") + head)
    monkeypatch.chdir(home)
    assert memory_line().startswith("FAIL")
    said = run("doctor")
    assert said.exit_code == 1
    assert "it does not fit" in memory_line()
    assert "SmolLM2 135M Instruct: see `shammah models`" in said.stdout
    assert "does not fit" in run("models").stdout


@pytest.mark.usefixtures("home")
def test_doctor_says_that_the_default_fits() -> None:
    assert memory_line().startswith("ok")
    assert memory_line().endswith("it fits")
