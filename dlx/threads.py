"""One thread for each small product, and chunks of rows spread over the cores.

Threads inside a small product cost more than they bring, most of all on a busy machine, and change the order of sums.
Threads of our own over independent rows do neither.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

import numpy as np


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread inside the block, in torch and below numpy; put the counts back after it."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(before)


def in_chunks(function: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, size: int) -> np.ndarray:
    """Return a function of rows, computed for `size` of them at a time, on all cores; an error waits for what still runs."""
    if len(rows) <= size:
        return function(rows)
    parts = [_pool().submit(function, rows[start : start + size]) for start in range(0, len(rows), size)]
    try:
        wait(parts, return_when=FIRST_EXCEPTION)
    finally:
        for part in parts:
            part.cancel()
    wait(parts)
    done = [part.result() for part in parts if not part.cancelled()]  # raises the first error
    return np.concatenate(done)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores(), thread_name_prefix="dlx", initializer=_alone)


def _alone() -> None:
    import torch

    torch.get_num_threads()  # a thread's first call takes the number that was set last, by whomever
    torch.set_num_threads(1)
