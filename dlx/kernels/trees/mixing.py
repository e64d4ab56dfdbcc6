"""Trees read a person mixed with a reference leaf by leaf: no row is mixed, and none goes down a tree.

On the way to a leaf some columns would lead the person elsewhere, and some the reference. A coalition, whose columns have the
person's values, reaches the leaf if it has none of the first and all of the second: of a pair's leaves, few can be reached.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlx.kernels.trees.coalitions import lacking
from dlx.trees import LEAF, Trees

MOST_COLUMNS = 63  # a bit each
MOST_NUMBERS = 2**24  # of rows times leaves


@dataclass(frozen=True, eq=False)
class MixedTrees:
    """Trees, and the columns that lead people and references away from each leaf, as bits.

    Parameters
    ----------
    trees : Trees
        The trees.
    theirs, ours : ndarray of int64 [people, leaves], [references, leaves]
        Of people and of references.
    """

    trees: Trees
    theirs: np.ndarray
    ours: np.ndarray

    def outputs(self, people: np.ndarray, references: np.ndarray, players: np.ndarray, members: np.ndarray) -> np.ndarray:
        """Return the trees' output of mixed rows, float64 [pairs, coalitions]; the parameters are those of `Game.pairs`."""
        from dlx.kernels.trees._mixing import add_leaves

        worth = np.full((len(people), len(members)), self.trees.base)
        value, bits = self.trees.value[self.trees.feature == LEAF], np.left_shift(1, players)
        add_leaves(value, self.theirs, self.ours, people, references, bits, members, worth)
        return worth


def mixed_trees(trees: Trees, rows: np.ndarray, background: np.ndarray) -> MixedTrees | None:
    """Return trees that read mixtures of coded rows [people, features] and references; None where that is too large."""
    leaves, columns = np.flatnonzero(trees.feature == LEAF), rows.shape[1]
    if columns > MOST_COLUMNS or (len(rows) + len(background)) * len(leaves) > MOST_NUMBERS:
        return None
    away = lacking(trees, leaves, np.arange(columns)[None], trees.codes(np.concatenate([rows, background])))
    theirs, ours = np.split(np.ascontiguousarray(away.T), [len(rows)])
    return MixedTrees(trees, theirs, ours)
