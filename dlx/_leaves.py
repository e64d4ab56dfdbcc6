"""The one compiled loop: every row through every tree."""

from __future__ import annotations

import numba
import numpy as np

BLOCK = 256


@numba.njit(cache=True, nogil=True)
def sum_leaves(
    rows: np.ndarray,
    feature: np.ndarray,
    threshold: np.ndarray,
    children: np.ndarray,
    missing_left: np.ndarray,
    value: np.ndarray,
    roots: np.ndarray,
    depths: np.ndarray,
    total: np.ndarray,
) -> None:
    """Add the leaf of each row [rows, features] in each tree to `total` [rows].

    A block of rows goes down one tree together, a level at a time, without a branch: `children` [2 nodes] holds the left
    and the right child of each node, and a leaf is its own child.
    """
    node = np.empty(BLOCK, np.int32)
    for start in range(0, len(rows), BLOCK):
        count = min(BLOCK, len(rows) - start)
        for tree in range(len(roots)):
            node[:count] = roots[tree]
            for _ in range(depths[tree]):
                for i in range(count):
                    here = node[i]
                    x = rows[start + i, feature[here]]
                    right = (x > threshold[here]) | (np.isnan(x) & (not missing_left[here]))
                    node[i] = children[2 * here + right]
            for i in range(count):
                total[start + i] += value[node[i]]
