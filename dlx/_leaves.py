"""The one compiled loop: every row through every tree."""

from __future__ import annotations

import numba
import numpy as np

BLOCK = 512


@numba.njit(cache=True, nogil=True)
def sum_leaves(
    rows: np.ndarray,
    feature: np.ndarray,
    threshold: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    missing_left: np.ndarray,
    value: np.ndarray,
    roots: np.ndarray,
    total: np.ndarray,
) -> None:
    """Add the leaf of each row [rows, features] in each tree to `total` [rows]; rows in blocks that fit the cache."""
    for start in range(0, len(rows), BLOCK):
        end = min(start + BLOCK, len(rows))
        for root in roots:
            for i in range(start, end):
                node = root
                while feature[node] >= 0:
                    x = rows[i, feature[node]]
                    if x <= threshold[node] or (np.isnan(x) and missing_left[node]):
                        node = left[node]
                    else:
                        node = right[node]
                total[i] += value[node]
