"""Tasks in forked processes: their answers, what they say, and what fails there."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dlx.processes import as_completed, can_fork, side_by_side
from dlx.progress import Narrator
from dlx.threads import cores, in_chunks

QUIET = Narrator(quiet=True)
pytestmark = pytest.mark.skipif(not can_fork(), reason="needs Linux, two cores and no GPU")


def test_answers_come_in_the_order_of_the_tasks_from_other_processes() -> None:
    answers = side_by_side([lambda i=i: (i, os.getpid()) for i in range(5)], QUIET, "counting", "numbers")
    assert [i for i, _ in answers] == list(range(5))
    assert os.getpid() not in {process for _, process in answers}


def test_what_a_task_says_is_said_here(capsys: pytest.CaptureFixture[str]) -> None:
    narrator = Narrator()

    def task() -> None:
        narrator.say("one of 200 people failed")

    side_by_side([task, task], narrator, "explaining", "people")
    assert capsys.readouterr().err.count("one of 200 people failed\n") == 2


def raises() -> int:
    raise KeyError("age")


def returns_what_cannot_be_sent() -> Callable[[], int]:
    return lambda: 1


@pytest.mark.parametrize("failing", [lambda: os._exit(9) if multiprocessing.parent_process() else 7])
def test_a_process_that_dies_costs_time_only(failing: Callable[[], int]) -> None:
    assert side_by_side([failing, lambda: 2, lambda: 3], QUIET, "counting", "numbers") == [7, 2, 3]


def test_an_error_is_the_one_that_the_task_raises() -> None:
    with pytest.raises(KeyError, match="age") as caught:
        side_by_side([raises, lambda: 2], QUIET, "counting", "numbers")
    assert caught.traceback[-1].name == "raises"


def test_what_cannot_be_sent_is_made_here() -> None:
    made, two = side_by_side([returns_what_cannot_be_sent, lambda: 2], QUIET, "counting", "numbers")
    assert callable(made) and made() == 1 and two == 2


def test_chunks_of_rows_are_computed_in_a_fork_of_a_process_whose_threads_have_run() -> None:
    rows = np.arange(12.0).reshape(6, 2)
    expected = in_chunks(lambda some: some * 2, rows, 2)
    for found in side_by_side([lambda: in_chunks(lambda some: some * 2, rows, 2)] * 3, QUIET, "doubling", "rows"):
        np.testing.assert_array_equal(found, expected)


def test_tasks_of_a_fork_take_the_cores_that_are_idle_and_no_more() -> None:
    fork = multiprocessing.get_context("fork")
    at_work, most = fork.Value("i", 0), fork.Value("i", 0)

    def work() -> list[int]:
        with at_work.get_lock():
            at_work.value += 1
            most.value = max(most.value, at_work.value)
        time.sleep(0.15)
        with at_work.get_lock():
            at_work.value -= 1
        return [os.getpid()]

    def nested() -> list[int]:
        return [os.getpid(), *(pid for [pid] in side_by_side([work] * 6, QUIET, "", ""))]

    (outer, *inner), [alone] = side_by_side([nested, work], QUIET, "", "")
    assert outer not in inner and alone not in {outer, *inner}
    assert len(set(inner)) == most.value == cores()
    assert at_work.value == 0


def test_a_fork_that_is_ended_ends_what_it_forked() -> None:
    fork = multiprocessing.get_context("fork")
    pids = fork.SimpleQueue()

    def sleep() -> None:
        pids.put(os.getpid())
        time.sleep(60)

    def nested() -> None:
        pids.put(os.getpid())
        side_by_side([sleep] * 2, QUIET, "", "")

    def look() -> None:
        if not pids.empty():
            started.append(pids.get())
        if len(started) == 4:
            raise KeyboardInterrupt

    started = list[int]()
    with pytest.raises(KeyboardInterrupt):
        list(as_completed([nested, nested], QUIET, glance=look))
    end = time.monotonic() + 20
    while any(map(is_running, started)):
        assert time.monotonic() < end
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_a_fork_computes_on_one_thread_since_those_of_openmp_are_not_in_it() -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        torch.ones(300, 300) @ torch.ones(300, 300)  # starts the threads, for which a fork would wait without end
        assert side_by_side([torch.get_num_threads] * 2, QUIET, "counting", "threads") == [1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
