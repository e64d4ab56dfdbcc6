"""The one compiled loop: every row through every tree."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

BLOCK = 256


class Forest(NamedTuple):
    """The nodes of all trees as they are walked: `children` [2 nodes] holds left and right, and a leaf is its own child.

    `threshold` is of the precision of the rows; `asks_sets` [trees] says where a set is asked for at all.
    """

    feature: np.ndarray
    threshold: np.ndarray
    children: np.ndarray
    missing_left: np.ndarray
    set_start: np.ndarray
    set_size: np.ndarray
    words: np.ndarray
    value: np.ndarray
    roots: np.ndarray
    depths: np.ndarray
    asks_sets: np.ndarray


@numba.njit(cache=True, nogil=True)
def sum_leaves(rows: np.ndarray, forest: Forest, total: np.ndarray) -> None:
    """Add the leaf of each row [rows, features] in each tree to `total` [rows].

    A block of rows goes down one tree together, a level at a time and, where only thresholds are asked, without a branch.
    """
    node = np.empty(BLOCK, np.int32)
    for start in range(0, len(rows), BLOCK):
        some = rows[start : start + BLOCK]
        for tree in range(len(forest.roots)):
            node[: len(some)] = forest.roots[tree]
            for _ in range(forest.depths[tree]):
                if forest.asks_sets[tree]:
                    _step_with_sets(some, forest, node)
                else:
                    _step(some, forest, node)
            for i in range(len(some)):
                total[start + i] += forest.value[node[i]]


@numba.njit(cache=True, nogil=True, inline="always")
def _step(rows: np.ndarray, forest: Forest, node: np.ndarray) -> None:
    for i in range(len(rows)):
        here = node[i]
        x = rows[i, forest.feature[here]]
        right = (x > forest.threshold[here]) | (np.isnan(x) & (not forest.missing_left[here]))
        node[i] = forest.children[2 * here + right]


@numba.njit(cache=True, nogil=True)
def _step_with_sets(rows: np.ndarray, forest: Forest, node: np.ndarray) -> None:
    for i in range(len(rows)):
        here = node[i]
        x = rows[i, forest.feature[here]]
        if np.isnan(x):
            left = forest.missing_left[here]
        elif forest.set_start[here] < 0:
            left = x <= forest.threshold[here]
        elif 0 <= x < 32 * forest.set_size[here]:
            code = np.int64(x)
            left = (forest.words[forest.set_start[here] + (code >> 5)] >> np.uint32(code & 31)) & 1 == 1
        else:
            left = False
        node[i] = forest.children[2 * here + (not left)]
