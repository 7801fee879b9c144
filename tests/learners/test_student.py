"""The decoder learns on a thread of its own, while questions are answered on this one."""

import functools
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.config import Config
from shammah_mlx.events import Interaction, Query, Reply, Route
from shammah_mlx.learners import learning_thread
from shammah_mlx.learners.student import Student
from shammah_mlx.models.backend import mx
from shammah_mlx.models.language_model import CachedReader, Text
from shammah_mlx.models.tokenizers import Chat, Example
from shammah_mlx.presets import PRESETS
from tests.conftest import TINY_LORA
from tests.fakes import make_request

TASKS = 10  # from this number on, questions are a task
QUESTION = Query("what colour is the sky")


@pytest.fixture
def student(make_student: Callable[[int], Student]) -> Student:
    return make_student(1)


@pytest.fixture
def make_student(tiny_folder: Path) -> Callable[[int], Student]:
    """Return what makes a student that measures its probes every so many steps, of this rank."""
    return functools.partial(_student, tiny_folder)


def manner_of(number: int) -> str:
    return "quickly" if number % 2 else "slowly"


def _student(folder: Path, probe_every: int, rank: int = TINY_LORA.rank) -> Student:
    base = PRESETS["default"]
    config: Config = msgspec.structs.replace(
        base,
        lora=msgspec.structs.replace(TINY_LORA, model=str(folder), rank=rank),
        rehearsal=msgspec.structs.replace(base.rehearsal, probes=0, probe_every=probe_every),
    )

    def lookup(number: int) -> Interaction:
        question, reply = f"question {number}", "Blue, by day."
        if number > TASKS:
            question, reply = f"paint {number} {manner_of(number)}", json.dumps({"do": "it", "what": str(number)})
        request = msgspec.structs.replace(make_request(), query=Query(question))
        return Interaction.forwarded(request, Route({}, None), Reply(reply, "m", "end_turn"))

    return Student(folder, config, lookup)


def test_questions_are_answered_during_a_step_with_the_adapters_from_before(student: Student) -> None:
    before = student.write(QUESTION, 0, None)
    answered, during = threading.Event(), []
    learning_thread.submit(answered.wait)  # the step comes after this, which ends with the first answer

    def give_way() -> None:
        if not answered.is_set():
            during.append(student.write(QUESTION, 0, None))
            answered.set()

    step = student.step(1, 0, 0.05, give_way)
    assert step.applied
    assert during == [before]
    after = student.write(QUESTION, 0, None)
    assert after.written.log_p != before.written.log_p


@pytest.mark.parametrize("rank", [4, 0])
def test_what_nobody_waits_for_is_written_beside_answers(make_student: Callable[..., Student], rank: int) -> None:
    alone = make_student(1, rank).write(QUESTION, 0, None)
    student, begun = make_student(1, rank), threading.Event()
    beside: list[Text] = []
    learning_thread.submit(begun.wait)  # both begin at once, and nothing is read yet of what all prompts begin with

    def give_way() -> None:
        begun.set()
        if len(beside) < 3:
            beside.append(student.write(QUESTION, 0, None))

    assert student.write(QUESTION, 0, None, give_way=give_way) == alone
    assert beside
    assert all(answer == alone for answer in beside)


def test_what_nobody_waits_for_is_not_finished_if_learning_is_to_stop(student: Student) -> None:
    whole, has_begun, passes = student.write(QUESTION, 0, None).written.passes, threading.Event(), []

    class Slow(CachedReader):
        def read(self, ids: mx.array) -> mx.array:
            passes.append(ids)
            has_begun.set()
            time.sleep(0.02)  # four times as long as between two looks
            return super().read(ids)

    def stop() -> None:
        if has_begun.is_set():
            raise InterruptedError

    student._ready._make_reader, student._ready._begun = Slow, None
    with pytest.raises(InterruptedError):
        student.write(QUESTION, 0, None, give_way=stop)
    assert len(passes) < whole / 2


def test_what_is_written_changes_with_a_measurement_only_and_is_the_same_after_a_load(
    make_student: Callable[[int], Student],
) -> None:
    student, again = make_student(2), make_student(2)
    before = student.write(QUESTION, 0, None)
    student.step(1, 0, 0.05)
    assert student.write(QUESTION, 0, None) == before
    student.step(2, 0, 0.05)
    after = student.write(QUESTION, 0, None)
    assert after.written.log_p != before.written.log_p
    for number in (3, 4):
        again.load(*student.state())
        assert again.write(QUESTION, 0, None) == student.write(QUESTION, 0, None)
        assert again.step(number, 0, 0.05) == student.step(number, 0, 0.05)


def test_replies_that_are_json_are_replayed_with_values_of_others(
    make_student: Callable[[int], Student], monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[tuple[str, str]] = []
    student = make_student(2)
    example = Chat.example

    def noted(chat: Chat, text: str, known: tuple[str, str] | None, reply: str) -> Example:
        taught.append((text, reply))
        return example(chat, text, known, reply)

    monkeypatch.setattr(Chat, "example", noted)
    for number in range(11, 31):
        student.step(number, 0, 0.01)
    asked = [(*question.split(), json.loads(answer)["what"]) for question, answer in taught]
    assert all(number == answer for _, number, _, answer in asked)
    assert any(manner != manner_of(int(number)) for _, number, manner, _ in asked)


def test_a_step_is_finished_though_learning_is_to_stop(student: Student) -> None:
    def stop() -> None:
        raise InterruptedError

    before = student.write(QUESTION, 0, None)
    assert student.step(1, 0, 0.05, stop).applied
    assert student.write(QUESTION, 0, None).written.log_p != before.written.log_p


def test_an_error_on_the_learning_thread_is_raised_here_and_the_next_step_goes_on(student: Student) -> None:
    def fail() -> None:
        raise ArithmeticError("on the other thread")

    with pytest.raises(ArithmeticError, match="on the other thread"):
        learning_thread.submit(fail).result()
    assert student.step(1, 0, 0.05).applied
