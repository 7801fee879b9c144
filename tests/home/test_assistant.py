"""A home from question to saved models: resume, damage, rollback, locks; real models, only small."""

import json
import os
import shutil
import stat
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.config import Config, DivergenceConfig, StateConfig
from shammah_mlx.errors import BadStateError
from shammah_mlx.events import DecisionContext, Draft, Interaction, Query, Route, ScoredDraft, Threshold
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.locks import HomeLock
from shammah_mlx.home.recovery import rebuild, roll_back
from shammah_mlx.home.snapshots import FILES, FORMAT, Snapshots, expired
from shammah_mlx.home.training import Training
from shammah_mlx.models.backend import load_arrays, mx
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Recorded, Row, Scripted
from tests.fakes import make_request, reply

ROWS = [Row(f"question {n} about topic {n % 7}", f"the answer to topic {n % 7}", str(n)) for n in range(60)]
TEACHER = Recorded(ROWS)


pytestmark = pytest.mark.slow


def at_noon() -> float:
    return 1e9


def ask_all(home: Path, config: Config, weights: Weights, rows: list[Row]) -> None:
    home.mkdir(exist_ok=True)
    with Assistant(home, config, TEACHER, weights, options=AssistantOptions(clock=at_noon)) as assistant:
        for row in rows:
            assert isinstance(assistant.ask(Query(row.query, row=row.id)), Interaction)
            assistant.learn_pending()


def named(home: Path) -> str | None:
    with closing(Journal(home / "journal.db")) as journal:
        return journal.progress().state


def stored(home: Path) -> dict[str, dict[str, mx.array]]:
    return {name: load_arrays(home / "models" / name) for name in FILES}


def assert_same(a: dict[str, dict[str, mx.array]], b: dict[str, dict[str, mx.array]]) -> None:
    for name in FILES:
        assert a[name].keys() == b[name].keys()
        for array in a[name]:
            assert mx.array_equal(a[name][array], b[name][array]).item(), f"{name}: {array}"


@pytest.fixture
def small(tiny: Config) -> Config:
    return msgspec.structs.replace(tiny, state=StateConfig(checkpoint_every=5))


def test_stopping_and_going_on_is_bit_equal_to_never_stopping(tmp_path: Path, small: Config, weights: Weights) -> None:
    ask_all(tmp_path / "straight", small, weights, ROWS[:8])
    for start in range(0, 8, 2):
        ask_all(tmp_path / "stopped", small, weights, ROWS[start : start + 2])
    assert_same(stored(tmp_path / "straight"), stored(tmp_path / "stopped"))
    assert named(tmp_path / "straight") == named(tmp_path / "stopped")


def test_saving_rarely_ends_in_the_same_state_as_saving_always(tmp_path: Path, small: Config, weights: Weights) -> None:
    for name, share in (("always", 1e9), ("rarely", 1e-9)):
        state = StateConfig(checkpoint_every=5, save_share=share)
        ask_all(tmp_path / name, msgspec.structs.replace(small, state=state), weights, ROWS[:7])
    assert_same(stored(tmp_path / "always"), stored(tmp_path / "rarely"))
    assert named(tmp_path / "always") == named(tmp_path / "rarely")


def test_pending_interactions_are_learnt_once_by_the_next_process(
    tmp_path: Path, small: Config, weights: Weights
) -> None:
    ask_all(tmp_path / "straight", small, weights, ROWS[:4])
    home = tmp_path / "interrupted"
    ask_all(home, small, weights, ROWS[:2])
    with Assistant(home, small, TEACHER, weights, options=AssistantOptions(clock=at_noon)) as assistant:
        assistant.ask(Query(ROWS[2].query, row=ROWS[2].id))  # and then the process goes away
    with Assistant(home, small, TEACHER, weights, options=AssistantOptions(clock=at_noon)) as assistant:
        assert [interaction.request.number for interaction in assistant.learn_pending()] == [3]
        assert assistant.learn_pending() == []
        assistant.ask(Query(ROWS[3].query, row=ROWS[3].id))
        assistant.learn_pending()
    assert_same(stored(tmp_path / "straight"), stored(home))


def test_all_three_models_move_and_adams_state_is_stored_by_model(
    tmp_path: Path, small: Config, weights: Weights
) -> None:
    ask_all(tmp_path / "home", small, weights, ROWS[:1])
    before = stored(tmp_path / "home")
    ask_all(tmp_path / "home", small, weights, ROWS[1:12])
    after = stored(tmp_path / "home")
    for name in FILES[:3]:
        assert any(not mx.array_equal(before[name][array], after[name][array]).item() for array in before[name]), name
    assert {array.split(".")[0] for array in after["optimizer_state.safetensors"]} == {
        "router",
        "generator",
        "validator",
    }


def test_a_save_that_fails_leaves_the_old_state_whole(tmp_path: Path, small: Config, weights: Weights) -> None:
    home = tmp_path / "home"
    ask_all(home, small, weights, ROWS[:2])
    before = {name: (home / "models" / name).read_bytes() for name in (*FILES, "manifest.json")}
    snapshots = Snapshots(home, small.state)
    manifest = snapshots.manifest(named(home))
    assert manifest is not None

    def full_disk(file: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        snapshots.write({Path(name).stem: full_disk for name in FILES}, manifest)
    assert {name: (home / "models" / name).read_bytes() for name in before} == before
    assert len(list((home / "states").iterdir())) == 1


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_damage_is_reported_with_the_file_and_the_last_good_checkpoint(
    tmp_path: Path, small: Config, weights: Weights, name: str, damage: str
) -> None:
    home = tmp_path / "home"
    ask_all(home, small, weights, ROWS[:12])
    path = home / "models" / name
    content = bytearray(path.read_bytes())
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    with pytest.raises(BadStateError) as told, Assistant(home, small, TEACHER, weights):
        pass
    assert name in told.value.message
    assert "shammah rollback 10" in told.value.hint
    assert len(roll_back(home, small, 10)) == 2
    ask_all(home, small, weights, ROWS[12:13])


def test_a_rollback_restores_the_old_state_and_archives_the_rest(
    tmp_path: Path, small: Config, weights: Weights
) -> None:
    ask_all(tmp_path / "five", small, weights, ROWS[:5])
    home = tmp_path / "home"
    ask_all(home, small, weights, ROWS[:13])
    assert Snapshots(home, small.state).checkpoints() == [5, 10]
    assert len(roll_back(home, small, 5)) == 8
    assert_same(stored(tmp_path / "five"), stored(home))
    with Assistant(home, small, TEACHER, weights) as assistant:
        assert assistant.learn_pending() == []
        again = assistant.ask(Query(ROWS[5].query, row=ROWS[5].id))
        assert isinstance(again, Interaction)
        assert (again.request.seen, again.request.number) == (5, 14)


def seen_and_checkpoints(home: Path, config: Config, weights: Weights) -> tuple[int, list[int]]:
    with Assistant(home, config, TEACHER, weights) as assistant:
        answered = assistant.ask(Query("question 0 about topic 0", row="0"))
        assert isinstance(answered, Interaction)
        assistant.learn_pending()
    return answered.request.seen, Snapshots(home, config.state).checkpoints()


def test_a_rollback_deletes_later_checkpoints(tmp_path: Path, small: Config, weights: Weights) -> None:
    home = tmp_path / "home"
    ask_all(home, small, weights, ROWS[:12])
    assert len(roll_back(home, small, 5)) == 7
    with pytest.raises(BadStateError, match="no checkpoint 10"):
        roll_back(home, small, 10)
    ask_all(home, small, weights, ROWS[20:24])
    assert seen_and_checkpoints(home, small, weights) == (9, [5, 10])
    assert len(roll_back(home, small, 5)) == 5
    assert seen_and_checkpoints(home, small, weights) == (5, [5])


def test_a_home_that_lost_its_journal_goes_on_learning(tmp_path: Path, small: Config, weights: Weights) -> None:
    home = tmp_path / "home"
    ask_all(home, small, weights, ROWS[:3])
    (home / "journal.db").unlink()
    assert seen_and_checkpoints(home, small, weights) == (3, [])
    manifest = Snapshots(home, small.state).manifest(named(home))
    assert manifest is not None
    assert (manifest.cursor, manifest.tally.queries) == (4, 4)


def test_lost_models_are_not_taken_for_a_fresh_home(tmp_path: Path, small: Config, weights: Weights) -> None:
    home = tmp_path / "home"
    ask_all(home, small, weights, ROWS[:7])
    (home / "states").rename(tmp_path / "away")
    with pytest.raises(BadStateError) as told, Assistant(home, small, TEACHER, weights):
        pass
    assert f"shammah rollback 5 --home {home}" in told.value.hint
    assert len(roll_back(home, small, 5)) == 2
    assert seen_and_checkpoints(home, small, weights)[0] == 5


def test_a_lost_link_is_made_again(tmp_path: Path, small: Config, weights: Weights) -> None:
    home = tmp_path / "home"
    ask_all(home, small, weights, ROWS[:3])
    before = stored(home)
    (home / "models").unlink()
    with Assistant(home, small, TEACHER, weights) as assistant:
        assert assistant.learn_pending() == []
    assert_same(before, stored(home))


@pytest.mark.parametrize("queries", [3, 5])  # before the first checkpoint; and with it damaged, for it shares the bytes
def test_a_rebuild_repairs_a_home_without_a_good_checkpoint(
    tmp_path: Path, small: Config, weights: Weights, queries: int
) -> None:
    home = tmp_path / "home"
    ask_all(home, small, weights, ROWS[:queries])
    before, name = stored(home), named(home)
    with (home / "models" / "router.safetensors").open("r+b") as file:
        file.write(b"damaged")
    with pytest.raises(BadStateError) as told, Assistant(home, small, TEACHER, weights):
        pass
    assert f"shammah rebuild --home {home}" in told.value.hint
    rebuilt = rebuild(home, small, weights)
    assert (rebuilt.interactions, rebuilt.before, rebuilt.after) == (queries, name, name)
    assert_same(before, stored(home))


def test_saving_the_same_state_again_leaves_its_files_in_place(tmp_path: Path, small: Config, weights: Weights) -> None:
    home = tmp_path / "home"
    ask_all(home, small, weights, ROWS[:2])
    before = {path: path.stat().st_ino for path in (home / "models").resolve().iterdir()}
    with Assistant(home, small, TEACHER, weights) as assistant:
        assert assistant.save() == named(home)
    assert {path: path.stat().st_ino for path in (home / "models").resolve().iterdir()} == before
    assert rebuild(home, small, weights).after == named(home)
    assert {path: path.stat().st_ino for path in (home / "models").resolve().iterdir()} == before


def test_a_rebuild_is_refused_to_another_preset(tmp_path: Path, small: Config, weights: Weights) -> None:
    home = tmp_path / "home"
    ask_all(home, small, weights, ROWS[:2])
    (home / "models" / "router.safetensors").write_bytes(b"damaged")
    with pytest.raises(BadStateError) as told, Assistant(home, small, TEACHER, weights):
        pass
    assert "--preset literal" in told.value.hint
    with pytest.raises(BadStateError, match="made by the preset 'literal'"):
        rebuild(home, msgspec.structs.replace(small, preset="other"), weights)


def test_a_rebuild_makes_the_checkpoints_again_and_archives_the_old_state(
    tmp_path: Path, small: Config, weights: Weights
) -> None:
    home = tmp_path / "home"
    ask_all(home, small, weights, ROWS[:12])
    shutil.rmtree(home / "checkpoints")
    assert rebuild(home, small, weights).after == named(home)
    assert Snapshots(home, small.state).checkpoints() == [5, 10]
    assert not (home / "aside").exists()
    other = msgspec.structs.replace(small, seed=7)
    rebuilt = rebuild(home, other, weights)
    assert rebuilt.before != rebuilt.after
    assert [path.name for path in (home / "aside").iterdir()] == [(rebuilt.before or "")[:16]]
    assert len(roll_back(home, other, 5)) == 7


def test_the_bound_does_not_wait_for_the_learner(tmp_path: Path, weights: Weights) -> None:
    never_unsure = DivergenceConfig(kind="semantic")  # so that one label is one bad answer
    config = msgspec.structs.replace(PRESETS["default"], generator="recall", divergence=never_unsure)
    asked = msgspec.structs.replace(
        make_request(), thresholds={"recall": Threshold(candidate=0.5, serve=0.5, offset=0.0, slope=1.0)}
    )
    route, draft = Route({"recall": 0.9}, 0.5, ("recall",)), ScoredDraft(Draft("wrong", "recall"), 0.9)
    measured = msgspec.structs.replace(draft, divergence=1.0)
    with closing(Journal(tmp_path / "journal.db")) as journal:
        training = Training(tmp_path, config, weights, journal, Snapshots(tmp_path, config.state), afresh=False)
        refuted = Interaction.audited(
            Interaction.approved(asked, route, (draft,), 0.5), (measured,), reply(), good=False
        )
        journal.write(msgspec.structs.replace(refuted, decision_context=DecisionContext(versions=training.versions)))
        now = training.score_counts_with(training.pending_events())["recall"]
        assert training.score_counts["recall"].feedback == 0.0
        assert now.feedback == pytest.approx(config.risk.feedback)  # (1 - pi) / pi bad answers stand behind it
        assert sum(now.bad) == 1.0
        for interaction in journal.after(0):
            training.learn(interaction, Scripted())
        assert training.score_counts["recall"] == training.score_counts_with(training.pending_events())["recall"] == now


def test_a_home_copied_with_its_links_resolved_works(tmp_path: Path, small: Config, weights: Weights) -> None:
    home = tmp_path / "home"
    ask_all(home, small, weights, ROWS[:3])
    shutil.copytree(home, tmp_path / "copy", symlinks=False)
    ask_all(tmp_path / "copy", small, weights, ROWS[3:4])
    ask_all(home, small, weights, ROWS[3:4])
    assert_same(stored(home), stored(tmp_path / "copy"))


def test_a_checkpoint_due_when_the_process_died_is_made_by_the_next(
    tmp_path: Path, small: Config, weights: Weights
) -> None:
    home = tmp_path / "home"
    ask_all(home, small, weights, ROWS[:5])
    shutil.rmtree(home / "checkpoints")
    with Assistant(home, small, TEACHER, weights) as assistant:
        assert assistant.learn_pending() == []
    assert Snapshots(home, small.state).checkpoints() == [5]


def test_models_of_a_newer_version_are_not_called_damaged(tmp_path: Path, small: Config, weights: Weights) -> None:
    home = tmp_path / "home"
    ask_all(home, small, weights, ROWS[:1])
    (home / "models" / "manifest.json").write_bytes(b'{"format":%d,"something":"new"}' % (FORMAT + 1))
    with pytest.raises(BadStateError, match="newer"):
        Assistant(home, small, TEACHER, weights)


def test_a_missing_checkpoint_is_refused(tmp_path: Path, small: Config, weights: Weights) -> None:
    ask_all(tmp_path / "home", small, weights, ROWS[:6])
    with pytest.raises(BadStateError) as told:
        roll_back(tmp_path / "home", small, 7)
    assert "7" in told.value.message
    assert "5" in told.value.hint


def test_checkpoints_are_kept_recent_and_every_thousandth() -> None:
    kept = list(range(100, 3100, 100))
    for old in expired(kept, StateConfig()):
        kept.remove(old)
    assert kept == [1000, 2000, *range(2100, 3100, 100)]
    assert expired([100], StateConfig()) == []


def test_another_preset_and_other_shapes_are_refused(tmp_path: Path, small: Config, weights: Weights) -> None:
    ask_all(tmp_path / "home", small, weights, ROWS[:1])
    with pytest.raises(BadStateError, match="literal"):
        Assistant(tmp_path / "home", msgspec.structs.replace(small, preset="other"), TEACHER, weights)
    wider = msgspec.structs.replace(small, router=msgspec.structs.replace(small.router, width=32))
    with pytest.raises(BadStateError, match="do not fit"):
        Assistant(tmp_path / "home", wider, TEACHER, weights)


def test_a_home_in_use_is_waited_for_with_a_message_and_then_refused(
    tmp_path: Path, small: Config, weights: Weights
) -> None:
    hasty = msgspec.structs.replace(small, state=StateConfig(lock_wait_s=0.1))
    home, waits = tmp_path / "home", []
    ask_all(home, small, weights, ROWS[:5])
    with Assistant(home, small, TEACHER, weights), pytest.raises(BadStateError, match="another shammah"):
        roll_back(home, hasty, 5, lambda: waits.append(1))
    with (
        HomeLock(home, hasty.state).alone(),
        pytest.raises(BadStateError, match="another shammah"),
        Assistant(home, hasty, TEACHER, weights, options=AssistantOptions(on_wait=lambda: waits.append(1))),
    ):
        pass
    assert waits == [1, 1]


def query_counts(home: Path) -> list[int]:
    text = (home / "metrics" / "training.jsonl").read_text()
    return [json.loads(line)["query_count"] for line in text.splitlines()]


def test_the_metrics_file_has_one_line_a_query_whatever_happens(
    tmp_path: Path, small: Config, weights: Weights
) -> None:
    home = tmp_path / "home"
    ask_all(home, small, weights, ROWS[:8])
    roll_back(home, small, 5)
    assert query_counts(home) == [1, 2, 3, 4, 5]
    ask_all(home, small, weights, ROWS[5:7])
    assert query_counts(home) == [1, 2, 3, 4, 5, 6, 7]
    with (home / "metrics" / "training.jsonl").open("ab") as file:
        file.write(b'{"query_count": 8}\n{"query_co')  # written by a process that died before it saved
    ask_all(home, small, weights, ROWS[7:9])
    assert query_counts(home) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_the_metrics_file_has_a_line_a_query_and_no_text(tmp_path: Path, small: Config, weights: Weights) -> None:
    ask_all(tmp_path / "home", small, weights, ROWS[:6])
    text = (tmp_path / "home" / "metrics" / "training.jsonl").read_text()
    assert [json.loads(line)["query_count"] for line in text.splitlines()] == [1, 2, 3, 4, 5, 6]
    assert "question" not in text
    assert "topic" not in text


def test_checkpoints_are_hard_links_to_the_state(tmp_path: Path, small: Config, weights: Weights) -> None:
    ask_all(tmp_path / "home", small, weights, ROWS[:5])
    current, kept = (tmp_path / "home" / "models", tmp_path / "home" / "checkpoints" / "query_5")
    for name in FILES:
        assert os.stat(current / name).st_ino == os.stat(kept / name).st_ino  # noqa: PTH116
    assert stat.S_ISLNK(os.lstat(current).st_mode)
