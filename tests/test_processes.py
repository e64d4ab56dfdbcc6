"""Tasks in forked processes: their answers, what they say, and what fails there."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest

from dlx import processes
from dlx.processes import can_fork, side_by_side
from dlx.progress import Narrator
from dlx.threads import in_chunks

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


@pytest.mark.parametrize("failing", [lambda: os._exit(9) if processes.multiprocessing.parent_process() else 7])
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


def test_tasks_of_a_fork_run_one_after_another() -> None:
    nested = side_by_side([lambda: (os.getpid(), side_by_side([os.getpid] * 2, QUIET, "", ""))] * 2, QUIET, "", "")
    assert all(inner == [outer] * 2 for outer, inner in nested)


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
