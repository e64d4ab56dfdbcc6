"""Threads: chunks give what the whole gives, and counts are put back."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from dlx.threads import cores, in_chunks, one_thread


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with threadpool_limits(limits=2):
        yield
    torch.set_num_threads(before)


def counts():
    return [torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())]


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 100])
@pytest.mark.parametrize("size", [1, 7])
def test_chunks_give_what_the_whole_gives(count, size):
    rows, sizes = np.random.default_rng(0).normal(size=(count, 3)), []

    def function(some):
        sizes.append(len(some))
        return np.sin(some).sum(axis=1)

    np.testing.assert_array_equal(in_chunks(function, rows, size), np.sin(rows).sum(axis=1))
    assert sum(sizes) == count and max(sizes) <= size


def test_chunks_run_on_threads_of_their_own_with_one_torch_thread_each(two_threads):
    def function(some):
        return np.array([[threading.get_ident(), torch.get_num_threads()]])

    found = in_chunks(function, np.zeros((50, 1)), 1)
    assert threading.get_ident() not in found[:, 0] and set(found[:, 1]) == {1}
    assert torch.get_num_threads() == 2


def test_error_of_a_chunk_reaches_the_caller():
    def function(some):
        raise KeyError(some[0, 0])

    with pytest.raises(KeyError, match=r"0\.0"):
        in_chunks(function, np.arange(10.0)[:, None], 2)
    assert in_chunks(len, np.zeros((3, 1)), 3) == 3


@pytest.mark.parametrize("fails", [False, True])
def test_one_thread_puts_the_counts_back(two_threads, fails):
    before, inside = counts(), []
    try:
        with one_thread():
            inside = counts()
            if fails:
                raise KeyError
    except KeyError:
        assert fails
    assert set(inside) == {1} and set(before) == {2} and counts() == before


def test_an_error_in_a_chunk_waits_for_the_chunks_that_still_run():
    running, ended = threading.Event(), []

    def slow_or_failing(rows):
        if rows[0] == 0:
            running.wait(10)
            raise ZeroDivisionError
        running.set()
        time.sleep(0.2)
        ended.append(rows[0])
        return rows

    with pytest.raises(ZeroDivisionError):
        in_chunks(slow_or_failing, np.arange(2), 1)
    assert ended == [1] or cores() == 1
