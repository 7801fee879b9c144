import random
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.arms import ABLATIONS, ARMS, GRID, MOST_BAD, RECALL, Run, best_in_hindsight, program, program_configs
from benchmarks.caches import COLD, Cache, Exact, Nothing, Oracle, Semantic, Stream, make_reader, scheduled, serve
from benchmarks.prequential import PLAN, SMOKE, Bench, Task, summaries, tasks
from benchmarks.scores import Judge, Where, measure
from shammah_mlx.config import Config
from shammah_mlx.home.prequential import score
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Row, Truth
from shammah_mlx.text.divergence import exact

WIDTH = 16
HERE = Where("a machine", "abc1234")
JUDGE = Judge(exact, 0.5)


def embed(texts: list[str]) -> np.ndarray:
    """Return vectors that are similar for texts of the same topic."""
    return np.stack([_vector(text) for text in texts])


def _vector(text: str) -> np.ndarray:
    topic, wording = text.split(" / ")
    total = _random(topic) + 0.6 * _random(wording)
    return np.asarray(total / np.linalg.norm(total), np.float32)


def _random(text: str) -> np.ndarray:
    drawn = np.random.default_rng(zlib.crc32(text.encode())).normal(size=WIDTH)
    return np.asarray(drawn / np.linalg.norm(drawn))


def make_stream(rows: int = 240, topics: int = 30, seed: int = 0) -> Stream:
    draw = random.Random(seed)
    asked = [(draw.randrange(topics), draw.randrange(40)) for _ in range(rows)]
    return [
        (Row(f"topic {topic} / said {wording}", f"answer {topic}", f"r{n}"), Truth(f"t{topic}"))
        for n, (topic, wording) in enumerate(asked)
    ]


def make_cache(name: str) -> Cache:
    caches: dict[str, Callable[[], Cache]] = {"nothing": Nothing, "exact": Exact, "oracle": Oracle}
    return caches[name]() if name in caches else Semantic(make_reader(embed), 0.7)


@pytest.mark.parametrize("name", ["nothing", "exact", "semantic", "oracle"])
def test_later_rows_do_not_change_what_a_cache_serves(name: str) -> None:
    stream = make_stream()
    first, rest = list(stream[:120]), list(stream[120:])
    random.Random(1).shuffle(rest)
    traces = [served.trace for served in serve(stream, make_cache(name))]
    shuffled = [served.trace for served in serve([*first, *rest], make_cache(name))]
    assert traces[:120] == shuffled[:120]
    assert [trace.from_id for trace in traces] != [trace.from_id for trace in shuffled] or name == "nothing"


@pytest.mark.parametrize("name", ["exact", "semantic", "oracle"])
def test_a_cache_serves_only_rows_that_claude_answered_before(name: str) -> None:
    asked: set[str] = set()
    for trace, _ in serve(make_stream(), make_cache(name)):
        assert trace.called_claude if trace.from_id is None else trace.from_id in asked
        if trace.called_claude:
            asked.add(trace.id)


def test_the_oracle_is_never_wrong_and_calls_claude_once_for_each_topic() -> None:
    stream = make_stream()
    _, total = score(stream, [trace for trace, _ in serve(stream, Oracle())], *JUDGE)
    assert (total.bad_local, total.calls) == (0, len({truth.topic for _, truth in stream}))


def test_an_audited_local_answer_counts_as_a_call() -> None:
    stream = make_stream()
    traces = [trace for trace, _ in serve(stream, Oracle(), cold=COLD, audited=scheduled(PRESETS["default"]))]
    assert not [trace for trace in traces[:COLD] if trace.source != "claude"]
    audits = [trace for trace in traces if trace.audit]
    assert audits
    assert all(trace.called_claude and trace.source == "recall" for trace in audits)


@pytest.mark.parametrize("seed", range(4))
def test_the_threshold_in_hindsight_saves_most_calls_within_the_bound(seed: int) -> None:
    stream, read = make_stream(seed=seed), make_reader(embed)

    def total_of(run: Run) -> tuple[int, int, int]:
        _, total = score(stream, [trace for trace, _ in run.served], *JUDGE)
        return total.bad_local, total.local, total.calls

    bad, local, calls = total_of(best_in_hindsight(stream, read, exact))
    assert bad <= MOST_BAD * local
    every = [total_of(Run(serve(stream, Semantic(read, threshold), cold=COLD))) for threshold in GRID]
    assert calls == min([len(stream), *(calls for bad, local, calls in every if bad <= MOST_BAD * local)])


def test_bad_answers_are_counted_by_truth_and_by_meter_and_only_calls_cost() -> None:
    rows = [
        (Row("q" * 400, "same", "a"), Truth("t1")),
        (Row("again", "said otherwise", "b"), Truth("t1")),  # right by truth, wrong by the exact meter
        (Row("another", "third", "c"), Truth("t2")),
    ]
    bands, total = measure(rows, Run(serve(rows, Oracle())), JUDGE)
    assert (total.local, total.bad_local, total.bad_meter) == (1, 0, 1)
    price = PRESETS["default"].teacher.prices[PRESETS["default"].teacher.model]
    assert total.usd == pytest.approx((407 * price.input + 9 * price.output) / 4e6)
    assert [band.queries for band in bands] == [3]


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_changes_the_config_and_is_valid(name: str) -> None:
    configs = program_configs()
    assert configs[name] != configs[RECALL]
    assert msgspec.convert(msgspec.to_builtins(configs[name]), Config) == configs[name]


def test_the_plan_covers_every_arm_and_has_each_cell_once() -> None:
    todo = tasks((*PLAN, *SMOKE), None, None, None, None)
    assert {task.arm for task in todo} == set(ARMS)
    assert len({task.file for task in todo}) == len(todo)
    narrowed = tasks(PLAN, ["covid_faq"], [RECALL], 2, 100)
    assert narrowed == [Task("covid_faq", RECALL, 1, 100), Task("covid_faq", RECALL, 2, 100)]


@pytest.mark.parametrize(
    ("then", "now", "keep", "runs"),
    [
        (HERE, HERE, False, 1),
        (HERE, Where("a machine", "def5678"), False, 2),
        (HERE, Where("a machine", "def5678"), True, 1),
        (HERE, Where("another", "abc1234"), True, 2),
        (Where("a machine", "abc1234-dirty"), Where("a machine", "abc1234-dirty"), False, 2),
    ],
)
def test_a_cell_runs_again_only_for_another_machine_or_commit(
    then: Where, now: Where, keep: bool, runs: int, tmp_path: Path
) -> None:
    lines = [{"query": row.query, "reply": row.reply, "topic": truth.topic} for row, truth in make_stream(60)]
    (tmp_path / "made.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, lines)))
    done, task = [], Task("made", "oracle", 1, None)

    def arm(stream: Stream) -> Run:
        done.append(len(stream))
        return Run(serve(stream, Oracle()))

    for where in (then, now):
        bench = Bench(tmp_path, tmp_path / "out", {"oracle": arm}, JUDGE, where, keep=keep)
        cell = bench.known(task) or bench.run(task)
        assert bench.known(task) in (cell, None)
    assert len(done) == runs


def test_the_program_answers_every_row_even_one_with_a_secret(weights: Weights) -> None:
    stream = [(row, truth) for row, truth in make_stream(8)]
    stream[4] = (Row("my password is hunter2-Xy77q, is it safe?", "no", "s"), Truth("t99"))
    served = program(program_configs()[RECALL], weights)(stream).served
    assert [trace.id for trace, _ in served] == [row.id for row, _ in stream]
    assert all(trace.called_claude and ms > 0.0 for trace, ms in served)


def test_cells_are_summed_and_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pip install --group bench")
    from benchmarks.picture import draw
    from benchmarks.scores import Cell

    stream = make_stream()
    bands, total = measure(stream, Run(serve(stream, Oracle())), JUDGE)
    cells = [Cell(HERE, "made", "oracle", shuffle, None, 0.0, None, bands, total) for shuffle in (1, 2)]
    (found,) = summaries(cells)
    assert (found.shuffles, found.total.no_call_sd, found.total.bad) == ([1, 2], 0.0, 0.0)
    draw([found], tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").stat().st_size > 10_000
