"""Libraries that draw from global generators, made to depend on a seed and to leave no trace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed numpy's and torch's global generators inside the block, and put them back after it."""
    import torch

    numpy_state = np.random.get_state()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            np.random.seed(seed)
            torch.manual_seed(seed)
            yield
        finally:
            np.random.set_state(numpy_state)
