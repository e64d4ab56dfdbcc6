"""Trees that ask columns made of a table's own (one-hot, scaled, binned), as trees that ask the table's own columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dlx.trees import LEAF, MISSING, NO_SET, Reading, Trees


def grouped(trees: Trees, owner: np.ndarray, count: int, dense: Sequence[np.ndarray]) -> tuple[Trees, list[np.ndarray]]:
    """Return trees that ask original columns, and dense rows as rows of these: each goes the same way through each tree.

    An original column that became one dense column is that column's rank among its thresholds; one that became several is the
    number of its values among those of the rows, told apart as far as the trees do, and is split into sets of them.

    Parameters
    ----------
    trees : Trees
        On dense columns.
    owner : ndarray of int [width]
        Which original column each dense column is made of.
    count : int
        Of original columns.
    dense : sequence of ndarray [rows, width]
        Rows, as the trees read them.
    """
    codes, leaf = trees.codes(np.concatenate(dense)), trees.feature == LEAF
    asked = np.unique(trees.feature[~leaf])
    rows, sets = np.zeros((len(codes), count)), dict[int, np.ndarray]()
    for column in np.unique(owner[asked]).tolist():
        mine = asked[owner[asked] == column]
        if len(mine) == 1:
            rows[:, column] = np.where(codes[:, mine[0]] == MISSING, np.nan, codes[:, mine[0]])
            continue
        distinct, rows[:, column] = np.unique(codes[:, mine], axis=0, return_inverse=True)
        values, nodes = np.zeros((len(distinct), codes.shape[1]), dtype=np.int32), np.flatnonzero(np.isin(trees.feature, mine))
        values[:, mine] = distinct
        sets |= dict(zip(nodes.tolist(), map(np.flatnonzero, trees.goes_left(values, nodes)), strict=True))
    regrouped = list(sets)
    start, size = trees.set_start.copy(), trees.set_size.copy()
    start[regrouped], size[regrouped] = NO_SET, 0
    feature, threshold = np.where(leaf, LEAF, owner[trees.feature]), np.where(start == NO_SET, trees.limits, 0)
    together = replace(
        trees, feature=feature, threshold=threshold, set_start=start, set_size=size, reading=Reading("float64")
    ).with_sets(sets)
    return together, np.split(rows, np.cumsum([len(some) for some in dense])[:-1])
