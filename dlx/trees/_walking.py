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

    def of(self, trees: np.ndarray) -> Forest:
        """Return some of the trees, by a mask [trees]."""
        return self._replace(roots=self.roots[trees], depths=self.depths[trees], asks_sets=self.asks_sets[trees])


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
        by_threshold = (x <= forest.threshold[here]) | (np.isnan(x) & forest.missing_left[here])
        left = _in_set(x, here, forest) if forest.set_start[here] >= 0 else by_threshold
        node[i] = forest.children[2 * here + (not left)]


@numba.njit(cache=True, nogil=True)
def sum_leaves_set(
    people: np.ndarray, settings: np.ndarray, is_set: np.ndarray, forest: Forest, shared: np.ndarray, total: np.ndarray
) -> None:
    """Add the leaf of each person with each setting in each tree: to `total` [people, settings], or to `shared` [people].

    Parameters
    ----------
    people, settings : ndarray [people, features], [settings, features]
        Rows as the trees read them.
    is_set : ndarray of bool [features]
        Which columns are read of the settings, and not of the people.
    forest : Forest
        The trees.
    shared, total : ndarray [people], [people, settings]
        Where leaves are added that all settings reach together, and where those of some are.

    A node that asks a column of the people parts these, and goes on with the same settings on both sides; one that asks a
    column that is set parts the settings. Both are parted in place: what waits is disjoint from what goes on, or all of it.
    """
    who, which = np.arange(len(people)), np.arange(len(settings))
    spare = np.empty(max(len(people), len(settings)), np.int64)
    waiting = np.empty((forest.depths.max() + 1, 5), np.int64)
    for tree in range(len(forest.roots)):
        waiting[0] = np.int64(forest.roots[tree]), 0, len(people), 0, len(settings)
        count = 1
        while count:
            count -= 1
            node, start, end, first, last = waiting[count]
            left, right = np.int64(forest.children[2 * node]), np.int64(forest.children[2 * node + 1])
            if start == end or first == last:
                continue
            if left == node and last - first == len(settings):
                for i in range(start, end):
                    shared[who[i]] += forest.value[node]
            elif left == node:
                for i in range(start, end):
                    for j in range(first, last):
                        total[who[i], which[j]] += forest.value[node]
            elif is_set[forest.feature[node]]:
                middle = _part(which, first, last, settings, node, forest, spare)
                waiting[count] = left, start, end, first, middle
                waiting[count + 1] = right, start, end, middle, last
                count += 2
            else:
                middle = _part(who, start, end, people, node, forest, spare)
                waiting[count] = left, start, middle, first, last
                waiting[count + 1] = right, middle, end, first, last
                count += 2


@numba.njit(cache=True, nogil=True)
def _part(some: np.ndarray, start: int, end: int, rows: np.ndarray, node: int, forest: Forest, spare: np.ndarray) -> int:
    """Put whom a node sends to the left before the others, among rows from start to end; return the first of the others."""
    column, threshold = forest.feature[node], forest.threshold[node]
    missing_left, has_set = forest.missing_left[node], forest.set_start[node] >= 0
    middle, count = start, 0
    for i in range(start, end):
        row = some[i]
        x = rows[row, column]
        left = _in_set(x, node, forest) if has_set else (x <= threshold) | (np.isnan(x) & missing_left)
        some[middle] = row
        spare[count] = row
        middle += left
        count += not left
    some[middle:end] = spare[:count]
    return middle


@numba.njit(cache=True, nogil=True)
def _in_set(x: float, node: int, forest: Forest) -> bool:
    """Whether a node that asks for a set sends a code to the left."""
    if np.isnan(x):
        return forest.missing_left[node]
    if not 0 <= x < 32 * forest.set_size[node]:
        return False
    code = np.int64(x)
    return (forest.words[forest.set_start[node] + (code >> 5)] >> np.uint32(code & 31)) & 1 == 1
