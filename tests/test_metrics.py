import json
from pathlib import Path

import msgspec
import pytest

from shammah_mlx import metrics
from shammah_mlx.config import PRESETS
from shammah_mlx.events import Draft, Interaction, Route, Step
from shammah_mlx.metrics import Tally
from tests.fakes import reply, turn

CONFIG = PRESETS["literal"]
LOCAL, FORWARD = Route(True, 0.9, 0.5), Route(False, 0.1, 0.5)
DRAFT = Draft("a secret draft", "decoder")
SPECIFIED = (  # framework.md, Monitoring & Metrics
    *("query_count", "forward_rate", "router_correct_forward", "router_correct_local", "router_incorrect"),
    *("validator_correct_reject", "validator_correct_approve", "validator_incorrect", "avg_divergence"),
    *("router_lr", "generator_lr", "validator_lr"),
)


def shadowed(p_accept: float, divergence: float) -> Interaction:
    return Interaction(turn(sampled=True), FORWARD, "forwarded", False, DRAFT, p_accept, reply(), divergence)


def audited(divergence: float) -> Interaction:
    good = divergence < CONFIG.divergence.threshold
    return Interaction.audited(turn(sampled=True), LOCAL, DRAFT, 0.9, reply(), divergence, good=good)


def forced(interaction: Interaction) -> Interaction:
    return msgspec.structs.replace(interaction, turn=turn(sampled=True, forced=True))


def cold(interaction: Interaction) -> Interaction:
    return msgspec.structs.replace(interaction, route=Route(False, 0.1, None))


@pytest.mark.parametrize(
    ("interaction", "verdicts"),
    [
        (shadowed(p_accept=0.1, divergence=0.9), ("router_correct_forward", "validator_correct_reject")),
        (shadowed(p_accept=0.9, divergence=0.9), ("router_correct_forward", "validator_incorrect")),
        (shadowed(p_accept=0.1, divergence=0.1), ("router_incorrect", "validator_incorrect")),
        (shadowed(p_accept=0.9, divergence=0.1), ("router_incorrect", "validator_correct_approve")),
        (audited(0.1), ("router_correct_local", "validator_correct_approve")),
        (audited(0.9), ("router_incorrect", "validator_incorrect")),
        (Interaction.forwarded(turn(), FORWARD, reply()), ()),
        (forced(shadowed(p_accept=0.9, divergence=0.1)), ("validator_correct_approve",)),
        (cold(shadowed(p_accept=0.9, divergence=0.1)), ("validator_correct_approve",)),
        (Interaction.approved(turn(), LOCAL, DRAFT, 0.9), ()),
    ],
)
def test_router_and_validator_are_judged_only_by_what_was_measured(
    interaction: Interaction, verdicts: tuple[str, ...]
) -> None:
    counted = metrics.count(Tally(), interaction, [], CONFIG)
    roles = [name for name in Tally.__struct_fields__ if name.startswith(("router", "validator"))]
    assert {name for name in roles if getattr(counted, name)} == set(verdicts)
    assert counted.compared == int(interaction.divergence is not None)


def test_a_line_has_every_specified_field_and_no_word_of_the_query() -> None:
    tally = Tally()
    for interaction in (shadowed(0.9, 0.5), audited(0.1), Interaction.forwarded(turn(), FORWARD, reply())):
        tally = metrics.count(tally, interaction, [Step("router", 0.7, True), Step("generator", 9.0, False)], CONFIG)
    written = metrics.line(tally, audited(0.1), [Step("router", 0.7, True)], CONFIG)
    assert set(SPECIFIED) <= written.keys()
    assert written["query_count"] == 3
    assert written["forward_rate"] == pytest.approx(2 / 3)
    assert written["avg_divergence"] == pytest.approx(0.3)
    assert written["router_lr"] == pytest.approx(0.95e-4)
    assert written["generator_lr"] == pytest.approx(0.95e-5)
    assert written["skipped_steps"] == 3
    assert written["losses"] == {"router": 0.7}
    for word in ("monad", "secret", "Claude's"):
        assert word not in json.dumps(written)


def test_lines_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "metrics" / "training.jsonl"
    for number in range(3):
        metrics.append(path, {"query_count": number})
    assert [json.loads(line)["query_count"] for line in path.read_text().splitlines()] == [0, 1, 2]
