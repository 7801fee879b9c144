import io
import json
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.config import Config
from shammah_mlx.events import Source
from shammah_mlx.home.assistant import Assistant
from shammah_mlx.home.prequential import Trace, run, score
from shammah_mlx.models.weights import Weights
from shammah_mlx.teacher.recordings import Recorded, Row, Truth

ROWS = [(Row(f"question {n}", f"reply {n % 5}", f"r{n}"), Truth(f"t{n % 5}", ("t9",))) for n in range(60)]


pytestmark = pytest.mark.slow


def told(source: Source, answer: str, from_id: str | None = None, *, called: bool = False) -> Trace:
    return Trace(
        id="x",
        source=source,
        answer=answer,
        from_id=from_id,
        p_local=0.5,
        p_accept=None,
        threshold=None,
        audit_probability=None,
        audit=False,
        called_claude=called,
        checked=False,
        divergence=None,
        cost_usd=0.02 if called else 0.0,
        cost_all_usd=0.02,
    )


def bad(trace: Trace, truth: Truth, divergence: float = 0.9) -> int:
    others = [(Row("other", "other reply", "o"), Truth("t1")), (Row("third", "third reply", "p"), Truth("t2"))]
    stream = [(Row("q", "the reply", "x"), truth), *others]
    traces = [trace, told("claude", "other reply"), told("claude", "third reply")]
    _, total = score(stream, traces, lambda *_: divergence, 0.3)
    return total.bad_local


@pytest.mark.parametrize(
    ("trace", "truth", "divergence", "wrong"),
    [
        (told("claude", "anything"), Truth("t1"), 0.9, 0),
        (told("decoder", "the reply"), Truth("t1"), 0.9, 0),
        (told("recall", "other reply", "o"), Truth("t1"), 0.9, 0),
        (told("recall", "other reply", "o"), Truth("t7", ("t1",)), 0.9, 0),
        (told("recall", "third reply", "p"), Truth("t1"), 0.1, 1),  # another topic, however similar
        (told("recall", "the reply", "p"), Truth("t1"), 0.9, 0),
        (told("decoder", "its own words"), Truth("t1"), 0.29, 0),
        (told("decoder", "its own words"), Truth("t1"), 0.30, 1),
        (told("recall", "other reply", "o"), Truth(None), 0.1, 0),
        (told("recall", "other reply", "o"), Truth(None), 0.9, 1),
    ],
)
def test_answers_are_scored_by_the_streams_truth(trace: Trace, truth: Truth, divergence: float, wrong: int) -> None:
    assert bad(trace, truth, divergence) == wrong


def test_bands_are_half_open_and_end_where_the_stream_does() -> None:
    stream = [(Row("q", "r", str(n)), Truth()) for n in range(230)]
    traces = [told("claude", "r", called=True)] * 100 + [told("decoder", "wrong")] * 130
    bands, total = score(stream, traces, lambda *_: 1.0, 0.3)
    assert [(b.start, b.to, b.queries, b.calls, b.local, b.bad_local) for b in bands] == [
        (0, 50, 50, 50, 0, 0),
        (50, 200, 150, 50, 100, 100),
        (200, 230, 30, 0, 30, 30),
    ]
    assert (total.queries, total.calls, total.local, total.bad_local) == (230, 100, 130, 130)
    assert msgspec.to_builtins(total).keys() == {
        *("from", "to", "queries", "calls", "checks", "local", "bad_local", "mean_divergence"),
        *("cost_usd", "cost_all_usd"),
    }


def run_once(home: Path, config: Config, weights: Weights, stream: list[tuple[Row, Truth]]) -> list[bytes]:
    home.mkdir()
    trace = io.BytesIO()
    with Assistant(home, config, Recorded(row for row, _ in stream), weights) as assistant:
        run(stream, assistant, trace, lambda: None)
    return trace.getvalue().splitlines()


@pytest.fixture
def bold(tiny: Config) -> Config:
    """Return a config under which everything is tried locally and accepted."""
    policy = msgspec.structs.replace(
        tiny.policy, forward_only=5, route_thresholds=((0, 0.0),), accept_thresholds=((0, 0.0),), audits=((0, 0.5),)
    )
    return msgspec.structs.replace(tiny, policy=policy)


def test_the_same_seed_replays_the_same_and_another_does_not(tmp_path: Path, bold: Config, weights: Weights) -> None:
    again = [run_once(tmp_path / str(n), bold, weights, ROWS[:20]) for n in range(2)]
    other = run_once(tmp_path / "other", msgspec.structs.replace(bold, seed=1), weights, ROWS[:20])
    assert again[0] == again[1]
    assert again[0] != other


def test_a_trace_has_its_fixed_names(tmp_path: Path, bold: Config, weights: Weights) -> None:
    lines = run_once(tmp_path / "home", bold, weights, ROWS[:12])
    assert json.loads(lines[0]).keys() == {
        *("id", "source", "answer", "from_id", "p_local", "p_accept", "threshold", "pi", "audit"),
        *("called_claude", "checked", "divergence", "cost_usd", "cost_all_usd"),
    }
    assert [json.loads(line)["id"] for line in lines] == [row.id for row, _ in ROWS[:12]]
    served = [json.loads(line) for line in lines if json.loads(line)["source"] == "decoder"]
    assert {line["pi"] for line in served} == {0.5}
