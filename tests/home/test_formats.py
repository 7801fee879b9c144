"""The names that 0.2.0 wrote into journals and manifests still mean the same, whatever they are called in Python."""

from pathlib import Path

import msgspec

from shammah_mlx.events import Interaction
from shammah_mlx.home.snapshots import Manifest

DATA = Path(__file__).parents[1] / "data"
NAME = "452d73acb976438c"  # of the folder in which 0.2.0 stored that manifest: the beginning of its sha256


def test_interactions_of_earlier_versions_are_read_and_written_byte_for_byte() -> None:
    lines = (DATA / "interactions_0.2.jsonl").read_bytes().splitlines()
    outcomes = {msgspec.json.decode(line, type=Interaction).outcome for line in lines}
    assert outcomes == {"forwarded", "rejected", "approved", "audited"}
    assert [msgspec.json.encode(msgspec.json.decode(line, type=Interaction)) for line in lines] == lines


def test_manifests_of_earlier_versions_keep_their_names() -> None:
    manifest = msgspec.json.decode((DATA / "manifest_0.2.json").read_bytes(), type=Manifest)
    assert manifest.name.startswith(NAME)
    assert manifest.score_counts["recall"].measured
