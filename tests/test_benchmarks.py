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
    """Return vectors of which those of the same topic are alike."""
    return np.stack([_vector(text) for text in texts])


def _vector(text: str) -> np.ndarray:
    topic, said = text.split(" / ")
    whole = _random(topic) + 0.6 * _random(said)
    return np.asarray(whole / np.linalg.norm(whole), np.float32)


def _random(text: str) -> np.ndarray:
    drawn = np.random.default_rng(zlib.crc32(text.encode())).normal(size=WIDTH)
    return np.asarray(drawn / np.linalg.norm(drawn))


def make_stream(rows: int = 240, topics: int = 30, seed: int = 0) -> Stream:
    draw = random.Random(seed)
    asked = [(draw.randrange(topics), draw.randrange(40)) for _ in range(rows)]
    return [
        (Row(f"topic {topic} / said {said}", f"answer {topic}", f"r{n}"), Truth(f"t{topic}"))
        for n, (topic, said) in enumerate(asked)
    ]


def make_cache(name: str) -> Cache:
    caches: dict[str, Callable[[], Cache]] = {"nothing": Nothing, "exact": Exact, "oracle": Oracle}
    return caches[name]() if name in caches else Semantic(make_reader(embed), 0.7)


@pytest.mark.parametrize("name", ["nothing", "exact", "semantic", "oracle"])
def test_a_cache_knows_nothing_of_later_rows(name: str) -> None:
    stream = make_stream()
    first, rest = list(stream[:120]), list(stream[120:])
    random.Random(1).shuffle(rest)
    now = [served.trace for served in serve(stream, make_cache(name))]
    then = [served.trace for served in serve([*first, *rest], make_cache(name))]
    assert now[:120] == then[:120]
    assert [told.from_id for told in now] != [told.from_id for told in then] or name == "nothing"


@pytest.mark.parametrize("name", ["exact", "semantic", "oracle"])
def test_a_cache_serves_only_what_claude_answered_before(name: str) -> None:
    asked: set[str] = set()
    for told, _ in serve(make_stream(), make_cache(name)):
        assert told.called_claude if told.from_id is None else told.from_id in asked
        if told.called_claude:
            asked.add(told.id)


def test_the_oracle_is_never_wrong_and_asks_each_topic_once() -> None:
    stream = make_stream()
    _, total = score(stream, [told for told, _ in serve(stream, Oracle())], *JUDGE)
    assert (total.bad_local, total.calls) == (0, len({truth.topic for _, truth in stream}))


def test_an_audit_is_a_call_though_the_answer_was_local() -> None:
    stream = make_stream()
    traces = [told for told, _ in serve(stream, Oracle(), cold=COLD, audited=scheduled(PRESETS["default"]))]
    assert not [told for told in traces[:COLD] if told.source != "claude"]
    audits = [told for told in traces if told.audit]
    assert audits
    assert all(told.called_claude and told.source == "recall" for told in audits)


@pytest.mark.parametrize("seed", range(4))
def test_the_threshold_in_hindsight_is_the_best_that_keeps_the_bound(seed: int) -> None:
    stream, read = make_stream(seed=seed), make_reader(embed)

    def total_of(run: Run) -> tuple[int, int, int]:
        _, total = score(stream, [told for told, _ in run.served], *JUDGE)
        return total.bad_local, total.local, total.calls

    bad, local, calls = total_of(best_in_hindsight(stream, read, exact))
    assert bad <= MOST_BAD * local
    every = [total_of(Run(serve(stream, Semantic(read, threshold), cold=COLD))) for threshold in GRID]
    assert calls == min([len(stream), *(calls for bad, local, calls in every if bad <= MOST_BAD * local)])


def test_truth_and_meter_are_counted_side_by_side_and_only_calls_cost() -> None:
    rows = [
        (Row("q" * 400, "same", "a"), Truth("t1")),
        (Row("again", "said otherwise", "b"), Truth("t1")),  # right by truth, not by the exact meter
        (Row("another", "third", "c"), Truth("t2")),
    ]
    bands, total = measure(rows, Run(serve(rows, Oracle())), JUDGE)
    assert (total.local, total.bad_local, total.bad_meter) == (1, 0, 1)
    price = PRESETS["default"].teacher.prices[PRESETS["default"].teacher.model]
    assert total.usd == pytest.approx((407 * price.input + 9 * price.output) / 4e6)
    assert [band.queries for band in bands] == [3]


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_is_a_setting_that_the_config_takes(name: str) -> None:
    configs = program_configs()
    assert configs[name] != configs[RECALL]
    assert msgspec.convert(msgspec.to_builtins(configs[name]), Config) == configs[name]


def test_the_plan_names_arms_that_there_are_and_each_cell_once() -> None:
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
def test_a_cell_is_run_once_on_a_machine_and_commit(
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


def test_the_program_answers_every_row_a_secret_too(weights: Weights) -> None:
    stream = [(row, truth) for row, truth in make_stream(8)]
    stream[4] = (Row("my password is hunter2-Xy77q, is it safe?", "no", "s"), Truth("t99"))
    served = program(program_configs()[RECALL], weights)(stream).served
    assert [told.id for told, _ in served] == [row.id for row, _ in stream]
    assert all(told.called_claude and ms > 0.0 for told, ms in served)


def test_the_picture_is_drawn_from_the_sums(tmp_path: Path) -> None:
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
