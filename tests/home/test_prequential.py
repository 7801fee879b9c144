import functools
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from shammah_mlx.config import Config
from shammah_mlx.events import Source
from shammah_mlx.home.assistant import Assistant
from shammah_mlx.home.prequential import Trace, run, score
from shammah_mlx.models.weights import Weights
from shammah_mlx.teacher.recordings import Recorded, Row, Truth, read_stream
from tests.command import run as invoke

ROOT = Path(__file__).parents[2]
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
    assert [total.cost_usd, total.cost_all_usd] == pytest.approx([100 * 0.02, 230 * 0.02])
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


class Replayed(NamedTuple):
    """What `shammah replay` wrote."""

    trace: list[dict[str, Any]]
    result: dict[str, Any]
    written: bytes


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Replayed]:
    """Return a function that replays a stream in which five questions recur, in the same and in other words."""
    folder = tmp_path_factory.mktemp("replays")
    rows = read_stream(ROOT / "examples" / "questions.jsonl", None, None)
    topics = sorted({truth.topic for _, truth in rows if truth.topic})[:5]
    chosen = [row for row, truth in rows if truth.topic in topics]
    stream = [{"id": row.id, "query": row.query, "reply": row.reply} for row in chosen]
    truths = {row.id: truth.topic for row, truth in rows}
    twice = [{**row, "topic": truths[row["id"]]} for row in (*stream, *stream)]
    (folder / "stream.jsonl").write_text("".join(json.dumps(row) + "\n" for row in twice))

    @functools.cache
    def replay(name: str, *options: str) -> Replayed:
        out, trace = folder / f"{name}.json", folder / f"{name}.jsonl"
        command = ("replay", str(folder / "stream.jsonl"), "--home", str(folder / name), "--generator", "recall")
        done = invoke(*command, "--shuffle", "1", "--limit", "90", "--json", str(out), "--trace", str(trace), *options)
        assert done.exit_code == 0, done.stderr
        lines = trace.read_bytes()
        return Replayed([json.loads(line) for line in lines.splitlines()], json.loads(out.read_bytes()), lines)

    return replay


JUDGED = ("--judge", "simulated", "--judge-error", "0.1")


def test_without_a_judge_nothing_is_checked(replayed: Callable[..., Replayed]) -> None:
    trace, result, _ = replayed("alone")
    assert not any(line["checked"] for line in trace)
    assert {band["checks"] for band in (*result["bands"], result["total"])} == {0}
    assert {line["source"] for line in trace} >= {"claude", "repeat"}


def test_a_stand_in_for_the_judge_checks_and_errs_the_same_every_time(replayed: Callable[..., Replayed]) -> None:
    trace, result, written = replayed("judged", *JUDGED)
    checked = [line for line in trace if line["checked"]]
    assert 0 < len(checked) == result["total"]["checks"] == sum(band["checks"] for band in result["bands"])
    assert any(not line["called_claude"] for line in checked)  # it passed, so no answer was bought
    assert written == replayed("again", *JUDGED).written
    assert written != replayed("wrong", "--judge", "simulated", "--judge-error", "0.5").written


def test_a_trace_says_what_was_paid_and_what_forwarding_would_cost(replayed: Callable[..., Replayed]) -> None:
    trace, result, _ = replayed("judged", *JUDGED)
    total = result["total"]
    for name in ("cost_usd", "cost_all_usd"):
        assert total[name] == pytest.approx(sum(line[name] for line in trace))
        assert total[name] == pytest.approx(sum(band[name] for band in result["bands"]))
    for line in trace:
        assert line["cost_all_usd"] > 0.0
        if line["called_claude"] and not line["checked"]:
            assert line["cost_usd"] == pytest.approx(line["cost_all_usd"])
        elif line["called_claude"]:
            assert line["cost_usd"] > line["cost_all_usd"]
        else:  # a verdict costs less than the answer that it saves
            assert (0.0 < line["cost_usd"] < line["cost_all_usd"]) if line["checked"] else line["cost_usd"] == 0.0
    assert total["cost_usd"] < total["cost_all_usd"]


@pytest.mark.parametrize("error", ["-0.1", "0.6", "often"])
def test_a_judge_that_errs_more_often_than_by_chance_is_refused(error: str) -> None:
    refused = invoke("replay", "stream.jsonl", "--judge", "simulated", "--judge-error", error)
    assert (refused.exit_code, "--judge-error" in refused.stderr) == (2, True)
