"""A service whose decoder several processes share, as mlx.launch starts them."""

import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from tests.command import run
from tests.led import launched_environments
from tests.served import WITHIN_S, Served

SHARED = """
generator = "recall+decoder"
[lora]
model = "{model}"
rank = {rank}
max_tokens = 192
max_draft_tokens = 32
"""

pytestmark = [pytest.mark.service, pytest.mark.slow]


def start_follower(served: Served, log: IO[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "shammah_mlx", "serve"], env=served.environment, stdout=log, stderr=log, text=True
    )


@pytest.mark.parametrize("rank", [0, 8])
def test_the_first_serves_and_the_other_follows_until_it_ends(
    home: Path, tmp_path: Path, tiny_folder: Path, rank: int
) -> None:
    (home / "config.toml").write_text(SHARED.format(model=tiny_folder, rank=rank))
    first, second = launched_environments(2, tmp_path)
    served, elsewhere = Served(home, first), Served(tmp_path / "elsewhere", second)
    with (tmp_path / "follower.log").open("w") as log, start_follower(elsewhere, log) as follower:
        try:
            if rank:
                with pytest.raises(AssertionError, match="2 machines cannot share a decoder with adapters"):
                    served.start()
            else:
                served.start()
                assert "tokens/s in the service; it learns nothing" in run("doctor").stdout
                assert served.end() == 0
                assert "2 machines share the decoder; it writes and learns nothing" in served.log
            assert follower.wait(WITHIN_S) == 0
        finally:
            follower.kill()
            if served.process.poll() is None:
                served.process.kill()
    assert (tmp_path / "follower.log").read_text() == ""
    assert not elsewhere.home.exists()
