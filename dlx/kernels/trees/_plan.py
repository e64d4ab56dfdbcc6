"""How the leaves of trees are best summed: one table for a few neighbours, row by row, or by sets of references; compiled.

Compiled code must not call compiled code of another file: numba's cache would not see it change.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

MOST_BITS = 16
SPLIT, TABLE, PAIRS, SETS = 0, 1, 2, 3


class Nodes(NamedTuple):
    """The nodes of all trees, as in `Trees` with `Trees.limits` for thresholds, and the parent of each, -1 at a root."""

    feature: np.ndarray
    limit: np.ndarray
    left: np.ndarray
    right: np.ndarray
    missing_left: np.ndarray
    set_start: np.ndarray
    set_size: np.ndarray
    words: np.ndarray
    value: np.ndarray
    parent: np.ndarray


@numba.njit(cache=True, nogil=True)
def plan(nodes: Nodes, rows: int, references: int, most_bytes: int) -> tuple[np.ndarray, np.ndarray, int, float]:
    """Return how the leaves below each node are summed, which nodes stand for all, the most columns of a path, and the cost.

    Below each node it is whichever is estimated to be quickest: one table for all of its leaves (of at most `most_bytes`),
    each child for itself, (a leaf) pairs of a row and a reference, or (a whole tree) sets of references.
    """
    size = len(nodes.feature)
    how, leaves, columns = np.zeros(size, np.int8), np.ones(size, np.int64), np.zeros(size, np.int64)
    for node in range(size):
        if nodes.feature[node] >= 0:
            columns[nodes.left[node]] = columns[nodes.right[node]] = columns[node] + _is_new(node, nodes)
    cost, making, by_sets = np.zeros(size), np.zeros(size), np.zeros(size)
    for node in range(size - 1, -1, -1):
        left, right = nodes.left[node], nodes.right[node]
        if nodes.feature[node] < 0:
            how[node], cost[node] = PAIRS, _cost_of_pairs(columns[node], rows, references)
            making[node] = _cost_of_making(columns[node], references)
            by_sets[node] = _cost_of_sets(columns[node], rows, references)
        else:
            leaves[node] = leaves[left] + leaves[right]
            cost[node], making[node] = cost[left] + cost[right], making[left] + making[right]
            by_sets[node] = by_sets[left] + by_sets[right]
        bits = columns[node] + leaves[node] - 1
        if bits <= MOST_BITS and 8 * bits * 2**bits <= most_bytes:
            together = making[node] + _cost_of_using(columns[node], leaves[node], rows)
            if together <= cost[node]:
                how[node], cost[node] = TABLE, together
        if nodes.parent[node] < 0 and by_sets[node] < cost[node]:
            how[node], cost[node] = SETS, by_sets[node]
    return how, _chosen(nodes, how), columns.max(), cost[nodes.parent < 0].sum()


# Nanoseconds, as measured on one core: they choose between ways to the same values, and need not be right elsewhere


@numba.njit(cache=True, nogil=True)
def _cost_of_pairs(columns: int, rows: int, references: int) -> float:
    meet = 0.75**columns  # a guess: every column is satisfied by half of the rows
    return 1000 + 2 * references + rows * (30 + references * (0.3 + 0.45 * columns * meet))


@numba.njit(cache=True, nogil=True)
def _cost_of_sets(columns: int, rows: int, references: int) -> float:
    return 100 + references + rows * (8 + 12 / (1 / (references * 0.75**columns) + 1 / 1.5**columns))


@numba.njit(cache=True, nogil=True)
def _cost_of_making(columns: int, references: int) -> float:
    distinct = 1 / (1 / references + 1 / 2.0**columns)
    return 1200 + references + distinct * 1.5**columns * (columns / 2 + 1)


@numba.njit(cache=True, nogil=True)
def _cost_of_using(columns: int, leaves: int, rows: int) -> float:
    bits = columns + leaves - 1
    return 800 + 0.4 * leaves * (columns + 3) * 2.0**bits + rows * (0.3 + 0.35 * bits)


@numba.njit(cache=True, nogil=True)
def _is_new(node: int, nodes: Nodes) -> bool:
    """Whether no node above asks the same column."""
    above = nodes.parent[node]
    while above >= 0:
        if nodes.feature[above] == nodes.feature[node]:
            return False
        above = nodes.parent[above]
    return True


@numba.njit(cache=True, nogil=True)
def _chosen(nodes: Nodes, how: np.ndarray) -> np.ndarray:
    reached, chosen = nodes.parent < 0, np.zeros(len(how), np.bool_)
    for node in range(len(how)):
        if reached[node] and how[node] == SPLIT:
            reached[nodes.left[node]] = reached[nodes.right[node]] = True
        elif reached[node]:
            chosen[node] = True
    return np.flatnonzero(chosen)
