"""The thread that works for those who wait, and in between for nobody."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from shammah_mlx.server.worker import Worker

STEP_S = 0.05


@contextmanager
def working(pastime: Callable[[], bool]) -> Iterator[Worker]:
    worker = Worker(pastime)
    try:
        yield worker
    finally:
        worker.stop()


def test_all_happens_on_one_thread_that_is_not_ours() -> None:
    with working(lambda: False) as worker:
        worker.start()
        seen = {worker.submit(threading.get_ident).result() for _ in range(5)}
    assert len(seen) == 1
    assert seen != {threading.get_ident()}


def test_what_goes_wrong_is_raised_where_it_is_waited_for_and_the_next_is_done() -> None:
    def fail() -> None:
        raise ValueError("no")

    with working(lambda: False) as worker:
        worker.start()
        with pytest.raises(ValueError, match="no"):
            worker.submit(fail).result()
        assert worker.submit(lambda: 1).result() == 1


def test_who_waits_waits_for_one_step_at_the_most() -> None:
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


def test_nothing_is_done_for_pastime_while_somebody_waits_for_somebody_else() -> None:
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


def test_what_is_to_be_done_idle_waits_for_all_others() -> None:
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


def test_it_ends_with_what_was_submitted_done() -> None:
    done: list[int] = []
    with working(lambda: False) as worker:
        worker.start()
        for number in range(5):
            worker.submit(partial(done.append, number))
        worker.submit_when_idle(lambda: done.append(5))
    assert done == list(range(6))
    assert not worker.is_alive


def test_what_waits_when_it_dies_is_not_waited_for_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    def die() -> bool:
        raise RuntimeError

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    worker = Worker(die)
    worker.start()
    worker.stop()
    assert worker.submit(lambda: 1).cancelled()
