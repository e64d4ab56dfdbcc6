"""One thread for each small product, whose own threads cost more than they bring; chunks of rows spread over the cores."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread inside the block, in torch, if that is used, and below numpy; put the counts back after it."""
    torch, others = sys.modules.get("torch"), _pools(len(sys.modules)).lib_controllers
    counts = [(pool.set_num_threads, pool.num_threads) for pool in others]
    counts += [] if torch is None else [(torch.set_num_threads, torch.get_num_threads())]
    several = [(set_count, count) for set_count, count in counts if count != 1]
    for set_count, _ in several:
        set_count(1)
    try:
        yield
    finally:
        for set_count, count in several:
            set_count(count)


def in_chunks(
    function: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, size: int, *, is_alone: bool = False
) -> np.ndarray:
    """Return a function of rows, `size` of them at a time, on all cores unless alone; an error waits for what still runs."""
    if len(rows) <= size:
        return function(rows)
    if is_alone or multiprocessing.parent_process() is not None:  # every core has a process of its own, see `dlx.processes`
        return np.concatenate([function(rows[start : start + size]) for start in range(0, len(rows), size)])
    pool = _pool("torch" in sys.modules)
    parts = [pool.submit(function, rows[start : start + size]) for start in range(0, len(rows), size)]
    try:
        wait(parts, return_when=FIRST_EXCEPTION)
    finally:
        for part in parts:
            part.cancel()
    wait(parts)
    done = [part.result() for part in parts if not part.cancelled()]  # raises the first error
    return np.concatenate(done)


@functools.lru_cache(maxsize=1)
def _pools(modules: int) -> ThreadpoolController:  # noqa: ARG001 (what tells the cache that there is more)
    """Return the thread pools of all libraries; looking for them takes milliseconds, and new ones come with new modules."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def cores() -> int:
    """Return how many cores this process may use; DLX_CORES says so where others have processes of their own."""
    if "DLX_CORES" in os.environ:
        return int(os.environ["DLX_CORES"])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def _pool(has_torch: bool) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores(), thread_name_prefix="dlx", initializer=_alone if has_torch else None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # its threads are not in a fork


def _alone() -> None:
    import torch

    torch.get_num_threads()  # a thread's first call takes the number that was set last, by whomever
    torch.set_num_threads(1)
