"""A process that shares a decoder with others; the first of them writes.

`MLX_RANK=0 MLX_HOSTFILE=FILE python -m tests.led FOLDER`
"""

import json
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from shammah_mlx.config import LoraConfig
from shammah_mlx.models import sharded
from shammah_mlx.models.language_model import LanguageModel

UNTRAINED = LoraConfig(rank=0)
ASKED = [
    ("What is the capital of France?", None),
    ("What is the capital of France?", "The capital of France is Rome."),
    ("Name three colours. 🍵", "red, blue"),
]
LIMIT = 8  # tokens


def launched_environments(count: int, folder: Path) -> list[dict[str, str]]:
    """Return the variables that mlx.launch gives to each of several processes on loopback."""
    hosts = folder / "hosts.json"
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        hosts.write_text(json.dumps([[f"127.0.0.1:{each.getsockname()[1]}"] for each in sockets]))
    return [{"MLX_RANK": str(rank), "MLX_HOSTFILE": str(hosts)} for rank in range(count)]


def write_all(model: LanguageModel) -> list[list[int]]:
    """Return the ids of an answer to each question, some of them with a guess."""
    return [model.write(model.chat.prompt(text, None), guess, LIMIT).written.ids for text, guess in ASKED]


def main() -> None:
    if sharded.is_follower():
        sharded.follow()
    elif leader := sharded.leader():
        model = LanguageModel(Path(sys.argv[1]), UNTRAINED, 0, leader.load, leader.make_reader)
        click.echo(json.dumps(write_all(model)))
        sys.stdin.readline()  # until the test has done what it wants
        click.echo(json.dumps(write_all(model)))
        leader.end()


if __name__ == "__main__":
    main()
