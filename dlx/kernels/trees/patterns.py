"""Shapley values of a sum of trees by numpy alone: for a few rows, where nothing is compiled yet.

The games of leaves are those of `dlx.kernels.trees.leaves`. A row and a reference each lack some of the columns on a leaf's
path, a pattern of bits. The mean over the references is one product: how many references have each pattern, times what a
column gets from each two patterns.
"""

from __future__ import annotations

import numpy as np

from dlx.kernels.trees.coalitions import BLOCK_NUMBERS, lacking
from dlx.trees import LEAF, Trees

MOST_COLUMNS = 8  # on a path: of more, the product of patterns takes longer than compiling


def pattern_values(trees: Trees, rows: np.ndarray, background: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return exact interventional Shapley values of the trees' sum, float64 [rows, features].

    Parameters
    ----------
    trees : Trees
        Of at most `MOST_COLUMNS` columns a path.
    rows, background : ndarray of int [rows, features], [references, features]
        As `Trees.codes`.
    shares : ndarray [columns + 1, columns + 1]
        `leaves.shares` of the most columns of a path.
    """
    leaves, codes, values = np.flatnonzero(trees.feature == LEAF), np.concatenate([rows, background]), np.zeros(rows.shape)
    asked, weight = trees.path_columns[leaves], trees.contrasts[leaves] / len(background)
    columns = asked.shape[1]
    gains, patterns = _gains(columns, shares), 1 << columns
    size = max(1, BLOCK_NUMBERS // max(len(codes), columns * patterns))
    for start in range(0, len(leaves), size):
        some = slice(start, start + size)
        lacked = lacking(trees, leaves[some], asked[some], codes)
        own, theirs = lacked[:, : len(rows)], lacked[:, len(rows) :]
        leaf = np.arange(len(own))[:, None]
        counts = np.bincount((leaf * patterns + theirs).ravel(), minlength=len(own) * patterns).reshape(-1, patterns)
        for column, gain in zip(asked[some].T, gains, strict=True):
            table = (counts * weight[some, None]) @ gain  # [leaves, patterns of the row]
            order = column.argsort(kind="stable")
            which, first = np.unique(column[order], return_index=True)
            values[:, which] += np.add.reduceat(table[leaf, own][order], first, axis=0).T
    return values


def _gains(columns: int, shares: np.ndarray) -> np.ndarray:
    """Return what each column gets of a leaf worth 1, by what the reference lacks and the row lacks, [columns, 2^c, 2^c]."""
    patterns = np.arange(1 << columns)
    bits, count = patterns[:, None] >> np.arange(columns) & 1, np.bitwise_count(patterns)
    gained, lost = shares[count[:, None], count], shares[count, count[:, None]]
    meet = (patterns[:, None] & patterns) == 0
    return np.where(meet, bits.T[:, :, None] * gained - bits.T[:, None] * lost, 0.0)
