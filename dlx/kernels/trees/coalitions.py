"""What coalitions of columns are worth to a sum of trees, against all references at once: exact, and no row is mixed.

A person x mixed with a reference b by a coalition S reaches a leaf if each column on its path is satisfied by the one that
gives it: x for columns in S, b for the others. So the leaf adds, where x satisfies all columns of the path in S, its value
times the share of references that satisfy the others: a table over the subsets of the path's columns, made once for all
people and coalitions.
"""

from __future__ import annotations

import numpy as np

from dlx.trees import LEAF, Trees

MOST_COLUMNS = 10  # on a path: its table has 1,024 entries
BLOCK_NUMBERS = 2**21  # of leaves times what each is held for


def coalition_worth(trees: Trees, rows: np.ndarray, background: np.ndarray, members: np.ndarray) -> np.ndarray | None:
    """Return the mean output of each person mixed with the references by each coalition, float64 [people, coalitions].

    None where a path asks more than `MOST_COLUMNS` columns, whose table costs more than mixing rows.

    Parameters
    ----------
    trees : Trees
        The trees.
    rows, background : ndarray [people, features], [references, features]
        Coded, as the trees read them.
    members : ndarray of bool [coalitions, features]
        Whose values are the person's.
    """
    asked = trees.path_columns
    if asked.shape[1] > MOST_COLUMNS:
        return None
    codes, worth = trees.codes(np.concatenate([rows, background])), np.full((len(rows), len(members)), trees.base)
    leaves = np.flatnonzero(trees.feature == LEAF)
    size = max(1, BLOCK_NUMBERS // max(len(codes), len(members), 1 << asked.shape[1]))
    for start in range(0, len(leaves), size):
        some = leaves[start : start + size]
        lacked = lacking(trees, some, asked[some], codes)
        _add(worth, trees.value[some], _joined(asked[some], members), lacked[:, : len(rows)], lacked[:, len(rows) :])
    return worth


def lacking(trees: Trees, leaves: np.ndarray, asked: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the columns of each leaf's path that each row does not satisfy, as bits by place in `asked`, [leaves, rows]."""
    lacked, node = np.zeros((len(leaves), len(codes)), dtype=np.int32 if asked.shape[1] < 32 else np.int64), leaves
    while (known := trees.parent[node] != LEAF).any():
        above = np.where(known, trees.parent[node], node)
        bit = known << (asked == trees.feature[above, None]).argmax(axis=1)
        is_left = trees.left[above] == node
        lacked |= np.where(trees.goes_left(codes, above) == is_left[:, None], 0, bit[:, None]).astype(lacked.dtype)
        node = above
    return lacked


def _joined(asked: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return the columns of each leaf's path that are in each coalition, as bits, [leaves, coalitions]."""
    joined = np.zeros((len(asked), len(members)), dtype=np.int32)
    for bit, column in enumerate(asked.T):
        joined |= (members.T[column] & (column != LEAF)[:, None]).astype(np.int32) << bit
    return joined


def _add(worth: np.ndarray, value: np.ndarray, joined: np.ndarray, theirs: np.ndarray, ours: np.ndarray) -> None:
    """Add some leaves to what coalitions are worth [people, coalitions], by what people and references lack of their paths."""
    leaf = np.arange(len(value))
    bits = max(int(some.max(initial=0)) for some in (joined, theirs, ours)).bit_length()
    lacked = np.zeros((len(value), 1 << bits))  # by how many references, in exactly these columns
    np.add.at(lacked, (leaf[:, None], ours), 1.0)
    satisfied = lacked[:, ::-1].copy()  # by how many references, at least: those that lack some of the others, or none
    for bit in range(bits):
        halves = satisfied.reshape(len(value), -1, 2, 1 << bit)
        halves[:, :, 0] += halves[:, :, 1]
    every = (1 << bits) - 1
    share = value[:, None] * np.take_along_axis(satisfied, every - joined, axis=1) / ours.shape[1]
    for person, lacking in enumerate(theirs.T):
        near = np.flatnonzero(satisfied[leaf, lacking])
        worth[person] += np.einsum("lc,lc->c", share[near], (joined[near] & lacking[near, None]) == 0)
