"""The decoder learns on a thread of its own, while questions are answered on this one."""

import threading
from pathlib import Path

import msgspec
import pytest

from shammah_mlx.config import Config
from shammah_mlx.events import Interaction, Query, Reply, Route
from shammah_mlx.learners import learning_thread
from shammah_mlx.learners.student import Student
from shammah_mlx.presets import PRESETS
from tests.conftest import TINY_LORA
from tests.fakes import make_request

QUESTION = Query("what colour is the sky")


@pytest.fixture
def student(tiny_folder: Path) -> Student:
    base = PRESETS["default"]
    config: Config = msgspec.structs.replace(
        base,
        lora=msgspec.structs.replace(TINY_LORA, model=str(tiny_folder)),
        rehearsal=msgspec.structs.replace(base.rehearsal, probes=0, probe_every=1),
    )

    def lookup(number: int) -> Interaction:
        request = msgspec.structs.replace(make_request(), query=Query(f"question {number}"))
        return Interaction.forwarded(request, Route({}, None), Reply("Blue, by day.", "m", "end_turn"))

    return Student(tiny_folder, config, lookup)


def test_questions_are_answered_during_a_step_with_the_adapters_from_before(student: Student) -> None:
    before = student.write(QUESTION, 0, None, None)
    answered, during = threading.Event(), []
    learning_thread.submit(answered.wait)  # the step comes after this, which ends with the first answer

    def give_way() -> None:
        if not answered.is_set():
            during.append(student.write(QUESTION, 0, None, None))
            answered.set()

    step = student.step(1, 0, 0.05, give_way)
    assert step.applied
    assert during == [before]
    after = student.write(QUESTION, 0, None, None)
    assert after.written.log_p != before.written.log_p


def test_a_step_is_finished_though_learning_is_to_stop(student: Student) -> None:
    def stop() -> None:
        raise InterruptedError

    before = student.write(QUESTION, 0, None, None)
    assert student.step(1, 0, 0.05, stop).applied
    assert student.write(QUESTION, 0, None, None).written.log_p != before.written.log_p


def test_an_error_on_the_learning_thread_is_raised_here_and_the_next_step_goes_on(student: Student) -> None:
    def fail() -> None:
        raise ArithmeticError("on the other thread")

    with pytest.raises(ArithmeticError, match="on the other thread"):
        learning_thread.submit(fail).result()
    assert student.step(1, 0, 0.05).applied
