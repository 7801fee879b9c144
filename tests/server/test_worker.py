"""The worker thread: clients' jobs first, idle work otherwise."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from shammah_mlx.server.worker import Worker

STEP_S = 0.05


@contextmanager
def working(idle_work: Callable[[], bool]) -> Iterator[Worker]:
    worker = Worker(idle_work)
    try:
        yield worker
    finally:
        worker.stop()


def test_all_jobs_run_on_one_other_thread() -> None:
    with working(lambda: False) as worker:
        worker.start()
        seen = {worker.submit(threading.get_ident).result() for _ in range(5)}
    assert len(seen) == 1
    assert seen != {threading.get_ident()}


def test_an_error_is_raised_to_the_caller_and_the_next_job_runs() -> None:
    def fail() -> None:
        raise ValueError("no")

    with working(lambda: False) as worker:
        worker.start()
        with pytest.raises(ValueError, match="no"):
            worker.submit(fail).result()
        assert worker.submit(lambda: 1).result() == 1


def test_a_client_waits_for_at_most_one_step_of_learning() -> None:
    steps: list[float] = []

    def learn() -> bool:
        for _ in range(20):
            worker.give_way()
            time.sleep(STEP_S)
            steps.append(time.monotonic())
        return True

    with working(learn) as worker:
        worker.start()
        time.sleep(3 * STEP_S)
        asked = time.monotonic()
        worker.submit(lambda: None).result()
        answered = time.monotonic()
        assert sum(asked < at < answered for at in steps) <= 1
        assert answered - asked < 3 * STEP_S


def test_no_idle_work_runs_while_the_thread_is_reserved() -> None:
    done: list[float] = []

    def learn() -> bool:
        worker.give_way()
        done.append(time.monotonic())
        time.sleep(STEP_S / 10)
        return True

    with working(learn) as worker:
        worker.start()
        with worker.reserved():
            worker.submit(lambda: None).result()
            begun = time.monotonic()
            time.sleep(5 * STEP_S)
            worker.submit(lambda: None).result()
            ended = time.monotonic()
        assert not [at for at in done if begun + STEP_S < at < ended]
        time.sleep(3 * STEP_S)
        assert [at for at in done if at > ended]


def test_a_job_for_idle_time_waits_for_all_clients() -> None:
    order: list[str] = []
    with working(lambda: False) as worker:
        worker.start()
        with worker.reserved():
            quiet = worker.submit_when_idle(lambda: order.append("idle"))
            worker.submit(lambda: order.append("first")).result()
            time.sleep(2 * STEP_S)
            worker.submit(lambda: order.append("second")).result()
            assert not quiet.done()
        quiet.result()
    assert order == ["first", "second", "idle"]


def test_it_finishes_all_submitted_jobs_before_it_ends() -> None:
    done: list[int] = []
    with working(lambda: False) as worker:
        worker.start()
        for number in range(5):
            worker.submit(partial(done.append, number))
        worker.submit_when_idle(lambda: done.append(5))
    assert done == list(range(6))
    assert not worker.is_alive


def test_jobs_are_cancelled_when_the_thread_has_died(monkeypatch: pytest.MonkeyPatch) -> None:
    def die() -> bool:
        raise RuntimeError

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    worker = Worker(die)
    worker.start()
    worker.stop()
    assert worker.submit(lambda: 1).cancelled()
