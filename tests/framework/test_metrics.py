import json
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.events import Draft, Interaction, Route, ScoredDraft, Step
from shammah_mlx.framework import metrics
from shammah_mlx.framework.metrics import Tally
from shammah_mlx.presets import PRESETS
from tests.fakes import make_request, reply

CONFIG = PRESETS["literal"]
LOCAL, FORWARD = Route({"decoder": 0.9}, 0.5, ("decoder",)), Route({"decoder": 0.1}, 0.5)
DRAFT = Draft("a secret draft", "decoder")
SPECIFIED = (  # framework.md, Monitoring & Metrics
    *("query_count", "forward_rate", "router_correct_forward", "router_correct_local", "router_incorrect"),
    *("validator_correct_reject", "validator_correct_approve", "validator_incorrect", "avg_divergence"),
    *("router_lr", "generator_lr", "validator_lr"),
)


def shadowed(p_accept: float, divergence: float) -> Interaction:
    drafts = (ScoredDraft(DRAFT, p_accept, divergence),)
    return Interaction(make_request(sampled=True), FORWARD, "forwarded", False, drafts, reply=reply())


def audited(divergence: float) -> Interaction:
    good = divergence < CONFIG.divergence.threshold
    stood = Interaction.approved(make_request(sampled=True), LOCAL, (ScoredDraft(DRAFT, 0.9),), 0.1)
    return Interaction.audited(stood, (ScoredDraft(DRAFT, 0.9, divergence),), reply(), good=good)


def forced(interaction: Interaction) -> Interaction:
    return msgspec.structs.replace(interaction, request=make_request(sampled=True, forced_source="claude"))


def cold(interaction: Interaction) -> Interaction:
    return msgspec.structs.replace(interaction, route=Route({"decoder": 0.1}, None))


@pytest.mark.parametrize(
    ("interaction", "verdicts"),
    [
        (shadowed(p_accept=0.1, divergence=0.9), ("router_correct_forward", "validator_correct_reject")),
        (shadowed(p_accept=0.9, divergence=0.9), ("router_correct_forward", "validator_incorrect")),
        (shadowed(p_accept=0.1, divergence=0.1), ("router_incorrect", "validator_incorrect")),
        (shadowed(p_accept=0.9, divergence=0.1), ("router_incorrect", "validator_correct_approve")),
        (audited(0.1), ("router_correct_local", "validator_correct_approve")),
        (audited(0.9), ("router_incorrect", "validator_incorrect")),
        (Interaction.forwarded(make_request(), FORWARD, reply()), ()),
        (forced(shadowed(p_accept=0.9, divergence=0.1)), ("validator_correct_approve",)),
        (cold(shadowed(p_accept=0.9, divergence=0.1)), ("validator_correct_approve",)),
        (Interaction.approved(make_request(), LOCAL, (ScoredDraft(DRAFT, 0.9),), 0.1), ()),
    ],
)
def test_router_and_validator_are_counted_only_by_what_was_measured(
    interaction: Interaction, verdicts: tuple[str, ...]
) -> None:
    counted = metrics.count(Tally(), interaction, [], CONFIG)
    roles = [name for name in Tally.__struct_fields__ if name.startswith(("router", "validator"))]
    assert {name for name in roles if getattr(counted, name)} == set(verdicts)
    assert counted.compared == int(interaction.divergence is not None)


def test_a_line_has_every_specified_field_and_no_word_of_the_query() -> None:
    tally = Tally()
    for interaction in (shadowed(0.9, 0.5), audited(0.1), Interaction.forwarded(make_request(), FORWARD, reply())):
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
    metrics.append(path, 0, [{"query_count": 1}])
    metrics.append(path, 1, [{"query_count": 2}, {"query_count": 3}])
    assert [json.loads(line)["query_count"] for line in path.read_text().splitlines()] == [1, 2, 3]


@pytest.mark.parametrize("left", [b'{"query_count": 4}\n', b'{"query_co', b'{"query_count": 3}', b"\xff\n", b"[]\n"])
def test_what_a_process_that_died_left_is_dropped_before_more_is_added(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "metrics" / "training.jsonl"
    metrics.append(path, 0, [{"query_count": 1}, {"query_count": 2}, {"query_count": 3}])
    with path.open("ab") as file:
        file.write(left)
    metrics.append(path, 3, [{"query_count": 4}])
    assert [json.loads(line)["query_count"] for line in path.read_text().splitlines()] == [1, 2, 3, 4]


def test_the_usual_doubt_is_that_of_drafts_that_stood() -> None:
    config = PRESETS["default"].policy
    assert metrics.usual_doubt(Tally(), config) == pytest.approx(config.first_doubt)
    tally = Tally()
    for _ in range(1000):
        tally = metrics.count(tally, audited(0.1), [], PRESETS["default"])
        tally = metrics.count(tally, shadowed(0.2, 0.1), [], PRESETS["default"])  # did not stand
    assert metrics.usual_doubt(tally, config) == pytest.approx((1 - 0.9) ** 2, rel=0.05)
    literal = metrics.count(Tally(), audited(0.1), [], CONFIG)
    assert metrics.usual_doubt(literal, CONFIG.policy) == 1.0
